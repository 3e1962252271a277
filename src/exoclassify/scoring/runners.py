"""Who does the work: threads of this process, or the workers of a Dask cluster."""

from __future__ import annotations

import logging
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from exoclassify.errors import FileError, InputError
from exoclassify.scoring.job import Job, Scored
from exoclassify.scoring.parts import Parts, part_bytes
from exoclassify.scoring.rows import RowStretch, Step, steps
from exoclassify.tables.pieces import Reject
from exoclassify.tables.sources import Source

__all__ = ["Cluster", "Progress", "Runner", "Threads", "Watcher", "client_of"]

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

    def saw(
        self, source: Source, rejected: Sequence[Reject], n_read: int, cost: float, broken: Sequence[str] = ()
    ) -> None:
        """Take note of answers, of the rows that have none, and of what is wrong with the file."""
        if self.strict and rejected:
            first = rejected[0]
            where = ", ".join(
                part for part in (f"sample {first.sample_id}" if first.sample_id else "a row", first.column) if part
            )
            raise InputError(f"{source.name}: {where}: {first.reason}")
        self.advance(cost, n_read)
        if self.strict and broken:
            raise FileError("; ".join(broken))

    def advance(self, cost: float, rows: int) -> None:
        """Take note of rows that are done."""
        self.cost += cost
        self.rows += rows
        if self.progress is not None:
            self.progress(min(self.cost, self.total), self.total, self.rows)


class Runner(ABC):
    """Whoever does the work: threads here, or a cluster."""

    @abstractmethod
    def run(self, job: Job, stretches: Iterator[tuple[int, RowStretch]], parts: Parts, watcher: Watcher) -> None:
        """Store all parts of all stretches; what is there already is not done again."""


class _Waiting(NamedTuple):
    stretch: int
    source: Source
    step: Step
    scored: Future[Scored]


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
        """Store all parts of all stretches."""
        with threadpool_limits(1), ThreadPoolExecutor(self.n) as pool:
            window: deque[_Waiting] = deque()
            gathered: list[Scored] = []

            def collect() -> None:
                stretch, source, step, waiting = window.popleft()
                scored = waiting.result()
                gathered.append(scored)
                watcher.saw(source, scored.rejected, scored.n_read, step.cost, _faults([scored], step.broken))
                if step.ends:
                    content = part_bytes(gathered, last=step.last, broken=step.broken)
                    parts.write(stretch, step.part, content, last=step.last)
                    gathered.clear()

            try:
                for stretch, source, step in _undone(stretches, parts, watcher):
                    window.append(_Waiting(stretch, source, step, pool.submit(job.score, step.piece, source.name)))
                    if len(window) > self.n:
                        collect()
                while window:
                    collect()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def _undone(
    stretches: Iterator[tuple[int, RowStretch]], parts: Parts, watcher: Watcher
) -> Iterator[tuple[int, Source, Step]]:
    for number, stretch in stretches:
        if not parts.complete(number):
            for step in steps(stretch):
                if parts.has(number, step.part):
                    watcher.advance(step.cost, 0)
                else:
                    yield number, stretch.source, step


def _faults(scored: Sequence[Scored], broken: str) -> list[str]:
    return [fault for fault in (*(each.broken for each in scored), broken) if fault]


@contextmanager
def client_of(scheduler: str | None, workers: int | None, wait: float = 20) -> Iterator[Any]:
    """Connect to a Dask cluster, or start one on this machine.

    Parameters
    ----------
    scheduler : str or None
        Address, as ``tcp://host:8786``; None starts a cluster that ends with the context.
    wait : float, default 20
        Seconds for a scheduler to answer.
    """
    try:
        import dask.config
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise FileError("a Dask cluster needs more libraries; pip install 'exoclassify[cluster]'") from error
    if scheduler is None:
        quiet = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}
        # On a busy machine no worker is lost for answering late.
        late = {f"distributed.comm.timeouts.{what}": "300s" for what in ("connect", "tcp")}
        with (
            dask.config.set(late),
            LocalCluster(n_workers=workers, threads_per_worker=1, **quiet) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=wait)
    except (OSError, ValueError) as error:
        raise FileError(
            f"{scheduler}: no Dask scheduler answers there ({type(error).__name__}); check the address, as in "
            "tcp://host:8786"
        ) from error
    with client:
        yield client


class _Done(NamedTuple):
    """One part, as a worker gives it back."""

    stretch: int
    part: int
    content: bytes
    last: bool
    faults: list[str]
    n_read: int
    rejected: tuple[Reject, ...]
    cost: float


def _held(job: Job) -> Job:
    """Keep the job on the workers; as a task and not as scattered data, so that it is made again when a worker is lost."""
    return job


def _read_and_scored(job: Job, number: int, stretch: RowStretch, there: frozenset[int]) -> list[_Done]:
    source = stretch.source
    if not source.remote and not source.path.exists():
        raise FileError(
            f"{source.url}: a worker does not see this file; put it where all workers do, or give an address"
        )
    return _scored(job, number, (step for step in steps(stretch) if step.part not in there), source.name)


def _scored(job: Job, number: int, some: Iterator[Step] | list[Step], source: str) -> list[_Done]:
    done: list[_Done] = []
    gathered, cost = [], 0.0
    with threadpool_limits(1):
        for step in some:
            gathered.append(job.score(step.piece, source))
            cost += step.cost
            if step.ends:
                content = part_bytes(gathered, last=step.last, broken=step.broken).to_pybytes()
                rejected = next((each.rejected[:1] for each in gathered if each.rejected), ())
                faults, n_read = _faults(gathered, step.broken), sum(each.n_read for each in gathered)
                done.append(_Done(number, step.part, content, step.last, faults, n_read, rejected, cost))
                gathered, cost = [], 0.0
    return done


@dataclass(frozen=True)
class Cluster(Runner):
    """Scores on a Dask cluster: one task a stretch, and a lost worker loses nothing.

    Parameters
    ----------
    scheduler : str or None
        Address of one that is there; None starts one on this machine.
    workers : int or None
        Number of processes of the latter.
    wait : float, default 20
        Seconds for the scheduler to answer.

    Notes
    -----
    Workers read the files themselves, where a file can be read from its middle; packed text, Arrow streams, workbooks and
    tables to be turned are read here and sent in pieces. Answers come back here and are stored as parts, so workers write
    nothing, and a task that is done twice gives the same part.
    """

    scheduler: str | None
    workers: int | None
    wait: float = 20

    def run(self, job: Job, stretches: Iterator[tuple[int, RowStretch]], parts: Parts, watcher: Watcher) -> None:
        """Store all parts of all stretches."""
        with client_of(self.scheduler, self.workers, self.wait) as client, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            from distributed import as_completed
            from distributed.scheduler import KilledWorker

            here = client.submit(_held, job, pure=False)
            waiting = as_completed()
            in_flight, sources = 0, {}
            most = 2 + 2 * sum(client.nthreads().values())
            try:
                for function, source, number, *rest in _tasks(stretches, parts, watcher):
                    sources[number] = source
                    waiting.add(client.submit(function, here, number, *rest, pure=False))
                    in_flight += 1
                    if in_flight >= most:
                        _store(next(waiting).result(), parts, watcher, sources)
                        in_flight -= 1
                for future in waiting:
                    _store(future.result(), parts, watcher, sources)
            except KilledWorker as error:
                raise FileError(
                    "the workers of the cluster were lost again and again, as when their memory is too small; give them more, "
                    "and go on with --resume"
                ) from error


def _tasks(
    stretches: Iterator[tuple[int, RowStretch]], parts: Parts, watcher: Watcher
) -> Iterator[tuple[Any, Source, int, Any, Any]]:
    """Give function, file, number and further arguments of each task: a stretch that a worker reads, or a part read here."""
    for number, stretch in stretches:
        if stretch.stretch.apart:
            if not parts.complete(number):
                yield _read_and_scored, stretch.source, number, stretch, parts.there(number)
            continue
        some: list[Step] = []
        for _, source, step in _undone(iter([(number, stretch)]), parts, watcher):
            some.append(step)
            if step.ends:
                yield _scored, source, number, some, source.name
                some = []


def _store(done: Sequence[_Done], parts: Parts, watcher: Watcher, sources: dict[int, Source]) -> None:
    for each in done:
        watcher.saw(sources[each.stretch], each.rejected, each.n_read, each.cost, each.faults)
        parts.write(each.stretch, each.part, each.content, last=each.last)
