"""How much a column of the sheet, or many columns together, go with the state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma, rankdata

from exoclassify.typing import Codes, Floats

__all__ = ["association", "association_of_many"]

_AT_ONCE = 50_000_000
"""Cells of permuted labels, or of their sums, that are held at once."""


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
        Of 1,999 permutations: right for small tables too. Beyond them that of a gamma distribution fitted to them.
    same : bool
        Each level holds one state only, and there are fewer levels than half the subjects.
    """
    numeric = values.dtype.kind not in "US"
    known = np.isfinite(values) if numeric else values != ""
    values, y = values[known], np.unique(y[known], return_inverse=True)[1]
    if len(np.unique(y)) < 2 or len(np.unique(values)) < 2:
        return 0.0, 1.0, False
    if numeric:
        ranks = rankdata(values)
        columns = (ranks - ranks.mean())[:, None] / np.sqrt(((ranks - ranks.mean()) ** 2).sum())
        strength, p_value = _permuted(columns, y, 1999)
        return strength, p_value, False
    codes = np.unique(values, return_inverse=True)[1]
    levels = np.eye(int(codes.max()) + 1)[codes]
    chi_squared, p_value = _permuted((levels - levels.mean(axis=0)) / np.sqrt(levels.mean(axis=0)), y, 1999)
    fewer = min(levels.shape[1], len(np.unique(y))) - 1
    states = levels.T @ np.eye(int(y.max()) + 1)[y] > 0
    same = levels.shape[1] <= len(y) / 2 and bool((states.sum(axis=1) == 1).all())
    return min(1.0, float(np.sqrt(chi_squared / len(y) / fewer))), p_value, same


def association_of_many(mask: Floats, y: Codes) -> float:
    """P-value that none of many columns together, such as which values are missing, goes with the state.

    Notes
    -----
    Sum over columns, in their standard deviations, of squared differences between states: a kernel score test, Wu et al. 2011.
    """
    spread = mask.std(axis=0)
    columns = (mask - mask.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    return _permuted(columns, np.unique(y, return_inverse=True)[1], 999)[1]


def _permuted(columns: Floats, y: Codes, tries: int) -> tuple[float, float]:
    """Sum of squares between states of centred columns, and the chance of as large a one."""
    observed = float(_between(columns, y[None])[0])
    rng = np.random.default_rng(0)
    rows = max(1, _AT_ONCE // max(len(y), columns.shape[1], 1))
    labels = y.astype(np.int16)
    parts = [min(rows, tries - at) for at in range(0, tries, rows)]
    permuted = np.concatenate([_between(columns, rng.permuted(np.tile(labels, (n, 1)), axis=1)) for n in parts])
    beaten = int((permuted >= observed - 1e-12 * max(observed, 1.0)).sum())
    mean, variance = float(permuted.mean()), float(permuted.var())
    if beaten or variance <= 0:
        return observed, (1 + beaten) / (1 + tries)
    return observed, min(1 / (1 + tries), float(gamma.sf(observed, mean**2 / variance, scale=variance / mean)))


def _between(columns: Floats, labels: Codes) -> Floats:
    total = np.zeros(len(labels))
    for state in np.unique(labels[0]):
        here = (labels == state).astype(np.float64)
        total += ((here @ columns) ** 2).sum(axis=1) / here[0].sum()
    return total
