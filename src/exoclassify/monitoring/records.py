"""Records of use: what was answered, to whom, by which model; written beside the answers, never in their way."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from exoclassify.errors import FileError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Predictions
from exoclassify.monitoring.database import opened, reached, upgrade
from exoclassify.monitoring.journal import LIMIT, Journal, Row
from exoclassify.monitoring.rows import rows_of
from exoclassify.monitoring.tables import PREDICTIONS
from exoclassify.monitoring.tallies import InputTally

__all__ = ["RecordWriter", "insert_predictions"]

_log = logging.getLogger(__name__)

_PATIENCE = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds until a database that was away is asked again; the last one stays."""
_MEMORY = 10_000


class RecordWriter:
    """Takes records without waiting for the database, which gets them from a thread of its own.

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

    Raises
    ------
    FileError
        If the URL is none, or the folder cannot be written.

    Notes
    -----
    `put` writes to disk and returns; what it wrote survives the end of the process, kill -9 included, and is delivered by
    the next writer on that folder. Where the disk refuses, up to 10,000 records are held in memory; those beyond are
    counted in `lost` and logged, and predictions go on. Each record is delivered once, however often it is tried.
    """

    def __init__(self, url: str, spool: str | Path, *, interval: float = 0.5, limit: int = LIMIT) -> None:
        self._engine = opened(url)
        self._journal = Journal(Path(spool), limit)
        self._tally = InputTally(self._journal.writer)
        self._memory: deque[Row] = deque()
        self._interval = interval
        self._wake, self._stop = threading.Event(), threading.Event()
        self._ready = False
        self._delivering = threading.Lock()
        self.lost = 0
        self.delivered = 0
        self.away = False
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def put(
        self,
        predictions: Predictions,
        *,
        request_id: str,
        input_sha256: str,
        key_name: str | None = None,
        subjects: Sequence[str | None] | None = None,
        cargo: Sequence[Mapping[str, float | None]] | None = None,
    ) -> None:
        """Keep what was answered.

        Parameters
        ----------
        predictions : Predictions
            The answers of one request.
        request_id : str
            Of the request.
        input_sha256 : str
            Of what was sent.
        key_name : str, optional
            Name of the key that was used, never the key.
        subjects : sequence of str or None, optional
            Whose samples they are, where known; needed to delete what is kept of a person.
        cargo : sequence of mapping, optional
            The values sent, for those who switched that on.
        """
        rows = rows_of(
            predictions,
            request_id=request_id,
            input_sha256=input_sha256,
            key_name=key_name,
            subjects=subjects,
            cargo=cargo,
        )
        try:
            self._journal.append(rows)
        except OSError as error:
            self._hold(rows, error)

    def tally(self, bundle: ModelBundle, X: NDArray[np.float64]) -> None:
        """Count what came in, for drift; no sample's values are kept. Counts not delivered yet end with the process.

        Parameters
        ----------
        bundle : ModelBundle
            That answered.
        X : ndarray of shape (n_samples, n_molecules)
            Raw values of its panel, as `exoclassify.model.panel.Panel.profile` gives them.
        """
        self._tally.add(bundle, X)

    def flush(self) -> bool:
        """Deliver now what waits.

        Returns
        -------
        bool
            Whether the database has everything.
        """
        return self._deliver()

    def close(self) -> bool:
        """Deliver what waits and stop; what the database does not take stays on disk.

        Returns
        -------
        bool
            Whether the database has everything.
        """
        self._stop.set()
        self._wake.set()
        self._thread.join()
        complete = self._deliver()
        self._journal.close()
        self._engine.dispose()
        return complete

    def _hold(self, rows: list[Row], error: OSError) -> None:
        space = max(0, _MEMORY - len(self._memory))
        self._memory.extend(rows[:space])
        if not self.lost and not self._memory:
            _log.error("records cannot be written to disk (%s)", error)
        if len(rows) > space:
            self.lost += len(rows) - space
            _log.error("%d records are lost: disk and memory are full (%s)", self.lost, error)

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
        files = self._journal.take()
        if not self._ready:
            upgrade(self._engine)
            self._ready = True
        for path in files:
            rows = self._journal.read(path)
            refused = insert_predictions(self._engine, rows)
            self.delivered += len(rows) - len(refused)
            if refused:
                aside = self._journal.refuse(path, refused)
                _log.error("the database refuses %d records; they are kept in %s", len(refused), aside)
            self._journal.done(path)
        while self._memory:
            held = [self._memory.popleft() for _ in range(min(500, len(self._memory)))]
            try:
                refused = insert_predictions(self._engine, held)
            except FileError:
                self._memory.extendleft(reversed(held))
                raise
            self.lost += len(refused)
            self.delivered += len(held) - len(refused)
        self._tally.deliver(self._engine)


def insert_predictions(engine: Engine, rows: Sequence[Row]) -> list[Row]:
    """Insert records that are not there yet.

    Parameters
    ----------
    engine : Engine
        Of a database of the newest layout.
    rows : sequence of list
        As `RecordWriter.put` writes them.

    Returns
    -------
    list of list
        Those that the database will never take: a text too long, or with characters that it does not store.

    Raises
    ------
    FileError
        If the database cannot be reached, or has no space.
    """
    if not rows:
        return []
    try:
        with reached(engine), engine.begin() as connection:
            # Straight to the driver: the values are as it wants them, and this costs a third of the time.
            connection.exec_driver_sql(_INSERT[engine.dialect.name], [tuple(row) for row in rows])
    except FileError as error:
        if not _is_refusal(error.__cause__):
            raise
        if len(rows) == 1:
            return list(rows)
        middle = len(rows) // 2
        return insert_predictions(engine, rows[:middle]) + insert_predictions(engine, rows[middle:])
    return []


def _is_refusal(cause: BaseException | None) -> bool:
    """Whether the records are wrong, not the database away; StatementError is the parent of all that the driver says."""
    if isinstance(cause, DBAPIError):
        return isinstance(cause, DataError | IntegrityError)
    return isinstance(cause, StatementError)


_COLUMNS = ", ".join(f'"{column.name}"' for column in PREDICTIONS.columns)
_INSERT = {
    dialect: f"insert into predictions ({_COLUMNS}) values ({', '.join([mark] * len(PREDICTIONS.columns))}) "
    "on conflict (id) do nothing"
    for dialect, mark in (("sqlite", "?"), ("postgresql", "%s"))
}
