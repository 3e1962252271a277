"""Records of use: what was answered, to whom, by which model; written beside the answers, never in their way."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from exoclassify.errors import FileError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Predictions
from exoclassify.monitoring.courier import Courier
from exoclassify.monitoring.database import opened
from exoclassify.monitoring.drift import in_log_view
from exoclassify.monitoring.rows import Source, entry_of
from exoclassify.monitoring.spool import LIMIT, Entry, Ledger, Spool
from exoclassify.monitoring.tallies import Incoming

__all__ = ["RecordWriter"]

_log = logging.getLogger(__name__)

_PATIENCE = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds until a database that was away is asked again; the last one stays."""
_MEMORY = 10_000
_TURN = 30.0
_QUIET = 10.0
"""Seconds between two lines of the log that say the same."""


class RecordWriter:
    """Takes records without waiting for the database, which gets them from a process of its own.

    Parameters
    ----------
    url : str
        See `exoclassify.monitoring.database.opened`.
    spool : str or Path
        Folder for records that the database does not have yet; several writers may share it.
    interval : float
        Seconds between two deliveries.
    limit : int
        Bytes that may wait on disk.
    required : bool
        Refuse what cannot be written to disk; otherwise it is held in memory, or lost and counted.

    Raises
    ------
    FileError
        If the URL is none, or the folder cannot be written.

    Notes
    -----
    `put` writes to disk and returns; what it wrote survives the end of the process, kill -9 included, and is delivered by
    any writer on that folder. Where the disk refuses, up to 10,000 records are held in memory; they and those beyond are
    counted as lost, in a count that survives too, until they are delivered; so `ledger` accounts for every answer at every
    moment. Each record is delivered once, however often it is tried. The process that delivers,
    `exoclassify.monitoring.delivery`, is started with the first delivery.
    """

    def __init__(
        self, url: str, spool: str | Path, *, interval: float = 1.0, limit: int = LIMIT, required: bool = False
    ) -> None:
        opened(url)  # says what is wrong with it, before anything is answered
        self._courier = Courier(url)
        self._folder, self._required = Path(spool), required
        self._spool = Spool(self._folder, limit)
        self._spool.begin_counting()
        self._turn = FileLock(self._folder / "delivery.lock", timeout=_TURN, thread_local=False, mode=0o600)
        self._incoming = Incoming()
        self._memory: deque[tuple[Entry, int]] = deque()
        self._n_memory = 0
        self._interval = interval
        self._wake, self._stop = threading.Event(), threading.Event()
        self._delivering = threading.Lock()
        self._told = 0.0
        self.lost = 0
        self.delivered = 0
        self.away = False
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def put(self, predictions: Predictions, sources: Sequence[Source]) -> None:
        """Keep what was answered."""
        entry, n = entry_of(predictions, sources), len(predictions.sample_ids)
        try:
            self._spool.append(entry, n)
        except OSError as error:
            if self._required:
                self._tell("no answer goes out without its record, and %s", error)
                raise FileError(f"records are required, and {error.strerror}") from error
            self._hold(entry, n, error)

    def lose(self, n: int, problem: str) -> None:
        """Count answers that went out without a record."""
        self.lost += n
        self._spool.count_lost(n)
        self._tell("%d records are lost so far (%s)", self.lost, problem)

    def ledger(self) -> Ledger:
        """Say where the records of this folder are, those of other writers too."""
        return self._spool.ledger()

    def tally(self, bundle: ModelBundle, X: NDArray[np.float64]) -> None:
        """Count what came in, for drift; no sample's values are kept. Counts not delivered yet end with the process.

        Of more than 256 samples between two deliveries, a random draw is counted.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            Raw values of its panel, as `exoclassify.model.panel.Panel.profile` gives them.
        """
        self._incoming.add(bundle, X)

    def flush(self) -> bool:
        """Deliver now what waits."""
        return self._deliver()

    def close(self) -> bool:
        """Deliver what waits and stop; what the database does not take stays on disk."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        complete = self._deliver()
        self._courier.stop()
        self._spool.close()
        return complete

    def _hold(self, entry: Entry, n: int, error: OSError) -> None:
        self.lose(n, str(error.strerror))
        if self._n_memory + n <= _MEMORY:
            self._n_memory += n
            self._memory.append((entry, n))

    def _tell(self, message: str, *values: object) -> None:
        """Log, and not a line for each request while a disk stays full."""
        if time.monotonic() >= self._told:
            self._told = time.monotonic() + _QUIET
            _log.error(message, *values)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._wake.wait(self._interval if not failures else _PATIENCE[min(failures, len(_PATIENCE)) - 1])
            if self._stop.is_set():
                return
            failures = 0 if self._deliver() else failures + 1

    def _deliver(self) -> bool:
        with self._delivering:
            try:
                self._deliver_all()
            except FileError as error:
                if not self.away:
                    _log.warning("records wait on disk: %s", error)
                self.away = True
                return False
            if self.away:
                _log.warning("the database is back; records are delivered")
            self.away = False
            return True

    def _deliver_all(self) -> None:
        for bundle, X in self._incoming.take():
            assert bundle.trained_on is not None
            quantiles, samples = bundle.trained_on.log, in_log_view(bundle, X)
            self._courier.order(
                "tally", quantiles.tobytes(), samples.tobytes(), model=bundle.name, version=bundle.version,
                n_molecules=quantiles.shape[0], n_quantiles=quantiles.shape[1],
            )  # fmt: skip
        while self._memory:
            held = list(self._memory)[:500]
            outcome = self._courier.order("entries", entries=[entry for entry, _ in held])
            for _ in held:
                self._memory.popleft()
            self._n_memory -= sum(n for _, n in held)
            self.lost -= outcome["n"]
            self.delivered += outcome["n"]
            self._spool.found(outcome["n"])
        with self._one_at_a_time():
            more = True
            while more:
                outcome = self._courier.order("spool", folder=str(self._folder))
                self.delivered += outcome["n"]
                more = outcome["more"]
                if outcome["n_refused"]:
                    _log.error(
                        "the database refuses %d records; they are kept in %s, table refused",
                        outcome["n_refused"], self._folder / "spool.db",
                    )  # fmt: skip
        self._courier.order("settle")

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Let one writer of the folder deliver at a time, so that each record is counted once."""
        try:
            with self._turn:
                yield
        except Timeout as error:
            raise FileError(f"{self._folder}: another process has been delivering for {_TURN:.0f} s") from error
