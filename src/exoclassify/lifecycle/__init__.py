"""Models made, judged elsewhere, replaced and taken to new sites."""
