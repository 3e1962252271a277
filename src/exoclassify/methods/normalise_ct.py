"""Normalisers of qPCR cycles (Ct) with constants frozen at fit; log2, larger is more.

A Ct at or above `not_detected` was measured and nothing was found: it leaves as NaN, which ``LeftCensored``
then fills from below. It is never read as an abundance of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exoclassify.methods.frozen import FrozenStep, row_means
from exoclassify.typing import Floats

__all__ = ["CtInverted", "DeltaCt", "GlobalMean", "detected_cycles", "most_stable"]


def detected_cycles(X: Floats, not_detected: float) -> Floats:
    """Give the cycles of what was detected, and NaN for what was not, as a new array."""
    return np.where(not_detected > X, X, np.nan)


def most_stable(cycles: Floats, n_references: int) -> NDArray[np.intp]:
    """Choose the assays whose ratios to each other vary least over the samples; Ct of detected assays, NaN elsewhere.

    Notes
    -----
    geNorm (Vandesompele et al. 2002, doi 10.1186/gb-2002-3-7-research0034): the stability M of an assay is
    the mean standard deviation of its log-ratios to the other candidates; the worst is dropped until
    `n_references` are left. Candidates are the assays detected in every sample; where those are too few, the
    ones detected most often, a missing Ct standing at the assay's mean. geNorm cannot tell a stable assay
    from a group that moves together.
    """
    detected = (~np.isnan(cycles)).sum(axis=0)
    candidates = np.flatnonzero(detected == len(cycles))
    if len(candidates) < n_references:
        often = np.argsort(-detected, kind="stable")[: max(n_references, len(candidates))]
        candidates = np.sort(often[detected[often] > 0])
    values = cycles[:, candidates]
    centred = values - _assay_means(values)
    covariance = np.where(np.isnan(centred), 0.0, centred).T @ np.where(np.isnan(centred), 0.0, centred)
    own = np.diag(covariance)
    spread = np.sqrt(np.maximum(own[:, np.newaxis] + own - 2.0 * covariance, 0.0))
    instability = spread.sum(axis=1)
    kept = np.ones(len(candidates), dtype=bool)
    while kept.sum() > n_references:
        worst = int(np.argmax(np.where(kept, instability, -1.0)))
        kept[worst] = False
        instability = instability - spread[worst]
    return candidates[kept]


def _assay_means(cycles: Floats) -> Floats:
    """Give each assay's mean Ct over the samples that detected it, NaN for none."""
    return row_means(np.ascontiguousarray(cycles.T))


class CtInverted(FrozenStep):
    """`not_detected` minus Ct: larger is more, and no correction for how much RNA went in.

    Parameters
    ----------
    not_detected : float, default 40.0
        Ct from which nothing was found; such a Ct becomes NaN.
    """

    def __init__(self, not_detected: float = 40.0) -> None:
        self.not_detected = not_detected

    def _learn(self, X: Floats) -> None:
        """Learn nothing: the step is within-sample."""

    def apply(self, X: Floats) -> Floats:
        """Compute `not_detected` minus Ct without any check: the fast path."""
        return self.not_detected - detected_cycles(X, self.not_detected)


class _Referenced(FrozenStep):
    """Reference Ct minus Ct, the reference being the mean of a set of assays frozen at fit."""

    not_detected: float
    positions_: NDArray[np.intp]  # of the reference assays
    assay_means_: Floats  # of Ct over the training samples that detected the assay; NaN for none
    reference_mean_: float  # of these over the references

    def _positions(self, cycles: Floats) -> NDArray[np.intp]:
        raise NotImplementedError

    def _learn(self, X: Floats) -> None:
        cycles = detected_cycles(X, self.not_detected)
        self.positions_ = self._positions(cycles)
        self.assay_means_ = _assay_means(cycles)
        means = self.assay_means_[self.positions_]
        means = means[~np.isnan(means)]
        self.reference_mean_ = float(means.mean()) if len(means) else float(self.not_detected)

    def apply(self, X: Floats) -> Floats:
        """Compute reference Ct minus Ct without any check: the fast path."""
        cycles = detected_cycles(X, self.not_detected)
        deviations = cycles - self.assay_means_
        shifts = row_means(deviations.take(self.positions_, axis=1))
        lost = np.isnan(shifts)
        if lost.any():
            shifts[lost] = row_means(deviations[lost])
        references = self.reference_mean_ + np.where(np.isnan(shifts), 0.0, shifts)
        return references[:, np.newaxis] - cycles


class DeltaCt(_Referenced):
    """Mean Ct of the references minus Ct.

    Parameters
    ----------
    references : sequence of int, default ()
        Columns of the named reference assays; empty lets the training samples choose.
    n_references : int, default 5
        How many stable assays to choose when none is named; geNorm asks for at least three.
    not_detected : float, default 40.0
        Ct from which nothing was found; such a Ct becomes NaN.
    global_mean_from : int, default 50
        With this many assays or more and no named reference, the reference is the global mean (see
        GlobalMean).
    min_detected : float, default 0.8
        As in GlobalMean.

    Raises
    ------
    ValueError
        From ``fit``: if a named reference is not a column, or `n_references` is below 1.

    Notes
    -----
    With every reference detected this is the plain difference of means. A reference missing from a sample is
    left out with its own mean, so that it does not tilt the rest; when none is detected, the shift is taken
    over every assay detected. Sources: geNorm as in ``most_stable``; Mestdagh et al. 2009, doi
    10.1186/gb-2009-10-6-r64, for the global mean of many assays.
    """

    def __init__(
        self,
        references: Sequence[int] = (),
        n_references: int = 5,
        not_detected: float = 40.0,
        global_mean_from: int = 50,
        min_detected: float = 0.8,
    ) -> None:
        self.references = references
        self.n_references = n_references
        self.not_detected = not_detected
        self.global_mean_from = global_mean_from
        self.min_detected = min_detected

    def _positions(self, cycles: Floats) -> NDArray[np.intp]:
        columns = cycles.shape[1]
        named = np.asarray(self.references, dtype=np.intp)
        outside = [int(column) for column in named if not 0 <= column < columns]
        if outside:
            raise ValueError(f"references holds {outside[:3]}; the table has columns 0 to {columns - 1}")
        if self.n_references < 1:
            raise ValueError(f"n_references is {self.n_references}; at least one reference is needed")
        if len(named):
            return np.unique(named)
        if columns >= self.global_mean_from:
            return _expressed(cycles, self.min_detected)
        return most_stable(cycles, self.n_references)


class GlobalMean(_Referenced):
    """Mean Ct of the assays commonly detected in training, minus Ct.

    Parameters
    ----------
    min_detected : float, default 0.8
        Share of the training samples that must detect an assay for it to count in the mean.
    not_detected : float, default 40.0
        Ct from which nothing was found; such a Ct becomes NaN.

    Notes
    -----
    Source: Mestdagh et al. 2009, doi 10.1186/gb-2009-10-6-r64; frozen at fit here, so that a sample's own set
    of detected assays does not move its mean. Meant for 50 assays or more.
    """

    def __init__(self, min_detected: float = 0.8, not_detected: float = 40.0) -> None:
        self.min_detected = min_detected
        self.not_detected = not_detected

    def _positions(self, cycles: Floats) -> NDArray[np.intp]:
        return _expressed(cycles, self.min_detected)


def _expressed(cycles: Floats, min_detected: float) -> NDArray[np.intp]:
    """Give the assays detected in enough samples; those detected most often when there are none."""
    shares = (~np.isnan(cycles)).mean(axis=0)
    return np.flatnonzero((shares >= min(min_detected, float(shares.max()))) & (shares > 0.0))
