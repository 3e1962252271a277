"""The offset of a new site, learned from its own samples: unlabelled with a stated mix, labelled, or controls only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from exoclassify.learning.calibration import loads_of
from exoclassify.methods.heads import Batches, Head

__all__ = ["offset_nodes"]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

_CHAINS, _STEPS = 100, 40
_STATED, _UNKNOWN = 40.0, 10.0
"""Samples' worth of belief in a stated mix, and in that of training where none was stated."""


def offset_nodes(
    head: Head, held_out: Batches, w: Floats, *, mix: Floats, stated: bool, labels: Codes | None = None, seed: int = 0
) -> Floats:
    """Draw offsets of a site from what its samples make of them.

    Parameters
    ----------
    head : Head
        That answers in new batches.
    held_out : Batches
        The spread of offsets in training.
    w : ndarray of shape (n_local, n_dims)
        White scores of the site's samples.
    mix : ndarray of shape (n_states,)
        Shares of the states at the site, or of training.
    stated : bool
        Whether somebody said so.
    labels : ndarray of shape (n_local,), optional
        State codes; -1 = not known.
    seed : int
        Of the draws.

    Returns
    -------
    ndarray of shape (2 * 100, n_dims)

    Notes
    -----
    Gibbs sampling: labels given offset and mix; mix given labels; offset given labels; its spread given the offset.
    """
    rng = np.random.default_rng(seed)
    n, d = w.shape
    n_states = len(mix)
    known = np.full(n, -1) if labels is None else labels
    fixed = known >= 0
    tau = rng.choice(held_out.tau, _CHAINS, p=held_out.tau_weight)
    offset = rng.normal(size=(_CHAINS, d)) * tau[:, None]
    share = np.repeat(mix[None, :], _CHAINS, axis=0)
    alpha = _STATED * (mix + 0.02) if stated else _UNKNOWN * mix
    eta = head.of_white(w)
    log_weight = np.log(np.maximum(held_out.tau_weight, 1e-300))
    kept = []
    for step in range(_STEPS):
        pull = np.log(loads_of(head, offset))  # (n_states, n_chains)
        p = softmax(eta[None] + pull.T[:, None, :] + np.log(np.maximum(share, 1e-12))[:, None, :], axis=2)
        drawn = (p.cumsum(axis=2) < rng.random((_CHAINS, n, 1))).sum(axis=2)
        y = np.where(fixed, known, np.minimum(drawn, n_states - 1))
        counts = (y[:, :, None] == np.arange(n_states)).sum(axis=1)
        share = rng.standard_gamma(alpha + counts)
        share /= share.sum(axis=1, keepdims=True)
        apart = (w[None] - head.means[y]).sum(axis=1)
        precision = n + 1 / tau**2
        offset = apart / precision[:, None] + rng.normal(size=(_CHAINS, d)) / np.sqrt(precision)[:, None]
        square = (offset**2).sum(axis=1)
        fit = log_weight - d * np.log(held_out.tau) - square[:, None] / (2 * held_out.tau**2)
        cumulative = softmax(fit, axis=1).cumsum(axis=1)
        tau = held_out.tau[np.minimum((cumulative < rng.random((_CHAINS, 1))).sum(axis=1), len(held_out.tau) - 1)]
        if step in (_STEPS // 2, _STEPS - 1):
            kept.append(offset)
    return np.concatenate(kept)
