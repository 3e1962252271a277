"""Layers of the same people: the file of each, and what they must have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from exoclassify.data.cargo import CargoTable
from exoclassify.data.units import KINDS, UNITS, known_kind, known_unit
from exoclassify.errors import DesignError, InputError
from exoclassify.tables.asked import AS_WRITTEN, Reading

__all__ = ["MOST_LAYERS", "LayerFile", "check_once", "checked_layers"]

MOST_LAYERS = 6
"""Every set of layers that may be there has weights of its own, and of six there are 63."""


@dataclass(frozen=True)
class LayerFile:
    """Where a layer is, and what it holds.

    Parameters
    ----------
    name : str
        Letters, digits, ``-`` and ``_``.
    cargo : str
        Path of the table.
    kind, unit : str
        As in `CargoTable`; empty where the model says it.
    not_detected : float, optional
        For Ct, as in `CargoTable`.
    reading : Reading
        How the table is to be read, where its content does not say it.
    """

    name: str
    cargo: str
    kind: str = ""
    unit: str = ""
    not_detected: float | None = None
    reading: Reading = AS_WRITTEN

    @classmethod
    def parse(cls, text: str, reading: Reading = AS_WRITTEN) -> LayerFile:
        """Read NAME=PATH, or NAME=PATH:KIND:UNIT."""
        name, _, path = text.partition("=")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) or not path:
            raise InputError(
                f"--layer {text}: write NAME=TABLE:KIND:UNIT, as in protein=protein.csv:protein:log2_intensity"
            )
        head, *said = path.rsplit(":", 2)
        if len(said) == 2 and known_kind(said[0]) in KINDS and known_unit(said[1]) in UNITS:
            return cls(name, head, known_kind(said[0]), known_unit(said[1]), reading=reading)
        return cls(name, path, reading=reading)

    def stated(self, kind: str | None, unit: str | None, not_detected: float | None = None) -> LayerFile:
        """Fill in what is not said of the layer itself."""
        kind, unit = self.kind or kind or "", self.unit or unit or ""
        if not kind or not unit:
            raise InputError(
                f"--layer {self.name}={self.cargo}: its kind and unit are not stated; write "
                f"{self.name}={self.cargo}:KIND:UNIT, as in {self.name}={self.cargo}:protein:log2_intensity "
                f"(kinds: {', '.join(KINDS)}; units: {', '.join(UNITS)})"
            )
        mark = (self.not_detected if self.not_detected is not None else not_detected) if unit == "ct" else None
        return replace(self, kind=kind, unit=unit, not_detected=mark)

    def read(self, sample_ids: Sequence[str] | None = None, molecules: Sequence[str] | None = None) -> CargoTable:
        """Read the table."""
        return CargoTable.read(
            self.cargo, kind=self.kind, unit=self.unit, sample_ids=sample_ids, molecules=molecules,
            not_detected=self.not_detected, reading=replace(self.reading, id_if_there=True),
        )  # fmt: skip


def check_once(files: Sequence[LayerFile]) -> None:
    """Refuse a name that stands twice."""
    names = [file.name for file in files]
    if len(set(names)) < len(names):
        twice = max(names, key=names.count)
        raise InputError(f"--layer {twice} is given twice; each layer is one table, and needs a name of its own")


def checked_layers(layers: Mapping[str, CargoTable]) -> dict[str, CargoTable]:
    """Take rows in which nothing was measured for lacking the layer, and hold layers to have samples in common."""
    if len(layers) < 2:
        return dict(layers)
    if len(layers) > MOST_LAYERS:
        raise DesignError(f"{len(layers)} layers are given; up to {MOST_LAYERS} can be used: join or leave out some")
    kept = {name: table.take(~np.isnan(table.values).all(axis=1)) for name, table in layers.items()}
    for name, table in kept.items():
        others = {sample for other, one in kept.items() if other != name for sample in one.sample_ids}
        if not others & set(table.sample_ids):
            beside = next(one for other, one in kept.items() if other != name)
            raise DesignError(
                f"layer {name} ({table.source}) shares no sample with the other layers (it has {_some(table)}, layer "
                f"{next(other for other in kept if other != name)} has {_some(beside)}); write the sample ids alike in all files"
            )
    return kept


def _some(table: CargoTable) -> str:
    return ", ".join(table.sample_ids[:2]) + ", …" * (table.n_samples > 2)
