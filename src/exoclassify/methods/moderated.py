"""Moderated t-tests: variances of many molecules borrow strength from each other; and precision weights of log counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma
from scipy.stats import t as student

from exoclassify.methods.linear_fits import LinearFits, fit_linear
from exoclassify.typing import Codes, Floats

__all__ = ["Moderated", "log_counts", "lowess", "moderate", "precision_weights", "squeezed"]


@dataclass(frozen=True, eq=False)
class Moderated:
    """Moderated t-tests of one coefficient.

    Parameters
    ----------
    effect, low, high : ndarray of shape (n_molecules,)
        The coefficient and its 95 % interval.
    t, p : ndarray of shape (n_molecules,)
        Moderated t and two-sided p-value; NaN where the coefficient is not determined.
    prior_freedom, prior_variance : float
        What each variance was drawn towards, and how strongly.
    """

    effect: Floats
    low: Floats
    high: Floats
    t: Floats
    p: Floats
    prior_freedom: float
    prior_variance: float


def squeezed(variance: Floats, freedom: Floats) -> tuple[Floats, float, float]:
    """Draw residual variances towards what is common to all molecules; NaN or no freedom where there is none.

    Gives them, and the freedom and variance of the scaled inverse chi-square distribution that they are drawn from; the
    freedom is inf when all are the same. limma's squeezeVar and fitFDist (Smyth 2004, doi 10.2202/1544-6115.1027, section 6.2).
    """
    known = np.isfinite(variance) & (freedom > 1e-15)
    s2, d = variance[known], freedom[known]
    if len(s2) < 2:
        return variance.copy(), 0.0, float(s2.mean()) if len(s2) else 1.0
    s2 = np.maximum(s2, 1e-5 * max(float(np.median(s2)), 1e-300))
    e = np.log(s2) - digamma(d / 2) + np.log(d / 2)
    excess = float(e.var(ddof=1) - polygamma(1, d / 2).mean())
    if excess <= 0:
        prior, common = np.inf, float(s2.mean())
        posterior = np.where(known, common, np.nan)
    else:
        prior = 2 * _trigamma_inverse(excess)
        common = float(np.exp(e.mean() + digamma(prior / 2) - np.log(prior / 2)))
        total = np.where(known, freedom, 0.0) * np.where(known, variance, 0.0)
        posterior = np.where(known, (prior * common + total) / (prior + freedom), np.nan)
    return posterior, float(prior), common


def _trigamma_inverse(value: float) -> float:
    """Newton's iteration of Smyth (2004), appendix."""
    y = 0.5 + 1 / value
    for _ in range(50):
        tri = float(polygamma(1, y))
        step = tri * (1 - tri / value) / float(polygamma(2, y))
        y += step
        if -step / y < 1e-10:
            break
    return y


def moderate(fits: LinearFits, column: int) -> Moderated:
    """Test one coefficient of every molecule by the moderated t.

    Notes
    -----
    limma's eBayes (Smyth 2004), without trend and robustness: equal to limma 3.54 to eight digits (tests/golden).
    """
    posterior, prior, common = squeezed(fits.variance, fits.freedom)
    effect = np.where(np.isfinite(posterior), fits.coefficients[:, column], np.nan)
    error = np.sqrt(posterior) * fits.unscaled[:, column]
    t = effect / np.where(error > 0, error, np.nan)
    freedom = np.minimum(fits.freedom + prior, fits.freedom.sum())
    half = student.ppf(0.975, freedom) * error
    return Moderated(effect, effect - half, effect + half, t, 2 * student.sf(np.abs(t), freedom), prior, common)


def log_counts(counts: Floats, sizes: Floats) -> Floats:
    """Log2 counts per million with half a count added, by effective library sizes; NaN stays NaN."""
    return np.log2((counts + 0.5) / (sizes[:, None] + 1.0) * 1e6)


def precision_weights(
    Y: Floats, sizes: Floats, design: Floats, *, blocks: Codes | None = None, correlation: float = 0.0
) -> Floats:
    """Weigh every log count, as `log_counts` gives them, by the inverse of the variance expected at its abundance.

    1 throughout when fewer than two molecules have a residual variance. limma's voom (Law et al. 2014, doi
    10.1186/gb-2014-15-2-r29), its lowess span of 0.5.
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
    """Smooth y over ascending x by robust local lines.

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
