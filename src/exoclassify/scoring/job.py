"""What is done with a piece of a file, wherever it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from exoclassify.errors import FileError
from exoclassify.model.answers import Answers, columns_of, worded
from exoclassify.model.bundle import Measured, ModelBundle
from exoclassify.model.prediction import Use
from exoclassify.model.trained_on import id_keys
from exoclassify.scoring.rows import RowPiece, Rows, checked
from exoclassify.tables.encoding import Column, encoded, schema_of
from exoclassify.tables.pieces import Reject
from exoclassify.typing import Floats

__all__ = ["BOOKKEEPING", "Job", "Scored", "batches_of"]

BOOKKEEPING = 8
"""Columns of a scored batch before those that are written: sample id, its hash, row, call, reasons, coverage, place,
whether it was trained on."""


@dataclass(frozen=True, eq=False)
class Scored:
    """The answers for one piece.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        One row an answer: the columns of `BOOKKEEPING`, then the encoded line or, for Parquet, the columns themselves.
    n_read : int
        Rows read, those rejected counted too.
    rejected : tuple of Reject
        Rows without an answer.
    broken : str
        What is wrong with the piece as a whole, which then has no answers; empty when nothing is.
    """

    batch: pa.RecordBatch
    n_read: int
    rejected: tuple[Reject, ...]
    broken: str = ""


@dataclass(frozen=True, eq=False)
class Job:
    """How rows are scored and written, the same for every piece.

    Parameters
    ----------
    bundle : ModelBundle
        Who answers.
    use : Use
        Where the samples are from, and how sure the answers must be.
    batches : mapping of str to str, optional
        The batch of each sample by its id; samples that are not named are of unknown batches.
    batch_column : str, optional
        Which of the columns that pass through holds the batch.
    keep : tuple of str
        Names of the columns that pass through.
    ending : str
        Of the output; a key of `exoclassify.tables.encoding.ENDINGS`.
    """

    bundle: ModelBundle
    use: Use
    batches: Mapping[str, str] | None
    batch_column: str | None
    keep: tuple[str, ...]
    ending: str

    def score(self, piece: RowPiece | None, source: str) -> Scored:
        """Understand, check and score one piece, or none."""
        if piece is None:
            return self.nothing()
        try:
            rows, blocks = checked(piece.rows(), self.bundle.panel, source, self.bundle.measure)
        except FileError as error:
            return replace(self.nothing(), broken=str(error))
        if not blocks:
            return replace(self.nothing(), n_read=rows.n_read, rejected=rows.rejected)
        measured = Measured(*map(np.concatenate, zip(*blocks, strict=True)))
        answers = self.bundle.judge(measured, self.use, self._batches(rows))
        return Scored(self._batch(rows, answers, measured.residuals), rows.n_read, rows.rejected)

    def _batches(self, rows: Rows) -> list[str] | None:
        return batches_of(rows, self.batches, self.batch_column, self.keep)

    def nothing(self) -> Scored:
        """Give the answers for no rows, which have the same columns."""
        return Scored(self._batch(*self._none(), np.empty(0)), 0, ())

    def _none(self) -> tuple[Rows, Answers]:
        n_states = len(self.bundle.states)
        none = pa.array([], pa.string())
        rows = Rows(none, (), (none,) * len(self.keep), np.empty(0, dtype=np.intp), 0)
        answers = Answers(
            np.empty((0, n_states)), np.empty((0, n_states), dtype=bool), np.empty(0), np.empty(0),
            np.empty(0, dtype=np.int8), np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.intp), ("",),
            np.empty(0, dtype=np.intp) if self.bundle.layers else None,
        )  # fmt: skip
        return rows, answers

    def schema(self) -> pa.Schema:
        """Give the columns of the output."""
        rows, answers = self._none()
        return schema_of(self._columns(rows, answers))

    def _columns(self, rows: Rows, answers: Answers) -> list[Column]:
        bundle, keep = self.bundle, dict(zip(self.keep, rows.keep, strict=True))
        return columns_of(bundle.states, bundle.name, bundle.version, rows.ids, answers, keep)

    def _batch(self, rows: Rows, answers: Answers, residuals: Floats) -> pa.RecordBatch:
        ids = rows.ids.to_numpy(zero_copy_only=False)
        keys, remembered = id_keys(ids), self.bundle.trained_on
        seen = np.zeros(len(ids), dtype=bool)
        if remembered is not None and len(ids):
            seen = remembered.seen(ids, keys, residuals, self.bundle.about.training.data_sha256)
        book = [
            rows.ids, pa.array(keys), pa.array(rows.places.astype(np.int64)), pa.array(answers.calls),
            pa.array(answers.reasons), pa.array(answers.coverage),
            worded(answers.places, lambda i: answers.named[i]).dictionary_decode(), pa.array(seen),
        ]  # fmt: skip
        shown = encoded(self._columns(rows, answers), self.ending, len(ids))
        names = [*(f"_{i}" for i in range(BOOKKEEPING)), *(name for name, _ in shown)]
        return pa.RecordBatch.from_arrays([*book, *(array for _, array in shown)], names=names)


def batches_of(
    rows: Rows, by_id: Mapping[str, str] | None, column: str | None, keep: Sequence[str]
) -> list[str] | None:
    """Give the batch of each row, if it was said."""
    if by_id is not None:
        return [by_id.get(sample, "") for sample in rows.ids.to_pylist()]
    if column is not None:
        return [name or "" for name in rows.keep[keep.index(column)].to_pylist()]
    return None
