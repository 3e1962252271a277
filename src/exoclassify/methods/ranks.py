"""The cargo of a sample as ranks within that sample: what survives any monotone distortion of the whole sample."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = ["normal_scores"]

_CELLS = 12_288
"""Sorted at once: 96 kB, so that no temporary array is so large that its memory is asked of the system each time."""


@lru_cache(maxsize=32)
def _score_of_twice_rank(n_molecules: int) -> NDArray[np.float64]:
    """Tabulate the normal score of each possible average rank, by twice the rank (ties give half ranks)."""
    twice = np.arange(2 * n_molecules + 1, dtype=np.float64)
    scores: NDArray[np.float64] = ndtri(np.clip((twice / 2 - 0.5) / n_molecules, 1e-12, 1 - 1e-12))
    scores.setflags(write=False)
    return scores


def _block_scores(block: NDArray[np.float64], table: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    n, p = block.shape
    order = block.argsort(axis=1)
    order += np.arange(0, n * p, p)[:, None]
    ordered = block.reshape(-1).take(order)
    begins = np.empty((n, p), dtype=bool)
    begins[:, 0] = True
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=begins[:, 1:])
    first = np.flatnonzero(begins)
    after = np.append(first[1:], n * p)
    # A run of ties from `first` to before `after`, counted from 0 within its row, has average rank (first + after + 1) / 2.
    twice_rank = first + after + 1 - 2 * p * (first // p)
    out.reshape(-1)[order.reshape(-1)] = table.take(twice_rank).repeat(after - first)


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
    X = np.ascontiguousarray(X)
    table = _score_of_twice_rank(X.shape[1])
    out = np.empty_like(X)
    step = max(1, _CELLS // max(1, X.shape[1]))
    for at in range(0, len(X), step):
        _block_scores(X[at : at + step], table, out[at : at + step])
    return out
