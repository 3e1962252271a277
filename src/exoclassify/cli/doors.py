"""Where errors become one line and an exit code, once for all commands."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from typer.core import TyperGroup

from exoclassify.errors import ExoclassifyError

__all__ = ["Doored", "doors", "note"]

_MENDABLE = 2
_INTERRUPTED = 130  # 128 + SIGINT, as shells say it
_PIPE_CLOSED = 141  # 128 + SIGPIPE


class Doored(TyperGroup):
    """The group of all commands; what a command raises goes through `doors`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command; a study file among its arguments becomes the options that it says."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and any(text.endswith(".toml") for text in rest):
            from exoclassify.cli.studies import with_study

            with doors():
                rest = with_study(command, name or "", rest)
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:  # typer keeps the type of a context to itself
        """Run the command asked for."""
        with doors():
            return super().invoke(ctx)


@contextmanager
def doors() -> Iterator[None]:
    """Translate errors: a mendable one is a line on stderr and exit 2, Ctrl-C exits 130, an unknown one stays a traceback."""
    signal.signal(signal.SIGINT, _stop_workers_first)
    try:
        yield
        sys.stdout.flush()  # while it can still be said that it failed
    except ExoclassifyError as error:
        _leave(f"error: {' '.join(str(error).split())}", _MENDABLE)
    except KeyboardInterrupt:
        _leave("stopped; nothing was written", _INTERRUPTED)
    except OSError as error:
        _leave_if_output_fails(error)
        raise


def note(text: str) -> None:
    """Say on stderr what a reader of the result should know, as in ``note: …``."""
    print(f"note: {text}", file=sys.stderr)


def _stop_workers_first(*_: object) -> NoReturn:
    """Kill the processes at work before what they rely on is cleared away, and let no thread complain of their end."""
    import multiprocessing

    threading.excepthook = lambda _: None
    warnings.simplefilter("ignore")  # joblib would warn of the work that it gives up
    for worker in multiprocessing.active_children():
        if worker.pid is not None:
            os.kill(worker.pid, signal.SIGKILL)
    raise KeyboardInterrupt


def _leave(line: str, code: int) -> NoReturn:
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)
    sys.exit(code)


def _leave_if_output_fails(error: OSError) -> None:
    """Leave when nobody reads any more, or when there is no space for what was printed or kept for a while."""
    if isinstance(error, BrokenPipeError):
        _silence()
        sys.exit(_PIPE_CLOSED)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        _silence()
        _leave(f"error: {error.strerror}; free some space, or write to another disk", _MENDABLE)


def _silence() -> None:
    """Send the rest of the output nowhere, or Python would complain of it at exit."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
