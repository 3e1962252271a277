"""Normalisers of read counts with constants frozen at fit, right for one new sample alone.

TMM has a file of its own, ``normalise_tmm``. All give log2 values; NaN (not measured) stays NaN.
"""

from __future__ import annotations

import numpy as np

from exoclassify.methods.frozen import FrozenStep
from exoclassify.methods.library_sizes import expected_shares, library_sizes, log_cpm
from exoclassify.methods.rows import log2_positive, row_means, row_medians
from exoclassify.typing import Floats

__all__ = ["CenteredLogRatio", "LogCPM", "MedianOfRatios"]


class LogCPM(FrozenStep):
    """Log2 counts per million, with the mean library size frozen at fit.

    Parameters
    ----------
    prior_count : float, default 2.0
        Average count added to each molecule before the logarithm; edgeR's default. Above 0.

    Attributes
    ----------
    mean_size_ : float
        Mean library size of the training samples.
    shares_ : float64 array of shape (n_molecules,)
        Share of a library each molecule is expected to hold; used only for samples with NaN.

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

    mean_size_: float
    shares_: Floats

    def __init__(self, prior_count: float = 2.0) -> None:
        self.prior_count = prior_count

    def _learn(self, X: Floats) -> None:
        self._require_above_zero("prior_count")
        self.shares_ = expected_shares(X)
        self.mean_size_ = max(float(library_sizes(X, self.shares_).mean()), 1.0)

    def apply(self, X: Floats) -> Floats:
        """Compute log2 counts per million without any check: the fast path."""
        return log_cpm(X, library_sizes(X, self.shares_), self.mean_size_, self.prior_count)


class MedianOfRatios(FrozenStep):
    """Log2 of counts divided by DESeq2 size factors, taken against frozen geometric means.

    Parameters
    ----------
    pseudo_count : float, default 1.0
        Added after division by the size factor, before the logarithm; DESeq2's ``normTransform`` adds 1.

    Attributes
    ----------
    positions_ : int array
        Columns the size factors are taken from: positive in every training sample that measured them; when
        there is no such molecule, every molecule found at least once (DESeq2's "poscounts").
    log_means_ : float64 array of the same length
        Mean log2 count of those columns over the training samples, zeros counted as 0 under "poscounts".
    scale_ : float
        Geometric mean that "poscounts" factors are divided by; 1 otherwise.

    Notes
    -----
    Source: Anders and Huber 2010, doi 10.1186/gb-2010-11-10-r106; DESeq2 ``estimateSizeFactorsForMatrix``:
    the median over molecules with a count above 0 in the sample. Equal to PyDESeq2 (tests/golden/README.md).
    A sample in which none of the columns is found has no ratio, and its size factor is 1.
    """

    _accepts_negative = False

    positions_: np.ndarray[tuple[int], np.dtype[np.intp]]
    log_means_: Floats
    scale_: float

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
        """Give each sample's size factor against the frozen geometric means.

        Parameters
        ----------
        X : float64 array of shape (n_samples, n_molecules)
            Counts; NaN = not measured.

        Returns
        -------
        float64 array of shape (n_samples,)
            Factors above 0.
        """
        if len(self.positions_) == 0:
            return np.ones(len(X))
        ratios = log2_positive(X.take(self.positions_, axis=1)) - self.log_means_
        medians = row_medians(ratios)
        factors: Floats = np.where(np.isnan(medians), 1.0, np.exp2(medians) / self.scale_)
        return factors

    def apply(self, X: Floats) -> Floats:
        """Compute log2 normalised counts without any check: the fast path."""
        logged: Floats = np.log2(X / self.size_factors(X)[:, np.newaxis] + self.pseudo_count)
        return logged


class CenteredLogRatio(FrozenStep):
    """Log2 of each molecule against the geometric mean of its own sample.

    Parameters
    ----------
    pseudo_count : float, default 0.5
        Added to every count, so that zeros have a logarithm. Above 0.

    Attributes
    ----------
    log_means_ : float64 array of shape (n_molecules,)
        Mean log2 value of each molecule in training; used only for samples with NaN, so that a missing
        molecule does not move the centre.

    Notes
    -----
    Source: Aitchison 1982, doi 10.1111/j.2517-6161.1982.tb01195.x, in log2 where others use the natural
    logarithm. The pseudo-count makes shallow samples look flatter: with sparse counts the centre follows
    sequencing depth.
    """

    _accepts_negative = False

    log_means_: Floats

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
