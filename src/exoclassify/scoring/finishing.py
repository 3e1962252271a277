"""The parts become the output: in the order of the files, without sample ids that come twice, whole or not at all."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exoclassify.scoring.job import BOOKKEEPING
from exoclassify.scoring.parts import Part, Parts
from exoclassify.scoring.tally import Report, Tally
from exoclassify.tables.encoding import sink
from exoclassify.tables.formulas import guarded
from exoclassify.tables.pieces import Reject
from exoclassify.tables.sources import Source
from exoclassify.tables.writing import system_refusals

__all__ = ["REJECTED_COLUMNS", "finish", "rejected_path", "rejected_rows", "without_name"]

REJECTED_COLUMNS = ("file", "row", "sample_id", "column", "reason")
"""Of the file that names what has no answer; `row` counts the rows below the header from 1, empty for a whole file."""

_KEYS_AT_ONCE = 4_000_000  # 32 MB

Keys = NDArray[np.uint64]


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
    passes = np.uint64(1 + n // _KEYS_AT_ONCE)
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
