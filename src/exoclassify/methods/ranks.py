"""The cargo of a sample as ranks within that sample: what survives any monotone distortion of the whole sample."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = ["normal_scores"]


@lru_cache(maxsize=32)
def _score_of_twice_rank(n_molecules: int) -> NDArray[np.float64]:
    """Tabulate the normal score of each possible average rank, by twice the rank (ties give half ranks)."""
    twice = np.arange(2 * n_molecules + 1, dtype=np.float64)
    scores: NDArray[np.float64] = ndtri(np.clip((twice / 2 - 0.5) / n_molecules, 1e-12, 1 - 1e-12))
    scores.setflags(write=False)
    return scores


def _row_scores(row: NDArray[np.float64], table: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    order = row.argsort()
    ordered = row[order]
    starts = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, [row.size]))
    # A run of ties from `first` to `last` (counted from 0) has average rank (first + last) / 2 + 1.
    twice_rank = starts[:-1] + starts[1:] + 1
    out[order] = np.repeat(table[twice_rank], starts[1:] - starts[:-1])


def normal_scores(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each molecule's rank within its sample as a quantile of the normal distribution.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        Any abundance that orders the molecules of one sample; no NaN.

    Returns
    -------
    ndarray of shape (n_samples, n_molecules)
        ``Phi^-1((rank - 0.5) / n_molecules)``, ties sharing their mean rank. A row depends on that row alone.

    Notes
    -----
    Van der Waerden scores with Hazen's plotting position; equal to
    ``scipy.stats.norm.ppf((scipy.stats.rankdata(X, axis=1) - 0.5) / n_molecules)`` at a tenth of the cost for one row.
    """
    table = _score_of_twice_rank(X.shape[1])
    out = np.empty_like(X)
    for row, scores in zip(X, out, strict=True):
        _row_scores(row, table, scores)
    return out
