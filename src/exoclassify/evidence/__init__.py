"""What is published of the cargo of vesicles in pain: a catalogue read at its sources, row by row."""
