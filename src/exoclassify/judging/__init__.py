"""How a way of learning is judged, on samples that were not learned from."""
