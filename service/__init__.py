"""The REST service: it parses, calls the package, and formats."""
