"""The formats that instruments, pipelines and archives of the field write, recognised by their content."""
