"""Normalisers of intensities and of counts per million with constants frozen at fit; all give log2 values.

An intensity of 0 or NaN was not found: it leaves as NaN, which ``LeftCensored`` then fills from below.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exoclassify.methods.frozen import FrozenStep, log2_positive, row_medians
from exoclassify.typing import Floats

__all__ = ["FrozenQuantile", "Log2Plus", "MedianCentred", "Standardised"]


class Log2Plus(FrozenStep):
    """Log2 of a value plus a constant, for counts per million and other tables already scaled.

    Parameters
    ----------
    plus : float, default 1.0
        Added before the logarithm, above 0; the smallest value that is told apart from zero.
    """

    _accepts_negative = False

    def __init__(self, plus: float = 1.0) -> None:
        self.plus = plus

    def _learn(self, X: Floats) -> None:
        self._require_above_zero("plus")

    def apply(self, X: Floats) -> Floats:
        """Compute log2(x + plus) without any check: the fast path."""
        return np.log2(X + self.plus)


_MOST_SDS = 10.0
"""Values further off count as so far off: one cell of a column that hardly varied in training would outweigh all others."""


class Standardised(FrozenStep):
    """Distance from the training mean in training standard deviations, for values of any additive scale."""

    mean_: Floats
    scale_: Floats  # 1 where training showed no spread

    def _learn(self, X: Floats) -> None:
        measured = ~np.isnan(X)
        n = np.maximum(measured.sum(axis=0), 1)
        self.mean_ = np.where(measured, X, 0.0).sum(axis=0) / n
        spread = np.sqrt(np.where(measured, (X - self.mean_) ** 2, 0.0).sum(axis=0) / n)
        self.scale_ = np.where(spread > 1e-12 * np.maximum(1.0, np.abs(self.mean_)), spread, 1.0)

    def apply(self, X: Floats) -> Floats:
        """Subtract and divide without any check: the fast path."""
        return np.clip((X - self.mean_) / self.scale_, -_MOST_SDS, _MOST_SDS)


class _Intensity(FrozenStep):
    """What the normalisers of intensities share: input in log2, or taken there."""

    logged: bool

    def _logs(self, X: Floats) -> Floats:
        return X if self.logged else log2_positive(X)

    @property
    def _accepts_negative(self) -> bool:
        return bool(self.logged)


class MedianCentred(_Intensity):
    """Log2 intensity less the sample's median distance from a frozen reference profile.

    Parameters
    ----------
    logged : bool, default False
        Whether the table is in log2 already; if not, 0 becomes NaN and the rest its log2.
    min_detected : float, default 0.7
        Share of the training samples that must hold a molecule for it to count in the median.

    Notes
    -----
    Values keep the scale of the training samples. The set is frozen and each molecule is compared with its
    own reference, so the molecules that fall below detection in a weak sample do not lift its median, as they
    do when a plain median of what was found is subtracted. A sample that holds none of the set is centred on
    whatever it holds.
    """

    positions_: NDArray[np.intp]  # counted in the median: commonly detected in training
    reference_: Floats  # median log2 intensity in training; NaN for a molecule never found

    def __init__(self, logged: bool = False, min_detected: float = 0.7) -> None:
        self.logged = logged
        self.min_detected = min_detected

    def _learn(self, X: Floats) -> None:
        logs = self._logs(X)
        self.reference_ = row_medians(np.ascontiguousarray(logs.T))
        shares = (~np.isnan(logs)).mean(axis=0)
        self.positions_ = np.flatnonzero((shares >= min(self.min_detected, float(shares.max()))) & (shares > 0.0))

    def apply(self, X: Floats) -> Floats:
        """Compute centred log2 intensities without any check: the fast path."""
        logs = self._logs(X)
        distances = logs - self.reference_
        centres = np.full(len(X), np.nan)
        if len(self.positions_):
            centres = row_medians(distances.take(self.positions_, axis=1))
        lost = np.isnan(centres)
        if lost.any():
            centres[lost] = row_medians(distances[lost])
        return logs - np.where(np.isnan(centres), 0.0, centres)[:, np.newaxis]


class FrozenQuantile(_Intensity):
    """Log2 intensities given the distribution of the training samples, by rank within the sample.

    Parameters
    ----------
    logged : bool, default False
        Whether the table is in log2 already; if not, 0 becomes NaN and the rest its log2.

    Notes
    -----
    Source: Bolstad et al. 2003, doi 10.1093/bioinformatics/19.2.185, with limma's treatment of NaN
    (``normalizeQuantiles``): the values found in a sample are spread over the whole distribution, ties at
    their average rank, a lone value at its middle. Where many low
    values are missing, what was found is pulled down to cover the low end too; MedianCentred is the safer
    choice there.
    """

    quantiles_: Floats  # mean over training of a sample's quantiles at evenly spaced positions from 0 to 1

    def __init__(self, logged: bool = False) -> None:
        self.logged = logged

    def _learn(self, X: Floats) -> None:
        logs = self._logs(X)
        grid = np.linspace(0.0, 1.0, X.shape[1])
        found = [np.sort(row[~np.isnan(row)]) for row in logs]
        curves = [np.interp(grid, np.linspace(0.0, 1.0, len(row)), row) for row in found if len(row)]
        self.quantiles_ = np.mean(curves, axis=0) if curves else np.zeros(X.shape[1])

    def apply(self, X: Floats) -> Floats:
        """Compute quantile-normalised values without any check: the fast path."""
        logs = self._logs(X)
        grid = np.linspace(0.0, 1.0, X.shape[1])
        normalised = np.full(X.shape, np.nan)
        for row, values in enumerate(logs):
            found = ~np.isnan(values)
            positions = _positions(values[found])
            normalised[row, found] = np.interp(positions, grid, self.quantiles_)
        return normalised


def _positions(values: Floats) -> Floats:
    """Place each value between 0 (the smallest) and 1 (the largest) by its average rank."""
    if len(values) < 2:
        return np.full(len(values), 0.5)
    ordered = np.sort(values)
    ranks = (ordered.searchsorted(values, side="left") + ordered.searchsorted(values, side="right") - 1) / 2.0
    return ranks / (len(values) - 1)
