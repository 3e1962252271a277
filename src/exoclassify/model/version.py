"""Version numbers with a meaning: what changes for whoever acts on the answers."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import ModelError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.compiled import PARITY
from exoclassify.model.layered_panel import LayeredPanel
from exoclassify.model.panel import Panel
from exoclassify.model.prediction import Predictions, Use
from exoclassify.typing import Floats

__all__ = ["free_version", "next_version", "order"]


def order(version: str) -> tuple[int, ...]:
    """Give the numbers of a version, to sort by."""
    return tuple(int(part) for part in version.split("."))


def free_version(version: str, taken: Collection[str]) -> str:
    """Give a version's number or, where it is taken, the next one that says the same of what changed.

    Returns
    -------
    str
        2.0.0 may become 3.0.0, 1.4.0 may become 1.5.0, and 1.4.2 may become 1.4.3.
    """
    major, minor, patch = order(version)
    while version in taken:
        if patch:
            patch += 1
        elif minor:
            minor += 1
        else:
            major += 1
        version = f"{major}.{minor}.{patch}"
    return version


def next_version(old: ModelBundle, new: ModelBundle) -> tuple[str, str]:
    """Find the number of a new model from how its answers to the old one's golden profiles differ.

    Returns
    -------
    version : str
        Other calls: the first number grows; other probabilities: the second; neither: the third.
    """
    major, minor, patch = order(old.version)
    reason = _other_calls(old, new)
    if reason:
        return f"{major + 1}.0.0", reason
    worst = max(
        float(np.abs(_golden(old, old, same).probabilities - _golden(old, new, same).probabilities).max())
        for same in (True, False)
    )
    if worst > PARITY:
        return (
            f"{major}.{minor + 1}.0",
            f"same calls on the golden profiles, probabilities differ by up to {worst:.2g}",
        )
    return f"{major}.{minor}.{patch + 1}", "same answers to the golden profiles"


def _other_calls(old: ModelBundle, new: ModelBundle) -> str:
    if old.states != new.states:
        return f"other states: {', '.join(new.states)} instead of {', '.join(old.states)}"
    try:
        for same_batch in (True, False):
            before, after = _golden(old, old, same_batch), _golden(old, new, same_batch)
            differ = sum(a != b for a, b in zip(before.calls, after.calls, strict=True))
            if differ:
                return f"other calls on {differ} of {len(before.calls)} golden profiles"
    except ModelError:
        return f"it needs molecules, or a kind or unit, that the golden profiles of {old.version} do not have"
    return ""


def _golden(old: ModelBundle, asked: ModelBundle, same_batch: bool) -> Predictions:
    ids = tuple(f"golden-{i + 1:02d}" for i in range(len(old.golden)))

    def table(panel: Panel, X: Floats) -> CargoTable:
        return CargoTable(X, ids, panel.molecules, panel.kind, panel.unit, "golden profiles", panel.not_detected)

    use, panel = Use(same_batch=same_batch), old.panel
    if not isinstance(panel, LayeredPanel):
        return asked.predict(table(panel, old.golden), use)
    return asked.predict({name: table(own, part) for name, own, part in panel.parts(old.golden)}, use)
