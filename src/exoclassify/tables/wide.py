"""A table as a file has it: names in the first column and the header, numbers between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from exoclassify.errors import InputError, first_three
from exoclassify.tables.asked import Reading

__all__ = [
    "ID_NAMES", "MAX_TEXTS", "WideTable", "id_position", "is_row_index", "plain_name", "refuse_texts", "tidy",
    "without_row_numbers",
]  # fmt: skip

# Marks such as Undetermined fill much of a qPCR table, which has some 100,000 cells; ten times that is no such
# table, and would only fill the memory.
MAX_TEXTS = 1_000_000

# What pandas and R call a row index that was written as a column without a name of its own.
_INDEX_NAMES = ("", "index", "Unnamed: 0", "X", "...1", "rowname", "rownames", "row_names", "rn")
ID_NAMES = (
    "sample_id",
    "sampleid",
    "sample id",
    "sample",
    "samples",
    "sample name",
    "sample.name",
    "sample_name",
    "id",
)
"""What a column of sample ids is called, in lower case."""


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
    notes : tuple of str, default ()
        What was understood or left out, for the user.
    units : tuple of str, default ()
        What the values can be, where the format says it; empty for any.
    settled : bool, default False
        Whether the format, or the user, says that the samples are in rows.
    plain : bool, default True
        Whether every number stands in the file as any program reads it.
    """

    source: str
    row_ids: tuple[str, ...]
    columns: tuple[str, ...]
    cells: NDArray[np.float64]
    texts: tuple[tuple[int, int, str], ...]
    notes: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    settled: bool = False
    plain: bool = True

    def turned(self) -> WideTable:
        """Give the table with rows and columns exchanged."""
        texts = tuple(sorted((column, row, text) for row, column, text in self.texts))
        return replace(self, row_ids=self.columns, columns=self.row_ids, cells=self.cells.T, texts=texts)

    def with_columns(self, keep: Sequence[int]) -> WideTable:
        """Give the table with some of its columns."""
        place = {j: i for i, j in enumerate(keep)}
        texts = tuple((row, place[column], text) for row, column, text in self.texts if column in place)
        columns = tuple(self.columns[j] for j in keep)
        return replace(self, columns=columns, cells=self.cells[:, list(keep)], texts=texts)

    def check_unit(self, unit: str) -> None:
        """Refuse a unit that the format's values cannot have.

        Parameters
        ----------
        unit : str
            Stated by the user, or of the model.
        """
        if self.units and unit not in self.units:
            said = self.notes[0].partition(":")[0] if self.notes else "read"
            raise InputError(
                f"{self.source}: {said}, whose values are {' or '.join(self.units)}, and the unit is {unit}; state the "
                "unit they are in, or say with --columns which columns to read"
            )


def id_position(header: Sequence[str], asked: Reading, source: str) -> int:
    """Find the column of the sample ids, or of whatever names the rows.

    Returns
    -------
    int
        Of the column that is called sample_id, in any usual spelling; else of the first.
    """
    if asked.id_column is not None and asked.id_column in header:
        return list(header).index(asked.id_column)
    if asked.id_column is not None and not asked.id_if_there:
        raise InputError(f"{source}: has no column {asked.id_column}; its columns are {first_three(header)}")
    found = [j for j, name in enumerate(header) if plain_name(name) == "sampleid"]
    if len(found) > 1:
        names = ", ".join(header[j] for j in found)
        raise InputError(f"{source}: its columns {names} could all be the sample ids; say which with --id-column")
    return found[0] if found else 0


def plain_name(name: str) -> str:
    """Give a column's name in lower case, without what stands between words."""
    return re.sub(r"[\s._-]", "", name).lower()


def tidy(table: WideTable, corner: str, second: Sequence[str]) -> WideTable:
    """Leave out what says nothing: row numbers that pandas or R wrote, and nameless empty columns.

    Returns
    -------
    WideTable
        pandas writes 0, 1, 2, … and R 1, 2, 3, … before the sample ids when these are a column of the frame; the ids are
        then the second column. Spreadsheets leave empty columns at the right.
    """
    if _is_row_index(table, corner, second):
        kept = list(range(1, len(table.columns)))
        table = replace(table.with_columns(kept), row_ids=tuple(name.strip() for name in second))
    return _without_empty_columns(table)


def without_row_numbers(table: WideTable) -> WideTable:
    """Leave out row numbers that stand before ids which were found by their name."""
    first = table.cells[:, 0] if table.columns and table.columns[0] in _INDEX_NAMES else np.array([np.nan])
    whole = bool((first == np.floor(first)).all())
    return _without_empty_columns(table.with_columns(range(1, len(table.columns))) if whole else table)


def is_row_index(corner: str, ids: Sequence[str], neighbour: str, second: Sequence[str], *, texts: bool) -> bool:
    """Say whether a first column holds row numbers that a program wrote, and the names stand beside it."""
    if corner not in _INDEX_NAMES or len(set(second)) < len(second) or not all(name.isdigit() for name in ids):
        return False
    counted = all(int(name) == i for i, name in enumerate(ids, int(ids[0] != "0"))) if ids else False
    return neighbour.lower() in ID_NAMES or (counted and texts and len(second) > 1)


def _is_row_index(table: WideTable, corner: str, second: Sequence[str]) -> bool:
    if not table.columns:
        return False
    n_texts = sum(column == 0 for _, column, _ in table.texts)
    return is_row_index(corner, table.row_ids, table.columns[0], second, texts=n_texts == len(second))


def refuse_texts(source: str, first: tuple[int, int, str], row_id: str, columns: Sequence[str]) -> NoReturn:
    """Refuse a table that is text, not numbers."""
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
    return table.with_columns([j for j in range(len(table.columns)) if j not in empty])
