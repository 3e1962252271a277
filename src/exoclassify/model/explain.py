"""Which molecules moved an answer, and by how much: exact contributions in log-odds that add up to the score."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from exoclassify.methods.learners.linear import Linear
from exoclassify.methods.learners.ratios import Ratios
from exoclassify.methods.learners.trees import Boosted, Forest
from exoclassify.methods.tree_shapley import LeafBoxes
from exoclassify.model.blend import Blend, FittedBlend
from exoclassify.model.layered import LayeredBlend

if TYPE_CHECKING:
    from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Use
from exoclassify.typing import Floats

__all__ = ["Mover", "against_rest", "contributions", "of_blend", "of_row", "top"]


_Voice = Callable[[Floats], tuple[Floats, Floats]]

_KNOWN: weakref.WeakKeyDictionary[FittedBlend, tuple[_Voice, ...]] = weakref.WeakKeyDictionary()
"""Voices laid out for explaining; that takes longer than an explanation, and a service explains one sample at a time."""


@dataclass(frozen=True)
class Mover:
    """One molecule that moved one answer.

    Parameters
    ----------
    molecule : str
        Canonical name.
    log_odds : float
        How far it moved the state's log-odds against the mean of the other states; above 0 is towards the state.
    value : float
        What was measured, in the model's unit; NaN = not measured, and the filled-in value moved the answer.
    state : str
        The state it is told of: the most probable one of that sample.
    """

    molecule: str
    log_odds: float
    value: float
    state: str


def contributions(bundle: ModelBundle, X: Floats, head: int = 0) -> tuple[Floats, Floats]:
    """Split the calibrated log-odds of each sample among the molecules of the panel.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        Raw values in the panel's order and unit, as `Panel.values` gives them; NaN = not measured.
    head : int
        Whose log-odds, see `Place.head`: that of unknown batches and sites, or that of batches trained on.

    Returns
    -------
    contributions : ndarray of shape (n_samples, n_molecules, n_states)
        In log-odds; only differences between states mean anything.
    base : ndarray of shape (n_samples, n_states)
        The log-odds of a sample of which nothing is known but which layers it has, in a batch without an offset: the offset
        and the mix of a place move this constant alone. ``base + contributions.sum(axis=1)`` is what the compiled scorer
        gives, to 1e-9 (to 1e-6 where XGBoost votes, which adds its trees up in single precision).

    Notes
    -----
    Linear voices and log-ratios: weight times distance from the training mean, which is their Shapley value if molecules are
    taken as independent (Štrumbelj & Kononenko 2014, doi 10.1007/s10115-013-0679-x). Trees: path-dependent TreeSHAP, see
    `exoclassify.methods.tree_shapley`. A forest's votes pass through a logarithm; the votes are split, and each part is carried
    through it by the slope of the chord from base to sample, which is Aumann and Shapley's value along the straight path.
    The voices are then added up as the blend adds them. What a molecule adds is what this model made of it, not what it
    does in the body. Two molecules that move together share the credit as the voices shared the weight.
    """
    return of_blend(bundle.blend, X, head)


def of_blend(blend: Blend, X: Floats, head: int = 0) -> tuple[Floats, Floats]:
    """Split the log-odds of a blend that is not, or not yet, in a bundle."""
    X = np.ascontiguousarray(X, dtype=np.float64)
    if isinstance(blend, LayeredBlend):
        return _of_layers(blend, X, head)
    assert isinstance(blend, FittedBlend)
    views = blend.views.of(X) if len(X) else {"log": X, "damped": X, "ranks": X}
    total = np.zeros((*X.shape, len(blend.states)))
    chosen = blend.calibration.heads[head]
    base = chosen.shift.copy()
    for factor, member, voice in zip(chosen.factors, blend.members, _voices(blend), strict=True):
        spread = factor * chosen.map.T
        if spread.any():
            parts, constant = voice(views[member.learner.view])
            total += parts @ spread
            base += constant @ spread
    return total, np.broadcast_to(base, (len(X), len(base)))


def _of_layers(blend: LayeredBlend, X: Floats, head: int) -> tuple[Floats, Floats]:
    """Split the fused log-odds: each layer's own parts, times its weight; those of a missing layer are 0."""
    chosen, shares = blend.calibration.heads[head], blend.shares(X, head)
    spread = chosen.factors[0] * chosen.map.T
    total = np.zeros((*X.shape, len(blend.states)))
    base = np.broadcast_to(chosen.shift, (len(X), len(blend.states))).copy()
    for layer, columns, share in zip(blend.layers, blend.columns(), shares.T, strict=True):
        rows = np.flatnonzero(share > 0)
        if len(rows):
            own = range(len(layer.calibration.heads))[blend.own_head(head)]
            parts, start = of_blend(layer, X[rows, columns], own)
            total[rows, columns] = share[rows, None, None] * (parts @ spread)
            base[rows] += share[rows, None] * (start @ spread)
    return total, base


def top(
    bundle: ModelBundle, X: Floats, n: int, use: Use | None = None, batches: Sequence[str] | None = None
) -> list[tuple[Mover, ...]]:
    """Name the molecules that moved each answer most.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        Raw values in the panel's order.
    use, batches
        As in `ModelBundle.predict`: they say whose log-odds are split, and the state that is told of, the best guess.

    Returns
    -------
    list of tuple of Mover
        One tuple a sample, the strongest first; molecules that moved nothing are left out.
    """
    use = Use() if use is None else use
    names = [use.batch] * len(X) if batches is None else batches
    heads = [bundle.blend.place(replace(use, batch=name))[0].head for name in names]
    states = bundle.judge(bundle.measure(X), use, batches).probabilities.argmax(axis=1).tolist()
    # One at a time: the whole table of contributions is never held.
    return [of_row(bundle, *one, n)[0] for one in zip(X, heads, states, strict=True)]


def of_row(bundle: ModelBundle, row: Floats, head: int, state: int, n: int) -> tuple[tuple[Mover, ...], float, float]:
    """Name the molecules that moved one answer most, and what is left to make up its score.

    Parameters
    ----------
    row : ndarray of shape (n_molecules,)
        Raw values in the panel's order.

    Returns
    -------
    base, others : float
        Log-odds of a sample of which nothing is known, and what all other molecules moved together.
    """
    parts, base = contributions(bundle, row[None, :], head)
    moved = against_rest(parts[0], state)
    strongest = [j for j in np.argsort(-np.abs(moved), kind="stable")[:n].tolist() if moved[j] != 0]
    movers = tuple(
        Mover(bundle.panel.molecules[j], float(moved[j]), float(row[j]), bundle.states[state]) for j in strongest
    )
    others = float(moved.sum() - sum(mover.log_odds for mover in movers))
    return movers, float(against_rest(base[0], state)), others


def against_rest(log_odds: Floats, state: int) -> Floats:
    """Turn log-odds of all states into those of one state against the mean of the others.

    Parameters
    ----------
    log_odds : ndarray of shape (…, n_states)
        Log-odds, or contributions to them.

    Returns
    -------
    ndarray of shape (…,)
        Of two states this is the usual logit.
    """
    others = np.delete(log_odds, state, axis=-1).mean(axis=-1)
    result: Floats = log_odds[..., state] - others
    return result


def _voices(blend: FittedBlend) -> tuple[_Voice, ...]:
    known = _KNOWN.get(blend)
    if known is None:
        known = tuple(_laid_out(member.learner, blend) for member in blend.members)
        _KNOWN[blend] = known
    return known


def _laid_out(learner: Linear | Ratios | Forest | Boosted, blend: FittedBlend) -> _Voice:
    if isinstance(learner, Linear):
        return partial(_linear, *learner.folded(), learner.mean)
    if isinstance(learner, Ratios):
        folded = learner.folded(len(blend.novelty.mean))
        return partial(_linear, *folded, _ratio_reference(learner, blend))
    if isinstance(learner, Forest):
        return partial(_forest, LeafBoxes.of(learner.trees))
    return partial(_boosted, LeafBoxes.of(learner.trees()))


def _linear(matrix: Floats, shift: Floats, reference: Floats, V: Floats) -> tuple[Floats, Floats]:
    return (V - reference)[:, :, None] * matrix.T[None, :, :], shift + matrix @ reference


def _boosted(boxes: LeafBoxes, V: Floats) -> tuple[Floats, Floats]:
    return _symmetric(boxes.shapley(V)), _symmetric(boxes.base)


def _forest(boxes: LeafBoxes, V: Floats) -> tuple[Floats, Floats]:
    """Split the votes, and carry the parts through the logarithm of ``Forest.link``."""
    votes, start = boxes.shapley(V), boxes.base + 0.5
    share = np.maximum(votes.sum(axis=1) / start, -1 + 0.5 / start)  # votes are never below 0
    near = np.abs(share) < 1e-8
    slope = np.where(near, 1 - share / 2, np.log1p(share) / np.where(near, 1.0, share)) / start
    return _symmetric(votes * slope[:, None, :]), _symmetric(np.log(start))


def _ratio_reference(learner: Ratios, blend: FittedBlend) -> Floats:
    """Mean of each molecule in the learner's view, such that the means of the ratios are the learner's own."""
    log = blend.novelty.mean
    start: Floats = log if learner.view == "log" else np.logaddexp2(log, blend.views.damping)
    used, places = np.unique(np.r_[learner.numerators, learner.denominators], return_inverse=True)
    pairs, n = places.reshape(2, -1), len(learner.mean)
    design = np.zeros((n, len(used)))
    design[np.arange(n), pairs[0]] += 1.0
    design[np.arange(n), pairs[1]] -= 1.0
    reference = start.copy()
    if n:
        off = learner.mean - design @ start[used]
        reference[used] += np.linalg.lstsq(design, off, rcond=None)[0]
    return reference


def _symmetric(values: Floats) -> Floats:
    """Centre over states; a single column becomes two, as `linear.symmetric` makes of scores."""
    if values.shape[-1] == 1:
        return np.concatenate([-values / 2, values / 2], axis=-1)
    centred: Floats = values - values.mean(axis=-1, keepdims=True)
    return centred
