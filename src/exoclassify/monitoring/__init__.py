"""What a model does in use: records, outcomes, drift."""
