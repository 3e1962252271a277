"""Late fusion: calibrated log-odds of layers over the prior, added up with weights for each set of layers that is there.

A layer that is missing adds nothing. The weights of a set of layers are learned on held-out samples that have all of them, the
other layers left out of sight: so each set is answered as well as its layers allow, whatever else was measured in training.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from exoclassify.methods.conformal import conformal_p
from exoclassify.typing import Codes, Floats, Mask

__all__ = ["code_of", "fused", "named", "set_codes", "trusted", "unusual"]


_NOTHING = 1e-9
"""Largest held-out residual of a layer of so few columns that nothing is left unexplained: it tells nothing of novelty."""

_STRANGE = 0.05
"""Share of held-out samples as unlike the others as this; the default of the recipe's `novelty_alpha`."""


def set_codes(present: Mask) -> Codes:
    """Give each sample the number of its set of layers, by `present` (n_samples, n_layers): bit l of it is layer l."""
    return present.astype(np.intp) @ (1 << np.arange(present.shape[1], dtype=np.intp))


def code_of(names: Iterable[str], of: Sequence[str]) -> int:
    """Give the number of a set of layers by their names, among all of a model."""
    return sum(1 << of.index(name) for name in set(names))


def named(code: int, of: Sequence[str]) -> tuple[str, ...]:
    """Name the layers of a set, in the model's order."""
    return tuple(name for i, name in enumerate(of) if code >> i & 1)


def fused(log_odds: Floats, weights: Floats) -> Floats:
    """Add up layers: log-odds (n_layers, n_samples, n_states), NaN where a sample lacks the layer, and weights by `set_codes`.

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

    Residuals are of shape (n_layers, n_samples), NaN where a sample lacks the layer, `known` those of training, sorted.
    """
    usual = np.stack(
        [
            (conformal_p(reference, each) > _STRANGE) | (reference[-1] <= _NOTHING)
            for each, reference in zip(residuals, known, strict=True)
        ]
    )
    there = ~np.isnan(residuals)
    usual &= there
    return np.where(usual.any(axis=0), usual, there)


def unusual(residuals: Floats, known: Sequence[Floats]) -> Floats:
    """Say how unusual samples are by their most unusual layer, on a scale that does not depend on which layers are there.

    ``-log`` of the smallest upper tail, times the number of layers (Bonferroni); 0 without any layer. It goes on rising beyond
    the largest residual known, so that samples of a new batch still differ. Arguments as in `trusted`.
    """
    tails = np.full(residuals.shape, -np.inf)
    for own, each, reference in zip(tails, residuals, known, strict=True):
        there, n = ~np.isnan(each), len(reference)
        if reference[-1] <= _NOTHING:
            own[there] = 0.0
            continue
        below = np.interp(each[there], np.concatenate([[0.0], reference]), np.arange(n + 1) / (n + 1))
        own[there] = -np.log1p(-below) + np.maximum(each[there] / reference[-1] - 1, 0.0)
    layers = np.maximum((~np.isnan(residuals)).sum(axis=0), 1)
    return np.where(np.isnan(residuals).all(axis=0), 0.0, tails.max(axis=0) - np.log(layers))
