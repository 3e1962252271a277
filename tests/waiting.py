"""Waits for what other processes and threads do, for as long as a busy machine may need."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

PATIENCE = 600.0
"""Seconds; only what will never come takes so long."""


def until(holds: Callable[[], Any], told: Callable[[], object] = lambda: "it did not come") -> Any:
    """Look until something holds; `told` says what was seen instead."""
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < deadline, told()
        time.sleep(0.02)
    return found


def gone(process: psutil.Process) -> bool:
    """Whether a process ended, be it that nobody has reaped it."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read what a process prints up to a line that holds a text, or to its end."""
    assert process.stdout is not None
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    lines = [""]
    while text not in lines[-1] and (line := process.stdout.readline()):
        lines.append(line)
    timer.cancel()
    return "".join(lines)
