"""The weights of layers and the calibration of their fused log-odds, from samples that each layer was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exoclassify.learning.calibration import HeldOut, calibrated
from exoclassify.methods.fusion import fit_weights, fused, trusted
from exoclassify.methods.heads import Calibration
from exoclassify.typing import Codes, Floats

__all__ = ["Fusion", "LayerHeldOut", "calibrated_layers"]


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
    """What makes one answer of several layers; see `exoclassify.model.layered.LayeredBlend`."""

    weights: Floats
    residuals: tuple[Floats, ...]
    calibration: Calibration


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
    layers : sequence of Calibration
        Of each layer.
    held : sequence of LayerHeldOut
        Their held-out scores.
    y, groups, batch : ndarray of shape (n_samples,)
        Codes of all samples.
    n_batches : int
        Batch codes run below it.
    prevalence : ndarray of shape (n_states,)
        Of all samples.
    names : sequence of str
        Of the batches, as for `calibrated`.
    """
    known = tuple(np.sort((one.trained if one.new is None else one.new).residuals) for one in held)
    found, weights = [], []
    for of_new in (False, True):
        log_odds, residuals = _side_by_side(layers, held, len(y), new=of_new)
        rows = np.flatnonzero(~np.isnan(log_odds[:, :, 0]).all(axis=0))
        if len(np.unique(y[rows])) < len(prevalence):  # of new batches, where none could be left out
            continue
        own, residuals = log_odds[:, rows], residuals[:, rows]
        weights.append(fit_weights(own, y[rows], batch[rows], n_batches, prevalence))
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
    return Fusion(np.stack(weights[::-1]), known, calibration)


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
