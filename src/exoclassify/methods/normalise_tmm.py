"""Trimmed mean of M-values, frozen at fit: every new sample meets the same reference sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exoclassify.methods.frozen import FrozenStep
from exoclassify.methods.library_sizes import expected_shares, library_sizes, log_cpm
from exoclassify.typing import Floats

__all__ = ["TMM"]


class TMM(FrozenStep):
    """Log2 counts per million on effective library sizes, by the trimmed mean of M-values.

    Parameters
    ----------
    logratio_trim : float, default 0.3
        Share of the molecules trimmed from each end of the log-ratios; 0 or more, below 0.5.
    sum_trim : float, default 0.05
        Share trimmed from each end of the mean log abundances; 0 or more, below 0.5.
    prior_count : float, default 2.0
        As in LogCPM.

    Attributes
    ----------
    reference_ : int
        Row of the training matrix that is the reference sample.
    positions_ : int array
        Columns with a count above 0 in the reference sample.
    reference_share_, reference_log_, reference_variance_ : float64 arrays of the same length
        Share of the reference library, its log2, and its part of the asymptotic variance of the log-ratio.
    scale_ : float
        Geometric mean of the training factors; every factor is divided by it.
    mean_size_ : float
        Mean effective library size of the training samples.
    shares_ : float64 array of shape (n_molecules,)
        As in LogCPM.

    Notes
    -----
    Source: Robinson and Oshlack 2010, doi 10.1186/gb-2010-11-3-r25, and edgeR
    ``calcNormFactors(method="TMM")``: the reference is the sample whose upper quartile, over its library
    size, is closest to the mean of all; where at least half of the samples have an upper quartile of 0, the
    one with the largest sum of square roots. Equal to RNAnorm, which states equality with edgeR
    (tests/golden/README.md). A sample that shares no molecule with the reference, a row of zeros for one, has
    factor 1 before the division by the scale, as in edgeR.
    """

    _accepts_negative = False

    reference_: int
    positions_: NDArray[np.intp]
    reference_share_: Floats
    reference_log_: Floats
    reference_variance_: Floats
    scale_: float
    mean_size_: float
    shares_: Floats

    def __init__(self, logratio_trim: float = 0.3, sum_trim: float = 0.05, prior_count: float = 2.0) -> None:
        self.logratio_trim = logratio_trim
        self.sum_trim = sum_trim
        self.prior_count = prior_count

    def _learn(self, X: Floats) -> None:
        self._check_parameters()
        self.shares_ = expected_shares(X)
        sizes = library_sizes(X, self.shares_)
        self.reference_ = _reference_sample(X, sizes)
        counts, size = X[self.reference_], sizes[self.reference_]
        self.positions_ = np.flatnonzero(counts > 0.0)
        counts = counts[self.positions_]
        self.reference_share_ = counts / size
        self.reference_log_ = np.log2(self.reference_share_)
        self.reference_variance_ = (size - counts) / size / counts
        self.scale_ = 1.0
        factors = self.factors(X)
        self.scale_ = float(np.exp(np.log(factors).mean()))
        self.mean_size_ = max(float((sizes * (factors / self.scale_)).mean()), 1.0)

    def _check_parameters(self) -> None:
        for name in ("logratio_trim", "sum_trim"):
            if not 0.0 <= getattr(self, name) < 0.5:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more and below 0.5")
        self._require_above_zero("prior_count")

    def factors(self, X: Floats) -> Floats:
        """Give each sample's normalisation factor against the frozen reference.

        Parameters
        ----------
        X : float64 array of shape (n_samples, n_molecules)
            Counts; NaN = not measured.

        Returns
        -------
        float64 array of shape (n_samples,)
            Factors above 0; their geometric mean over the training samples is 1.
        """
        return self._factors(X, library_sizes(X, self.shares_))

    def _factors(self, X: Floats, sizes: Floats) -> Floats:
        factors = np.ones(len(X))
        with np.errstate(divide="ignore", invalid="ignore"):
            for row, size in enumerate(sizes):
                factors[row] = self._factor(X[row].take(self.positions_), size)
        factors /= self.scale_
        return factors

    def _factor(self, counts: Floats, size: float) -> float:
        """Compare one sample, at the molecules of the reference, with the reference."""
        shared = counts > 0.0  # False for NaN too
        if not shared.any():
            return 1.0
        counts = counts[shared]
        share = counts / size
        # The quotient inside the logarithm, as in edgeR: ties among the log-ratios then fall as they do
        # there.
        ratios = np.log2(share / self.reference_share_[shared])
        if np.abs(ratios).max() < 1e-6:  # edgeR: the same profile as the reference
            return 1.0
        abundances = (np.log2(share) + self.reference_log_[shared]) / 2.0
        weights = 1.0 / ((size - counts) / size / counts + self.reference_variance_[shared])
        kept = _untrimmed(ratios, self.logratio_trim) & _untrimmed(abundances, self.sum_trim)
        weights = weights[kept]
        mean = (ratios[kept] * weights).sum() / weights.sum()
        return float(np.exp2(mean)) if np.isfinite(mean) else 1.0

    def apply(self, X: Floats) -> Floats:
        """Compute log2 counts per million on effective library sizes without any check: the fast path."""
        sizes = library_sizes(X, self.shares_)
        return log_cpm(X, sizes * self._factors(X, sizes), self.mean_size_, self.prior_count)


def _untrimmed(values: Floats, trim: float) -> NDArray[np.bool_]:
    """Say which values lie inside the trim, as edgeR does: by average ranks, ties staying together."""
    n = len(values)
    lowest = int(np.floor(n * trim)) + 1
    ordered = np.sort(values)
    low, high = ordered[lowest - 1], ordered[n - lowest]
    above = values >= low if _average_rank(ordered, low) >= lowest else values > low
    below = values <= high if _average_rank(ordered, high) <= n + 1 - lowest else values < high
    inside: NDArray[np.bool_] = above & below
    return inside


def _average_rank(ordered: Floats, value: float) -> float:
    """Give the mean of the ranks, from 1, that `value` holds in sorted values."""
    first, behind = ordered.searchsorted(value, side="left"), ordered.searchsorted(value, side="right")
    return float(first + 1 + behind) / 2.0


def _reference_sample(X: Floats, sizes: Floats) -> int:
    """Choose the reference sample by upper quartiles, leaving out samples without a read."""
    read = np.flatnonzero(sizes > 0.0)
    if len(read) == 0:
        return 0
    found_somewhere = (X > 0.0).any(axis=0)
    counts = X[np.ix_(read, found_somewhere)]
    quartiles = np.nanquantile(counts, 0.75, axis=1) / sizes[read]
    if np.median(quartiles) < 1e-20:  # edgeR's bound
        return int(read[np.argmax(np.nansum(np.sqrt(counts), axis=1))])
    return int(read[np.argmin(np.abs(quartiles - quartiles.mean()))])
