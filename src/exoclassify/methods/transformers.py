"""Every frozen step as an estimator of scikit-learn: for pipelines, searches and data frames. A model holds the bare steps."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from exoclassify.methods import impute, normalise_counts, normalise_ct, normalise_intensity, normalise_tmm, select
from exoclassify.methods.frozen import FrozenStep
from exoclassify.typing import Floats

__all__ = [
    "TMM", "CenteredLogRatio", "CtInverted", "DeltaCt", "FrozenQuantile", "GlobalMean", "LeftCensored", "Log2Plus",
    "LogCPM", "MedianCentred", "MedianFilled", "MedianOfRatios", "PrevalenceFilter",
]  # fmt: skip


class _Transformer(TransformerMixin, BaseEstimator, FrozenStep):  # type: ignore[misc]  # scikit-learn ships no types
    """Checks what it is given, then does what the step does."""

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn the constants from training samples alone.

        Parameters
        ----------
        X : array of shape (n_samples, n_molecules)
            Training samples; NaN = not measured.
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


class LogCPM(_OneToOne, normalise_counts.LogCPM):
    __doc__ = normalise_counts.LogCPM.__doc__


class MedianOfRatios(_OneToOne, normalise_counts.MedianOfRatios):
    __doc__ = normalise_counts.MedianOfRatios.__doc__


class CenteredLogRatio(_OneToOne, normalise_counts.CenteredLogRatio):
    __doc__ = normalise_counts.CenteredLogRatio.__doc__


class TMM(_OneToOne, normalise_tmm.TMM):
    __doc__ = normalise_tmm.TMM.__doc__


class CtInverted(_OneToOne, normalise_ct.CtInverted):
    __doc__ = normalise_ct.CtInverted.__doc__


class DeltaCt(_OneToOne, normalise_ct.DeltaCt):
    __doc__ = normalise_ct.DeltaCt.__doc__


class GlobalMean(_OneToOne, normalise_ct.GlobalMean):
    __doc__ = normalise_ct.GlobalMean.__doc__


class Log2Plus(_OneToOne, normalise_intensity.Log2Plus):
    __doc__ = normalise_intensity.Log2Plus.__doc__


class MedianCentred(_OneToOne, normalise_intensity.MedianCentred):
    __doc__ = normalise_intensity.MedianCentred.__doc__


class FrozenQuantile(_OneToOne, normalise_intensity.FrozenQuantile):
    __doc__ = normalise_intensity.FrozenQuantile.__doc__


class LeftCensored(_OneToOne, impute.LeftCensored):
    __doc__ = impute.LeftCensored.__doc__


class MedianFilled(_OneToOne, impute.MedianFilled):
    __doc__ = impute.MedianFilled.__doc__


class PrevalenceFilter(_Transformer, select.PrevalenceFilter):
    __doc__ = select.PrevalenceFilter.__doc__

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
