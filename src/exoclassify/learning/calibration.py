"""Heads and places from held-out scores: the one calibration for known batches, unknown batches and new sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, qmc

from exoclassify.learning.calling import call_limits, strictest
from exoclassify.methods.conformal import ClassConditionalSets
from exoclassify.methods.heads import Batches, Calibration, Head, Place, mixed
from exoclassify.methods.offsets import Offsets, batch_mix, fit_link, fit_scale, offsets_of, whitening
from exoclassify.typing import Codes, Floats

__all__ = ["HeldOut", "calibrated", "fresh", "loads_of", "place_of"]


_NODES = 256
_REPLICATES = 12
_CARRIES = 3.0
"""Log Bayes factor of a batch in which the scores say something: 20 to 1."""

_BETA = 0.05
_UNTESTED = 0.5


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Scores of training samples by learners that were not trained on them.

    Parameters
    ----------
    scores : ndarray of shape (n_members, n_samples, n_states)
        Of each learner.
    residuals : ndarray of shape (n_samples,)
        Novelty.
    y, groups, batch : ndarray of shape (n_samples,)
        Codes; without batches all are of batch 0.
    n_batches : int
        Batch codes run below it.
    """

    scores: Floats
    residuals: Floats
    y: Codes
    groups: Codes
    batch: Codes
    n_batches: int


@dataclass(frozen=True, eq=False)
class _Fit:
    """A head, and what it says of the samples that it was fitted on."""

    head: Head
    offsets: Offsets
    w: Floats
    gamma: float


def calibrated(
    trained: HeldOut,
    new: HeldOut | None,
    prevalence: Floats,
    names: Sequence[str],
    shares: Floats,
    temperature: float | None,
) -> Calibration:
    """Fit both heads and describe every place that is known from training.

    Parameters
    ----------
    trained : HeldOut
        By stratified folds: samples of batches that the learners were trained on.
    new : HeldOut or None
        By batches left out as wholes; None where that was not possible.
    prevalence : ndarray of shape (n_states,)
        Of the training samples.
    shares : ndarray of shape (n_members,)
        Of the members before anything is learned.
    temperature : float or None
        How strongly held-out losses move the shares; None for not at all.
    """
    known = _fitted(trained, prevalence, shares, temperature)
    heads: tuple[Head, ...] = (known.head,)
    at = 0
    if new is None:
        unknown = _never_tested(known, trained, prevalence)
        held_out = _held_out(known, trained, np.empty(0))
    else:
        other = _fitted(new, prevalence, shares, temperature)
        heads, at = (other.head, known.head), 1
        evidence = _evidence(other, new, prevalence)
        held_out = _held_out(other, new, evidence)
        unknown = _unknown(other, new, prevalence, evidence)
    present = np.unique(trained.batch)
    own = [_nodes_of(known.offsets, [code], np.array([1.0]), known.head.means.shape[1]) for code in present]
    counts = np.bincount(trained.batch, minlength=trained.n_batches)[present].astype(np.float64)
    together = _nodes_of(known.offsets, present, counts / counts.sum(), known.head.means.shape[1])
    eta = known.head.of_white(known.w) + np.log(prevalence)
    closed = "" if known.gamma > 0 else "no-evidence"
    p = np.empty_like(eta)
    for code, nodes in zip(present, own, strict=True):
        rows = trained.batch == code
        p[rows] = mixed(eta[rows], loads_of(known.head, nodes))
    averaged = mixed(eta, loads_of(known.head, together))
    places = [
        place_of(known.head, at, nodes, [(p, trained.y, trained.batch)], trained.residuals, prevalence, closed=closed)
        for nodes in own
    ]
    some = place_of(
        known.head, at, together, [(averaged, trained.y, trained.batch)], trained.residuals, prevalence, closed=closed
    )
    named = tuple(names[code] for code in present) if names else ()
    return Calibration(heads, named, tuple(places) if names else (), some, unknown, held_out)


def _fitted(held: HeldOut, prevalence: Floats, shares: Floats, temperature: float | None) -> _Fit:
    mix = batch_mix(held.y, held.batch, held.n_batches, prevalence)
    fits = [fit_scale(s, held.y, held.batch, mix, prevalence) for s in held.scores]
    scales, losses = (np.array(column) for column in zip(*fits, strict=True))
    weights = shares.copy()
    if temperature is not None:
        weights = weights * np.exp(-(losses - losses.min()) * len(np.unique(held.groups)) / temperature)
    weights = weights / weights.sum()
    factors = weights * scales
    blended = np.einsum("m,mnk->nk", factors, held.scores)
    k = len(prevalence)
    white = whitening(blended, held.y, held.batch)
    if white is None:
        white = np.zeros((k - 1, k))
    w = blended @ white.T
    offsets = offsets_of(w, held.y, held.batch, held.n_batches, k)
    link = fit_link(w - offsets.offsets[held.batch], offsets.means, held.y, np.log(mix)[held.batch])
    root = np.sqrt(link.gamma)
    means = root * offsets.means
    shift = link.constant - (means**2).sum(axis=1) / 2
    counts = np.bincount(held.batch, minlength=held.n_batches).astype(np.float64)
    # Given the means: they move with the offsets, and what an answer needs is their sum.
    variance = (1 / (counts[:, None] + 1 / offsets.tau[None, :] ** 2)) @ offsets.weight
    scaled = Offsets(means, root * offsets.offsets, link.gamma * variance, root * offsets.tau, offsets.weight)
    head = Head(factors, weights, losses, root * white, means, shift)
    return _Fit(head, scaled, root * w, link.gamma if white.any() else 0.0)


def _held_out(fit: _Fit, held: HeldOut, evidence: Floats) -> Batches:
    o = fit.offsets
    return Batches(fit.w, held.y, held.batch, o.offsets, o.variance, o.tau, o.weight, evidence)


def loads_of(head: Head, nodes: Floats) -> Floats:
    """Give what offsets multiply the odds by.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes, n_dims)
        Offsets.

    Returns
    -------
    ndarray of shape (n_states, n_nodes)
    """
    result: Floats = np.exp(np.clip(-head.means @ nodes.T, -300, 300))
    return result


def _normal_nodes(n: int, d: int) -> tuple[Floats, Floats]:
    """Give standard normal nodes (2 n, d) in mirrored pairs, and beside each a uniform number; the same every time."""
    u = qmc.Sobol(d + 1, seed=7).random(n)
    u = np.clip(u, 1e-9, 1 - 1e-9)
    z = norm.ppf(u[:, :d])
    return np.concatenate([z, -z]), np.concatenate([u[:, d], u[:, d]])


def fresh(tau: Floats, weight: Floats, d: int, n: int = _NODES) -> Floats:
    """Give offsets of batches not seen, the spread itself drawn from its posterior.

    Parameters
    ----------
    tau, weight : ndarray of shape (n_grid,)
        The spread and its posterior.

    Returns
    -------
    ndarray of shape (n, d)
        In mirrored pairs, the same every time.
    """
    z, u = _normal_nodes(n // 2, d)
    drawn = tau[np.minimum(np.searchsorted(np.cumsum(weight), u), len(tau) - 1)]
    result: Floats = z * drawn[:, None]
    return result


def _nodes_of(offsets: Offsets, codes: Sequence[int] | Codes, share: Floats, d: int) -> Floats:
    """Nodes of one batch, or of several in their shares."""
    parts = []
    for code, part in zip(codes, share, strict=True):
        n = max(4, 2 ** int(np.log2(max(1.0, _NODES * part / 4))))
        z, _ = _normal_nodes(n // 2, d)
        parts.append(offsets.offsets[code] + np.sqrt(offsets.variance[code]) * z)
    return np.concatenate(parts)


def place_of(
    head: Head,
    at: int,
    nodes: Floats,
    held_out: Sequence[tuple[Floats, Codes, Codes]],
    residuals: Floats,
    prevalence: Floats,
    *,
    untested: float = 0.0,
    closed: str = "",
    mix: Floats | None = None,
    bounded: bool = False,
) -> Place:
    """Describe a place by its nodes and by answers given to held-out samples as they would be given there.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes, n_dims)
        Offsets.
    held_out : sequence of (p, y, batch)
        Each set of answers must be right often enough by itself; sets and calls keep to the strictest.
    prevalence : ndarray of shape (n_states,)
        Of training.
    """
    sets = ClassConditionalSets.fit([(p, y) for p, y, _ in held_out])
    limits = [
        call_limits((1 - untested) * p + untested * prevalence, y, batch, bounded=bounded) for p, y, batch in held_out
    ]
    return Place(
        at, nodes, loads_of(head, nodes), untested, sets, strictest(*limits), np.sort(residuals), closed,
        prevalence if mix is None else mix, at,
    )  # fmt: skip


def _never_tested(fit: _Fit, held: HeldOut, prevalence: Floats) -> Place:
    """Describe a batch not seen where no batch could be left out: the prior of the spread, and no calls."""
    nodes = fresh(fit.offsets.tau, fit.offsets.weight, fit.w.shape[1])
    p = mixed(fit.head.of_white(fit.w) + np.log(prevalence), loads_of(fit.head, nodes))
    more = _replicated(fit, held, prevalence, nodes)
    return place_of(
        fit.head,
        0,
        nodes,
        [(p, held.y, held.batch), more],
        held.residuals,
        prevalence,
        untested=_UNTESTED,
        closed="one-batch",
    )


def _unknown(fit: _Fit, held: HeldOut, prevalence: Floats, evidence: Floats) -> Place:
    nodes = fresh(fit.offsets.tau, fit.offsets.weight, fit.w.shape[1])
    p = mixed(fit.head.of_white(fit.w) + np.log(prevalence), loads_of(fit.head, nodes))
    rows = np.arange(len(held.y))
    loss, guess = -np.log(p[rows, held.y]).mean(), -np.log(prevalence[held.y]).mean()
    carries = (evidence >= _CARRIES).sum() >= 2 and loss < guess and fit.gamma > 0
    useless = _useless(evidence)
    more = _replicated(fit, held, prevalence, nodes)
    return place_of(
        fit.head,
        0,
        nodes,
        [(p, held.y, held.batch), more],
        held.residuals,
        prevalence,
        untested=useless if carries else max(useless, _UNTESTED),
        closed="" if carries else "no-evidence",
    )


def _replicated(fit: _Fit, held: HeldOut, prevalence: Floats, nodes: Floats) -> tuple[Floats, Codes, Codes]:
    """Held-out samples moved to batches with fresh offsets, and their answers there."""
    rng = np.random.default_rng(11)
    tau = rng.choice(fit.offsets.tau, (_REPLICATES, held.n_batches), p=fit.offsets.weight)
    d = fit.w.shape[1]
    moved = rng.normal(size=(_REPLICATES, held.n_batches, d)) * tau[:, :, None]
    w = np.concatenate([fit.w + (new - fit.offsets.offsets)[held.batch] for new in moved])
    batch = np.concatenate([held.batch + held.n_batches * r for r in range(_REPLICATES)])
    p = mixed(fit.head.of_white(w) + np.log(prevalence), loads_of(fit.head, nodes))
    return p, np.tile(held.y, _REPLICATES), batch


def _evidence(fit: _Fit, held: HeldOut, prevalence: Floats) -> Floats:
    """Log Bayes factor, batch by batch, of scores that carry over against scores that say nothing."""
    d, found = fit.w.shape[1], []
    mix = batch_mix(held.y, held.batch, held.n_batches, prevalence)
    for code in np.unique(held.batch):
        rows = held.batch == code
        y = held.y[rows]
        if len(np.unique(y)) < 2:
            continue
        nodes = _nodes_of(fit.offsets, [code], np.array([1.0]), d)
        p = mixed(fit.head.of_white(fit.w[rows]) + np.log(mix[code]), loads_of(fit.head, nodes))
        gain = np.log(p[np.arange(len(y)), y]) - np.log(mix[code][y])
        found.append(float(gain.sum() - d / 2 * np.log(len(y))))
    return np.array(found)


def _useless(evidence: Floats) -> float:
    """Share of batches in which the scores say nothing, by expectation and maximisation with a weak prior."""
    share = 0.5
    for _ in range(200):
        odds = share / (share + (1 - share) * np.exp(np.clip(evidence, -300, 300)))
        share = float((odds.sum() + _BETA) / (len(evidence) + 2 * _BETA))
    return share
