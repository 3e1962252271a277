"""The offset of a new site, learned from its own samples: unlabelled with a stated mix, labelled, or controls only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from exoclassify.learning.calibration import loads_of, place_of
from exoclassify.methods.heads import Batches, Calibration, Head, Place, mixed
from exoclassify.typing import Codes, Floats

__all__ = ["Local", "offset_nodes", "site_place"]


_CHAINS, _STEPS = 100, 40
_STATED, _UNKNOWN = 40.0, 10.0
"""Samples' worth of belief in a stated mix, and in that of training where none was stated."""


_REHEARSALS = 4
_FEWEST_LEFT = 8


@dataclass(frozen=True, eq=False)
class Local:
    """What is known of the samples of a site.

    Parameters
    ----------
    w : ndarray of shape (n_local, n_dims)
        White scores.
    mix : ndarray of shape (n_states,)
        Shares of the states there: stated, or those of training.
    stated : bool
        Whether somebody said so.
    labels : ndarray of shape (n_local,)
        State codes; -1 = not known.
    """

    w: Floats
    mix: Floats
    stated: bool
    labels: Codes


def site_place(known: Calibration, local: Local, prevalence: Floats, *, seed: int = 0) -> Place:
    """Describe a new site by what its samples say of its offset.

    Parameters
    ----------
    prevalence : ndarray of shape (n_states,)
        Of training.

    Returns
    -------
    Place
        Sets and calls rest on training batches that were left out and given the same kind of profile; where there are none,
        or the unknown batch is closed, nothing is called.
    """
    held = known.held_out
    assert held is not None
    head = known.heads[0]
    nodes = offset_nodes(head, held, local, seed=seed)
    rehearsed = _rehearsed(head, held, local, prevalence, seed)
    unknown = known.unknown
    closed = unknown.closed or ("" if rehearsed else "no-evidence")
    held_out = [rehearsed] if rehearsed else [_as_unknown(known, held, prevalence)]
    useless = unknown.untested if unknown.closed else min(unknown.untested, 0.5)
    return place_of(
        head, 0, nodes, held_out, unknown.novelty, prevalence,
        untested=useless, closed=closed, mix=local.mix if local.stated else prevalence, bounded=True,
    )  # fmt: skip


def _as_unknown(known: Calibration, held: Batches, prevalence: Floats) -> tuple[Floats, Codes, Codes]:
    p = known.unknown.mixed(known.heads[0].of_white(held.w), np.log(prevalence))
    return p, held.y, held.batch


def _rehearsed(
    head: Head, held: Batches, local: Local, prevalence: Floats, seed: int
) -> tuple[Floats, Codes, Codes] | None:
    """Give every left-out batch the same kind of profile, from as many samples, and answer for its others."""
    if not len(held.evidence):
        return None
    rng = np.random.default_rng(seed + 1)
    parts = []
    for batch in np.unique(held.batch):
        rows = np.flatnonzero(held.batch == batch)
        n = min(len(local.w), len(rows) - _FEWEST_LEFT)
        if n < 2:
            continue
        counts = np.bincount(held.y[rows], minlength=len(prevalence)) + 1e-3
        mix = np.asarray(counts / counts.sum(), dtype=np.float64)
        for repeat in range(_REHEARSALS):
            chosen = _like(local, held.y[rows], n, rng)
            if chosen is None:
                continue
            own, rest = rows[chosen], np.delete(rows, chosen)
            labels = np.where(_labelled(local, held.y[own], rng), held.y[own], -1)
            there = Local(held.w[own], mix if local.stated else local.mix, local.stated, labels)
            nodes = offset_nodes(head, held, there, seed=seed + 17 * repeat)
            p = mixed(head.of_white(held.w[rest]) + np.log(prevalence), loads_of(head, nodes))
            parts.append((p, held.y[rest], np.full(len(rest), batch)))
    if not parts:
        return None
    p, y, code = (np.concatenate(column) for column in zip(*parts, strict=True))
    return p, y, code


def _like(local: Local, y: Codes, n: int, rng: np.random.Generator) -> Codes | None:
    """Draw samples of a batch such as the site gave: of the states that it labelled, if it labelled all."""
    given = local.labels[local.labels >= 0]
    if len(given) < len(local.labels):
        return np.sort(rng.choice(len(y), n, replace=False))
    able = np.flatnonzero(np.isin(y, given))
    n = min(n, len(able))
    return None if n < 2 or len(able) == len(y) == n else np.sort(rng.choice(able, n, replace=False))


def _labelled(local: Local, y: Codes, rng: np.random.Generator) -> NDArray[np.bool_]:
    share = float((local.labels >= 0).mean()) if len(local.labels) else 0.0
    return np.asarray(rng.random(len(y)) < share)


def offset_nodes(head: Head, held_out: Batches, local: Local, *, seed: int = 0) -> Floats:
    """Draw offsets of a site from what its samples make of them.

    Returns
    -------
    ndarray of shape (2 * 100, n_dims)

    Notes
    -----
    Gibbs sampling: labels given offset and mix; mix given labels; offset given labels; its spread given the offset.
    """
    rng = np.random.default_rng(seed)
    w, mix, known = local.w, local.mix, local.labels
    n, d = w.shape
    n_states = len(mix)
    fixed = known >= 0
    tau = rng.choice(held_out.tau, _CHAINS, p=held_out.tau_weight)
    offset = rng.normal(size=(_CHAINS, d)) * tau[:, None]
    share = np.repeat(mix[None, :], _CHAINS, axis=0)
    alpha = _STATED * (mix + 0.02) if local.stated else _UNKNOWN * mix
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
