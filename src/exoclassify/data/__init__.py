"""What was measured, and who the samples are: read, checked once, and held unchanged."""
