"""The process that brings records into the database, beside the one that answers.

Reading records back, inserting them and counting what came in is most of what keeping records costs, and in the process that
answers it would be done instead of answering. An order is a line of JSON on stdin, followed by as many bytes as it says; the
outcome is a line of JSON on stdout. The process ends when its stdin does: with its parent, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from exoclassify.errors import FileError
from exoclassify.monitoring.bins import bins_of
from exoclassify.monitoring.database import opened, reached, upgrade
from exoclassify.monitoring.rows import Row, rows_of
from exoclassify.monitoring.spool import Spool
from exoclassify.monitoring.tables import PREDICTIONS
from exoclassify.monitoring.tallies import InputTally

__all__ = ["Delivery", "serve"]

_BATCH = 500
"""Entries delivered at once."""

_NICE = 10
"""How far it stands back where the machine has not enough processors."""


class Delivery:
    """Carries out orders on one database.

    Parameters
    ----------
    url : str
        See `exoclassify.monitoring.database.opened`.
    """

    def __init__(self, url: str) -> None:
        self._engine = opened(url)
        self._tally = InputTally(secrets.token_hex(8))
        self._ready = False
        self._spool: Spool | None = None

    def spool(self, order: dict[str, Any], _: bytes) -> dict[str, Any]:
        """Insert the oldest records of a spool; ``n`` of them, without the ``n_refused`` that are kept apart there."""
        if self._spool is None:
            self._spool = Spool(Path(order["folder"]))
        self._spool.to_disk()
        taken = self._spool.take(_BATCH)
        rows: list[Row] = []
        unread: list[bytes] = []
        n_unread = 0
        for _id, n, entry in taken:
            try:
                rows += rows_of(msgspec.json.decode(entry))
            except (ValueError, TypeError):  # a damaged disk, or another version's; those after it are not to wait
                unread.append(entry)
                n_unread += n
        outcome = self._insert(rows)
        refused = [msgspec.json.encode(row) for row in outcome["refused"]] + unread
        n_refused = n_unread + len(outcome["refused"])
        if taken:
            self._spool.done(taken, refused, n_refused)
        return {"n": outcome["n"], "n_refused": n_refused, "more": len(taken) == _BATCH}

    def entries(self, order: dict[str, Any], _: bytes) -> dict[str, Any]:
        """Insert records that never came to disk."""
        return self._insert([row for entry in order["entries"] for row in rows_of(entry)])

    def tally(self, order: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Count samples between training quantiles; the numbers are the quantiles, then the samples."""
        numbers = np.frombuffer(body, dtype=np.float32)
        size = order["n_molecules"] * order["n_quantiles"]
        quantiles = numbers[:size].reshape(order["n_molecules"], order["n_quantiles"])
        samples = numbers[size:].reshape(-1, order["n_molecules"])
        self._tally.add(order["model"], order["version"], bins_of(quantiles, samples))
        return {}

    def settle(self, order: dict[str, Any], _: bytes) -> dict[str, Any]:
        """Bring the database to its layout, and the counts into it."""
        self._tally.deliver(self._reached())
        return {}

    def _insert(self, rows: list[Row]) -> dict[str, Any]:
        refused = _inserted(self._reached(), rows)
        return {"n": len(rows) - len(refused), "refused": refused}

    def _reached(self) -> Engine:
        if not self._ready:
            upgrade(self._engine)
            self._ready = True
        return self._engine


def serve(orders: BinaryIO, outcomes: BinaryIO) -> None:
    """Carry out orders until they end; the first line is the URL of the database."""
    delivery = Delivery(msgspec.json.decode(orders.readline(), type=str))
    while line := orders.readline():
        order = msgspec.json.decode(line)
        body = orders.read(order.get("n_bytes", 0))
        try:
            outcome = getattr(delivery, order["do"])(order, body)
        except FileError as error:
            outcome = {"away": str(error)}
        except Exception as error:  # noqa: BLE001 - the door of this process: the parent logs it, the records stay
            outcome = {"away": f"{type(error).__name__} while records were delivered: {error}"}
        outcomes.write(msgspec.json.encode(outcome) + b"\n")
        outcomes.flush()


def _inserted(engine: Engine, rows: Sequence[Row]) -> list[Row]:
    """Insert records that are not there yet; give those that the database will never take, such as a text too long."""
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
        return _inserted(engine, rows[:middle]) + _inserted(engine, rows[middle:])
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


def _main() -> None:
    # A process manager tells the children too, and ^C reaches them; what waits is still to be delivered then.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    _main()
