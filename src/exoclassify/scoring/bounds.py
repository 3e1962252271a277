"""One table at a time within bounds of memory and time: a small workbook can unfold to gigabytes."""

from __future__ import annotations

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from exoclassify.errors import InputError

__all__ = ["bounded"]

_MEMORY = 4 * 2**30
"""Bytes of addresses that a table may take beyond what the process has already."""

_SECONDS = 4 * 3600


@contextmanager
def bounded(name: str) -> Iterator[None]:
    """Do something with a table; ends it with an error when it takes too much."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([here + _MEMORY, *limits]), hard))
    timed = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, _late) if timed else None
    if timed:
        signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        yield
    except MemoryError as error:
        raise InputError(
            f"{name}: takes more than {_MEMORY / 2**30:.0f} GB of memory to read; write it as CSV or Parquet with samples in rows"
        ) from error
    except _LateError as error:
        raise InputError(f"{name}: takes more than {_SECONDS // 3600} hours; give it in smaller files") from error
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class _LateError(BaseException):
    """Passes through what catches every other error."""


def _late(number: int, frame: FrameType | None) -> None:
    raise _LateError
