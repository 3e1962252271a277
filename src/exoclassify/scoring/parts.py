"""Answers on their way into the output: parts beside it that survive a kill, each whole or not there."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from exoclassify.errors import FileError
from exoclassify.scoring.job import Scored
from exoclassify.tables.pieces import Reject
from exoclassify.tables.writing import system_refusals

__all__ = ["Part", "Parts", "locked", "part_bytes"]

_MANIFEST = "manifest.json"
_ABOUT = b"part"


@dataclass(frozen=True, eq=False)
class Part:
    """Some consecutive answers of one stretch, read again.

    Parameters
    ----------
    table : pyarrow.Table
        As `Scored.batch`; not in memory but for what is looked at.
    n_read : int
        Rows read, those rejected counted too.
    rejected : tuple of Reject
        Places count from the part's first row.
    last : bool
        Whether the stretch ends here.
    broken : tuple of str
        What is wrong with the file in it or behind it.
    """

    table: pa.Table
    n_read: int
    rejected: tuple[Reject, ...]
    last: bool
    broken: tuple[str, ...]


def locked(path: Path, refusal: str) -> FileLock:
    """Take a lock that ends with this process, however it ends."""
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except (Timeout, OSError) as error:
        raise FileError(refusal) from error
    return lock


def part_bytes(scored: Sequence[Scored], *, last: bool, broken: str) -> pa.Buffer:
    """Put the answers of some pieces together as they are stored.

    Returns
    -------
    pyarrow.Buffer
        An Arrow file, the same bytes for the same answers.
    """
    batches, rejected, before = [], [], 0
    faults = [fault for fault in (*(each.broken for each in scored), broken) if fault]
    for each in scored:
        places = pa.compute.add(each.batch.column(2), before)
        columns = [*each.batch.columns[:2], places, *each.batch.columns[3:]]
        batches.append(pa.RecordBatch.from_arrays(columns, names=each.batch.schema.names))
        rejected += [reject._asdict() | {"row": reject.row + before} for reject in each.rejected]
        before += each.n_read
    about = json.dumps({"n_read": before, "rejected": rejected, "last": last, "broken": faults})
    schema = batches[0].schema.with_metadata({_ABOUT: about.encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch.cast(schema))
    return sink.getvalue()


class Parts:
    """A folder of parts beside the output.

    Parameters
    ----------
    folder : path
        Where they are.
    out : path
        The output, for messages.
    """

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder, self._out = folder, out
        self._lock: FileLock | None = None
        self._last: dict[int, int] = {}
        self._there: set[tuple[int, int]] = set()

    @classmethod
    def begin(cls, out: Path, manifest: Mapping[str, Any], *, resume: bool, force: bool) -> Parts:
        """Make the folder, or take over what an earlier run left."""
        folder = out.with_name(f"{out.name}.parts")
        if folder.exists() and not (resume or force):
            raise FileError(
                f"{folder}: an earlier run left its parts there; --resume goes on with them, --force begins anew"
            )
        parts = cls(folder, out)
        try:
            with system_refusals(folder):
                folder.mkdir(exist_ok=True)
                held = f"{out}: another process is writing it; wait for it, or give another --out"
                parts._lock = locked(folder / "lock", held)
                parts._settle(manifest, resume=resume)
        except BaseException:
            parts.leave(keep=True)
            raise
        return parts

    def _settle(self, manifest: Mapping[str, Any], *, resume: bool) -> None:
        try:
            noted = json.loads((self.folder / _MANIFEST).read_text()) if resume else None
        except (OSError, ValueError):
            noted = None
        if noted is not None:
            _compare(self.folder, noted, manifest)
            self._look()
            return
        for path in self.folder.iterdir():
            if path.name != "lock":
                path.unlink()
        self._store(_MANIFEST, json.dumps(manifest, indent=1).encode())

    def _look(self) -> None:
        for path in self.folder.glob("*.part"):
            stretch, part = (int(number) for number in path.stem.split("-"))
            try:
                with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
                    about = json.loads(reader.schema.metadata[_ABOUT])
            except (pa.ArrowException, OSError, ValueError, KeyError):
                path.unlink()  # the machine stopped before it was on the disk
                continue
            self._there.add((stretch, part))
            if about["last"]:
                self._last[stretch] = part

    def has(self, stretch: int, part: int) -> bool:
        """Whether this part is there."""
        return (stretch, part) in self._there

    def there(self, stretch: int) -> frozenset[int]:
        """Which parts of a stretch are there."""
        return frozenset(part for number, part in self._there if number == stretch)

    def complete(self, stretch: int) -> bool:
        """Whether all parts of a stretch are there."""
        last = self._last.get(stretch)
        return last is not None and all((stretch, part) in self._there for part in range(last + 1))

    def write(self, stretch: int, part: int, content: pa.Buffer | bytes, *, last: bool) -> None:
        """Store a part: whole or not at all.

        Parameters
        ----------
        content : buffer
            As `part_bytes` gives it.
        """
        self._store(f"{stretch:06d}-{part:06d}.part", content)
        self._there.add((stretch, part))
        if last:
            self._last[stretch] = part

    def _store(self, name: str, content: pa.Buffer | bytes) -> None:
        partial = self.folder / f".{name}.{secrets.token_hex(4)}"
        with system_refusals(self._out):
            partial.write_bytes(content)
            os.replace(partial, self.folder / name)

    def of(self, stretch: int) -> Iterator[Part]:
        """Read the parts of a stretch again, in order."""
        for part in range(self._last[stretch] + 1):
            with pa.memory_map(str(self.folder / f"{stretch:06d}-{part:06d}.part")) as file:
                with pa.ipc.open_file(file) as reader:
                    table = reader.read_all()
                about = json.loads(table.schema.metadata[_ABOUT])
                rejected = tuple(Reject(**each) for each in about["rejected"])
                yield Part(table, about["n_read"], rejected, about["last"], tuple(about["broken"]))

    @property
    def n_stored(self) -> int:
        """How many parts are there."""
        return len(self._there)

    def leave(self, *, keep: bool) -> None:
        """Let go of the folder."""
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _compare(folder: Path, noted: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    now = json.loads(json.dumps(manifest))
    other = sorted(key for key in {*noted, *now} if noted.get(key) != now.get(key))
    if other:
        raise FileError(
            f"{folder}: these parts were made with another {', '.join(other)}; call it as it was called then, or begin anew "
            "with --force"
        )
