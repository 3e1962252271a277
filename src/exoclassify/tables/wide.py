"""A table as a file has it: names in the first column and the header, numbers between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from exoclassify.errors import InputError

__all__ = ["MAX_TEXTS", "WideTable", "refuse_texts", "tidy"]

# Marks such as Undetermined fill much of a qPCR table, which has some 100,000 cells; ten times that is no such
# table, and would only fill the memory.
MAX_TEXTS = 1_000_000

# What pandas calls a row index that was written as a column without a name of its own.
_INDEX_NAMES = ("", "index", "Unnamed: 0")
_ID_NAMES = ("sample_id", "sampleid", "sample id", "sample", "id")


@dataclass(frozen=True, eq=False)
class WideTable:
    """The content of a file, before anything is known of its meaning.

    Parameters
    ----------
    source : str
        Name of the file.
    row_ids : tuple of str
        The first column.
    columns : tuple of str
        The header without its first cell; a name that comes twice is kept twice.
    cells : ndarray of shape (n_rows, n_columns)
        Numbers as written, infinite ones too; NaN for missing marks and for texts.
    texts : tuple of (int, int, str)
        Row, column and text of every cell that is neither a number nor a missing mark, in row order.
    """

    source: str
    row_ids: tuple[str, ...]
    columns: tuple[str, ...]
    cells: NDArray[np.float64]
    texts: tuple[tuple[int, int, str], ...]


def tidy(table: WideTable, corner: str, second: Sequence[str]) -> WideTable:
    """Leave out what says nothing: a row index that pandas wrote, and nameless empty columns.

    Parameters
    ----------
    table : WideTable
        As the file has it.
    corner : str
        The header's first cell.
    second : sequence of str
        The second column as written.

    Returns
    -------
    WideTable
        pandas writes 0, 1, 2, … before the sample ids when these are a column of the frame; the ids are then
        the second column. Spreadsheets leave empty columns at the right.
    """
    if _is_row_index(table, corner, second):
        texts = tuple((row, column - 1, text) for row, column, text in table.texts if column)
        ids = tuple(name.strip() for name in second)
        table = WideTable(table.source, ids, table.columns[1:], table.cells[:, 1:], texts)
    return _without_empty_columns(table)


def _is_row_index(table: WideTable, corner: str, second: Sequence[str]) -> bool:
    counted = all(name == str(i) for i, name in enumerate(table.row_ids))
    if corner not in _INDEX_NAMES or not counted or len(set(second)) < len(second):
        return False
    n_texts = sum(column == 0 for _, column, _ in table.texts)
    return table.columns[0].lower() in _ID_NAMES or 1 < n_texts == len(second)


def refuse_texts(source: str, first: tuple[int, int, str], row_id: str, columns: Sequence[str]) -> NoReturn:
    """Refuse a table that is text, not numbers.

    Parameters
    ----------
    source : str
        Name of the file.
    first : tuple of (int, int, str)
        Row, column and text of the first such cell.
    row_id : str
        Name of its row.
    columns : sequence of str
        Names of the columns.

    Raises
    ------
    InputError
        Always.
    """
    _, column, text = first
    raise InputError(
        f"{source}: more than {MAX_TEXTS:,} cells hold text where a number is expected, first row {row_id}, "
        f"column {columns[column]}: {text!r}; write numbers, with a decimal point"
    )


def _without_empty_columns(table: WideTable) -> WideTable:
    nameless = [j for j, name in enumerate(table.columns) if not name]
    if not nameless:
        return table
    written = {column for _, column, _ in table.texts}
    empty = {j for j in nameless if j not in written and np.isnan(table.cells[:, j]).all()}
    keep = [j for j in range(len(table.columns)) if j not in empty]
    place = {j: i for i, j in enumerate(keep)}
    texts = tuple((row, place[column], text) for row, column, text in table.texts)
    columns = tuple(table.columns[j] for j in keep)
    return WideTable(table.source, table.row_ids, columns, table.cells[:, keep], texts)
