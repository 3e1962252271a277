"""exoclassify score --watch: a line for each table that arrives."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from exoclassify.cli.doors import note

if TYPE_CHECKING:
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.scoring.runners import Runner
    from exoclassify.scoring.stream import Asked
    from exoclassify.scoring.watch import Arrival

__all__ = ["watched"]


def watched(
    bundle: ModelBundle,
    inbox: Path,
    outbox: Path,
    ending: str,
    asked: Asked,
    runner: Runner,
    *,
    every: float,
    once: bool,
) -> None:
    """Watch a folder until interrupted, or until what lies in it is scored.

    Parameters
    ----------
    every : float
        Seconds between two looks.
    """
    from exoclassify.scoring.watch import Watch

    watch = Watch(bundle, inbox, outbox, ending, asked, runner)
    watch.begin()
    signal.signal(signal.SIGTERM, _stop)  # of a service manager: no fault of the table that is being scored
    if bundle.about.training.simulated:
        note("this model was trained on simulated samples: not for use on patients")
    try:
        if not once:
            print(f"watching {inbox}; Ctrl-C stops, and nothing is lost", flush=True)
            watch.forever(every, _say)
        assert not list(watch.look())  # the first look is to see what still changes
        time.sleep(every)
        for arrival in watch.look():
            _say(arrival)
    finally:
        watch.end()


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _say(arrival: Arrival) -> None:
    print(f"{arrival.name}: {arrival.outcome}: {arrival.said}", flush=True)
