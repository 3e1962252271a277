"""How finely files are cut: one place, read when a file is cut, so that a test can cut a small file as finely as a large one."""

from __future__ import annotations

__all__ = [
    "BLOCK_CELLS",
    "LONG_ROWS",
    "PIECES_IN_PART",
    "PIECE_BYTES",
    "PIECE_CELLS",
    "PIECE_ROWS",
    "STRETCH_BYTES",
    "STRETCH_ROWS",
]

PIECE_BYTES = 2 << 20
"""Bytes of text that are taken apart at once."""

PIECE_CELLS = 1_000_000
"""Numbers that are read together, 8 MB."""

PIECE_ROWS = (64, 65_536)
"""Fewest and most rows that are read together."""

LONG_ROWS = 200_000
"""Measurements of a long table that are read together."""

STRETCH_BYTES = 64 << 20
"""Bytes of text from one cut to the next."""

STRETCH_ROWS = 131_072
"""Row groups smaller than this are read together."""

PIECES_IN_PART = 12
"""Pieces whose answers are stored together."""

BLOCK_CELLS = 131_072
"""Numbers of a block of rows, 1 MB: it stays in a core's cache while the steps pass over it."""
