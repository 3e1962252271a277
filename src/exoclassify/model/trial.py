"""Whether a model can be taken up: tried in a process of its own, which a hostile one may crash, hang or fill up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exoclassify.errors import ExoclassifyError, ModelError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.child import MEMORY, Child, ChildLostError, carry_out

__all__ = ["Trials", "try_model"]

_SECONDS = 120.0


class Trials:
    """Tries models one after the other, in one process as long as it lives.

    Parameters
    ----------
    memory : int
        Bytes of addresses that a trial may use.
    seconds : float
        How long a trial may take.
    """

    def __init__(self, memory: int = MEMORY, seconds: float = _SECONDS) -> None:
        self._memory, self._seconds = memory, seconds
        self._child: Child | None = None

    def __enter__(self) -> Trials:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop()

    def run(self, folder: Path) -> None:
        """Load a model and demand its golden answers."""
        if self._child is None or not self._child.alive:
            self._child = Child("exoclassify.model.trial", self._memory)
        try:
            outcome = self._child.order({"folder": str(folder)}, self._seconds)
        except ChildLostError as error:
            raise ModelError(
                f"{folder.parent.name}/{folder.name}: trying it {error}; it is damaged or hostile: fetch or train it again"
            ) from error
        if "refused" in outcome:
            raise ModelError(outcome["refused"])


def try_model(folder: Path) -> None:
    """Try one model; arguments and errors as `Trials.run`."""
    with Trials() as trials:
        trials.run(folder)


def _tried(order: dict[str, Any]) -> dict[str, Any]:
    try:
        ModelBundle.load(order["folder"], verify=True)
    except ExoclassifyError as error:
        return {"refused": str(error)}
    return {}


if __name__ == "__main__":
    carry_out(_tried)
