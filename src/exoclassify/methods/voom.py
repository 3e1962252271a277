"""Precision weights of log counts: how far each count can be trusted, from the trend of variance with abundance."""

from __future__ import annotations

import numpy as np

from exoclassify.methods.linear_fits import fit_linear
from exoclassify.typing import Codes, Floats

__all__ = ["log_counts", "lowess", "precision_weights"]


def log_counts(counts: Floats, sizes: Floats) -> Floats:
    """Log2 counts per million with half a count added.

    Parameters
    ----------
    counts : ndarray of shape (n_samples, n_molecules)
        NaN stays NaN.
    sizes : ndarray of shape (n_samples,)
        Effective library sizes.

    Returns
    -------
    ndarray of shape (n_samples, n_molecules)
    """
    result: Floats = np.log2((counts + 0.5) / (sizes[:, None] + 1.0) * 1e6)
    return result


def precision_weights(
    Y: Floats, sizes: Floats, design: Floats, *, blocks: Codes | None = None, correlation: float = 0.0
) -> Floats:
    """Weigh every log count by the inverse of the variance expected at its abundance.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_molecules)
        As `log_counts` gives them.
    sizes : ndarray of shape (n_samples,)
        Effective library sizes.
    design : ndarray of shape (n_samples, n_columns)
        Of full rank.

    Returns
    -------
    ndarray of shape (n_samples, n_molecules)
        1 throughout when fewer than two molecules have a residual variance.

    Notes
    -----
    limma's voom (Law et al. 2014, doi 10.1186/gb-2014-15-2-r29), its lowess span of 0.5.
    """
    fits = fit_linear(Y, design, blocks=blocks, correlation=correlation)
    known = np.isfinite(fits.variance)
    if known.sum() < 2:
        return np.ones_like(Y)
    mean_log = float(np.log2(sizes + 1.0).mean())
    x = np.nanmean(Y[:, known], axis=0) + mean_log - np.log2(1e6)
    y = np.sqrt(np.sqrt(fits.variance[known]))
    order = np.argsort(x, kind="stable")
    line = lowess(x[order], y[order], 0.5)
    fitted = design @ np.nan_to_num(fits.coefficients).T
    count = fitted + np.log2(sizes + 1.0)[:, None] - np.log2(1e6)
    spread = np.interp(count.ravel(), x[order], line).reshape(count.shape)
    weights: Floats = 1.0 / np.maximum(spread, 1e-6) ** 4
    return np.where(np.isfinite(fits.variance), weights, 1.0)


def lowess(x: Floats, y: Floats, span: float) -> Floats:
    """Smooth y over x by robust local lines.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Ascending.
    y : ndarray of shape (n,)
        To be smoothed.

    Returns
    -------
    ndarray of shape (n,)

    Notes
    -----
    Cleveland 1979 (doi 10.1080/01621459.1979.10481038), with three robustness rounds, and fits 1 % of the range apart with
    straight lines between, as R's lowess does.
    """
    n = len(x)
    taken = max(2, min(n, int(span * n + 1e-7)))
    robust = np.ones(n)
    smooth = y.copy()
    for round_ in range(4):
        smooth = _pass(x, y, taken, robust, 0.01 * (x[-1] - x[0]))
        off = np.abs(y - smooth)
        middle = 6.0 * float(np.median(off))
        if round_ == 3 or middle < 1e-7 * off.mean():
            break
        scaled = np.clip(off / middle, 0.0, 1.0)
        robust = np.where(scaled <= 0.001, 1.0, np.where(scaled > 0.999, 0.0, (1 - scaled**2) ** 2))
    return smooth


def _pass(x: Floats, y: Floats, taken: int, robust: Floats, apart: float) -> Floats:
    """One pass over the anchors."""
    n = len(x)
    smooth = np.empty(n)
    at, last, left = 0, -1, 0
    while True:
        while left + taken < n and x[at] - x[left] > x[left + taken] - x[at]:
            left += 1
        smooth[at] = _local(x, y, x[at], left, left + taken, robust, y[at])
        if last >= 0:
            gap = slice(last + 1, at)
            share = (x[gap] - x[last]) / max(x[at] - x[last], 1e-300)
            smooth[gap] = share * smooth[at] + (1 - share) * smooth[last]
        same = int(np.searchsorted(x, x[at], side="right"))
        smooth[at:same] = smooth[at]
        last = same - 1
        if last >= n - 1:
            return smooth
        beyond = int(np.searchsorted(x, x[last] + apart, side="right"))
        at = max(last + 1, beyond - 1)


def _local(x: Floats, y: Floats, here: float, left: int, right: int, robust: Floats, own: float) -> float:
    reach = max(here - x[left], x[right - 1] - here)
    end = int(np.searchsorted(x, here + 0.999 * reach, side="right")) if reach > 0 else right
    part = slice(left, max(end, right))
    distance = np.abs(x[part] - here)
    inside = distance <= 0.999 * reach
    weight = np.where(distance <= 0.001 * reach, 1.0, (1 - (distance / max(reach, 1e-300)) ** 3).clip(0) ** 3)
    weight = np.where(inside, weight, 0.0) * robust[part]
    total = weight.sum()
    if total <= 0:
        return float(own)
    weight = weight / total
    centre = float(weight @ x[part])
    spread = float(weight @ (x[part] - centre) ** 2)
    if reach > 0 and np.sqrt(spread) > 0.001 * (x[-1] - x[0]):
        weight = weight * (1 + (here - centre) / spread * (x[part] - centre))
    return float(weight @ y[part])
