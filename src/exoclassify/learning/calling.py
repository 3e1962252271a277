"""From which probability on a best guess is called, so that a stated share of the calls is wrong."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import beta

from exoclassify.methods.heads import MAX_WRONG
from exoclassify.typing import Codes, Floats

__all__ = ["call_limits", "strictest"]


def call_limits(p: Floats, y: Codes, batch: Codes, *, bounded: bool = False) -> Floats:
    """Find the lowest probability from which on calls are right often enough, for each of `MAX_WRONG`.

    Parameters
    ----------
    p : ndarray of shape (n_samples, n_states)
        Held-out answers.
    y, batch : ndarray of shape (n_samples,)
        Codes.
    bounded : bool
        Also ask that the upper 80 % bound of the share wrong (Clopper and Pearson) is at most twice what is allowed: where few
        samples carry the figure.

    Returns
    -------
    ndarray of shape (len(MAX_WRONG),)
        inf where none is right often enough.

    Notes
    -----
    Selective classification: from the limit on at most the stated share of the calls is wrong, over all samples; and over
    batches the mean of (wrong + share) / (called + 1), one standard error added, is at most that share as well.
    """
    best = p.max(axis=1)
    order = np.argsort(-best, kind="stable")
    wrong = (p.argmax(axis=1) != y)[order].astype(np.float64)
    inside = batch[order][:, None] == np.unique(batch)[None, :]
    called = np.cumsum(inside, axis=0).astype(np.float64)
    wrongly = np.cumsum(inside * wrong[:, None], axis=0)
    pooled = wrongly.sum(axis=1) / called.sum(axis=1)
    last = np.r_[best[order][1:] < best[order][:-1], True]  # equal probabilities are called together
    n_called, n_wrong = called.sum(axis=1), wrongly.sum(axis=1)
    bound = beta.ppf(0.8, n_wrong + 1, np.maximum(n_called - n_wrong, 1e-9))
    limits = np.full(len(MAX_WRONG), math.inf)
    for i, share in enumerate(MAX_WRONG):
        each = (wrongly + share) / (called + 1)
        n = each.shape[1]
        mean = each.mean(axis=1)
        error = each.std(axis=1, ddof=1) / math.sqrt(n) if n > 1 else 0.0
        kept = last & (pooled <= share + 1e-12) & (mean + error <= share + 1e-12 if n > 1 else True)
        if bounded:
            kept &= bound <= 2 * share + 1e-12
        if kept.any():
            limits[i] = best[order][np.flatnonzero(kept)[-1]]
    return limits


def strictest(*limits: Floats) -> Floats:
    """Give the highest limit for each share.

    Parameters
    ----------
    *limits : ndarray of shape (len(MAX_WRONG),)
        As `call_limits` gives them.

    Returns
    -------
    ndarray of shape (len(MAX_WRONG),)
    """
    result: Floats = np.max(limits, axis=0)
    return result
