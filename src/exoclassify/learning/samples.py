"""Training samples as codes and raw values: what learning and judging pass around."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError
from exoclassify.typing import Codes, Floats

__all__ = ["Layer", "Samples"]


class Layer(NamedTuple):
    """A layer among the columns of `Samples.X`.

    Parameters
    ----------
    name : str
        Of the layer.
    start, stop : int
        Its columns.
    unit : str
        Of its values.
    not_detected : float or None
        For Ct.
    """

    name: str
    start: int
    stop: int
    unit: str
    not_detected: float | None


@dataclass(frozen=True, eq=False)
class Samples:
    """Raw values and what is known of the samples, as codes.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        Raw values in `unit`; NaN = not measured.
    y : ndarray of shape (n_samples,)
        State codes.
    groups : ndarray of shape (n_samples,)
        Subject codes.
    batches : ndarray of shape (n_samples,) or None
        Batch codes.
    states : tuple of str
        What the codes stand for.
    unit : str
        Unit of X.
    not_detected : float or None
        For Ct.
    batch_names : tuple of str
        What the batch codes stand for.
    layers : tuple of Layer
        Of several layers, whose columns stand side by side, all of them NaN where a sample lacks the layer; empty for one.
    molecules : tuple of str
        Names of the columns; needed where a recipe weighs molecules by what is known of them.
    """

    X: Floats
    y: Codes
    groups: Codes
    batches: Codes | None
    states: tuple[str, ...]
    unit: str
    not_detected: float | None
    batch_names: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    molecules: tuple[str, ...] = ()

    @classmethod
    def of(cls, cohort: Cohort) -> Samples:
        """Give the samples of a cohort, states, subjects and batches as codes in sorted order."""
        states, y = np.unique(cohort.y, return_inverse=True)
        names, batches = ((), None) if cohort.batches is None else np.unique(cohort.batches, return_inverse=True)
        groups = np.unique(cohort.groups, return_inverse=True)[1]
        tables = {name: cohort.layer(name) for name in cohort.layers}
        first, layers, stop = next(iter(tables.values())), [], 0
        for name, table in tables.items():
            start, stop = stop, stop + table.n_molecules
            layers.append(Layer(name, start, stop, table.unit, table.not_detected))
        alone = len(tables) == 1
        X = first.values if alone else np.hstack([table.values for table in tables.values()])
        return cls(
            X, y, groups, batches, tuple(str(s) for s in states), first.unit if alone else "", first.not_detected,
            tuple(str(name) for name in names), () if alone else tuple(layers),
            tuple(name for table in tables.values() for name in table.molecules),
        )  # fmt: skip

    def named(self, code: int) -> str:
        """Give the name of a batch; its number where none was given."""
        return self.batch_names[code] if self.batch_names else str(code)

    def take(self, rows: Codes) -> Samples:
        """Give these samples alone."""
        batches = None if self.batches is None else self.batches[rows]
        return replace(self, X=self.X[rows], y=self.y[rows], groups=self.groups[rows], batches=batches)

    def of_layer(self, layer: Layer) -> tuple[Codes, Samples]:
        """Give the positions of the samples that have a layer, and these with that layer alone."""
        X = self.X[:, layer.start : layer.stop]
        rows = np.flatnonzero(~np.isnan(X).all(axis=1))
        for k, state in enumerate(self.states):
            n = len(np.unique(self.groups[rows][self.y[rows] == k]))
            if n < 2:
                raise DesignError(
                    f"layer {layer.name}: {n} subjects of {state} have it, and no model can be learned of it; give it for more "
                    "samples of that state, or leave the layer out"
                )
        names = self.molecules[layer.start : layer.stop]
        alone = replace(
            self.take(rows), X=X[rows], unit=layer.unit, not_detected=layer.not_detected, layers=(), molecules=names
        )
        return rows, alone
