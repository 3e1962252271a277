"""Tallies of what comes in: how many samples lay between which training quantiles, kept without any sample's values."""

from __future__ import annotations

import datetime
import threading
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from exoclassify.model.bundle import ModelBundle
from exoclassify.monitoring.database import reached
from exoclassify.monitoring.drift import BINS, Counts
from exoclassify.monitoring.tables import TALLIES

__all__ = ["Incoming", "InputTally", "tallied"]

Floats = NDArray[np.float64]
_Key = tuple[str, str, datetime.date]

_BYTES = 2**24
"""Samples of one model that may wait to be counted; what comes beyond is missing from the tally, and from nothing else."""


class _Buffer:
    """Rows that wait, in memory that is used again: new pages would cost as much as all else that keeping a record does."""

    def __init__(self, bundle: ModelBundle) -> None:
        n_molecules = len(bundle.panel.molecules)
        self.bundle = bundle
        self.rows = np.empty((max(1, _BYTES // (8 * n_molecules)), n_molecules))
        self.n = 0


class Incoming:
    """Samples that wait to be counted, in memory; for several threads that add and one that takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._filling: dict[int, _Buffer] = {}
        self._taken: dict[int, _Buffer] = {}

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
            buffer = self._filling.get(id(bundle))
            if buffer is None:
                buffer = self._filling[id(bundle)] = _Buffer(bundle)
            end = buffer.n + len(X)
            if end <= len(buffer.rows):
                buffer.rows[buffer.n : end] = X
                buffer.n = end

    def take(self) -> list[tuple[ModelBundle, Floats]]:
        """Give what waits, one array a model; each is good until the next call.

        Returns
        -------
        list of tuple of ModelBundle and ndarray of shape (n_samples, n_molecules)
        """
        with self._lock:
            for buffer in self._taken.values():
                buffer.n = 0
            self._taken, self._filling = self._filling, self._taken
        # A model that was not asked meanwhile has perhaps been replaced.
        self._taken = {key: buffer for key, buffer in self._taken.items() if buffer.n}
        return [(buffer.bundle, buffer.rows[: buffer.n]) for buffer in self._taken.values()]


class InputTally:
    """Counts in memory, a row a day in the database.

    Parameters
    ----------
    writer : str
        Whose counts they are; each writer has rows of its own.
    """

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self._counts: dict[_Key, Counts] = {}
        self._changed: set[_Key] = set()

    def add(self, model: str, version: str, counts: Counts) -> None:
        """Add counts to those of today.

        Parameters
        ----------
        model, version : str
            That answered.
        counts : ndarray of int of shape (n_molecules, 20)
            See `exoclassify.monitoring.drift.count_bins`.
        """
        key = (model, version, datetime.datetime.now(datetime.UTC).date())
        self._counts[key] = self._counts.get(key, np.zeros_like(counts)) + counts
        self._changed.add(key)

    def deliver(self, engine: Engine) -> None:
        """Write the day's rows.

        Parameters
        ----------
        engine : Engine
            Of a database of the newest layout.

        Raises
        ------
        FileError
            If the database cannot be reached; the counts are kept for the next time.
        """
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
