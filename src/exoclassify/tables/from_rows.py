"""Tables from rows of text, as CSV and XLSX files give them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from exoclassify.errors import FileError, InputError, first_three
from exoclassify.tables.cells import numbers, text_or_none
from exoclassify.tables.wide import MAX_TEXTS, WideTable, refuse_texts, tidy

__all__ = ["sheet_from_rows", "wide_from_rows"]

Rows = Iterator[tuple[int, list[str]]]


def wide_from_rows(rows: Rows, source: str) -> WideTable:
    """Make a wide table.

    Parameters
    ----------
    rows : iterator of (int, list of str)
        Line and cells, the header first.
    source : str
        Name of the file.

    Returns
    -------
    WideTable

    Raises
    ------
    FileError
        If there is no row at all.
    InputError
        If there are no rows below the header, no columns beside the first, a row has another number of cells
        than the header, or a million cells hold text.
    """
    header = _header(rows, source)
    if len(header) == 1:
        raise InputError(
            f"{source}: its header has one cell ({header[0][:40]!r}); a table of numbers needs more, separated "
            "by the comma of a .csv or the tab of a .tsv"
        )
    ids: list[str] = []
    second: list[str] = []
    values = []
    texts: list[tuple[int, int, str]] = []
    for cells in _even(rows, len(header), source):
        row, words = numbers(cells[1:])
        texts.extend((len(ids), j, word) for j, word in words)
        ids.append(cells[0].strip())
        second.append(cells[1])
        values.append(row)
        if len(texts) > MAX_TEXTS:
            refuse_texts(source, texts[0], ids[texts[0][0]], header[1:])
    table = WideTable(source, tuple(ids), tuple(header[1:]), np.vstack(values), tuple(texts))
    return tidy(table, header[0], second)


def sheet_from_rows(rows: Rows, source: str) -> pd.DataFrame:
    """Make a frame of texts.

    Parameters
    ----------
    rows : iterator of (int, list of str)
        Line and cells, the header first.
    source : str
        Name of the file.

    Returns
    -------
    DataFrame
        Texts, None for missing marks; no column is made the index.

    Raises
    ------
    FileError
        If there is no row at all.
    InputError
        If there are no rows below the header, or a row has another number of cells than the header.
    """
    header = _header(rows, source)
    cells = [[text_or_none(cell) for cell in row] for row in _even(rows, len(header), source)]
    frame = pd.DataFrame(cells, columns=header, dtype=object)
    return frame.loc[:, [bool(name) or frame.iloc[:, j].notna().any() for j, name in enumerate(header)]]


def _header(rows: Rows, source: str) -> list[str]:
    for _, cells in rows:
        return [cell.strip() for cell in cells]
    raise FileError(f"{source}: is empty but for blank lines")


def _even(rows: Rows, width: int, source: str) -> Iterator[list[str]]:
    """Pass on the rows of the header's width; in the end refuse if there were others, or none."""
    uneven = []
    n_even = 0
    for line, cells in rows:
        if len(cells) == width:
            n_even += 1
            yield cells
        else:
            uneven.append(f"line {line} has {len(cells)}")
    if uneven:
        count = "1 row has" if len(uneven) == 1 else f"{len(uneven)} rows have"
        raise InputError(
            f"{source}: {count} another number of cells than the header, which has {width} "
            f"({first_three(uneven)}); put names that hold a separator in quotes, and keep empty cells"
        )
    if not n_even:
        raise InputError(f"{source}: has a header of {width} cells and no row below it")
