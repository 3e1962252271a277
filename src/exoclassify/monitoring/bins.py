"""Samples counted between training quantiles, with numpy alone: the process that delivers records loads no model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINS", "Counts", "bins_of"]

Counts = NDArray[np.int64]

BINS = 20
"""Bins between neighbours of `exoclassify.model.trained_on.SHARES`, 5 % of the training samples in each."""


def bins_of(quantiles: NDArray[np.float32], log: NDArray[np.float32]) -> Counts:
    """Count samples in the log view; as `count_bins`, for one that has no model at hand.

    Parameters
    ----------
    quantiles : ndarray of float32 of shape (n_molecules, 21)
        Of training, the ends among them.
    log : ndarray of float32 of shape (n_samples, n_molecules)
        As `in_log_view` gives them.

    Returns
    -------
    ndarray of int of shape (n_molecules, 20)
    """
    n_molecules = len(quantiles)
    twice = np.zeros(log.shape, dtype=np.uint8)  # quantiles below, and those not above
    for quantile in np.ascontiguousarray(quantiles[:, 1:-1].T):
        twice += log > quantile
        twice += log >= quantile
    at = (np.arange(n_molecules) * BINS + twice // 2)[~np.isnan(log)]  # of a layer that is missing nothing is counted
    return np.bincount(at, minlength=n_molecules * BINS).reshape(n_molecules, BINS)
