"""The parent's end of the process that delivers records: orders go in, outcomes come back."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec

from exoclassify.errors import FileError

__all__ = ["Courier"]


class Courier:
    """A process of `exoclassify.monitoring.delivery`; started when it is first needed, and again should it die.

    Parameters
    ----------
    url : str
        Of the database; it goes through a pipe, and no list of processes shows it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._process: subprocess.Popen[bytes] | None = None

    def order(self, do: str, *bodies: bytes, **order: Any) -> dict[str, Any]:
        """Have an order carried out; one that the process did not survive is given once more, as orders may be."""
        head = {"do": do, "n_bytes": sum(map(len, bodies)), **order}
        lines = [msgspec.json.encode(head) + b"\n", *bodies]
        try:
            outcome = self._asked(lines)
        except (OSError, EOFError):
            self.stop()
            try:
                outcome = self._asked(lines)
            except (OSError, EOFError) as error:
                self.stop()
                raise FileError(f"the process that delivers records ends at once ({error})") from error
        if "away" in outcome:
            raise FileError(outcome["away"])
        return outcome

    def stop(self) -> None:
        """Let the process end, when it has done what it was told."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _asked(self, lines: list[bytes]) -> dict[str, Any]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "exoclassify.monitoring.delivery"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            lines = [msgspec.json.encode(self._url) + b"\n", *lines]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for line in lines:
            self._process.stdin.write(line)
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        if not said.endswith(b"\n"):
            raise EOFError(f"exit code {self._process.wait()}")
        outcome: dict[str, Any] = msgspec.json.decode(said)
        return outcome
