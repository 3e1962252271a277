"""How much a column of the sheet goes with the state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, gamma, rankdata

from exoclassify.typing import Codes, Floats

__all__ = ["association", "association_of_many"]


def association(values: NDArray[Any], y: Codes) -> tuple[float, float, bool]:
    """Strength of association of a column with the state, its p-value, and whether they are the same thing.

    Parameters
    ----------
    values : ndarray of shape (n_subjects,)
        Text levels, or numbers (NaN = not known).
    y : ndarray of shape (n_subjects,)
        State codes.

    Returns
    -------
    strength : float
        Cramér's V of levels, epsilon squared of ranked numbers; 0 to 1.
    p_value : float
        Of 1,999 permutations: right for small tables too. Where no permutation comes near, that of the chi-squared limit.
    same : bool
        Each level holds one state only, and there are fewer levels than half the subjects.
    """
    numeric = values.dtype.kind not in "US"
    known = np.isfinite(values) if numeric else values != ""
    values, y = values[known], y[known]
    if len(np.unique(y)) < 2 or len(np.unique(values)) < 2:
        return 0.0, 1.0, False
    statistic = _of_ranks if numeric else _of_levels
    prepared = rankdata(values) if numeric else np.unique(values, return_inverse=True)[1]
    observed = statistic(prepared, y)
    rng = np.random.default_rng(0)
    permuted = np.array([statistic(prepared, rng.permutation(y)) for _ in range(1999)])
    beaten = int((permuted >= observed - 1e-12).sum())
    p_value = (1 + beaten) / 2000
    if not beaten:
        p_value = min(p_value, _limit(float(observed), prepared, y, numeric=numeric))
    same = not numeric and len(np.unique(prepared)) <= len(y) / 2 and _one_state_each(prepared, y)
    return float(observed), p_value, same


def association_of_many(mask: Floats, y: Codes) -> float:
    """P-value that none of many columns together, such as which values are missing, goes with the state.

    Notes
    -----
    Sum over columns, in their standard deviations, of squared differences between states (a kernel score test, Wu et al. 2011);
    999 permutations (199 of large cohorts), and beyond them a gamma distribution of the same mean and variance.
    """
    spread = mask.std(axis=0)
    Z = (mask - mask.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    kernel, states = Z @ Z.T, np.eye(int(y.max()) + 1)[y]
    states = states[:, states.any(axis=0)] / np.sqrt(states.sum(axis=0)[states.any(axis=0)])
    rng = np.random.default_rng(0)
    observed = float((states * (kernel @ states)).sum())
    tries = 999 if len(y) <= 1000 else 199
    permuted = np.array([(mixed * (kernel @ mixed)).sum() for mixed in (rng.permutation(states) for _ in range(tries))])
    beaten = int((permuted >= observed - 1e-12).sum())
    mean, variance = float(permuted.mean()), float(permuted.var())
    if beaten or variance <= 0:
        return (1 + beaten) / (1 + tries)
    return min(1 / (1 + tries), float(gamma.sf(observed, mean**2 / variance, scale=variance / mean)))


def _limit(observed: float, prepared: NDArray[Any], y: Codes, *, numeric: bool) -> float:
    more_states = len(np.unique(y)) - 1
    if numeric:
        return float(chi2.sf((len(y) - 1) * observed, more_states))
    more_levels = len(np.unique(prepared)) - 1
    return float(chi2.sf(len(y) * observed**2 * min(more_levels, more_states), more_levels * more_states))


def _of_ranks(ranks: NDArray[Any], y: Codes) -> float:
    counts = np.bincount(y)
    means = np.bincount(y, weights=ranks) / np.maximum(counts, 1)
    between = float((counts * (means - ranks.mean()) ** 2).sum())
    total = float(((ranks - ranks.mean()) ** 2).sum())
    return between / total if total else 0.0


def _of_levels(codes: NDArray[Any], y: Codes) -> float:
    table = np.zeros((int(codes.max()) + 1, int(y.max()) + 1))
    np.add.at(table, (codes, y), 1.0)
    table = table[:, table.sum(axis=0) > 0]
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    chi = float(((table - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi / table.sum() / max(min(table.shape) - 1, 1)))


def _one_state_each(codes: NDArray[Any], y: Codes) -> bool:
    return all(len(np.unique(y[codes == level])) == 1 for level in np.unique(codes))
