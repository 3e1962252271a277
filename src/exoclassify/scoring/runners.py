"""Who does the work: threads of this process, or, in `exoclassify.scoring.cluster`, many machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from threadpoolctl import threadpool_limits

from exoclassify.errors import FileError, InputError
from exoclassify.scoring.job import Job, Scored
from exoclassify.scoring.parts import Parts, part_bytes
from exoclassify.scoring.pieces import RowStretch, pieces_and_ends
from exoclassify.tables import sizes
from exoclassify.tables.pieces import Reject
from exoclassify.tables.sources import Source

__all__ = ["Progress", "Runner", "Threads", "Watcher"]

Progress = Callable[[float, float, int], None]
"""Is told bytes done, bytes in all, and rows done."""


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
                part for part in (f"sample {first.sample_id}" if first.sample_id else "a row", first.column) if part
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
    def run(self, job: Job, stretches: Iterator[tuple[int, RowStretch]], parts: Parts, watcher: Watcher) -> None:
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

    def run(self, job: Job, stretches: Iterator[tuple[int, RowStretch]], parts: Parts, watcher: Watcher) -> None:
        """Store all parts of all stretches.

        Parameters
        ----------
        parts : Parts
            Where the answers go; what is there already is not done again.
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
                    if len(window) > self.n:
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
    job: Job, stretches: Iterator[tuple[int, RowStretch]], parts: Parts, pool: ThreadPoolExecutor, watcher: Watcher
) -> Iterator[_Waiting]:
    for number, stretch in stretches:
        if parts.complete(number):
            continue
        for at, (piece, last, broken) in enumerate(pieces_and_ends(stretch)):
            part, ends = at // sizes.PIECES_IN_PART, last or at % sizes.PIECES_IN_PART == sizes.PIECES_IN_PART - 1
            if parts.has(number, part):
                watcher.advance(0.0 if piece is None else piece.cost, 0)
                continue
            cost = 0.0 if piece is None else piece.cost
            scored = pool.submit(job.nothing) if piece is None else pool.submit(job.score, piece, stretch.source.name)
            yield _Waiting(number, part, stretch.source, cost, scored, ends, last, broken)
