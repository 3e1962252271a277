"""What could fool a reader of a model's figures, one file a kind of trap."""
