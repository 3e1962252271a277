"""A process of its own for what may crash, hang or take all memory: orders go in as lines of JSON, outcomes come back.

What a stranger's bytes do to a parser or a library written in C stays in that process. The child ends when its stdin does:
with its parent, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from exoclassify.errors import ExoclassifyError

__all__ = ["Child", "ChildLostError", "carry_out"]

MEMORY = 4 * 2**30
"""Bytes of addresses that a child may use, unless another limit is given."""

_DEAF = ("/bin/sh", "-c", 'trap "" TERM INT; exec "$0" "$@"')
"""Process managers and ^C signal the children too, and what was begun is to be finished; a child ends with its stdin."""

_FRUGAL = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Arrow's own pools reserve a gigabyte of addresses before anything is read, and addresses are what is bounded.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
}


class ChildLostError(ExoclassifyError):
    """The process crashed, or was ended because it took too long.

    Parameters
    ----------
    how : str
        In words.
    late : bool
        It was ended for its time.
    """

    def __init__(self, how: str, *, late: bool) -> None:
        super().__init__(how)
        self.late = late


class Child:
    """A process that runs one module, whose main calls `carry_out`; one order at a time.

    Parameters
    ----------
    module : str
        To run, such as ``exoclassify.model.trial``.
    memory : int
        Bytes of addresses that it may use.
    """

    def __init__(self, module: str, memory: int = MEMORY) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("EXOCLASSIFY_", "PROMETHEUS_"))}
        environment |= {**_FRUGAL, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        self._process = subprocess.Popen(
            [*_DEAF, sys.executable, "-P", "-m", module, str(memory)], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.n_done = 0

    def order(self, order: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Have an order carried out.

        Parameters
        ----------
        seconds : float
            How long it may take; the process is killed then.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(order).encode() + b"\n")
                self._process.stdin.flush()
            said = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not said.endswith(b"\n"):
            self.stop()
            how = f"took longer than {seconds:g} s" if late.is_set() else _ended(self._process.returncode)
            raise ChildLostError(how, late=late.is_set())
        self.n_done += 1
        outcome: dict[str, Any] = json.loads(said)
        return outcome

    @property
    def alive(self) -> bool:
        """Whether it can take an order."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it now, whatever it does."""
        self._process.kill()
        self.stop()

    def stop(self) -> None:
        """Let it end, when it has done what it was told."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()


def _ended(code: int) -> str:
    """Say in words how a process ended."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"ended the process by {signal.Signals(-code).name}"
    return f"ended the process with exit code {code}"


def carry_out(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Be the child: bound the memory as the command line says, and carry out orders until stdin ends."""
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    outcomes = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no outcome
    for line in sys.stdin.buffer:
        outcomes.write(json.dumps(answer(json.loads(line))).encode() + b"\n")
        outcomes.flush()
