"""Every frozen step as an estimator of scikit-learn: for pipelines, searches and data frames. A model holds the bare steps."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from exoclassify.methods import impute, normalise_counts, normalise_ct, normalise_intensity, select
from exoclassify.methods.frozen import FrozenStep
from exoclassify.typing import Floats

__all__ = [
    "TMM", "CenteredLogRatio", "CtInverted", "DeltaCt", "FrozenQuantile", "GlobalMean", "LeftCensored", "Log2Plus",
    "LogCPM", "MedianCentred", "MedianFilled", "MedianOfRatios", "PrevalenceFilter",
]  # fmt: skip


class _Transformer(TransformerMixin, BaseEstimator, FrozenStep):  # type: ignore[misc]  # scikit-learn ships no types
    """Checks what it is given, then does what the step does."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.__doc__ = cls.__bases__[-1].__doc__

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn the constants from training samples alone; NaN = not measured.

        Parameters
        ----------
        X : array of shape (n_samples, n_molecules)
            Training samples.
        """
        return super().fit(self._checked(X, reset=True))

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
        """
        check_is_fitted(self)
        return self.apply(self._checked(X, reset=False))

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


class _OneToOne(OneToOneFeatureMixin, _Transformer):  # type: ignore[misc]  # untyped base
    """Gives back as many molecules as it takes, in the same order."""


class LogCPM(_OneToOne, normalise_counts.LogCPM): ...


class MedianOfRatios(_OneToOne, normalise_counts.MedianOfRatios): ...


class CenteredLogRatio(_OneToOne, normalise_counts.CenteredLogRatio): ...


class TMM(_OneToOne, normalise_counts.TMM): ...


class CtInverted(_OneToOne, normalise_ct.CtInverted): ...


class DeltaCt(_OneToOne, normalise_ct.DeltaCt): ...


class GlobalMean(_OneToOne, normalise_ct.GlobalMean): ...


class Log2Plus(_OneToOne, normalise_intensity.Log2Plus): ...


class MedianCentred(_OneToOne, normalise_intensity.MedianCentred): ...


class FrozenQuantile(_OneToOne, normalise_intensity.FrozenQuantile): ...


class LeftCensored(_OneToOne, impute.LeftCensored): ...


class MedianFilled(_OneToOne, impute.MedianFilled): ...


class PrevalenceFilter(_Transformer, select.PrevalenceFilter):
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Name the molecules that are kept.

        Returns
        -------
        object array
            Names of the columns that ``transform`` gives.
        """
        check_is_fitted(self)
        names: NDArray[np.object_] = _check_feature_names_in(self, input_features)[self.support_]
        return names
