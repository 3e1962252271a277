"""Records on disk until the database has them: a line for what was answered at once, written before the answers go out.

A line that was written survives the end of its process, kill -9 included. Each writer has files of its own,
``WRITER-000001.jsonl``, and holds ``WRITER.lock`` while it lives; the files of one that is gone are adopted by the next.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from exoclassify.errors import FileError

__all__ = ["LIMIT", "Entry", "Journal"]

LIMIT = 2**30
"""Bytes of records that may wait on disk, unless another limit is given."""

Entry = list[Any]
_encode = msgspec.json.Encoder().encode


class Journal:
    """The files of one writer in a folder that several share.

    Parameters
    ----------
    folder : Path
        Made when it is missing.
    limit : int
        Bytes that may lie there; more is refused.

    Raises
    ------
    FileError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self.writer = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lock = threading.Lock()
        self._number, self._file, self._size = 0, -1, 0
        self._waiting = 0
        self._closed: list[Path] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._alive = FileLock(folder / f"{self.writer}.lock", thread_local=False)
            self._alive.acquire()
        except OSError as error:
            raise FileError(
                f"{folder}: records cannot be kept there ({error.strerror}); give a folder that is yours"
            ) from error

    def append(self, entry: Entry) -> None:
        """Write records to disk, all or none.

        Parameters
        ----------
        entry : list
            Plain values; NaN becomes null.

        Raises
        ------
        OSError
            If the disk is full, or the limit is reached.
        """
        content = _encode(entry) + b"\n"
        with self._lock:
            if self._waiting + len(content) > self.limit:
                raise OSError(28, f"{self.limit} bytes of records wait for the database already")
            if self._file < 0:
                self._number += 1
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                self._file, self._size = os.open(self._path(self._number), flags, 0o600), 0
            written = os.write(self._file, content)
            if written < len(content):
                os.ftruncate(self._file, self._size)
                raise OSError(28, "No space left on device")
            self._size += written
            self._waiting += written

    def take(self) -> list[Path]:
        """Close the file that is written now, and give all that wait, the oldest first.

        Returns
        -------
        list of Path
            Of this writer, and of writers that are gone.
        """
        with self._lock:
            file, self._file = self._file, -1
            if file >= 0:
                self._closed.append(self._path(self._number))
            own = list(self._closed)  # a file begun after this is not among them
        if file >= 0:  # outside the lock: an answer must not wait for the disk to turn
            try:
                os.fsync(file)
            finally:
                os.close(file)
        return own + self._orphans()

    def done(self, path: Path) -> None:
        """Remove a file whose records the database has.

        Parameters
        ----------
        path : Path
            As `take` gave it.
        """
        if path in self._closed:
            with self._lock:
                self._waiting -= path.stat().st_size
                self._closed.remove(path)
        path.unlink(missing_ok=True)  # another writer may have adopted the same file, and been as quick
        writer = path.name.rpartition("-")[0]
        if writer != self.writer and not list(self.folder.glob(f"{writer}-*.jsonl")):
            (self.folder / f"{writer}.lock").unlink(missing_ok=True)

    def refuse(self, path: Path, rows: Sequence[list[Any]]) -> Path:
        """Set records aside that the database will never take.

        Parameters
        ----------
        path : Path
            Where they stood.
        rows : sequence of list
            The records.

        Returns
        -------
        Path
            Beside it, ending in ``.refused``.
        """
        aside = path.with_suffix(".refused")
        aside.write_bytes(b"".join(_encode(row) + b"\n" for row in rows))
        return aside

    def close(self) -> None:
        """Let go of the folder; what waits is adopted by the next writer."""
        self.take()
        self._alive.release()
        with contextlib.suppress(OSError):
            (self.folder / f"{self.writer}.lock").unlink(missing_ok=True)

    @staticmethod
    def read(path: Path) -> list[bytes]:
        """Read the lines of a file; a last one that was cut off by a crash was never answered for, and is left out.

        Parameters
        ----------
        path : Path
            As `take` gave it.

        Returns
        -------
        list of bytes
        """
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:  # another writer adopted it and was as quick
            return []
        return [line for line in lines[:-1] if line]

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.writer}-{number:06d}.jsonl"

    def _orphans(self) -> list[Path]:
        found: list[Path] = []
        for path in sorted(self.folder.glob("*.jsonl")):
            writer = path.name.rpartition("-")[0]
            if writer != self.writer and self._is_gone(writer):
                found.append(path)
        return found

    def _is_gone(self, writer: str) -> bool:
        try:
            with FileLock(self.folder / f"{writer}.lock", timeout=0):
                return True
        except (Timeout, OSError):
            return False
