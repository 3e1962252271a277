"""Scores files of any size: read, check, answer and write in pieces, in order, with memory that does not grow."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from exoclassify.data.ids import check_choice
from exoclassify.data.units import KINDS, UNITS
from exoclassify.errors import FileError, InputError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import shifted_prevalence
from exoclassify.scoring.encoding import ENDINGS
from exoclassify.scoring.finishing import finish
from exoclassify.scoring.job import PIECES_IN_PART, Job, Scored, pieces_and_ends
from exoclassify.scoring.long import LongNames
from exoclassify.scoring.parts import Parts, part_bytes
from exoclassify.scoring.pieces import Stretch
from exoclassify.scoring.planning import Plan, planned
from exoclassify.scoring.rows import Reject
from exoclassify.scoring.sources import Source, find_sources
from exoclassify.scoring.tally import Report, Tally

__all__ = ["Asked", "Runner", "Threads", "Watcher", "check_ending", "score_files"]

Progress = Callable[[float, float, int], None]


@dataclass(frozen=True)
class Asked:
    """What is asked of a run beside model, files and output.

    Parameters
    ----------
    kind, unit : str, optional
        What the files hold, to be held against the model; the model's if omitted.
    prevalence : mapping of str to float, optional
        As in `ModelBundle.predict`.
    same_batch : bool
        As there.
    keep : tuple of str
        Columns that pass through to the output; ``key=value`` folders count as columns.
    long : LongNames, optional
        The files are in long format, with these columns.
    strict : bool
        Stop at the first row or file that cannot be used.
    resume : bool
        Go on with the parts of an earlier run that was stopped.
    force : bool
        Replace an output that is there.
    """

    kind: str | None = None
    unit: str | None = None
    prevalence: Mapping[str, float] | None = None
    same_batch: bool = False
    keep: tuple[str, ...] = ()
    long: LongNames | None = None
    strict: bool = False
    resume: bool = False
    force: bool = False


@dataclass(eq=False)
class Watcher:
    """Follows the parts as they come: for the progress, and to stop at the first fault when asked.

    Parameters
    ----------
    total : float
        Bytes of all files.
    progress : callable or None
        As in `score_files`.
    strict : bool
        As in `Asked`.
    cost : float
        Bytes done.
    rows : int
        Rows done.
    """

    total: float
    progress: Progress | None
    strict: bool
    cost: float = 0.0
    rows: int = 0

    def saw(self, source: Source, rejected: Sequence[Reject], n_read: int, cost: float) -> None:
        """Take note of answers, and of the rows that have none."""
        if self.strict and rejected:
            first = rejected[0]
            where = ", ".join(
                part
                for part in (f"sample {first.sample_id}" if first.sample_id else "a row", first.column)
                if part
            )
            raise InputError(f"{source.name}: {where}: {first.reason}")
        self.advance(cost, n_read)

    def advance(self, cost: float, rows: int) -> None:
        """Take note of rows that are done."""
        self.cost += cost
        self.rows += rows
        if self.progress is not None:
            self.progress(min(self.cost, self.total), self.total, self.rows)

    def broke(self, reason: str) -> None:
        """Take note of a file that ends before its end."""
        if self.strict:
            raise FileError(reason)


class Runner(ABC):
    """Whoever does the work: threads here, or a cluster."""

    @abstractmethod
    def run(self, job: Job, stretches: Iterator[tuple[int, Stretch]], parts: Parts, watcher: Watcher) -> None:
        """Store all parts of all stretches."""


@dataclass(frozen=True)
class Threads(Runner):
    """Scores on this machine: one thread reads, some understand and score.

    Parameters
    ----------
    n : int
        Number that understand and score.
    """

    n: int

    def run(self, job: Job, stretches: Iterator[tuple[int, Stretch]], parts: Parts, watcher: Watcher) -> None:
        """Store all parts of all stretches.

        Parameters
        ----------
        job : Job
            What is done.
        stretches : iterator of (int, Stretch)
            With their numbers.
        parts : Parts
            Where the answers go; what is there already is not done again.
        watcher : Watcher
            Follows.

        Raises
        ------
        FileError
            If the system refuses to write.
        InputError
            At the first fault, when asked to be strict.
        """
        with threadpool_limits(1), ThreadPoolExecutor(self.n) as pool:
            window: deque[_Waiting] = deque()
            gathered: list[Scored] = []

            def collect() -> None:
                waiting = window.popleft()
                if waiting.scored is not None:
                    scored = waiting.scored.result()
                    watcher.saw(waiting.source, scored.rejected, scored.n_read, waiting.cost)
                    gathered.append(scored)
                    if scored.broken:
                        watcher.broke(scored.broken)
                if waiting.ends:
                    if waiting.broken:
                        watcher.broke(waiting.broken)
                    content = part_bytes(gathered, last=waiting.last, broken=waiting.broken)
                    parts.write(waiting.stretch, waiting.part, content, last=waiting.last)
                    gathered.clear()

            try:
                for waiting in _submitted(job, stretches, parts, pool, watcher):
                    window.append(waiting)
                    if len(window) > self.n + 1:
                        collect()
                while window:
                    collect()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


@dataclass(frozen=True, eq=False)
class _Waiting:
    stretch: int
    part: int
    source: Source
    cost: float
    scored: Future[Scored] | None
    ends: bool
    last: bool
    broken: str = field(default="")


def _submitted(
    job: Job,
    stretches: Iterator[tuple[int, Stretch]],
    parts: Parts,
    pool: ThreadPoolExecutor,
    watcher: Watcher,
) -> Iterator[_Waiting]:
    for number, stretch in stretches:
        if parts.complete(number):
            continue
        for at, (piece, last, broken) in enumerate(pieces_and_ends(stretch)):
            part, ends = at // PIECES_IN_PART, last or at % PIECES_IN_PART == PIECES_IN_PART - 1
            if parts.has(number, part):
                watcher.advance(0.0 if piece is None else piece.cost, 0)
                continue
            cost = 0.0 if piece is None else piece.cost
            scored = (
                pool.submit(job.nothing)
                if piece is None
                else pool.submit(job.score, piece, stretch.source.name)
            )
            yield _Waiting(number, part, stretch.source, cost, scored, ends, last, broken)


def score_files(
    bundle: ModelBundle,
    given: Sequence[str],
    out: str | Path,
    asked: Asked | None = None,
    *,
    runner: Runner | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score files into one file, in their order.

    Parameters
    ----------
    bundle : ModelBundle
        Who answers.
    given : sequence of str
        Files, folders, patterns and addresses, as `find_sources` takes them.
    out : str or Path
        Ends in .csv, .tsv, .parquet or .jsonl.
    asked : Asked, optional
        Everything else.
    runner : Runner, optional
        Who does the work; two threads by default.
    progress : callable, optional
        Called with bytes done, bytes in all, and rows done.

    Returns
    -------
    Report
        Every row of every file is in the output or among the rejected rows beside it.

    Raises
    ------
    FileError
        If a file is missing, the output is there, or it cannot be written; parts that are done stay for `Asked.resume`.
    InputError, ModelError
        If no file can be used as stated.
    """
    asked = Asked() if asked is None else asked
    out, runner = Path(out), runner or Threads(2)
    check_ending(out.name)
    sources, left_out = find_sources(given)
    panel = bundle.panel
    for what, word, known in (("kind", asked.kind, KINDS), ("unit", asked.unit, UNITS)):
        check_choice(sources[0].name, what, word or getattr(panel, what), known)
    panel.check_stated(asked.kind or panel.kind, asked.unit or panel.unit, sources[0].name)
    plans, malformed = planned(sources, panel, asked.keep, asked.long)
    if malformed and (asked.strict or not plans):
        raise malformed[0][1]
    stated = shifted_prevalence(bundle.states, bundle.blend.prevalence, asked.prevalence)
    job = Job(bundle, stated, asked.same_batch, asked.keep, out.suffix)
    parts = Parts.begin(out, _manifest(job, sources, asked), resume=asked.resume, force=asked.force)
    done = False
    try:
        numbers: dict[str, list[int]] = {}
        watcher = Watcher(float(sum(plan.source.size for plan in plans)), progress, asked.strict)
        runner.run(job, _numbered(plans, numbers), parts, watcher)
        order = [(plan.source, numbers.get(plan.source.url, [])) for plan in plans]
        _check_unchanged(plans)
        faults = [(source, str(error)) for source, error in malformed]
        report = finish(parts, order, faults, job.schema(), Tally(bundle.states), out)
        done = True
    finally:
        parts.leave(keep=not done and parts.n_stored > 0 and not asked.strict)
    return replace(report, left_out=tuple(left_out))


def _numbered(plans: Sequence[Plan], numbers: dict[str, list[int]]) -> Iterator[tuple[int, Stretch]]:
    number = 0
    for plan in plans:
        mine = numbers.setdefault(plan.source.url, [])
        for stretch in plan.stretches():
            mine.append(number)
            yield number, stretch
            number += 1


def _check_unchanged(plans: Sequence[Plan]) -> None:
    for plan in plans:
        now = find_sources([plan.source.url])[0][0]
        if (now.size, now.stamp) != (plan.source.size, plan.source.stamp):
            raise FileError(
                f"{plan.source.name}: changed while it was scored; wait until it is complete, and begin anew with --force"
            )


def check_ending(name: str) -> None:
    """Refuse an output of no known format.

    Parameters
    ----------
    name : str
        Of the output.

    Raises
    ------
    FileError
        If its ending is unknown.
    """
    ending = Path(name).suffix
    if ending not in ENDINGS:
        raise FileError(f"{name}: unknown ending {ending or '(none)'}; use {', '.join(ENDINGS)}")


def _manifest(job: Job, sources: Sequence[Source], asked: Asked) -> dict[str, Any]:
    bundle = job.bundle
    about = json.dumps(bundle.about, sort_keys=True).encode()
    return {
        "parts format": 1,
        "model": hashlib.sha256(about + bundle.golden_probabilities().tobytes()).hexdigest(),
        "files": [[source.url, source.size, source.stamp] for source in sources],
        "kept columns": list(asked.keep),
        "prevalence": None if job.stated is None else job.stated.tolist(),
        "statement of the batch": asked.same_batch,
        "format": [job.ending, list(asked.long) if asked.long else None],
        "library version": [np.__version__, pa.__version__],
    }
