"""Rows on their way from a file to the scorer: those that are sound, and those that are not with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exoclassify.data.texts import NOT_DETECTED_MARKS
from exoclassify.data.units import Cells
from exoclassify.errors import InputError
from exoclassify.model.panel import Panel

__all__ = ["Reject", "RowBuilder", "Rows", "checked"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_CHECKED_TOGETHER = (
    100_000  # cells, so that they stay in a core's cache while they are looked at several times
)


@dataclass(frozen=True)
class Reject:
    """One row that was not scored.

    Parameters
    ----------
    row : int
        Its place among the rows read together, from 0.
    sample_id : str
        As written; empty where it has none.
    column : str
        Where the fault lies; empty when it is the row's.
    reason : str
        What is wrong, and the mend.
    """

    row: int
    sample_id: str
    column: str
    reason: str

    def moved(self, row: int) -> Reject:
        """Give the same fault at another place."""
        return Reject(row, self.sample_id, self.column, self.reason)


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a file, in its order.

    Parameters
    ----------
    ids : pyarrow.Array of string
        Without blanks around.
    X : ndarray of shape (n_rows, n_molecules)
        In the panel's order; NaN = not measured.
    keep : tuple of pyarrow.Array of string
        Columns that pass through.
    places : ndarray of int of shape (n_rows,)
        Place of each row among all rows read, those rejected counted too; ascending.
    n_read : int
        How many were read.
    rejected : tuple of Reject
        Those that were not sound.
    """

    ids: pa.Array
    X: Floats
    keep: tuple[pa.Array, ...]
    places: Places
    n_read: int
    rejected: tuple[Reject, ...] = ()

    def without(self, rejected: Sequence[Reject]) -> Rows:
        """Give the rows without some of them, which are kept as rejected.

        Parameters
        ----------
        rejected : sequence of Reject
            Places are positions in this object's arrays.

        Returns
        -------
        Rows
        """
        sound = np.ones(len(self.X), dtype=bool)
        sound[[reject.row for reject in rejected]] = False
        placed = [reject.moved(int(self.places[reject.row])) for reject in rejected]
        chosen = pa.array(sound)
        every = tuple(sorted((*self.rejected, *placed), key=lambda reject: reject.row))
        return Rows(
            self.ids.filter(chosen), self.X[sound], tuple(column.filter(chosen) for column in self.keep),
            self.places[sound], self.n_read, every,
        )  # fmt: skip


def checked(rows: Rows, panel: Panel, source: str) -> Rows:
    """Reject the rows that have no sample id, or a value that cannot be of the model's unit.

    Parameters
    ----------
    rows : Rows
        As read; `X` is brought to its final form in place.
    panel : Panel
        Of the model.
    source : str
        Name of the file.

    Returns
    -------
    Rows
        Every row held against the unit alone, so that none depends on its neighbours.
    """
    rejected = [Reject(int(i), "", "", "has no sample id; give it one") for i in _blank(rows.ids)]
    step = max(1, _CHECKED_TOGETHER // max(1, rows.X.shape[1]))
    for start in range(0, len(rows.X), step):
        part = rows.X[start : start + step]
        try:
            Cells(part, range(len(part)), panel.molecules, source).check(panel.unit)  # type: ignore[arg-type]
        except InputError:
            rejected += _rejects(part, rows.ids.slice(start, step).to_pylist(), start, panel, source)
        if panel.not_detected is not None:
            np.minimum(part, panel.not_detected, out=part)
    unique = {reject.row: reject for reject in reversed(rejected)}
    return rows.without([unique[row] for row in sorted(unique)]) if unique else rows


def _blank(ids: pa.Array) -> Places:
    lengths = np.diff(np.frombuffer(ids.buffers()[1], dtype=np.int32)[ids.offset : ids.offset + len(ids) + 1])
    return np.flatnonzero(lengths == 0)


def _rejects(part: Floats, ids: list[str], start: int, panel: Panel, source: str) -> list[Reject]:
    found = []
    for i, sample in enumerate(ids):
        try:
            Cells(part[i : i + 1], [sample], panel.molecules, source).check(panel.unit)
        except InputError as error:
            reason = str(error).removeprefix(f"{source}: ")
            named = f"(sample {sample}, "  # the first bad cell; a row that is wrong as a whole names none
            column = (
                next((m for m in panel.molecules if f"{named}{m}: " in reason), "") if named in reason else ""
            )
            found.append(Reject(start + i, sample, column, reason))
    return found


class RowBuilder:
    """Rows put together one by one, from texts: the slow and exact way.

    Parameters
    ----------
    panel : Panel
        Of the model.
    n_keep : int
        Number of columns that pass through.
    """

    def __init__(self, panel: Panel, n_keep: int) -> None:
        self._panel = panel
        self._ids: list[str] = []
        self._values: list[Floats] = []
        self._keep: list[list[str]] = [[] for _ in range(n_keep)]
        self._places: list[int] = []
        self._rejected: list[Reject] = []
        self._n = 0

    def reject(self, sample_id: str, column: str, reason: str) -> None:
        """Count a row that cannot be used."""
        self._rejected.append(Reject(self._n, sample_id, column, reason))
        self._n += 1

    def add(
        self, sample_id: str, values: Floats, texts: Sequence[tuple[int, str, str]], keep: Sequence[str]
    ) -> None:
        """Take over a row.

        Parameters
        ----------
        sample_id : str
            Without blanks around.
        values : ndarray of shape (n_molecules,)
            In the panel's order.
        texts : sequence of (int, str, str)
            Position on the panel, column as written, and text of the cells that hold neither a number nor a missing mark.
        keep : sequence of str
            Cells that pass through.
        """
        for position, column, text in texts:
            if self._panel.not_detected is None or text.strip().lower() not in NOT_DETECTED_MARKS:
                self.reject(sample_id, column, f"holds {text!r} where a number is expected; {self._mend()}")
                return
            values[position] = self._panel.not_detected
        self._ids.append(sample_id)
        self._values.append(values)
        self._places.append(self._n)
        for column_cells, cell in zip(self._keep, keep, strict=True):
            column_cells.append(cell)
        self._n += 1

    def _mend(self) -> str:
        empty = "leave a cell that was not measured empty"
        return (
            empty
            if self._panel.not_detected is None
            else f"write Undetermined where no cycle was reached, and {empty}"
        )

    def rows(self) -> Rows:
        """Give what was added."""
        n_molecules = len(self._panel.molecules)
        X = np.vstack(self._values) if self._values else np.empty((0, n_molecules))
        return Rows(
            pa.array(self._ids, pa.string()), X, tuple(pa.array(cells, pa.string()) for cells in self._keep),
            np.array(self._places, dtype=np.intp), self._n, tuple(self._rejected),
        )  # fmt: skip
