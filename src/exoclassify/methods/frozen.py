"""The base of every step that learns its constants in ``fit`` and then stands still, and its arithmetic by rows.

A step is bare arithmetic on a float64 matrix, and needs numpy alone: a model that answers does not wait for scikit-learn, whose
import takes a second. `exoclassify.methods.transformers` has every step as an estimator of scikit-learn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from exoclassify.typing import Floats

__all__ = ["FrozenStep", "log2_positive", "row_means", "row_medians", "row_quantiles"]


class FrozenStep(ABC):
    """A step whose answer for one sample never depends on the other samples in the call.

    A subclass writes ``_learn`` (constants from the training matrix, kept as arrays, scalars or tuples of
    str) and ``apply``. The property held by the tests: ``apply(X)[i]`` equals ``apply(X[i : i + 1])[0]`` bit for bit.
    """

    @property
    def _accepts_negative(self) -> bool:
        return True

    @abstractmethod
    def _learn(self, X: Floats) -> None:
        """Learn the constants from the training matrix, shape (n_samples, n_molecules)."""

    @abstractmethod
    def apply(self, X: Floats) -> Floats:
        """Compute the step without any check: the fast path.

        X is C-contiguous float64 with one row a sample, molecules in the order of ``fit``, NaN = not measured. It is left as it
        was.
        """

    def fit(self, X: ArrayLike) -> Self:
        """Learn the constants from training samples alone; NaN = not measured."""
        self._learn(np.ascontiguousarray(X, dtype=np.float64))
        return self

    def fit_apply(self, X: ArrayLike) -> Floats:
        """Learn the constants from samples and apply them to the same; arguments and errors as in `fit`."""
        X = np.ascontiguousarray(X, dtype=np.float64)
        return self.fit(X).apply(X)

    def _require_above_zero(self, name: str) -> None:
        """Refuse a parameter without which a zero would have no logarithm."""
        if not getattr(self, name) > 0.0:
            raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0: a zero has no logarithm")


# Arithmetic by rows is the same to the last bit for one sample and for many, with NaN left out.


def row_medians(values: Floats) -> Floats:
    """Give the median of each row over its non-NaN values; NaN where a row has none."""
    return row_quantiles(values, 0.5)


def row_quantiles(values: Floats, quantile: float) -> Floats:
    """Give a quantile of each row over its non-NaN values; NaN where a row has none.

    Sorting puts NaN last, so the position is found by counting. ``numpy.nanquantile`` gives the same numbers
    and takes one row at a time through Python.
    """
    ordered = np.sort(values, axis=1)
    # A row without values gives position 0, which then holds NaN.
    last = np.maximum(values.shape[1] - np.isnan(ordered).sum(axis=1) - 1, 0)
    position = quantile * last
    below = position.astype(np.intp)
    rows = np.arange(len(ordered))
    lower, upper = ordered[rows, below], ordered[rows, np.minimum(below + 1, last)]
    quantiles: Floats = lower + (upper - lower) * (position - below)
    return quantiles


def row_means(values: Floats) -> Floats:
    """Give the mean of each row of a C-contiguous table over its non-NaN values; NaN where a row has none."""
    observed = ~np.isnan(values)
    counts = observed.sum(axis=1)
    totals = np.where(observed, values, 0.0).sum(axis=1)
    means: Floats = np.divide(totals, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return means


def log2_positive(values: Floats) -> Floats:
    """Give log2 where a value is above zero, and NaN where it is zero or NaN."""
    return np.log2(np.where(values > 0.0, values, np.nan))
