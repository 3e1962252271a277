"""The weights of layers and the calibration of their fused log-odds, from samples that each layer was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from exoclassify.learning.calibration import HeldOut, calibrated
from exoclassify.methods.fusion import fused, trusted
from exoclassify.methods.heads import Calibration
from exoclassify.methods.offsets import batch_mix
from exoclassify.typing import Codes, Floats, Mask

__all__ = ["Fusion", "LayerHeldOut", "calibrated_layers", "fit_weights"]

_EQUAL = 30.0
"""Penalty on half the squared distance of the weights from their mean, in units of a sample's log-likelihood. Of 1, 3, 10, 30 and
100 on simulated log-odds (layers alike, independent, of unequal worth, one of noise; 60 and 150 samples) 10 to 100 were within
.004 in log-loss of each other, and 1 up to .006 worse."""

_AVERAGE = 1.0
"""Penalty on half the squared distance of the sum of the weights from 1, which is the average of layers that say the same."""

_FEWEST = 5
"""Samples of each state that have all layers of a set; with fewer its weights are equal and add up to 1."""


@dataclass(frozen=True, eq=False)
class LayerHeldOut:
    """Held-out scores of one layer.

    Parameters
    ----------
    rows : ndarray of int
        Positions, among all samples, of those that have the layer.
    trained : HeldOut
        Of these, by stratified folds.
    new_rows : ndarray of int
        Positions of those in batches that could be left out.
    new : HeldOut or None
        Of these, by batches.
    """

    rows: Codes
    trained: HeldOut
    new_rows: Codes
    new: HeldOut | None


@dataclass(frozen=True, eq=False)
class Fusion:
    """What makes one answer of several layers.

    Parameters
    ----------
    weights, residuals, calibration, able
        As in `exoclassify.model.layered.LayeredBlend`.
    """

    weights: Floats
    residuals: tuple[Floats, ...]
    calibration: Calibration
    able: Mask


def calibrated_layers(
    layers: Sequence[Calibration],
    held: Sequence[LayerHeldOut],
    y: Codes,
    groups: Codes,
    batch: Codes,
    n_batches: int,
    prevalence: Floats,
    names: Sequence[str],
) -> Fusion:
    """Learn the weights of each set of layers, for batches trained on and for new ones, and calibrate what they add up to.

    Parameters
    ----------
    y, groups, batch : ndarray of shape (n_samples,)
        Codes of all samples.
    n_batches : int
        Batch codes run below it.
    prevalence : ndarray of shape (n_states,)
        Of all samples.
    """
    known = tuple(np.sort((one.trained if one.new is None else one.new).residuals) for one in held)
    found, weights = [], []
    able = np.ones(2 ** len(layers), dtype=bool)
    for of_new in (False, True):
        log_odds, residuals = _side_by_side(layers, held, len(y), new=of_new)
        rows = np.flatnonzero(~np.isnan(log_odds[:, :, 0]).all(axis=0))
        if len(np.unique(y[rows])) < len(prevalence):  # of new batches, where none could be left out
            continue
        own, residuals = log_odds[:, rows], residuals[:, rows]
        weights.append(fit_weights(own, y[rows], batch[rows], n_batches, prevalence))
        if not of_new:
            able = _able(own, weights[0], y[rows], prevalence)
        read = trusted(residuals, known)
        blended = fused(np.where(read[:, :, None], own, np.nan), weights[-1])
        # By `unusual` a sample's tail stands for itself: against these its conformal p-value is that of its layers.
        unlike = -np.log(np.arange(1, len(rows) + 1) / (len(rows) + 1)) - 1e-9
        found.append(HeldOut(blended[None], unlike, y[rows], groups[rows], batch[rows], n_batches))
    calibration = calibrated(
        found[0], found[1] if len(found) > 1 else None, prevalence, names, np.ones(1), temperature=None
    )
    alone = 1 << np.arange(len(layers))
    for head, own in zip(calibration.heads, weights[::-1], strict=True):
        # A layer alone was calibrated by itself; what the fused log-odds are stretched by is not for it.
        own[alone] /= max(head.factors[0] * (head.map - head.map.mean(axis=0)).trace() / (len(prevalence) - 1), 0.1)
    return Fusion(np.stack(weights[::-1]), known, calibration, able)


def _able(log_odds: Floats, weights: Floats, y: Codes, prevalence: Floats) -> Mask:
    """Say which sets of layers answer held-out samples better than guessing; one that no sample has is given the benefit."""
    n_layers, able = len(log_odds), np.ones(2 ** len(log_odds), dtype=bool)
    for code in range(1, 2**n_layers):
        layers = np.flatnonzero(code >> np.arange(n_layers) & 1)
        rows = np.flatnonzero(~np.isnan(log_odds[layers, :, 0]).any(axis=0))
        if len(rows):
            eta = np.einsum("l,lnk->nk", weights[code, layers], log_odds[np.ix_(layers, rows)]) + np.log(prevalence)
            gain = log_softmax(eta, axis=1)[np.arange(len(rows)), y[rows]] - np.log(prevalence[y[rows]])
            able[code] = gain.mean() > 0
    return able


def _side_by_side(
    layers: Sequence[Calibration], held: Sequence[LayerHeldOut], n: int, *, new: bool
) -> tuple[Floats, Floats]:
    """Held-out log-odds (n_layers, n_samples, n_states) and residuals (n_layers, n_samples), NaN where there are none."""
    log_odds, residuals = np.full((len(layers), n, len(layers[0].some.mix)), np.nan), np.full((len(layers), n), np.nan)
    for i, (layer, one) in enumerate(zip(layers, held, strict=True)):
        rows, scores = (one.new_rows, one.new) if new else (one.rows, one.trained)
        if scores is not None:
            head = layer.heads[0 if new else -1]
            log_odds[i, rows] = head.log_odds(np.einsum("m,mnk->nk", head.factors, scores.scores))
            residuals[i, rows] = scores.residuals
    return log_odds, residuals


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
