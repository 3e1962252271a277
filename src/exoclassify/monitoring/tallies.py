"""Tallies of what comes in: how many samples lay between which training quantiles, kept without any sample's values."""

from __future__ import annotations

import datetime
import math
import random
import threading
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from exoclassify.monitoring.bins import BINS, Counts
from exoclassify.monitoring.database import reached
from exoclassify.monitoring.tables import TALLIES
from exoclassify.typing import Floats

if TYPE_CHECKING:
    from exoclassify.model.bundle import ModelBundle

__all__ = ["Incoming", "InputTally", "tallied"]

_Key = tuple[str, str, datetime.date]

_MOST = 256
"""Samples of one model that are counted of what comes between two deliveries; of more, so many are drawn."""


class Incoming:
    """Samples that wait to be counted; of more than 256 of one model a random draw. For several threads, one of which takes.

    Notes
    -----
    The work of counting is bounded so however many answers are given: 256 samples a second at a delivery a second. Every
    sample that came has the same chance, wherever in a request it stands (Li 1994, algorithm L).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._filling: dict[int, _Drawn] = {}
        self._taken: dict[int, _Drawn] = {}  # memory that is used again: new pages cost more than the copy

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
            drawn = self._filling.get(id(bundle))
            if drawn is None:
                drawn = self._filling[id(bundle)] = _Drawn(bundle)
            drawn.add(X)

    def take(self) -> list[tuple[ModelBundle, Floats]]:
        """Give what waits, one array a model; each is good until the next call.

        Returns
        -------
        list of tuple of ModelBundle and ndarray of shape (n_samples, n_molecules)
        """
        with self._lock:
            for drawn in self._taken.values():
                drawn.begin()
            self._taken, self._filling = self._filling, self._taken
            # One that was not asked meanwhile has perhaps been replaced.
            self._taken = {key: drawn for key, drawn in self._taken.items() if drawn.seen}
        return [(drawn.bundle, drawn.rows[: drawn.seen]) for drawn in self._taken.values()]


class _Drawn:
    def __init__(self, bundle: ModelBundle) -> None:
        self.bundle = bundle
        self.rows = np.empty((_MOST, len(bundle.panel.molecules)))
        self.begin()

    def begin(self) -> None:
        self.seen, self._next, self._smallest = 0, _MOST, 1.0

    def add(self, X: Floats) -> None:
        if self.seen < _MOST:
            first = X[: _MOST - self.seen]
            self.rows[self.seen : self.seen + len(first)] = first
            if self.seen + len(first) == _MOST:
                self._skip(_MOST - 1)
        while self._next < self.seen + len(X):
            self.rows[random.randrange(_MOST)] = X[self._next - self.seen]
            self._skip(self._next)
        self.seen += len(X)

    def _skip(self, at: int) -> None:
        """Find the next sample that is drawn after this one."""
        self._smallest *= (1 - random.random()) ** (1 / _MOST)
        self._next = at + 1 + int(math.log(1 - random.random()) / math.log1p(-self._smallest))


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
        counts : ndarray of int of shape (n_molecules, 20)
            See `exoclassify.monitoring.drift.count_bins`.
        """
        key = (model, version, datetime.datetime.now(datetime.UTC).date())
        self._counts[key] = self._counts.get(key, np.zeros_like(counts)) + counts
        self._changed.add(key)

    def deliver(self, engine: Engine) -> None:
        """Write the day's rows."""
        insert: Any = insert_postgresql if engine.dialect.name == "postgresql" else insert_sqlite
        for key in sorted(self._changed):
            counts = self._counts[key]
            values = {
                "n_samples": int(counts.sum(axis=1).max()),
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

    Returns
    -------
    ndarray of int of shape (n_molecules, 20)
    """
    asked = select(TALLIES.c.counts).where(
        TALLIES.c.model == bundle.name, TALLIES.c.version == bundle.version, TALLIES.c.day >= since
    )
    total = np.zeros((len(bundle.panel.molecules), BINS), dtype=np.int64)
    with reached(engine), engine.connect() as connection:
        for blob in connection.execute(asked).scalars():
            total += np.frombuffer(zlib.decompress(blob), dtype="<i4").reshape(total.shape)
    return total
