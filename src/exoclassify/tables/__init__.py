"""Every table in and out of files, once: reading, writing, names and numbers; knows no model."""
