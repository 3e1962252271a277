"""How much was sequenced, and log2 counts per million of it: what LogCPM and TMM share."""

from __future__ import annotations

import numpy as np

from exoclassify.typing import Floats

__all__ = ["expected_shares", "library_sizes", "log_cpm"]

_SHARE_ROUNDS = 20  # the shares settle to 1e-6 within these when half of the cells are missing


def library_sizes(X: Floats, shares: Floats) -> Floats:
    """Give each sample's total count, as it would be had every molecule been measured.

    Parameters
    ----------
    X : float64 array of shape (n_samples, n_molecules)
        Counts, C-contiguous; NaN = not measured.
    shares : float64 array of shape (n_molecules,)
        The share of a library that each molecule is expected to hold.

    Returns
    -------
    float64 array of shape (n_samples,)
        The row sum; where molecules are NaN, the sum of the others divided by the share expected of them.
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
    """Give the mean share of the library that each molecule holds in the training samples.

    Parameters
    ----------
    X : float64 array of shape (n_samples, n_molecules)
        Training counts; NaN = not measured.

    Returns
    -------
    float64 array of shape (n_molecules,)
        Shares that sum to 1; 0 for a molecule never measured or never found. All zero when no sample has a
        read.

    Notes
    -----
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
    """Give log2 counts per million with a prior count scaled to each sample's depth.

    Parameters
    ----------
    X : float64 array of shape (n_samples, n_molecules)
        Counts; NaN stays NaN.
    sizes : float64 array of shape (n_samples,)
        Library sizes, effective ones after TMM.

    Returns
    -------
    float64 array of shape (n_samples, n_molecules)
        log2 counts per million.

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
    logged: Floats = np.log2(scaled, out=scaled)
    return logged
