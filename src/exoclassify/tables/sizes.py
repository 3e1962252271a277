"""How finely files are cut: one place, read when a file is cut, so that a test can cut a small file as finely as a large one."""

from __future__ import annotations

__all__ = [
    "BLOCK_CELLS", "HEAD_BYTES", "KEYS_AT_ONCE", "LONG_ROWS", "PIECES_IN_PART", "PIECE_BYTES", "PIECE_CELLS", "PIECE_ROWS",
    "STRETCH_BYTES", "STRETCH_ROWS",
]  # fmt: skip

HEAD_BYTES = 1 << 20
"""Bytes of text that are looked at first; more where the header is longer."""

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

KEYS_AT_ONCE = 4_000_000
"""Hashes of sample ids that are compared at once, 32 MB."""

PIECES_IN_PART = 12
"""Pieces whose answers are stored together."""

BLOCK_CELLS = 131_072
"""Numbers of a block of rows, 1 MB: it stays in a core's cache while the steps pass over it."""
