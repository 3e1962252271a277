"""A model that one can use."""
