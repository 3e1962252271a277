"""Moderated t-tests: variances of many molecules borrow strength from each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma
from scipy.stats import t as student

from exoclassify.methods.linear_fits import LinearFits
from exoclassify.typing import Floats

__all__ = ["Moderated", "moderate", "squeezed"]


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
    """Draw variances towards what is common to all molecules.

    Parameters
    ----------
    variance, freedom : ndarray of shape (n_molecules,)
        Residual variances and their degrees of freedom; NaN or 0 where there is none.

    Returns
    -------
    posterior : ndarray of shape (n_molecules,)
        Squeezed variances.
    prior_freedom, prior_variance : float
        Of the scaled inverse chi-square distribution that they are drawn from; freedom is inf when they are all the same.

    Notes
    -----
    limma's squeezeVar and fitFDist (Smyth 2004, doi 10.2202/1544-6115.1027, section 6.2).
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
