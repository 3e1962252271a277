"""The parts become the output: in the order of the files, without sample ids that come twice, whole or not at all."""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exoclassify.model.answers import REASONS
from exoclassify.model.prediction import Predictions
from exoclassify.scoring.job import BOOKKEEPING
from exoclassify.scoring.parts import Part, Parts
from exoclassify.tables import sizes
from exoclassify.tables.encoding import guarded, sink
from exoclassify.tables.pieces import Reject
from exoclassify.tables.sources import Source
from exoclassify.tables.writing import system_refusals

__all__ = ["REJECTED_COLUMNS", "Report", "Tally", "finish", "rejected_path", "rejected_rows", "without_name"]

REJECTED_COLUMNS = ("file", "row", "sample_id", "column", "reason")
"""Of the file that names what has no answer; `row` counts the rows below the header from 1, empty for a whole file."""

Keys = NDArray[np.uint64]

assert len(REASONS) <= 8  # the bits of a byte


@dataclass(eq=False)
class Tally:
    """Counts over answers.

    Parameters
    ----------
    states : tuple of str
        The model's.
    n : int
        Answers.
    calls, reasons : Counter
        How many of each.
    coverage : float
        Sum over the answers.
    places : Counter
        How many were answered as from each.
    trained_on : int
        How many the model was trained on, as far as it remembers.
    """

    states: tuple[str, ...]
    n: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    coverage: float = 0.0
    places: Counter[str] = field(default_factory=Counter)
    trained_on: int = 0

    def add(
        self,
        calls: NDArray[np.int8],
        reasons: NDArray[np.uint8],
        coverage: NDArray[np.float64],
        places: Mapping[str, int],
        trained_on: int,
    ) -> None:
        """Count some answers.

        Parameters
        ----------
        calls, reasons, coverage : ndarray of shape (n_samples,)
            As in `exoclassify.model.prediction.Answers`.
        """
        self.n += len(calls)
        names = (*self.states, "uncertain")
        for call, times in enumerate(np.bincount(calls % len(names), minlength=len(names)).tolist()):
            self.calls[names[call]] += times
        for bit, reason in enumerate(REASONS):
            self.reasons[reason] += int((reasons >> np.uint8(bit) & np.uint8(1)).sum())
        self.coverage += float(coverage.sum())
        self.places.update(places)
        self.trained_on += trained_on

    @classmethod
    def of(cls, predictions: Predictions) -> Tally:
        """Count the answers of a table."""
        return cls(
            predictions.states,
            len(predictions.calls),
            Counter(predictions.calls),
            Counter(flag for flags in predictions.flags for flag in flags),
            float(predictions.coverage.sum()),
            Counter(predictions.places),
        )


@dataclass(frozen=True, eq=False)
class Report:
    """What became of the files.

    Parameters
    ----------
    tally : Tally
        Over the answers written.
    n_rejected : int
        Rows without an answer.
    broken : tuple of str
        One line for each file that could not be read, or not to its end.
    left_out : tuple of str
        Files in folders that are no tables.
    out : path
        The answers.
    rejected : path or None
        Where the rejected rows and files are named; None when there are none.
    notes : tuple of str
        What was understood of the files or left out of them, and what a user should look at.
    """

    tally: Tally
    n_rejected: int
    broken: tuple[str, ...]
    left_out: tuple[str, ...]
    out: Path
    rejected: Path | None
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every row of every file got an answer."""
        return not self.n_rejected and not self.broken


def rejected_path(out: Path) -> Path:
    """Where the rows without an answer are named."""
    return out.with_name(f"{out.name}.rejected.csv")


def rejected_rows(report: Report) -> Iterator[dict[str, str]]:
    """Read again which rows have no answer."""
    if report.rejected is not None:
        with report.rejected.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def finish(
    parts: Parts,
    order: Sequence[tuple[Source, Sequence[int]]],
    malformed: Sequence[tuple[Source, str]],
    schema: pa.Schema,
    tally: Tally,
    out: Path,
) -> Report:
    """Write the output and the rejected rows from parts that are complete."""
    ending, target = out.suffix, Path(os.path.realpath(out))
    partial, partial_rejected = target.with_name(f".partial.{target.name}"), rejected_path(target)
    partial_rejected = partial_rejected.with_name(f".partial.{partial_rejected.name}")
    twice = _twice(parts, [stretch for _, stretches in order for stretch in stretches])
    n_rejected, broken = 0, [f"{source.name}: {without_name(reason, source)}" for source, reason in malformed]
    try:
        with system_refusals(out), ExitStack() as stack:
            writer = sink(partial, ending, schema)
            stack.callback(writer.close)
            file = stack.enter_context(partial_rejected.open("w", newline="", encoding="utf-8"))
            rejects = csv.writer(file, lineterminator="\n")
            rejects.writerow(REJECTED_COLUMNS)
            rejects.writerows(
                [guarded(source.name), "", "", "", guarded(without_name(reason, source))]
                for source, reason in malformed
            )
            for source, stretches in order:
                n_rejected += _write_file(parts, source, stretches, twice, writer, rejects, tally, broken)
        with system_refusals(out):
            rejected = _place(partial_rejected, rejected_path(target), wanted=bool(n_rejected or broken))
            _place(partial, target, wanted=True)
    finally:
        for path in (partial, partial_rejected):
            with suppress(OSError):
                path.unlink(missing_ok=True)
    return Report(tally, n_rejected, tuple(broken), (), out, rejected_path(out) if rejected else None)


def _write_file(
    parts: Parts, source: Source, stretches: Sequence[int], twice: Keys, writer: Any, rejects: Any, tally: Tally,
    broken: list[str],
) -> int:  # fmt: skip
    row, n_rejected = 1, 0
    for stretch in stretches:
        for part in parts.of(stretch):
            rejected, table = _without_twice(part, twice)
            _count(tally, table)
            writer.write(table.select(range(BOOKKEEPING, table.num_columns)))
            rejects.writerows(
                [guarded(source.name), row + r.row, guarded(r.sample_id), guarded(r.column), guarded(r.reason)]
                for r in rejected
            )
            n_rejected += len(rejected)
            row += part.n_read
            for fault in part.broken:
                reason = f"{without_name(fault, source)} (after row {row - 1})"
                rejects.writerow([guarded(source.name), "", "", "", guarded(reason)])
                broken.append(f"{source.name}: {reason}")
    return n_rejected


def without_name(reason: str, source: Source) -> str:
    """Give a message without the name that it begins with."""
    return reason.removeprefix(f"{source.name}: ").removeprefix(f"{source.url}: ")


def _count(tally: Tally, table: pa.Table) -> None:
    for batch in table.select(range(BOOKKEEPING)).to_batches():
        calls, reasons, coverage = (batch.column(i).to_numpy() for i in (3, 4, 5))
        counted = batch.column(6).value_counts()
        tally.add(
            calls,
            reasons,
            coverage,
            dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)),
            batch.column(7).true_count,
        )


def _without_twice(part: Part, twice: Keys) -> tuple[list[Reject], pa.Table]:
    rejected, table = list(part.rejected), part.table
    if len(twice):
        held = np.isin(table.column(1).to_numpy(), twice)
        if held.any():
            chosen = table.filter(pa.array(held))
            rejected += [
                Reject(
                    place, sample, "", "its sample id comes more than once in these files; each sample needs one row"
                )
                for sample, place in zip(chosen.column(0).to_pylist(), chosen.column(2).to_pylist(), strict=True)
            ]
            rejected.sort(key=lambda reject: reject.row)
            table = table.filter(pa.array(~held))
    return rejected, table


def _twice(parts: Parts, stretches: Sequence[int]) -> Keys:
    """Give the hashes of sample ids that come more than once, in as many passes as keep memory flat."""
    n = sum(part.table.num_rows for stretch in stretches for part in parts.of(stretch))
    passes = np.uint64(1 + n // sizes.KEYS_AT_ONCE)
    found = [_repeated(np.concatenate([*_keys(parts, stretches, passes, np.uint64(k))])) for k in range(int(passes))]
    return np.concatenate(found)


def _repeated(keys: Keys) -> Keys:
    keys.sort()
    result: Keys = np.unique(keys[1:][keys[1:] == keys[:-1]])
    return result


def _keys(parts: Parts, stretches: Sequence[int], passes: np.uint64, k: np.uint64) -> Iterator[Keys]:
    yield np.empty(0, dtype=np.uint64)
    for stretch in stretches:
        for part in parts.of(stretch):
            keys = part.table.column(1).to_numpy()
            yield keys if passes == 1 else keys[keys % passes == k]


def _place(partial: Path, target: Path, *, wanted: bool) -> bool:
    if not wanted:
        target.unlink(missing_ok=True)  # of an earlier run that --force replaces
        return False
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    if target.exists():
        shutil.copymode(target, partial)
    os.replace(partial, target)
    return True
