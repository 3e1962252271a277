"""A file cut into stretches that can be read apart from each other, and these into pieces that fit into memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from exoclassify.tables import sizes
from exoclassify.tables.sources import Source
from exoclassify.tables.wide import WideTable
from exoclassify.typing import Codes, Floats

__all__ = [
    "Batch", "ColumnPiece", "MatrixStretch", "Piece", "Reject", "Stretch", "Wanted", "matrix_batch", "rows_in_piece",
]  # fmt: skip


def rows_in_piece(n_columns: int) -> int:
    """How many rows are read together: so many that their numbers take about 8 MB."""
    fewest, most = sizes.PIECE_ROWS
    return max(fewest, min(most, sizes.PIECE_CELLS // max(1, n_columns)))


@dataclass(frozen=True, eq=False)
class Wanted:
    """The columns of a file that are read.

    Parameters
    ----------
    names : tuple of str
        Of all columns, as the file has them.
    positions : tuple of int
        Of those that are read, ascending, each once.
    ids : int
        Position of the column that no row lacks.
    numbers : frozenset of int
        Positions of columns that should hold numbers.
    """

    names: tuple[str, ...]
    positions: tuple[int, ...]
    ids: int
    numbers: frozenset[int]


class Reject(NamedTuple):
    """A row that cannot be used.

    Parameters
    ----------
    row : int
        Its place among the rows read together, from 0.
    sample_id : str
        As written; empty where it has none.
    column : str
        Where the fault lies; empty when it is the row's.
    reason : str
        What is wrong, and the fix.
    """

    row: int
    sample_id: str
    column: str
    reason: str


@dataclass(frozen=True, eq=False)
class Batch:
    """Some consecutive rows.

    Parameters
    ----------
    columns : pyarrow.RecordBatch
        Those wanted, in the file's order: numbers, or texts of which some may be no numbers.
    places : ndarray of int of shape (n_rows,)
        Place of each row among all rows read, those with a fault counted too; ascending.
    faults : tuple of Reject
        Rows that could not be read.
    rows : int, optional
        How many rows of the file these were, where several make one.
    """

    columns: pa.RecordBatch
    places: Codes
    faults: tuple[Reject, ...] = ()
    rows: int | None = None

    @property
    def n_read(self) -> int:
        """Rows read, those with a fault counted too."""
        return len(self.places) + len(self.faults) if self.rows is None else self.rows


class Piece(ABC):
    """Some consecutive rows of a file, not yet taken apart; it can be sent to another process.

    Attributes
    ----------
    cost : float
        Bytes of the file that it stands for, for the progress.
    """

    cost: float

    @abstractmethod
    def batch(self) -> Batch:
        """Take the rows apart."""


class Stretch(ABC):
    """What is read from one end to the other by one process.

    Attributes
    ----------
    source : Source
        The file.
    apart : bool
        Whether a worker can read it without what comes before it in the file.
    """

    source: Source
    apart: ClassVar[bool] = True

    @abstractmethod
    def pieces(self) -> Iterator[Piece]:
        """Read, piece by piece; the cuts are the same each time."""


@dataclass(frozen=True, eq=False)
class ColumnPiece(Piece):
    """Rows of columns that are taken apart already.

    Parameters
    ----------
    columns : pyarrow.RecordBatch
        Those that are wanted.
    cost : float
        As in `Piece`.
    """

    columns: pa.RecordBatch
    cost: float

    def batch(self) -> Batch:
        """Give the columns as they are."""
        return Batch(self.columns, np.arange(self.columns.num_rows))


@dataclass(frozen=True, eq=False)
class MatrixStretch(Stretch):
    """A table in memory, samples in rows.

    Parameters
    ----------
    source : Source
        The file.
    table : WideTable
        Its ids become the first column, and its columns the next.
    keep : tuple of tuple of str
        Columns of texts, put last.
    """

    source: Source
    table: WideTable
    keep: tuple[tuple[str, ...], ...]
    apart: ClassVar[bool] = False

    def pieces(self) -> Iterator[Piece]:
        """Give its rows, cut into pieces."""
        table, n = self.table, len(self.table.row_ids)
        step = rows_in_piece(len(table.columns))
        for at in range(0, n, step):
            rows = slice(at, at + step)
            texts = [(i - at, j, text) for i, j, text in table.texts if at <= i < at + step]
            columns = matrix_batch(
                table.row_ids[rows], table.cells[rows], texts, [column[rows] for column in self.keep]
            )
            yield ColumnPiece(columns, self.source.size * columns.num_rows / n)


def matrix_batch(
    ids: Sequence[str], cells: Floats, texts: Sequence[tuple[int, int, str]], keep: Sequence[Sequence[str]]
) -> pa.RecordBatch:
    """Put ids, a matrix and columns of texts side by side.

    Parameters
    ----------
    cells : ndarray of shape (n_rows, n_columns)
        NaN where a text stands.
    texts : sequence of (int, int, str)
        Row, column and text of cells that are no numbers; their columns become texts.
    """
    columns: list[pa.Array] = [pa.array(column) for column in np.ascontiguousarray(cells.T)]
    words: dict[int, dict[int, str]] = {}
    for i, j, text in texts:
        words.setdefault(j, {})[i] = text
    for j, found in words.items():
        written = ["" if x != x else repr(x) for x in cells[:, j].tolist()]
        columns[j] = pa.array([found.get(i, text) for i, text in enumerate(written)], pa.string())
    arrays = [pa.array(ids, pa.string()), *columns, *(pa.array(column, pa.string()) for column in keep)]
    return pa.RecordBatch.from_arrays(arrays, [str(j) for j in range(len(arrays))])
