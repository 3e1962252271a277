"""The base of every step that learns its constants in ``fit`` and then stands still.

Each step is a scikit-learn transformer in two layers: ``transform`` checks its input and calls ``apply``, and
``apply`` is the bare arithmetic on a float64 matrix, used alone where one sample must be answered in
microseconds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from exoclassify.typing import Floats

__all__ = ["FrozenStep", "FrozenTransformer"]


class FrozenStep(ABC, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A step whose answer for one sample never depends on the other samples in the call.

    A subclass writes ``_learn`` (constants from the training matrix, kept as arrays, scalars or tuples of
    str) and ``apply``. The property held by the tests: ``transform(X)[i]`` equals ``transform(X[i : i +
    1])[0]`` bit for bit.
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

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn the constants from training samples alone.

        Parameters
        ----------
        X : array of shape (n_samples, n_molecules)
            Training samples; NaN = not measured.
        y : ignored
            Present for scikit-learn.

        Returns
        -------
        Self
            The fitted step.

        Raises
        ------
        ValueError
            If the matrix is empty, infinite, not numeric, or negative where the unit cannot be.
        """
        self._learn(self._checked(X, reset=True))
        return self

    def transform(self, X: ArrayLike) -> Floats:
        """Check the matrix, then apply the constants learned in ``fit``.

        Parameters
        ----------
        X : array of shape (n_samples, n_molecules)
            Samples to transform, molecules in the order of ``fit``; NaN = not measured.

        Returns
        -------
        float64 array of shape (n_samples, n_molecules_out)
            The transformed samples, each computed from its own row.

        Raises
        ------
        ValueError
            If the matrix is empty, infinite, not numeric, has another number of molecules than in ``fit``, or
            is negative where the unit cannot be.
        sklearn.exceptions.NotFittedError
            If ``fit`` was not called.
        """
        check_is_fitted(self)
        return self.apply(self._checked(X, reset=False))

    def _require_above_zero(self, name: str) -> None:
        """Refuse a parameter without which a zero would have no logarithm."""
        if not getattr(self, name) > 0.0:
            raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0: a zero has no logarithm")

    def _checked(self, X: ArrayLike, *, reset: bool) -> Floats:
        checked: Floats = validate_data(
            self, X, reset=reset, dtype=np.float64, order="C", ensure_all_finite="allow-nan"
        )
        if not self._accepts_negative and (checked < 0.0).any():
            row, column = np.argwhere(checked < 0.0)[0]
            raise ValueError(
                f"Negative values in data passed to {type(self).__name__}: row {row}, column {column} is "
                f"{checked[row, column]:g}; counts, cpm and intensities are zero or more"
            )
        return checked

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that NaN is welcome, and whether negative values are."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.positive_only = not self._accepts_negative
        return tags


class FrozenTransformer(OneToOneFeatureMixin, FrozenStep):  # type: ignore[misc]  # untyped base
    """A frozen step that gives back as many molecules as it takes, in the same order."""
