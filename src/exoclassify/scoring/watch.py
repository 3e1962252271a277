"""A folder that is watched: each table that arrives complete is scored once, and moved with its report."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from filelock import FileLock

from exoclassify.errors import ExoclassifyError, FileError, InputError
from exoclassify.model.bundle import ModelBundle
from exoclassify.scoring.finishing import Report
from exoclassify.scoring.parts import locked
from exoclassify.scoring.runners import Runner
from exoclassify.scoring.stream import Asked, score_files
from exoclassify.tables.encoding import check_ending
from exoclassify.tables.sources import is_table, without_ending
from exoclassify.tables.writing import system_refusals

__all__ = ["Arrival", "Watch"]

_NOT_THE_FILE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # refusals to write, for which no table is to blame
_ATTEMPTS = 2  # after so many that ended the program a table is not tried again
_SETTLED = 2  # looks at a file that must find it unchanged: a copy in progress grows


@dataclass(frozen=True)
class Arrival:
    """What became of one file.

    Parameters
    ----------
    name : str
        Of the file.
    outcome : str
        ``done``, or ``failed``.
    said : str
        In words.
    """

    name: str
    outcome: str
    said: str


@dataclass(eq=False)
class Watch:
    """Scores what arrives in one folder into another.

    Parameters
    ----------
    bundle : ModelBundle
        Who answers.
    inbox : path
        Where tables arrive; ``done`` and ``failed`` beside them take what was scored, or could not be.
    outbox : path
        Where the answers go, each under the name of its table.
    ending : str
        Of the answers.
    asked : Asked
        As for `score_files`.
    runner : Runner, optional
        Who does the work.
    memory : int, default 4 GB
        Bytes of addresses that one table may take beyond what the process has already: a small workbook can unfold to gigabytes.
    seconds : float, default 4 hours
        That one table may take.

    Notes
    -----
    A file is complete when two looks find it of the same size and age; write it under another ending (``.tmp``) and rename it
    to be sure. A kill at any moment loses nothing: the table is moved last, so it is scored again, from its parts; one that
    ended the program twice goes to ``failed``. Links are not followed. The answers to ``plate-1.csv`` are
    ``plate-1.answers.csv``.
    """

    bundle: ModelBundle
    inbox: Path
    outbox: Path
    ending: str
    asked: Asked
    runner: Runner | None = None
    memory: int = 4 << 30
    seconds: float = 4 * 3600
    _seen: dict[str, tuple[int, int, int]] = field(default_factory=dict, init=False)
    _lock: FileLock | None = field(default=None, init=False)

    def begin(self) -> None:
        """Make the folders that lack."""
        if not self.inbox.is_dir():
            raise FileError(f"{self.inbox}: there is no such folder to watch; make it first")
        check_ending(f"answers{self.ending}")
        if self.outbox.resolve().is_relative_to(self.inbox.resolve()):
            raise FileError(f"{self.outbox}: lies in the folder that is watched; give another --out")
        for folder in (self.outbox, self.inbox / "done", self.inbox / "failed"):
            with system_refusals(folder):
                folder.mkdir(parents=True, exist_ok=True)
        self._lock = locked(self.inbox / ".lock", f"{self.inbox}: another process is watching it; one is enough")

    def end(self) -> None:
        """Let another process watch."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def forever(self, seconds: float, said: Callable[[Arrival], None]) -> None:
        """Look again and again until interrupted."""
        while True:
            for arrival in self.look():
                said(arrival)
            time.sleep(seconds)

    def look(self) -> Iterator[Arrival]:
        """Score what is complete."""
        for path in self._complete():
            yield self._settled(path)

    def _settled(self, path: Path) -> Arrival:
        """Score a table, unless it is a link or has ended the program before."""
        name = self._free_name(path)
        if path.is_symlink():
            said = f"{path.name}: is a link, which is not followed; copy the table itself here"
            return self._moved(path, name, "failed", said, {"error": said})
        attempts = self.inbox / f".{path.name}.attempts"
        before = attempts.stat().st_size if attempts.exists() else 0
        if before >= _ATTEMPTS:
            said = f"{path.name}: the program ended {before} times while it was scored; it is damaged or too large"
            arrival = self._moved(path, name, "failed", said, {"error": said})
            attempts.unlink()
            return arrival
        with system_refusals(attempts):
            attempts.write_bytes(b"." * (before + 1))
        try:
            return self._settle(path, name)
        except BaseException:  # stopped, or refused by the system: no kill
            with suppress(OSError):
                os.truncate(attempts, before)
            raise
        finally:
            if not path.exists() or attempts.stat().st_size == 0:
                attempts.unlink(missing_ok=True)

    def _complete(self) -> list[Path]:
        """Find the tables that have not changed since the last look, oldest first."""
        now: dict[str, tuple[int, int, int]] = {}
        for path in self.inbox.iterdir():
            if not path.name.startswith(".") and is_table(path.name) and (path.is_symlink() or path.is_file()):
                with suppress(FileNotFoundError):  # its sender took it back
                    state = path.lstat()
                    before = self._seen.get(path.name, (-1, -1, 0))
                    looks = before[2] + 1 if before[:2] == (state.st_size, state.st_mtime_ns) else 1
                    now[path.name] = (state.st_size, state.st_mtime_ns, looks)
        self._seen = now
        ready = [name for name, (_, _, looks) in now.items() if looks >= _SETTLED]
        return [self.inbox / name for name in sorted(ready, key=lambda name: (now[name][1], name))]

    def _settle(self, path: Path, name: str) -> Arrival:
        out = self.outbox / f"{without_ending(name)}.answers{self.ending}"
        asked = replace(self.asked, resume=True, force=True)
        try:
            with _bounded(path.name, self.memory, self.seconds):
                report = score_files(self.bundle, [str(path)], out, asked, runner=self.runner)
        except ExoclassifyError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in _NOT_THE_FILE:
                raise
            return self._moved(path, name, "failed", str(error), {"error": str(error)})
        words = f"{report.tally.n} samples scored, {report.n_rejected} rows without an answer, in {out}"
        return self._moved(path, name, "done", words, _described(self.bundle, report))

    def _free_name(self, path: Path) -> str:
        """Give a name whose answers no earlier table has, as one of the same name may arrive each week; the same after a kill."""
        stem = without_ending(path.name)
        ending = path.name[len(stem) :]
        taken = {
            without_ending(found.name) for outcome in ("done", "failed") for found in (self.inbox / outcome).iterdir()
        }
        n, free = 1, stem
        while free in taken:
            n += 1
            free = f"{stem}-{n}"
        return f"{free}{ending}"

    def _moved(self, path: Path, name: str, outcome: str, said: str, described: dict[str, object]) -> Arrival:
        folder = self.inbox / outcome
        with system_refusals(folder):
            partial = folder / f".{name}.report"
            partial.write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(partial, folder / f"{name}.report.json")
            os.replace(path, folder / name)  # last: until then it counts as not yet scored
        self._seen.pop(path.name, None)
        return Arrival(path.name, outcome, said)


def _described(bundle: ModelBundle, report: Report) -> dict[str, object]:
    return {
        "model": bundle.name,
        "version": bundle.version,
        "answers": str(report.out),
        "samples": report.tally.n,
        "trained_on": report.tally.trained_on,
        "calls": {name: n for name, n in report.tally.calls.items() if n},
        "reasons": {name: n for name, n in report.tally.reasons.items() if n},
        "mean_coverage": report.tally.coverage / report.tally.n if report.tally.n else None,
        "rejected_rows": report.n_rejected,
        "rejected": None if report.rejected is None else str(report.rejected),
        "broken": list(report.broken),
    }


@contextmanager
def _bounded(name: str, memory: int, seconds: float) -> Iterator[None]:
    """Do something with a table; ends it with an error when it takes too much."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([here + memory, *limits]), hard))
    timed = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, _late) if timed else None
    if timed:
        signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except MemoryError as error:
        raise InputError(
            f"{name}: takes more than {memory / 2**30:.1f} GB of memory to read; write it as CSV or Parquet with samples in rows"
        ) from error
    except _LateError as error:
        raise InputError(f"{name}: takes more than {seconds / 3600:.1f} hours; give it in smaller files") from error
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class _LateError(BaseException):
    """Passes through what catches every other error."""


def _late(number: int, frame: FrameType | None) -> None:
    raise _LateError
