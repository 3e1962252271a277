"""Tallies of what comes in: how many samples lay between which training quantiles, kept without any sample's values."""

from __future__ import annotations

import datetime
import threading
import zlib
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from exoclassify.model.bundle import ModelBundle
from exoclassify.monitoring.database import reached
from exoclassify.monitoring.drift import BINS, Counts, count_bins
from exoclassify.monitoring.tables import TALLIES

__all__ = ["InputTally", "tallied"]

Floats = NDArray[np.float64]
_Key = tuple[str, str, datetime.date]

_WAITING = 20_000
"""Samples that may wait to be counted; what comes beyond is missing from the tally, and from nothing else."""


class InputTally:
    """Counts in memory, a row a day in the database.

    Parameters
    ----------
    writer : str
        Whose counts they are; each writer has rows of its own.
    """

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self._waiting: deque[tuple[ModelBundle, Floats]] = deque()
        self._lock = threading.Lock()
        self._n_waiting = 0
        self._counts: dict[_Key, Counts] = {}
        self._changed: set[_Key] = set()
        self.skipped = 0

    def add(self, bundle: ModelBundle, X: Floats) -> None:
        """Take samples to be counted later.

        Parameters
        ----------
        bundle : ModelBundle
            That answered for them; one that remembers no training samples is not counted for.
        X : ndarray of shape (n_samples, n_molecules)
            Raw values of its panel.
        """
        if bundle.trained_on is None:
            return
        with self._lock:
            if self._n_waiting + len(X) > _WAITING:
                self.skipped += len(X)
                return
            self._waiting.append((bundle, X))
            self._n_waiting += len(X)

    def deliver(self, engine: Engine) -> None:
        """Count what waits and write the day's rows.

        Parameters
        ----------
        engine : Engine
            Of a database of the newest layout.

        Raises
        ------
        FileError
            If the database cannot be reached; the counts are kept for the next time.
        """
        self._count()
        insert: Any = insert_postgresql if engine.dialect.name == "postgresql" else insert_sqlite
        for key in sorted(self._changed):
            counts = self._counts[key]
            values = {
                "n_samples": int(counts[0].sum()),
                "counts": zlib.compress(counts.astype("<i4").tobytes()),
            }
            row = dict(zip(("model", "version", "day"), key, strict=True)) | {"writer": self._writer}
            statement = insert(TALLIES).values(**row, **values)
            statement = statement.on_conflict_do_update(index_elements=[*row], set_=values)
            with reached(engine), engine.begin() as connection:
                connection.execute(statement)
            self._changed.discard(key)
        today = datetime.datetime.now(datetime.UTC).date()
        for key in [key for key in self._counts if key[2] < today and key not in self._changed]:
            del self._counts[key]

    def _count(self) -> None:
        with self._lock:
            waiting, self._waiting, self._n_waiting = list(self._waiting), deque(), 0
        day = datetime.datetime.now(datetime.UTC).date()
        by_model: dict[int, tuple[ModelBundle, list[Floats]]] = {}
        for bundle, X in waiting:
            by_model.setdefault(id(bundle), (bundle, []))[1].append(X)
        for bundle, parts in by_model.values():
            key = (bundle.name, bundle.version, day)
            new = count_bins(bundle, np.concatenate(parts))
            self._counts[key] = self._counts.get(key, np.zeros_like(new)) + new
            self._changed.add(key)


def tallied(engine: Engine, bundle: ModelBundle, since: datetime.date) -> Counts:
    """Add up what was counted for a model.

    Parameters
    ----------
    engine : Engine
        Of a database of the newest layout.
    bundle : ModelBundle
        The model.
    since : date
        First day, in UTC.

    Returns
    -------
    ndarray of int of shape (n_molecules, 20)

    Raises
    ------
    FileError
        If the database cannot be reached.
    """
    asked = select(TALLIES.c.counts).where(
        TALLIES.c.model == bundle.name, TALLIES.c.version == bundle.version, TALLIES.c.day >= since
    )
    total = np.zeros((len(bundle.panel.molecules), BINS), dtype=np.int64)
    with reached(engine), engine.connect() as connection:
        for blob in connection.execute(asked).scalars():
            total += np.frombuffer(zlib.decompress(blob), dtype="<i4").reshape(total.shape)
    return total
