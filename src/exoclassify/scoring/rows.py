"""Rows on their way from a file to the scorer: those that are sound, and those that are not with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from exoclassify.data.texts import NOT_DETECTED_MARKS
from exoclassify.errors import InputError
from exoclassify.model.compiled import rows_in_block
from exoclassify.model.panel import Panel
from exoclassify.tables.controls import NO_SAMPLE
from exoclassify.tables.foreign import advice
from exoclassify.typing import Floats

__all__ = ["Reject", "RowBuilder", "Rows", "checked"]

T = TypeVar("T")
Places = NDArray[np.intp]


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
        What is wrong, and the fix.
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
    blocks : iterable of ndarray of shape (n_rows_of_block, n_molecules)
        Their values, in the panel's order; NaN = not measured. Made when they are asked for, each in the place of the one
        before.
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
    blocks: Iterable[Floats]
    keep: tuple[pa.Array, ...]
    places: Places
    n_read: int
    rejected: tuple[Reject, ...] = ()

    def without(self, rejected: Sequence[Reject]) -> Rows:
        """Give the rows, their values used up, without some of them, which are kept as rejected.

        Parameters
        ----------
        rejected : sequence of Reject
            Places are positions in this object's arrays.

        Returns
        -------
        Rows
            Without values.
        """
        if not rejected:
            return replace(self, blocks=())
        sound = np.ones(len(self.ids), dtype=bool)
        sound[[reject.row for reject in rejected]] = False
        placed = [reject.moved(int(self.places[reject.row])) for reject in rejected]
        chosen = pa.array(sound)
        every = tuple(sorted((*self.rejected, *placed), key=lambda reject: reject.row))
        return Rows(
            self.ids.filter(chosen), (), tuple(column.filter(chosen) for column in self.keep),
            self.places[sound], self.n_read, every,
        )  # fmt: skip


def checked(rows: Rows, panel: Panel, source: str, use: Callable[[Floats], T]) -> tuple[Rows, list[T]]:
    """Reject the rows that have no sample id, or a value that cannot be of the model's unit; use the values of the others.

    Parameters
    ----------
    rows : Rows
        As read.
    panel : Panel
        Of the model.
    source : str
        Name of the file.
    use : callable
        Is given the values of the sound rows of each block, in their final form; the next block takes their place.

    Returns
    -------
    rows : Rows
        The sound ones, without values; every row is checked against the unit alone, so that none depends on its neighbours.
    used : list
        What `use` gave for each block.
    """
    nameless = _blank(rows.ids)
    rejected = [Reject(int(i), "", "", "has no sample id; give it one") for i in nameless]
    others = np.flatnonzero(
        pc.match_substring_regex(rows.ids, NO_SAMPLE, ignore_case=True).to_numpy(zero_copy_only=False)
    )
    rejected += [Reject(int(i), rows.ids[int(i)].as_py(), "", _NO_SAMPLE_REASON) for i in others]
    nameless = np.union1d(nameless, others)
    used, start = [], 0
    for X in rows.blocks:
        bad = {int(i) - start for i in nameless if start <= i < start + len(X)}
        try:
            panel.check_values(X, range(len(X)), source)
        except InputError:
            found = _rejects(X, rows.ids.slice(start, len(X)).to_pylist(), start, panel, source)
            rejected += [reject for reject in found if reject.row - start not in bad]
            bad |= {reject.row - start for reject in found}
        panel.censor(X)
        start += len(X)
        used.append(use(np.delete(X, sorted(bad), axis=0) if bad else X))
    return rows.without(sorted(rejected, key=lambda reject: reject.row)), used


_NO_SAMPLE_REASON = "is no sample by its name, but a total, a control or a pool; rename it if it is one"


def _blank(ids: pa.Array) -> Places:
    lengths = np.diff(np.frombuffer(ids.buffers()[1], dtype=np.int32)[ids.offset : ids.offset + len(ids) + 1])
    return np.flatnonzero(lengths == 0)


def _rejects(part: Floats, ids: list[str], start: int, panel: Panel, source: str) -> list[Reject]:
    found = []
    for i, sample in enumerate(ids):
        try:
            panel.check_values(part[i : i + 1], [sample], source)
        except InputError as error:
            reason = str(error).removeprefix(f"{source}: ")
            named = f"(sample {sample}, "  # the first bad cell; a row that is wrong as a whole names none
            column = next((m for m in panel.molecules if f"{named}{m}: " in reason), "") if named in reason else ""
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

    def add(self, sample_id: str, values: Floats, texts: Sequence[tuple[int, str, str]], keep: Sequence[str]) -> None:
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
                fix = advice(text) or self._mend()
                self.reject(sample_id, column, f"holds {text!r} where a number is expected; {fix}")
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
            empty if self._panel.not_detected is None else f"write Undetermined where no cycle was reached, and {empty}"
        )

    def rows(self) -> Rows:
        """Give what was added."""
        n_molecules = len(self._panel.molecules)
        step = rows_in_block(n_molecules)
        blocks = (np.vstack(self._values[at : at + step]) for at in range(0, len(self._values), step))
        return Rows(
            pa.array(self._ids, pa.string()), blocks, tuple(pa.array(cells, pa.string()) for cells in self._keep),
            np.array(self._places, dtype=np.intp), self._n, tuple(self._rejected),
        )  # fmt: skip
