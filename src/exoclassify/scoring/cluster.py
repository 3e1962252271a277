"""The same work on a Dask cluster: one task a stretch, and a lost worker loses nothing."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits

from exoclassify.errors import FileError
from exoclassify.scoring.job import Job, Scored
from exoclassify.scoring.parts import Parts, part_bytes
from exoclassify.scoring.pieces import RowPiece, RowStretch, pieces_and_ends
from exoclassify.scoring.runners import Runner, Watcher
from exoclassify.tables import sizes
from exoclassify.tables.pieces import Reject

__all__ = ["Cluster", "client_of"]

_WAIT = 20  # seconds for a scheduler to answer


@contextmanager
def client_of(scheduler: str | None, workers: int | None) -> Iterator[Any]:
    """Connect to a Dask cluster, or start one on this machine.

    Parameters
    ----------
    scheduler : str or None
        Address, as ``tcp://host:8786``; None starts a cluster that ends with the context.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise FileError("a Dask cluster needs more libraries; pip install 'exoclassify[cluster]'") from error
    if scheduler is None:
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=_WAIT)
    except (OSError, ValueError) as error:
        raise FileError(
            f"{scheduler}: no Dask scheduler answers there ({type(error).__name__}); check the address, as in "
            "tcp://host:8786"
        ) from error
    with client:
        yield client


@dataclass(frozen=True, eq=False)
class _Done:
    """One part, as a worker gives it back."""

    stretch: int
    part: int
    content: bytes
    last: bool
    broken: str
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
    done, gathered, cost = [], [], 0.0
    with threadpool_limits(1):
        for at, (piece, last, broken) in enumerate(pieces_and_ends(stretch)):
            part = at // sizes.PIECES_IN_PART
            if part in there:
                continue
            gathered.append(_scored(job, piece, source.name))
            cost += 0.0 if piece is None else piece.cost
            if last or at % sizes.PIECES_IN_PART == sizes.PIECES_IN_PART - 1:
                done.append(_packed(number, part, gathered, last, broken, cost))
                gathered, cost = [], 0.0
    return done


def _scored_part(
    job: Job, number: int, part: int, pieces: Sequence[RowPiece | None], source: str, last: bool, broken: str
) -> list[_Done]:
    with threadpool_limits(1):
        scored = [_scored(job, piece, source) for piece in pieces]
    cost = sum(0.0 if piece is None else piece.cost for piece in pieces)
    return [_packed(number, part, scored, last, broken, cost)]


def _scored(job: Job, piece: RowPiece | None, source: str) -> Scored:
    return job.nothing() if piece is None else job.score(piece, source)


def _packed(number: int, part: int, scored: Sequence[Scored], last: bool, broken: str, cost: float) -> _Done:
    content = part_bytes(scored, last=last, broken=broken).to_pybytes()
    rejected = next((each.rejected[:1] for each in scored if each.rejected), ())
    faults = [fault for fault in (*(each.broken for each in scored), broken) if fault]
    return _Done(number, part, content, last, "; ".join(faults), sum(each.n_read for each in scored), rejected, cost)


@dataclass(frozen=True)
class Cluster(Runner):
    """Scores on a Dask cluster.

    Parameters
    ----------
    scheduler : str or None
        Address of one that is there; None starts one on this machine.
    workers : int or None
        Number of processes of the latter.

    Notes
    -----
    Workers read the files themselves, where a file can be read from its middle; packed text, Arrow streams, workbooks and
    tables to be turned are read here and sent in pieces. Answers come back here and are stored as parts, so workers write
    nothing, and a task that is done twice gives the same part.
    """

    scheduler: str | None
    workers: int | None

    def run(self, job: Job, stretches: Iterator[tuple[int, RowStretch]], parts: Parts, watcher: Watcher) -> None:
        """Store all parts of all stretches.

        Parameters
        ----------
        parts : Parts
            Where the answers go; what is there already is not done again.
        """
        with client_of(self.scheduler, self.workers) as client, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            from distributed import as_completed
            from distributed.scheduler import KilledWorker

            here = client.submit(_held, job, pure=False)
            waiting = as_completed()
            in_flight, sources = 0, {}
            most = 2 + 2 * sum(client.nthreads().values())
            try:
                for arguments, source in self._tasks(stretches, parts, watcher):
                    function, *rest = arguments
                    sources[rest[0]] = source
                    waiting.add(client.submit(function, here, *rest, pure=False))
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

    @staticmethod
    def _tasks(
        stretches: Iterator[tuple[int, RowStretch]], parts: Parts, watcher: Watcher
    ) -> Iterator[tuple[tuple[Any, ...], Any]]:
        for number, stretch in stretches:
            if parts.complete(number):
                continue
            if stretch.apart:
                yield (_read_and_scored, number, stretch, parts.there(number)), stretch.source
                continue
            pieces: list[RowPiece | None] = []
            for at, (piece, last, broken) in enumerate(pieces_and_ends(stretch)):
                part = at // sizes.PIECES_IN_PART
                if parts.has(number, part):
                    watcher.advance(0.0 if piece is None else piece.cost, 0)
                    continue
                pieces.append(piece)
                if last or at % sizes.PIECES_IN_PART == sizes.PIECES_IN_PART - 1:
                    name = stretch.source.name
                    yield (_scored_part, number, part, pieces, name, last, broken), stretch.source
                    pieces = []


def _store(done: Sequence[_Done], parts: Parts, watcher: Watcher, sources: dict[int, Any]) -> None:
    for each in done:
        watcher.saw(sources[each.stretch], each.rejected, each.n_read, each.cost)
        if each.broken:
            watcher.broke(each.broken)
        parts.write(each.stretch, each.part, each.content, last=each.last)
