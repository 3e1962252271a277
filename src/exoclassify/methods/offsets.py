"""The offset between batches: how far the scores of whole batches lie apart, and what that leaves to be known of a new one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cholesky, helmert, solve_triangular
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax, xlogy

from exoclassify.typing import Codes, Floats

__all__ = ["Link", "Offsets", "batch_mix", "fit_link", "fit_scale", "offsets_of", "whitening"]


_TAU = np.geomspace(0.05, 8.0, 41)
_PRIOR_MEDIAN, _PRIOR_SD = 0.9, 0.7
"""Of tau, log-normal: root-mean-square offsets of really new batches over 14 tables and settings had a median of .88 and an sd
of the log of .45; half-normal priors let tau fall far too low with three batches."""

_MIX = 2.0
"""Samples' worth of the whole cohort's mix that is added to each batch's own."""


def batch_mix(y: Codes, batch: Codes, n_batches: int, prevalence: Floats) -> Floats:
    """Mix of states in each batch (n_batches, n_states), held back towards `prevalence`, that of all samples."""
    counts = np.zeros((n_batches, len(prevalence)))
    np.add.at(counts, (batch, y), 1.0)
    result: Floats = (counts + _MIX * prevalence) / (counts.sum(axis=1, keepdims=True) + _MIX)
    return result


def fit_scale(
    scores: Floats, y: Codes, batch: Codes, mix: Floats, prevalence: Floats, penalty: float = 0.1
) -> tuple[float, float]:
    """Fit one scale of a learner's scores beside an intercept for each batch; gives it and the log-loss of what it makes of them.

    Scores are out of fold, (n_samples, n_states) with rows centred; `mix` is what `batch_mix` gives, so that a batch's own mix
    is not taken for an offset. `penalty` is on the squared scale, in units of the scores' spread: a guard against separation.
    """
    k, n_batches = scores.shape[1], len(mix)
    counts = np.bincount(y, minlength=k).astype(np.float64)
    target = np.repeat(1.0 / (counts[y] + k)[:, None], k, axis=1)  # Platt's
    target[np.arange(len(y)), y] = (counts[y] + 1) / (counts[y] + k)
    spread = float(scores.std()) or 1.0
    units = scores / spread
    given = np.log(mix / prevalence)[batch]
    free = n_batches if n_batches > 1 else 0
    members = np.zeros((free, len(y)))
    if free:
        members[batch, np.arange(len(y))] = 1.0

    def log_odds(p: Floats) -> Floats:
        shift = p[1 : 1 + k]
        own = p[1 + k :].reshape(free, k)[batch] if free else 0.0
        result: Floats = p[0] * units + shift + own + given
        return result

    def loss(p: Floats) -> tuple[float, Floats]:
        eta = log_odds(p)
        wrong = softmax(eta, axis=1) - target
        own = p[1 + k :]
        value = -(target * log_softmax(eta, axis=1)).sum() + penalty / 2 * p[0] ** 2
        value += 0.005 * penalty * p[1 : 1 + k] @ p[1 : 1 + k] + own @ own / 2
        slope = [
            [(wrong * units).sum() + penalty * p[0]],
            wrong.sum(axis=0) + 0.01 * penalty * p[1 : 1 + k],
            (members @ wrong).ravel() + own,
        ]
        return float(value), np.concatenate(slope)

    start = np.concatenate([[1.0], np.log(prevalence) - np.log(prevalence).mean(), np.zeros(free * k)])
    bounds = [(0.0, None)] + [(None, None)] * (len(start) - 1)
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-11, "gtol": 1e-7}).x
    held = -log_softmax(log_odds(best), axis=1)[np.arange(len(y)), y].mean()
    return float(best[0]) / spread, float(held)


def whitening(scores: Floats, y: Codes, batch: Codes) -> Floats | None:
    """Map (n_states - 1, n_states) that makes white what states and batches leave unexplained of scores with rows centred.

    None when the scores do not vary.
    """
    basis = helmert(scores.shape[1])
    z = scores @ basis.T
    n, d = z.shape
    design = np.hstack([_dummies(y), _dummies(batch)[:, 1:]])
    fitted, _, rank, _ = np.linalg.lstsq(design, z, rcond=None)
    left = z - design @ fitted
    covariance = left.T @ left / max(1, n - int(rank))
    level = float(np.trace(covariance)) / d
    if not level > 1e-12 * (1 + float(np.abs(z).max(initial=0.0)) ** 2):
        return None
    held = 4 * d / (n + 4 * d)
    covariance = (1 - held) * covariance + held * level * np.eye(d)
    result: Floats = solve_triangular(cholesky(covariance, lower=True), basis, lower=True)
    return result


def _dummies(codes: Codes) -> Floats:
    result: Floats = (codes[:, None] == np.unique(codes)[None, :]).astype(np.float64)
    return result


class Offsets(NamedTuple):
    """What is known of the offsets of batches, in units of the spread of samples within a batch and state.

    Parameters
    ----------
    means : ndarray of shape (n_states, n_dims)
        Of each state in a batch without an offset.
    offsets : ndarray of shape (n_batches, n_dims)
        Posterior means.
    variance : ndarray of shape (n_batches,)
        Posterior variance of each dimension.
    tau, weight : ndarray of shape (n_grid,)
        The spread of offsets on a grid, and its posterior.
    """

    means: Floats
    offsets: Floats
    variance: Floats
    tau: Floats
    weight: Floats


def offsets_of(w: Floats, y: Codes, batch: Codes, n_batches: int, n_states: int) -> Offsets:
    """Estimate means, offsets and their spread by restricted maximum likelihood, averaged over the spread.

    `w` are white scores (n_samples, n_dims), out of fold; a batch may have no sample here.

    Notes
    -----
    A mixed model on the cell means, variance ``1 / n + tau^2`` (Patterson & Thompson 1971, doi 10.1093/biomet/58.3.545), with a
    log-normal prior on tau.
    """
    cells = np.unique(np.stack([batch, y], axis=1), axis=0)
    rows = [(batch == j) & (y == k) for j, k in cells]
    mean = np.array([w[here].mean(axis=0) for here in rows])
    noise = np.array([1.0 / here.sum() for here in rows])
    X = (cells[:, 1][:, None] == np.arange(n_states)).astype(np.float64)
    Z = (cells[:, 0][:, None] == np.arange(n_batches)).astype(np.float64)
    fits = [_at(tau, mean, noise, X, Z) for tau in _TAU]
    log_posterior = np.array([fit[0] for fit in fits])
    if len(np.unique(batch)) < 2:
        log_posterior = np.zeros(len(_TAU))
    log_posterior = log_posterior - (np.log(_TAU / _PRIOR_MEDIAN) / _PRIOR_SD) ** 2 / 2
    weight = softmax(log_posterior)
    means, offsets, variance = (np.array([fit[i] for fit in fits]) for i in (1, 2, 3))
    offset = np.einsum("t,tjd->jd", weight, offsets)
    between = np.einsum("t,tjd->jd", weight, (offsets - offset) ** 2).mean(axis=1)
    return Offsets(np.einsum("t,tkd->kd", weight, means), offset, weight @ variance + between, _TAU.copy(), weight)


def _at(tau: float, mean: Floats, noise: Floats, X: Floats, Z: Floats) -> tuple[float, Floats, Floats, Floats]:
    """Restricted log-likelihood, means of states, offsets and their variance at one spread."""
    V = np.diag(noise) + tau**2 * Z @ Z.T
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    mu = np.linalg.solve(information, X.T @ inverse @ mean)
    left = mean - X @ mu
    fit = float(np.einsum("cd,ce,ed->", left, inverse, left))
    d = mean.shape[1]
    log_likelihood = -0.5 * (d * (np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1]) + fit)
    P = inverse - inverse @ X @ np.linalg.solve(information, X.T @ inverse)
    offsets: Floats = tau**2 * Z.T @ inverse @ left
    variance: Floats = tau**2 - tau**4 * np.einsum("cj,ce,ej->j", Z, P, Z)
    return float(log_likelihood), np.asarray(mu, dtype=np.float64), offsets, np.maximum(variance, 0.0)


class Link(NamedTuple):
    """``log-odds_k = gamma (w' m_k - |m_k|^2 / 2) + constant_k``.

    Parameters
    ----------
    gamma : float
        How far the log-odds of two normal distributions are to be believed, 0 or more.
    constant : ndarray of shape (n_states,)
        Summing to zero.
    """

    gamma: float
    constant: Floats


def fit_link(w: Floats, means: Floats, y: Codes, log_mix: Floats) -> Link:
    """Fit how far the log-odds of two normal distributions are to be believed.

    `w` are white scores less their batch's offset, `log_mix` (n_samples, n_states) the log of the mix of each sample's batch.
    Targets .99 (Platt's are too strong here); penalties (gamma - 1)^2 / 2 and .05 |constant|^2.
    """
    k = len(means)
    linear = w @ means.T - (means**2).sum(axis=1) / 2
    target = np.full((len(y), k), 0.01 / k)
    target[np.arange(len(y)), y] += 0.99

    def loss(p: Floats) -> tuple[float, Floats]:
        eta = p[0] * linear + p[1:] + log_mix
        wrong = softmax(eta, axis=1) - target
        value = -xlogy(target, 1.0).sum() - (target * log_softmax(eta, axis=1)).sum()
        value += (p[0] - 1) ** 2 / 2 + 0.05 * p[1:] @ p[1:]
        return float(value), np.concatenate([[(wrong * linear).sum() + p[0] - 1], wrong.sum(axis=0) + 0.1 * p[1:]])

    bounds = [(0.0, None)] + [(None, None)] * k
    start = np.concatenate([[1.0], np.zeros(k)])
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Link(float(best[0]), best[1:] - best[1:].mean())
