"""What a model of several layers needs to see: one panel a layer, under one list of names ``layer:molecule``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn, Self

import numpy as np

from exoclassify.data.cargo import CargoTable
from exoclassify.data.units import LAYERS
from exoclassify.errors import InputError, ModelError
from exoclassify.model.panel import Panel
from exoclassify.typing import Codes, Floats, Mask

__all__ = ["LayeredPanel"]


@dataclass(frozen=True, eq=False)
class LayeredPanel(Panel):
    """The panels of several layers, their columns side by side; made by `of`.

    Parameters
    ----------
    molecules, kind, unit, not_detected, weight, typical, min_coverage, hairpins_apart, fewest_reads
        As in `Panel`, of all layers together.
    layers : mapping of str to Panel
        By name, in the order of the columns.

    Notes
    -----
    A layer of which less than `min_coverage` was measured in a sample is not used there, and counts as missing; coverage is
    that of the layers that are used.
    """

    layers: Mapping[str, Panel] = field(default_factory=dict)

    @classmethod
    def of(cls, layers: Mapping[str, Panel]) -> Self:
        """Put panels side by side."""
        each = list(layers.values())
        return cls(
            tuple(f"{name}:{molecule}" for name, panel in layers.items() for molecule in panel.molecules),
            LAYERS, LAYERS, None, np.concatenate([panel.weight for panel in each]), 1.0, each[0].min_coverage, False,
            layers=dict(layers),
        )  # fmt: skip

    @classmethod
    def read(cls, described: Mapping[str, Any], weight: Floats) -> Panel:
        """Put panels together again from what `described` gave and their weights."""
        if "layers" not in described:
            return Panel.read(described, weight)
        ends = np.cumsum([len(one["molecules"]) for one in described["layers"].values()])
        parts = np.split(weight, ends[:-1])
        pairs = zip(described["layers"].items(), parts, strict=True)
        return cls.of({name: Panel.read(one, part) for (name, one), part in pairs})

    def described(self) -> dict[str, Any]:
        """Give the plain values of each layer, for bundle.json."""
        return {"layers": {name: panel.described() for name, panel in self.layers.items()}}

    @property
    def measured_in(self) -> str:
        """Kind and unit of each layer, for people."""
        return "; ".join(
            f"layer {name}: {len(panel.molecules)}, {panel.measured_in}" for name, panel in self.layers.items()
        )

    def parts(self, X: Floats) -> Iterator[tuple[str, Panel, Floats]]:
        """Give each layer's name, panel and columns, as views of the same values."""
        at = 0
        for name, panel in self.layers.items():
            yield name, panel, X[:, at : at + len(panel.molecules)]
            at += len(panel.molecules)

    def check_values(self, X: Floats, sample_ids: Sequence[object], source: str) -> None:
        """Refuse values that cannot be of their layer's unit."""
        for name, panel, part in self.parts(X):
            panel.check_values(part, sample_ids, f"{source}, layer {name}")

    def censor(self, X: Floats) -> None:
        """Make Ct from the not-detected value on that value, in place, in layers of Ct."""
        for _, panel, part in self.parts(X):
            panel.censor(part)

    @cached_property
    def canonical(self) -> tuple[str, ...]:
        """The names by today's rules of spelling."""
        return tuple(f"{name}:{molecule}" for name, panel in self.layers.items() for molecule in panel.canonical)

    def places(self, written: Sequence[str], source: str, values: Floats | None = None) -> Codes:
        """Find the panel among columns named ``layer:molecule``; -1 where the table lacks one; see `Panel.places`."""
        found = np.full(len(self.molecules), -1, dtype=np.intp)
        given, start = {name.partition(":")[0] for name in written if ":" in name}, 0
        if not given & set(self.layers):
            self.refuse_single(source)
        for name, panel in self.layers.items():
            columns = [j for j, one in enumerate(written) if one.startswith(f"{name}:")]
            if columns:
                own = panel.places(
                    [written[j].partition(":")[2] for j in columns], f"{source}, layer {name}",
                    None if values is None else values[:, columns],
                )  # fmt: skip
                at = np.where(own >= 0, np.array([*columns, -1], dtype=np.intp)[own], -1)
                found[start : start + len(panel.molecules)] = at
            start += len(panel.molecules)
        return found

    def coverages(self, X: Floats) -> Floats:
        """How much of each layer's panel was measured; shape (n_samples, n_layers)."""
        return np.stack([panel.coverage(part) for _, panel, part in self.parts(X)], axis=1)

    def used(self, X: Floats) -> Mask:
        """Say which layers are there, shape (n_samples, n_layers): enough of it was measured."""
        limits = [panel.min_coverage for panel in self.layers.values()]
        result: Mask = (self.coverages(X) >= limits) & (self.coverages(X) > 0)
        return result

    def kept(self, X: Floats) -> Floats:
        """Leave out the layers of which too little was measured; the same array when there is none."""
        used = self.used(X)
        if used.all():
            return X
        sizes = [len(panel.molecules) for panel in self.layers.values()]
        return np.where(np.repeat(used, sizes, axis=1), X, np.nan)

    def coverage(self, X: Floats) -> Floats:
        """Mean coverage of the layers that are used; without any the highest of all."""
        each = self.coverages(X)
        used = self.used(X)
        mean = np.where(used, each, 0.0).sum(axis=1) / np.maximum(used.sum(axis=1), 1)
        result: Floats = np.where(used.any(axis=1), mean, each.max(axis=1))
        return result

    def rows(self, tables: Mapping[str, CargoTable]) -> tuple[tuple[str, ...], Floats]:
        """Join tables, one a layer, by sample id.

        Parameters
        ----------
        tables : mapping of str to CargoTable
            By name of the layer; layers may be left out, and each may lack samples.

        Returns
        -------
        values : ndarray of shape (n_samples, n_molecules)
            NaN where a sample lacks a layer.
        """
        self.check_names(tables)
        ids = tuple(dict.fromkeys(sample for table in tables.values() for sample in table.sample_ids))
        parts = [
            panel.values(tables[name].for_samples(ids)) if name in tables
            else np.full((len(ids), len(panel.molecules)), np.nan)
            for name, panel in self.layers.items()
        ]  # fmt: skip
        return ids, np.hstack(parts)

    def check_names(self, names: Sequence[str] | Mapping[str, Any]) -> None:
        """Refuse layers that are none of the model's."""
        own = ", ".join(self.layers)
        unknown = [name for name in names if name not in self.layers]
        if unknown:
            raise ModelError(f"layer {unknown[0]} is none of this model's; its layers are {own}")
        if not names:
            raise ModelError(f"no layer is given; this model reads {own}, of which some may be missing")

    def values(self, table: CargoTable) -> Floats:
        """Refuse a single table: its molecules could be of any layer."""
        self.refuse_single(table.source)

    def check_stated(self, kind: str, unit: str, source: str) -> None:
        """Refuse a kind or unit for all: each layer has its own."""
        if (kind, unit) != (self.kind, self.unit):
            raise ModelError(
                f"{source}: {kind}, {unit} is stated of the whole table, and this model reads layers of several kinds "
                f"({self.measured_in}); state none, or give each with --layer NAME=TABLE:KIND:UNIT"
            )

    def refuse_single(self, source: str) -> NoReturn:
        """Say that each table must be given with its layer."""
        raise ModelError(
            f"{source}: this model reads {len(self.layers)} layers; give each table with its name, as in "
            f"--layer {next(iter(self.layers))}=TABLE (layers: {', '.join(self.layers)})"
        )

    def profile(self, cargo: Mapping[str, Any], sample_id: str) -> Floats:
        """Line one sample's values up with the panel, by layer or by names ``layer:molecule``; shape (1, n_molecules).

        Parameters
        ----------
        cargo : mapping of str to mapping, or of str to float or None
            Values by molecule by layer, or by ``layer:molecule``.
        """
        by_layer: dict[str, dict[str, float | None]] = {}
        for name, value in cargo.items():
            if isinstance(value, Mapping):
                by_layer.setdefault(name, {}).update(value)
                continue
            layer, colon, molecule = name.partition(":")
            if not colon:
                raise InputError(
                    f"{sample_id}: {name} is of no layer; give values by layer, or names as in "
                    f"{next(iter(self.layers))}:{name} (layers: {', '.join(self.layers)})"
                )
            by_layer.setdefault(layer, {})[molecule] = value
        self.check_names(by_layer)
        return np.hstack([panel.profile(by_layer.get(name, {}), sample_id) for name, panel in self.layers.items()])
