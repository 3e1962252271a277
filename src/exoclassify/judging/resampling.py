"""Intervals and tests by DeLong, by the bootstrap over subjects, and over folds with Nadeau and Bengio's correction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from exoclassify.typing import Codes, Floats

__all__ = ["bootstrap_weights", "corrected_resampled_t", "delong_interval", "percentile_interval", "weighted_aucs"]


def delong_interval(score: Floats, positive: NDArray[np.bool_], level: float = 0.95) -> tuple[float, float, float]:
    """Area under the ROC curve with the interval of DeLong, DeLong and Clarke-Pearson, every sample its own subject.

    Parameters
    ----------
    score : ndarray of shape (n_samples,)
        Larger for the state.
    positive : ndarray of bool of shape (n_samples,)
        At least two of each kind.

    Returns
    -------
    tuple of float
        AUC, low, high; on the plain scale and cut at 0 and 1, as pROC gives it.

    Notes
    -----
    DeLong et al. 1988, Biometrics 44:837. Equal to pROC (tests/golden/README.md). At 15 against 15 this interval is too
    narrow (.81 for .95); the figures of a report are taken on the logit scale, by subject.
    """
    wins = np.sign(score[positive][:, None] - score[~positive][None, :]) / 2 + 0.5
    rows, columns = wins.mean(axis=1), wins.mean(axis=0)
    value = float(wins.mean())
    error = float(np.sqrt(rows.var(ddof=1) / len(rows) + columns.var(ddof=1) / len(columns)))
    z = float(norm.ppf(0.5 + level / 2))
    return value, max(value - z * error, 0.0), min(value + z * error, 1.0)


def bootstrap_weights(y: Codes, groups: Codes, n_draws: int, seed: int) -> Floats:
    """Draw subjects with replacement, within the state of their first sample; all samples of a subject come together.

    Parameters
    ----------
    y, groups : ndarray of shape (n_samples,)
        Codes of state and of subject.

    Returns
    -------
    ndarray of shape (n_draws, n_samples)
        How often each sample is drawn.
    """
    rng = np.random.default_rng(seed)
    subjects, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    drawn = np.zeros((n_draws, len(subjects)))
    for state in np.unique(y[first]):
        members = np.flatnonzero(y[first] == state)
        drawn[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), n_draws)
    return drawn[:, codes]


def weighted_aucs(score: Floats, positive: NDArray[np.bool_], weights: Floats, fold: Codes | None = None) -> Floats:
    """Areas under the ROC curve for many weightings of the same samples.

    Parameters
    ----------
    score : ndarray of shape (n_samples,)
        Larger for the state.
    positive : ndarray of bool of shape (n_samples,)
        Samples of the state.
    weights : ndarray of shape (n_draws, n_samples)
        As `bootstrap_weights` gives them.
    fold : ndarray of shape (n_samples,), optional
        Rank only samples of the same fold, as `exoclassify.judging.metrics.auc_within`.

    Returns
    -------
    ndarray of shape (n_draws,)
        NaN where a kind was not drawn; ties count half.
    """
    if fold is None:
        won, pairs = _won(score, positive, weights)
    else:
        parts = [_won(score[fold == k], positive[fold == k], weights[:, fold == k]) for k in np.unique(fold)]
        won, pairs = np.sum([part[0] for part in parts], axis=0), np.sum([part[1] for part in parts], axis=0)
    areas: Floats = np.full(len(weights), np.nan)
    np.divide(won, pairs, out=areas, where=pairs > 0)
    return areas


def _won(score: Floats, positive: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """Weighted pairs that are ranked rightly, and all of them."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])
    of_state = np.add.reduceat((weights * positive)[:, order], starts, axis=1)
    others = np.add.reduceat((weights * ~positive)[:, order], starts, axis=1)
    below = np.cumsum(others, axis=1) - others / 2
    return (of_state * below).sum(axis=1), of_state.sum(axis=1) * others.sum(axis=1)


def percentile_interval(drawn: Floats, level: float = 0.95) -> tuple[float, float]:
    """Give the percentiles that leave out as much at each end; draws that are NaN do not count.

    Parameters
    ----------
    drawn : ndarray of shape (n_draws,)
        A figure of each draw.
    """
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def corrected_resampled_t(differences: Floats, test_over_train: float) -> tuple[float, float, float]:
    """Test whether figures of the same folds differ, allowing for training sets that overlap.

    Parameters
    ----------
    differences : ndarray of shape (n_folds,)
        First less second, fold by fold; over repeats too.

    Notes
    -----
    Nadeau & Bengio 2003, Machine Learning 52:239, as Bouckaert & Frank 2004 use it over repeats. Comparing folds by a plain
    t test is wrong nearly every second time when nothing differs; this one five times in a hundred.
    """
    count, mean = len(differences), float(differences.mean())
    variance = float(differences.var(ddof=1)) if count > 1 else 0.0
    if variance == 0.0:
        return mean, 0.0 if mean == 0 else float(np.copysign(np.inf, mean)), 1.0 if mean == 0 else 0.0
    statistic = mean / float(np.sqrt((1 / count + test_over_train) * variance))
    return mean, statistic, float(2 * t.sf(abs(statistic), count - 1))
