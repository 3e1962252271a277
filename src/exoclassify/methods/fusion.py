"""Late fusion: calibrated log-odds of layers over the prior, added up with weights for each set of layers that is there.

A layer that is missing adds nothing. The weights of a set of layers are learned on held-out samples that have all of them, the
other layers left out of sight: so each set is answered as well as its layers allow, whatever else was measured in training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from exoclassify.methods.conformal import conformal_p
from exoclassify.methods.offsets import batch_mix
from exoclassify.typing import Codes, Floats, Mask

__all__ = ["fit_weights", "fused", "set_codes", "trusted", "unusual"]


_EQUAL = 30.0
"""Penalty on half the squared distance of the weights from their mean, in the units of a sample's log-likelihood. Of 1, 3, 10, 30
and 100 on simulated layers (one of them without signal, alike, of unequal worth) 10 to 100 were within .003 in log-loss."""

_AVERAGE = 1.0
"""Penalty on half the squared distance of the sum of the weights from 1, which is the average of layers that say the same."""

_STRANGE = 0.05
"""Share of held-out samples as unlike the others as this; the default of the recipe's `novelty_alpha`."""

_FEWEST = 5
"""Samples of each state that have all layers of a set; with fewer its weights are equal and add up to 1."""


def set_codes(present: Mask) -> Codes:
    """Give each sample the number of its set of layers: bit l of the code is layer l.

    Parameters
    ----------
    present : ndarray of bool of shape (n_samples, n_layers)
        Which sample has which layer.
    """
    result: Codes = present.astype(np.intp) @ (1 << np.arange(present.shape[1], dtype=np.intp))
    return result


def fused(log_odds: Floats, weights: Floats) -> Floats:
    """Add up layers.

    Parameters
    ----------
    log_odds : ndarray of shape (n_layers, n_samples, n_states)
        NaN where a sample lacks the layer.
    weights : ndarray of shape (2 ** n_layers, n_layers)
        By `set_codes`.

    Returns
    -------
    ndarray of shape (n_samples, n_states)
        0 where a sample has no layer.
    """
    present = ~np.isnan(log_odds[:, :, 0])
    own = weights[set_codes(present.T)]
    total = np.zeros(log_odds.shape[1:])
    for layer, there in enumerate(present):  # one after the other: a sum in another order would be another number
        total[there] += own[there, layer, None] * log_odds[layer, there]
    return total


def trusted(residuals: Floats, known: Sequence[Floats]) -> Mask:
    """Say which layers of a sample are read: those that are there, but for one unlike training beside one that is not.

    Parameters
    ----------
    residuals : ndarray of shape (n_layers, n_samples)
        NaN where a sample lacks the layer.
    known : sequence of ndarray
        Held-out residuals of each layer, sorted.

    Returns
    -------
    ndarray of bool of shape (n_layers, n_samples)
    """
    usual = np.stack(
        [conformal_p(reference, each) > _STRANGE for each, reference in zip(residuals, known, strict=True)]
    )
    there = ~np.isnan(residuals)
    usual &= there
    result: Mask = np.where(usual.any(axis=0), usual, there)
    return result


def unusual(residuals: Floats, known: Sequence[Floats]) -> Floats:
    """Say how unusual samples are by their most unusual layer, on a scale that does not depend on which layers are there.

    Parameters
    ----------
    residuals : ndarray of shape (n_layers, n_samples)
        NaN where a sample lacks the layer.
    known : sequence of ndarray
        Held-out residuals of each layer, sorted.

    Returns
    -------
    ndarray of shape (n_samples,)
        ``-log`` of the smallest upper tail, times the number of layers (Bonferroni); 0 without any layer. It goes on rising
        beyond the largest residual known, so that samples of a new batch still differ.
    """
    tails = np.full(residuals.shape, -np.inf)
    for own, each, reference in zip(tails, residuals, known, strict=True):
        there, n = ~np.isnan(each), len(reference)
        below = np.interp(each[there], np.concatenate([[0.0], reference]), np.arange(n + 1) / (n + 1))
        own[there] = -np.log1p(-below) + np.maximum(each[there] / max(reference[-1], 1e-300) - 1, 0.0)
    layers = np.maximum((~np.isnan(residuals)).sum(axis=0), 1)
    return np.where(np.isnan(residuals).all(axis=0), 0.0, tails.max(axis=0) - np.log(layers))


def fit_weights(log_odds: Floats, y: Codes, batch: Codes, n_batches: int, prevalence: Floats) -> Floats:
    """Learn the weights of every set of layers on held-out samples.

    Parameters
    ----------
    log_odds : ndarray of shape (n_layers, n_samples, n_states)
        Of models that were not trained on the sample, over the prior; NaN where it lacks the layer.
    y, batch : ndarray of shape (n_samples,)
        Codes.
    n_batches : int
        Batch codes run below it.
    prevalence : ndarray of shape (n_states,)
        Of the training samples.

    Returns
    -------
    ndarray of shape (2 ** n_layers, n_layers)
        By `set_codes`; 0 for a layer that is not of the set, or that no held-out sample has: what was never tested adds
        nothing. 0 or more; 1 for a layer alone. Held back to equal shares.
    """
    n_layers, _, k = log_odds.shape
    present = ~np.isnan(log_odds[:, :, 0])
    weights = np.zeros((2**n_layers, n_layers))
    for code in range(1, 2**n_layers):
        layers = np.flatnonzero(code >> np.arange(n_layers) & present.any(axis=1))
        if not len(layers):
            continue
        weights[code, layers] = 1.0 / len(layers)
        rows = np.flatnonzero(present[layers].all(axis=0))
        if len(layers) > 1 and np.bincount(y[rows], minlength=k).min() >= _FEWEST:
            mix = np.log(batch_mix(y[rows], batch[rows], n_batches, prevalence))[batch[rows]]
            weights[code, layers] = _fitted(log_odds[np.ix_(layers, rows)], y[rows], batch[rows], n_batches, mix)
    return weights


def _fitted(S: Floats, y: Codes, batch: Codes, n_batches: int, log_mix: Floats) -> Floats:
    """Penalised logistic regression on the layers' log-odds, with an intercept for each batch where there are several."""
    m, n, k = S.shape
    target = np.full((n, k), 0.01 / k)
    target[np.arange(n), y] += 0.99
    members = np.zeros((n_batches, n))
    members[batch, np.arange(n)] = 1.0
    free = n_batches if n_batches > 1 else 0

    def loss(p: Floats) -> tuple[float, Floats]:
        w, own = p[:m], p[m:].reshape(free, k)
        eta = np.einsum("m,mnk->nk", w, S) + log_mix + (own[batch] if free else 0.0)
        wrong = softmax(eta, axis=1) - target
        apart, excess = w - w.mean(), w.sum() - 1
        value = -(target * log_softmax(eta, axis=1)).sum()
        value += (_EQUAL * apart @ apart + _AVERAGE * excess**2 + (own**2).sum()) / 2
        slope = np.einsum("mnk,nk->m", S, wrong) + _EQUAL * apart + _AVERAGE * excess
        return float(value), np.concatenate([slope, ((members[:free] @ wrong) + own).ravel()])

    start = np.concatenate([np.full(m, 1.0 / m), np.zeros(free * k)])
    bounds = [(0.0, None)] * m + [(None, None)] * (free * k)
    best: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return best[:m]
