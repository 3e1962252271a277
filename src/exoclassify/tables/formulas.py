"""Texts that a spreadsheet would run: what came from a stranger's table goes out with an apostrophe before it.

Excel and its like take a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and one that begins with a tab or a
carriage return for what follows it (OWASP, "CSV Injection"). Numbers stay numbers. JSON and Parquet are left as they are.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["guarded", "guarded_cells", "guarded_frame"]

_LIVE = ("=", "+", "-", "@", "\t", "\r")
_PATTERN = r"^[=+\-@\t\r]"


def guarded(text: str) -> str:
    """Give a text that no spreadsheet runs."""
    return f"'{text}" if text.startswith(_LIVE) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def guarded_cells(cells: pa.Array) -> pa.Array:
    """Give texts that no spreadsheet runs; mostly the same array, after one look."""
    if not pc.any(pc.match_substring_regex(cells, _PATTERN)).as_py():
        return cells
    return pa.array([None if text is None else guarded(text) for text in cells.to_pylist()], cells.type)


def guarded_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a table whose texts and names no spreadsheet runs."""
    words = [
        name
        for name in frame.columns
        if pd.api.types.is_object_dtype(frame[name]) or pd.api.types.is_string_dtype(frame[name])
    ]
    safe = frame.assign(
        **{name: frame[name].map(lambda cell: guarded(cell) if isinstance(cell, str) else cell) for name in words}
    )
    return safe.rename(columns={name: guarded(name) for name in frame.columns if isinstance(name, str)})
