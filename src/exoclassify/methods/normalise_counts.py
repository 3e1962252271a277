"""Normalisers of read counts with constants frozen at fit, right for one new sample alone.

All give log2 values; NaN (not measured) stays NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exoclassify.methods.frozen import FrozenStep, log2_positive, row_means, row_medians
from exoclassify.typing import Floats

__all__ = ["TMM", "CenteredLogRatio", "LogCPM", "MedianOfRatios", "expected_shares", "library_sizes", "log_cpm"]

_SHARE_ROUNDS = 20  # the shares settle to 1e-6 within these when half of the cells are missing


def library_sizes(X: Floats, shares: Floats) -> Floats:
    """Give each sample's total count, as it would be had every molecule been measured.

    Where molecules are NaN, the sum of the others divided by the share of a library that is expected of them.
    """
    sizes: Floats = X.sum(axis=1)
    partial = np.isnan(sizes)
    if np.count_nonzero(partial):
        measured = ~np.isnan(X[partial])
        found = np.where(measured, X[partial], 0.0).sum(axis=1)
        expected = np.where(measured, shares, 0.0).sum(axis=1)
        # Nothing expected of them: molecules that training never saw; their own sum is all there is.
        sizes[partial] = np.divide(found, expected, out=found.copy(), where=expected > 0.0)
    return sizes


def expected_shares(X: Floats) -> Floats:
    """Give the mean share of the library that each molecule holds in training samples; all zero when none has a read.

    Where cells are NaN, the library sizes and the shares depend on each other and are refined in turn.
    """
    observed = ~np.isnan(X)
    shares: Floats = np.full(X.shape[1], 1.0 / X.shape[1])
    for _ in range(1 if observed.all() else _SHARE_ROUNDS):
        sizes = library_sizes(X, shares)
        used = observed & (sizes > 0.0)[:, np.newaxis]
        parts = np.divide(X, sizes[:, np.newaxis], out=np.zeros_like(X), where=used)
        counts = used.sum(axis=0)
        means = np.divide(parts.sum(axis=0), counts, out=np.zeros(X.shape[1]), where=counts > 0)
        if not means.any():
            return np.zeros(X.shape[1])
        shares = means / means.sum()
    return shares


def log_cpm(X: Floats, sizes: Floats, mean_size: float, prior_count: float) -> Floats:
    """Give log2 counts per million with a prior count scaled to each sample's depth; `sizes` are effective ones after TMM.

    Notes
    -----
    edgeR, ``cpm(log=TRUE)``: prior_i = prior × L_i / mean(L); log2((x + prior_i) / (L_i + 2 prior_i) × 1e6).
    A sample without a single read gets the limit of that formula as L goes to 0, which is the value of any
    count of zero.
    """
    sizes = np.where(sizes > 0.0, sizes, 1.0)
    priors = sizes / mean_size * prior_count
    scaled = X + priors[:, np.newaxis]
    scaled *= (1e6 / (sizes + 2.0 * priors))[:, np.newaxis]
    return np.log2(scaled, out=scaled)


class LogCPM(FrozenStep):
    """Log2 counts per million, with the mean library size frozen at fit.

    Parameters
    ----------
    prior_count : float, default 2.0
        Average count added to each molecule before the logarithm; edgeR's default. Above 0.

    Notes
    -----
    Source: edgeR ``cpm(log=TRUE)`` (Robinson, McCarthy, Smyth 2010, doi 10.1093/bioinformatics/btp616),
    worked by hand in the tests. It corrects for depth alone, not for a few molecules that fill the library:
    see TMM.

    Examples
    --------
    >>> import numpy as np
    >>> LogCPM().fit_apply(np.array([[10.0, 90.0], [0.0, 100.0]])).round(2)
    array([[16.82, 19.75],
           [14.23, 19.9 ]])
    """

    _accepts_negative = False

    mean_size_: float  # library size of the training samples
    shares_: Floats  # of a library, expected of each molecule; used only for samples with NaN

    def __init__(self, prior_count: float = 2.0) -> None:
        self.prior_count = prior_count

    def _learn(self, X: Floats) -> None:
        self._require_above_zero("prior_count")
        self.shares_ = expected_shares(X)
        self.mean_size_ = max(float(library_sizes(X, self.shares_).mean()), 1.0)

    def apply(self, X: Floats) -> Floats:
        """Compute log2 counts per million without any check: the fast path."""
        return log_cpm(X, library_sizes(X, self.shares_), self.mean_size_, self.prior_count)


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

    reference_: int  # row of the training matrix that is the reference sample
    positions_: NDArray[np.intp]  # columns with a count above 0 in it
    reference_share_: Floats  # of the reference library, at these columns
    reference_log_: Floats
    reference_variance_: Floats  # its part of the asymptotic variance of the log-ratio
    scale_: float  # geometric mean of the training factors, by which every factor is divided
    mean_size_: float  # effective library size of the training samples
    shares_: Floats  # as in LogCPM

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
        """Give each sample's normalisation factor against the frozen reference; their geometric mean over training is 1."""
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


class MedianOfRatios(FrozenStep):
    """Log2 of counts divided by DESeq2 size factors, taken against frozen geometric means.

    Parameters
    ----------
    pseudo_count : float, default 1.0
        Added after division by the size factor, before the logarithm; DESeq2's ``normTransform`` adds 1.

    Notes
    -----
    Source: Anders and Huber 2010, doi 10.1186/gb-2010-11-10-r106; DESeq2 ``estimateSizeFactorsForMatrix``:
    the median over molecules with a count above 0 in the sample. Equal to PyDESeq2 (tests/golden/README.md).
    A sample in which none of the columns is found has no ratio, and its size factor is 1.
    """

    _accepts_negative = False

    positions_: NDArray[np.intp]  # columns the size factors are taken from
    log_means_: Floats  # of log2 counts of these over training, zeros counted as 0 under "poscounts"
    scale_: float  # geometric mean that "poscounts" factors are divided by; 1 otherwise

    def __init__(self, pseudo_count: float = 1.0) -> None:
        self.pseudo_count = pseudo_count

    def _learn(self, X: Floats) -> None:
        self._require_above_zero("pseudo_count")
        measured = (~np.isnan(X)).sum(axis=0)
        found = (X > 0.0).sum(axis=0)
        everywhere = (found == measured) & (found > 0)
        logs = np.log2(np.where(X > 0.0, X, 1.0)).sum(axis=0)
        self.positions_ = np.flatnonzero(everywhere if everywhere.any() else found > 0)
        self.log_means_ = logs[self.positions_] / measured[self.positions_]
        self.scale_ = 1.0
        if not everywhere.any():
            self.scale_ = float(np.exp2(np.log2(self.size_factors(X)).mean()))

    def size_factors(self, X: Floats) -> Floats:
        """Give each sample's size factor, above 0, against the frozen geometric means."""
        if len(self.positions_) == 0:
            return np.ones(len(X))
        ratios = log2_positive(X.take(self.positions_, axis=1)) - self.log_means_
        medians = row_medians(ratios)
        return np.where(np.isnan(medians), 1.0, np.exp2(medians) / self.scale_)

    def apply(self, X: Floats) -> Floats:
        """Compute log2 normalised counts without any check: the fast path."""
        return np.log2(X / self.size_factors(X)[:, np.newaxis] + self.pseudo_count)


class CenteredLogRatio(FrozenStep):
    """Log2 of each molecule against the geometric mean of its own sample.

    Parameters
    ----------
    pseudo_count : float, default 0.5
        Added to every count, so that zeros have a logarithm. Above 0.

    Notes
    -----
    Source: Aitchison 1982, doi 10.1111/j.2517-6161.1982.tb01195.x, in log2 where others use the natural
    logarithm. The pseudo-count makes shallow samples look flatter: with sparse counts the centre follows
    sequencing depth.
    """

    _accepts_negative = False

    log_means_: Floats  # in training; for samples with NaN, so that a missing molecule does not move the centre

    def __init__(self, pseudo_count: float = 0.5) -> None:
        self.pseudo_count = pseudo_count

    def _learn(self, X: Floats) -> None:
        self._require_above_zero("pseudo_count")
        means = row_means(np.ascontiguousarray(np.log2(X + self.pseudo_count).T))
        self.log_means_ = np.where(np.isnan(means), np.log2(self.pseudo_count), means)

    def apply(self, X: Floats) -> Floats:
        """Compute centred log-ratios without any check: the fast path."""
        logs: Floats = np.log2(X + self.pseudo_count)
        centres = logs.mean(axis=1)
        partial = np.isnan(centres)
        if partial.any():
            centres[partial] = row_means(logs[partial] - self.log_means_) + self.log_means_.mean()
        logs -= centres[:, np.newaxis]
        return logs
