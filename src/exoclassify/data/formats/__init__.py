"""Tables in files: one module per format, one way in (`reading`), one way out (`writing`)."""
