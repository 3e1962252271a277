"""A bar on stderr while a model is judged or files are scored, when a person is looking."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar", "rows_bar"]


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give a callback for steps done and steps in all; None when stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def rows_bar() -> Iterator[Callable[[float, float, int], None]]:
    """Give a callback for bytes done, bytes in all and rows done.

    On a terminal it is a bar with rows a second and the time left; elsewhere, as in a batch job's log, a line a minute.
    """
    if not sys.stderr.isatty():
        yield _minutely()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("scoring"), BarColumn(), TextColumn("{task.fields[said]}"), TimeRemainingColumn())
    begun = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scoring", total=None, said="")

        def saw(done: float, total: float, rows: int) -> None:
            bar.update(task, completed=done, total=total, said=_said(rows, time.monotonic() - begun))

        yield saw


def _minutely() -> Callable[[float, float, int], None]:
    begun = said = time.monotonic()

    def saw(done: float, total: float, rows: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= 60 and done:
            said = now
            left = (now - begun) * (total / done - 1)
            print(f"{_said(rows, now - begun)}, about {left / 60:.0f} min left", file=sys.stderr, flush=True)

    return saw


def _said(rows: int, seconds: float) -> str:
    return f"{rows:,} rows, {rows / max(seconds, 1e-3):,.0f} rows/s"
