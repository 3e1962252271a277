"""The cohort that a command's options name: one table, or several layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from exoclassify.data.cohort import Cohort
    from exoclassify.tables.asked import Reading

__all__ = ["cohort_of"]


def cohort_of(
    cargo: Path | None, layers: list[str] | None, *, kind: str | None, unit: str | None, samples: Path, label: str,
    subject: str | None, batch: str | None, not_detected: float | None, reading: Reading, time: str | None = None,
) -> Cohort:  # fmt: skip
    """Read the cohort that options name.

    Parameters
    ----------
    kind, unit, samples, label, subject, batch, not_detected, reading, time
        As in `Cohort.read`; of layers, kind and unit of those that do not say them.
    """
    from exoclassify.data.cohort import Cohort
    from exoclassify.data.layers import LayerFile
    from exoclassify.errors import InputError

    if bool(layers) == (cargo is not None):
        raise typer.BadParameter("give one table with --cargo, or layers with --layer NAME=TABLE:KIND:UNIT")
    if layers:
        found = [LayerFile.parse(text, reading).stated(kind, unit, not_detected) for text in layers]
        names = [layer.name for layer in found]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"--layer {twice} is given twice; each layer is one table, and needs a name of its own")
        return Cohort.read_layers(found, samples=samples, label=label, subject=subject, batch=batch)
    if cargo is None or kind is None or unit is None:
        raise typer.BadParameter("say what the table holds with --kind and --unit, as in --kind mirna --unit counts")
    return Cohort.read(
        cargo, kind=kind, unit=unit, samples=samples, label=label, subject=subject, batch=batch,
        time=time, not_detected=not_detected, reading=reading,
    )  # fmt: skip
