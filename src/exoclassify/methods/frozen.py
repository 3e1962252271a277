"""The base of every step that learns its constants in ``fit`` and then stands still.

A step is bare arithmetic on a float64 matrix, and needs numpy alone: a model that answers does not wait for scikit-learn, whose
import takes a second. `exoclassify.methods.transformers` has every step as an estimator of scikit-learn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from exoclassify.typing import Floats

__all__ = ["FrozenStep"]


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

        Parameters
        ----------
        X : float64 array of shape (n_samples, n_molecules)
            C-contiguous, one row a sample, molecules in the order of ``fit``; NaN = not measured.

        Returns
        -------
        float64 array of shape (n_samples, n_molecules_out)
            A new array; `X` is left as it was.
        """

    def fit(self, X: ArrayLike) -> Self:
        """Learn the constants from training samples alone.

        Parameters
        ----------
        X : array of shape (n_samples, n_molecules)
            Values of a checked table; NaN = not measured.
        """
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
