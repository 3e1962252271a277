"""Tables from rows of text, as CSV and XLSX files give them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
import pandas as pd

from exoclassify.errors import FileError, InputError, first_three
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.cells import numbers, text_or_none
from exoclassify.tables.chosen import chosen
from exoclassify.tables.foreign import check_thousands, with_decimal_points
from exoclassify.tables.wide import MAX_TEXTS, WideTable, id_position, refuse_texts, tidy, without_row_numbers

__all__ = ["sheet_from_rows", "wide_from_rows"]

Rows = Iterator[tuple[int, list[str]]]


def wide_from_rows(rows: Rows, source: str, asked: Reading = AS_WRITTEN) -> WideTable:
    """Make a wide table.

    Parameters
    ----------
    rows : iterator of (int, list of str)
        Line and cells, the header first.
    source : str
        Name of the file.
    asked : Reading
        What the user said of it.

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
    at = id_position(header, asked, source)
    others = header[:at] + header[at + 1 :]
    ids: list[str] = []
    second: list[str] = []
    values = []
    texts: list[tuple[int, int, str]] = []
    even = _even(rows, len(header), source)
    head = list(islice(even, _LOOKED_AT))
    check_thousands([cells[:at] + cells[at + 1 :] for cells in head], source)
    for cells in chain(head, even):
        measured = cells[:at] + cells[at + 1 :]
        row, words = numbers(measured)
        texts.extend((len(ids), j, word) for j, word in words)
        ids.append(cells[at].strip())
        second.append(measured[0])
        values.append(row)
        if len(texts) > MAX_TEXTS:
            refuse_texts(source, texts[0], ids[texts[0][0]], others)
    table = with_decimal_points(WideTable(source, tuple(ids), tuple(others), np.vstack(values), tuple(texts)))
    table = without_row_numbers(table) if at else tidy(table, header[0], second)
    return chosen(table, asked)


_LOOKED_AT = 100
"""Rows by which marks between thousands are recognised."""


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
