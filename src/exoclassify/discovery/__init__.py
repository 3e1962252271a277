"""The molecules that mark a state."""
