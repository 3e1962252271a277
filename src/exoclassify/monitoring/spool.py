"""Records on disk until the database has them: one SQLite file in WAL mode, shared by all writers of a folder.

What was appended survives the end of its process, kill -9 included. The file is also the ledger: what waits, since when, how
much was delivered, refused and lost. A full disk takes no row, so each writer counts what it loses in a small file of its own
whose space was taken when it started.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from exoclassify.errors import FileError

__all__ = ["LIMIT", "Entry", "Ledger", "Spool"]

LIMIT = 2**30
"""Bytes of records that may wait on disk, unless another limit is given."""

Entry = list[Any]
_encode = msgspec.json.Encoder().encode

_PAGE = 4096
_BUSY = 5.0
"""Seconds that an append waits for another process; a delivery holds the file for milliseconds."""

_LAYOUT = """
create table if not exists entries (id integer primary key, at real not null, n integer not null, entry blob not null);
create table if not exists ledger (what text primary key, n integer not null);
create table if not exists refused (row blob not null);
insert or ignore into ledger values ('delivered', 0), ('refused', 0), ('lost', 0);
"""


@dataclass(frozen=True)
class Ledger:
    """Where the records of a folder are; together they are all that was answered.

    Parameters
    ----------
    delivered : int
        In the database.
    waiting : int
        On disk.
    refused : int
        The database will never take them; they are kept in the spool.
    lost : int
        Nowhere on disk. Those that a living writer still holds in memory count here until they are delivered.
    oldest : float
        Seconds that the oldest of those that wait has waited; 0 when none does.
    """

    delivered: int
    waiting: int
    refused: int
    lost: int
    oldest: float


class Spool:
    """The records of one folder, seen by one process; for several threads.

    Parameters
    ----------
    folder : Path
        Made when it is missing; on a local disk.
    limit : int
        Bytes that may lie there; more is refused.

    Raises
    ------
    FileError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._lost, self._lost_file, self._lost_path = 0, -1, folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if old := [path.name for path in folder.glob("*.jsonl")]:
                raise FileError(
                    f"{folder}: holds records of an earlier version ({old[0]}); have that version deliver them first"
                )
            path = folder / "spool.db"
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's own files beside it get the same mode
            self._connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
            self._connection.execute("pragma journal_mode = wal")
            # No append waits for the disk to turn: the process that delivers brings the file to disk every second.
            self._connection.execute("pragma synchronous = off")
            self._connection.execute("pragma wal_autocheckpoint = 0")
            self._connection.executescript(_LAYOUT)
            self._connection.execute(f"pragma max_page_count = {max(1, limit // _PAGE)}")
        except (OSError, sqlite3.Error) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise FileError(
                f"{folder}: records cannot be kept there ({said}); give a folder that is yours, with space"
            ) from error

    def append(self, entry: Entry, n: int) -> None:
        """Write records to disk, all or none.

        Parameters
        ----------
        entry : list
            Plain values; NaN becomes null.
        """
        content = _encode(entry)
        try:
            with self._lock:
                self._connection.execute(
                    "insert into entries (at, n, entry) values (?, ?, ?)", (time.time(), n, content)
                )
        except sqlite3.Error as error:
            raise OSError(28, f"records cannot be written: {error}") from error

    def take(self, most: int) -> list[tuple[int, int, bytes]]:
        """Give what waits, the oldest first: number, how many records, and the entry."""
        with self._lock:
            return self._connection.execute("select id, n, entry from entries order by id limit ?", (most,)).fetchall()

    def done(self, taken: list[tuple[int, int, bytes]], refused: list[bytes], n_refused: int) -> None:
        """Remove what the database has, and keep apart what it will never take, in one step with the ledger.

        Parameters
        ----------
        refused : list of bytes
            What of them the database does not take.
        """
        n = sum(each[1] for each in taken)
        with self._lock, self._transaction():
            self._connection.executemany("delete from entries where id = ?", [(each[0],) for each in taken])
            self._connection.executemany("insert into refused values (?)", [(row,) for row in refused])
            self._add("delivered", n - n_refused)
            self._add("refused", n_refused)

    def count_lost(self, change: int) -> None:
        """Count records that are not on disk, or no longer lost; works on a full disk, and survives kill -9."""
        with self._lock:
            self._lost += change
            if self._lost_file >= 0:
                os.pwrite(self._lost_file, b"%019d\n" % self._lost, 0)

    def found(self, n: int) -> None:
        """Count records as delivered that were counted as lost."""
        self.count_lost(-n)
        with self._lock, contextlib.suppress(sqlite3.Error):  # a full disk; the database itself has them
            self._add("delivered", n)

    def begin_counting(self) -> None:
        """Take the space for this writer's count of what is lost, and take over the counts of writers that are gone."""
        try:
            for path in self.folder.glob("*.lost"):
                with path.open("rb") as file, contextlib.suppress(BlockingIOError):
                    # Who lives holds it. No FileLock: that truncates the file it locks, and here the file is the count.
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    with self._lock, self._transaction():
                        self._add("lost", _counted(file.read()))
                        path.unlink()
            path = self.folder / f"{os.getpid()}-{secrets.token_hex(4)}.lost"
            self._lost_path = path
            self._lost_file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            fcntl.flock(self._lost_file, fcntl.LOCK_EX)
            os.pwrite(self._lost_file, b"%019d\n" % 0, 0)
        except (OSError, sqlite3.Error) as error:
            raise FileError(
                f"{self.folder}: what is lost cannot be counted there ({error}); free some space"
            ) from error

    def ledger(self) -> Ledger:
        """Say where the records of the folder are, of all its writers."""
        with self._lock:
            waiting, since = self._connection.execute("select coalesce(sum(n), 0), min(at) from entries").fetchone()
            known = dict(self._connection.execute("select what, n from ledger").fetchall())
        lost = known["lost"]
        for path in self.folder.glob("*.lost"):
            with contextlib.suppress(FileNotFoundError):  # taken over meanwhile
                lost += _counted(path.read_bytes())
        oldest = 0.0 if since is None else max(0.0, time.time() - since)
        return Ledger(known["delivered"], waiting, known["refused"], lost, oldest)

    def to_disk(self) -> None:
        """Bring what was appended to the disk itself, and make room; for a process that nobody waits for."""
        with self._lock:
            self._connection.execute("pragma synchronous = normal")
            self._connection.execute("pragma wal_checkpoint(passive)")

    def close(self) -> None:
        """Let go of the folder."""
        with self._lock:
            self._connection.close()
            if self._lost_file >= 0:
                if not self._lost:
                    self._lost_path.unlink(missing_ok=True)
                os.close(self._lost_file)
                self._lost_file = -1

    def _add(self, what: str, n: int) -> None:
        self._connection.execute("update ledger set n = n + ? where what = ?", (n, what))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")


def _counted(content: bytes) -> int:
    return int(content) if content.strip().isdigit() else 0
