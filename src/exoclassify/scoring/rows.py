"""Rows on their way from a file to the scorer: those that are sound, and those that are not with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exoclassify.errors import FileError, InputError
from exoclassify.model.compiled import rows_in_block
from exoclassify.model.panel import Panel
from exoclassify.scoring.layout import Layout
from exoclassify.tables import sizes
from exoclassify.tables.cells import NOT_DETECTED_MARKS, advice, column_numbers, column_texts, is_number
from exoclassify.tables.controls import NO_SAMPLE
from exoclassify.tables.pieces import Batch, Piece, Reject, Stretch
from exoclassify.tables.sources import Source
from exoclassify.typing import Codes, Floats

__all__ = ["RowPiece", "RowStretch", "Rows", "Step", "checked", "steps"]

T = TypeVar("T")


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
    places: Codes
    n_read: int
    rejected: tuple[Reject, ...] = ()

    def without(self, rejected: Sequence[Reject]) -> Rows:
        """Give the rows, their values used up, without some of them, which are kept as rejected."""
        if not rejected:
            return replace(self, blocks=())
        sound = np.ones(len(self.ids), dtype=bool)
        sound[[reject.row for reject in rejected]] = False
        placed = [reject._replace(row=int(self.places[reject.row])) for reject in rejected]
        chosen = pa.array(sound)
        every = tuple(sorted((*self.rejected, *placed), key=lambda reject: reject.row))
        return Rows(
            self.ids.filter(chosen), (), tuple(column.filter(chosen) for column in self.keep),
            self.places[sound], self.n_read, every,
        )  # fmt: skip


def _rows_of(batch: Batch, layout: Layout) -> Rows:
    """Understand rows: by columns where all of the panel are numbers, else cell by cell."""
    n = batch.columns.num_rows
    at = {j: i for i, j in enumerate(layout.wanted.positions)}
    ids = pc.utf8_trim_whitespace(column_texts(batch.columns.column(at[layout.id_column])))
    keep = tuple(
        pa.array([text] * n, pa.string()) if j < 0 else column_texts(batch.columns.column(at[j]))
        for j, text in layout.keep
    )
    there = np.flatnonzero(layout.places >= 0)
    panel = batch.columns.select([at[j] for j in layout.places[there].tolist()])
    if all(map(is_number, panel.schema.types)):
        return Rows(ids, _number_blocks(panel, layout.places), keep, batch.places, batch.n_read, batch.faults)
    X = np.full((n, len(layout.places)), np.nan)
    texts: dict[int, list[tuple[int, str, str]]] = {}
    for k, column in zip(there.tolist(), panel.columns, strict=True):
        X[:, k], words = column_numbers(column)
        for i, word in words:
            texts.setdefault(i, []).append((k, layout.names[layout.places[k]], word))
    rows = Rows(ids, (), keep, batch.places, batch.n_read, batch.faults)
    return _understood(rows, layout.panel, X, texts)


def _understood(rows: Rows, panel: Panel, X: Floats, texts: Mapping[int, Sequence[tuple[int, str, str]]]) -> Rows:
    """Put the cycle of what was not detected in place of its marks, and reject the rows that hold another text.

    Texts are by row: position on the panel, column as written, and text of the cells that hold neither a number nor a missing
    mark.
    """
    bad: dict[int, Reject] = {}
    for i, words in texts.items():
        for k, column, text in words:
            if panel.not_detected is None or text.strip().lower() not in NOT_DETECTED_MARKS:
                reason = f"holds {text!r} where a number is expected; {advice(text) or _fix(panel)}"
                if len(words) > 1 and np.isnan(X[i]).all():
                    column, reason = "", "is text throughout, as a second header or a remark; take it out"
                bad[i] = Reject(i, rows.ids[i].as_py(), column, reason)
                break
            X[i, k] = panel.not_detected
    kept = np.delete(X, sorted(bad), axis=0) if bad else X
    step = rows_in_block(X.shape[1])
    blocks = (kept[at : at + step] for at in range(0, len(kept), step))
    return replace(rows.without([bad[i] for i in sorted(bad)]), blocks=blocks)


def _fix(panel: Panel) -> str:
    empty = "leave a cell that was not measured empty"
    return empty if panel.not_detected is None else f"write Undetermined where no cycle was reached, and {empty}"


def checked(rows: Rows, panel: Panel, source: str, use: Callable[[Floats], T]) -> tuple[Rows, list[T]]:
    """Reject the rows that have no sample id, or a value that cannot be of the model's unit; use the values of the others.

    Parameters
    ----------
    use : callable
        Is given the values of the sound rows of each block, in their final form; the next block takes their place.

    Returns
    -------
    rows : Rows
        The sound ones, without values; every row is checked against the unit alone, so that none depends on its neighbours.
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


def _blank(ids: pa.Array) -> Codes:
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


def _number_blocks(columns: pa.RecordBatch, places: Codes) -> Iterator[Floats]:
    """Lay columns of numbers side by side, some hundred rows at a time; each block is overwritten by the next."""
    types = columns.schema.types
    if types[0] not in _QUICK or types.count(types[0]) < len(types):
        cast = [column.cast(pa.float64(), safe=False) for column in columns.columns]
        columns = pa.RecordBatch.from_arrays(cast, columns.schema.names)
    try:
        tensor = columns.to_tensor(row_major=False)
    except pa.ArrowTypeError:  # refuses nulls, sooner than asking every column for its count
        tensor = columns.to_tensor(null_to_nan=True, row_major=False)
    values, there = tensor.to_numpy(), np.flatnonzero(places >= 0)
    step = rows_in_block(len(places))
    X = np.full((min(step, len(values)), len(places)), np.nan)
    for at in range(0, len(values), step):
        block = values[at : at + step]
        part = X[: len(block)]
        if len(there) < len(places):
            part[:, there] = block
        else:
            part[:] = block
        yield part


_QUICK = (pa.float64(), pa.int64())
"""Types whose columns are laid side by side as they are, where all of a panel's are of one."""


@dataclass(frozen=True, eq=False)
class RowPiece:
    """Some consecutive rows of a file, not yet understood; it can be sent to another process.

    Parameters
    ----------
    layout : Layout
        Where the panel is.
    piece : Piece
        As read.
    """

    layout: Layout
    piece: Piece

    def rows(self) -> Rows:
        """Understand the rows."""
        return _rows_of(self.piece.batch(), self.layout)


@dataclass(frozen=True, eq=False)
class RowStretch:
    """What is read from one end to the other by one process.

    Parameters
    ----------
    layout : Layout
        Where the panel is.
    stretch : Stretch
        Of the file.
    """

    layout: Layout
    stretch: Stretch

    @property
    def source(self) -> Source:
        """The file."""
        return self.stretch.source

    def pieces(self) -> Iterator[RowPiece]:
        """Read, piece by piece; the cuts are the same each time."""
        return (RowPiece(self.layout, piece) for piece in self.stretch.pieces())


class Step(NamedTuple):
    """One piece on its way.

    Parameters
    ----------
    piece : RowPiece or None
        None for what has no rows.
    part : int
        Which part of the stretch its answers are stored in.
    ends, last : bool
        Whether the part ends with it, and whether the stretch does.
    broken : str
        What is wrong with the file behind it; empty when nothing is.
    """

    piece: RowPiece | None
    part: int
    ends: bool
    last: bool
    broken: str

    @property
    def cost(self) -> float:
        """Bytes of the file that it stands for, for the progress."""
        return 0.0 if self.piece is None else self.piece.piece.cost


def steps(stretch: RowStretch) -> Iterator[Step]:
    """Read a stretch from one end to the other."""
    pieces, before, n = stretch.pieces(), None, 0
    while True:
        piece, broken = None, ""
        try:
            piece = next(pieces, None)
        except FileError as error:
            broken = str(error)
        last = piece is None
        if last or before is not None:
            part, at = divmod(n, sizes.PIECES_IN_PART)
            yield Step(before, part, last or at == sizes.PIECES_IN_PART - 1, last, broken)
            n += 1
        if last:
            return
        before = piece
