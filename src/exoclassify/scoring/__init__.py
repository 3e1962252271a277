"""Files in, files out: of any size, on one machine or many."""
