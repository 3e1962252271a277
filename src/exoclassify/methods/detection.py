"""Whether a molecule is found more often in one state: for values that are missing because too little was there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import binom, chi2

from exoclassify.typing import Floats

__all__ = ["DetectionTests", "combine", "test_detection", "test_discordant"]


_ROUNDS = 60
_AT_ONCE = 1000  # molecules; of 500 samples 4 MB an array


@dataclass(frozen=True, eq=False)
class DetectionTests:
    """Tests of detection, one a molecule.

    Parameters
    ----------
    log_odds : ndarray of shape (n_molecules,)
        Of being found in the state against the reference; NaN where every sample or none has the molecule.
    p : ndarray of shape (n_molecules,)
        Two-sided; NaN likewise.
    """

    log_odds: Floats
    p: Floats


def test_detection(found: NDArray[np.bool_], design: Floats, column: int, weights: Floats) -> DetectionTests:
    """Test whether detection `found` (n_samples, n_molecules) goes with one column of a design of full rank.

    `weights` are one divided by the number of samples of that person, so that each person has one voice.

    Notes
    -----
    Logistic regression with Firth's penalty and the penalised likelihood-ratio test (Heinze & Schemper 2002, doi
    10.1002/sim.1047), which stay finite when a molecule is found in one state only. Coefficients were checked against
    R's brglm 0.7.2 (tests/golden).
    """
    varies = np.flatnonzero(found.any(axis=0) & ~found.all(axis=0))
    log_odds, p = np.full(found.shape[1], np.nan), np.full(found.shape[1], np.nan)
    scale = np.sqrt((design**2).mean(axis=0))
    X = design / scale
    free, held = np.ones((2, design.shape[1]), dtype=bool)
    held[column] = False
    for at in range(0, len(varies), _AT_ONCE):
        some = varies[at : at + _AT_ONCE]
        Y = found[:, some].T.astype(np.float64)
        full, null = _Fitted.of(Y, X, weights, free), _Fitted.of(Y, X, weights, held)
        log_odds[some] = full.beta[:, column] / scale[column]
        p[some] = chi2.sf(np.maximum(2 * (full.likelihood - null.likelihood), 0.0), 1)
    return DetectionTests(log_odds, p)


def test_discordant(found: NDArray[np.bool_], later: NDArray[np.bool_], persons: NDArray[np.intp]) -> DetectionTests:
    """Test whether a molecule appears more often than it disappears, within persons with one earlier and one later sample.

    McNemar's exact test with the mid-p correction: persons in whom nothing changes say nothing.
    """
    order = np.argsort(persons, kind="stable")
    at = order[later[order]], order[~later[order]]
    came = (found[at[0]] & ~found[at[1]]).sum(axis=0)
    gone = (~found[at[0]] & found[at[1]]).sum(axis=0)
    n, fewer = came + gone, np.minimum(came, gone)
    p = np.minimum(2 * binom.cdf(fewer, n, 0.5) - binom.pmf(fewer, n, 0.5), 1.0)
    said = n > 0
    return DetectionTests(np.where(said, np.log((came + 0.5) / (gone + 0.5)), np.nan), np.where(said, p, np.nan))


test_detection.__test__ = False  # type: ignore[attr-defined]  # pytest would take them for tests
test_discordant.__test__ = False  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class _Fitted:
    beta: Floats
    likelihood: Floats

    @classmethod
    def of(cls, Y: Floats, X: Floats, weights: Floats, free: NDArray[np.bool_]) -> _Fitted:
        """Newton's iteration on the modified score, for all molecules at once; columns that are not free stay at 0."""
        beta = np.zeros((len(Y), X.shape[1]))
        likelihood = _penalised(beta, Y, X, weights)[0]
        for _ in range(_ROUNDS):
            step = _step(beta, Y, X, weights, free)
            step *= np.minimum(1.0, 3.0 / np.maximum(np.abs(step).max(axis=1), 1e-300))[:, None]
            for _ in range(10):  # halve what would go down
                trial = _penalised(beta + step, Y, X, weights)[0]
                worse = trial < likelihood - 1e-10
                if not worse.any():
                    break
                step[worse] /= 2
            beta += step
            likelihood = _penalised(beta, Y, X, weights)[0]
            if np.abs(step).max() < 1e-9:
                break
        return cls(beta, likelihood)


def _penalised(beta: Floats, Y: Floats, X: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Penalised log-likelihood, means and information matrices."""
    k = X.shape[1]
    eta = beta @ X.T
    mean = expit(eta)
    pairs = (X[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    information = ((weights * mean * (1 - mean)) @ pairs).reshape(-1, k, k)
    plain = (weights * (Y * eta - np.logaddexp(0.0, eta))).sum(axis=1)
    likelihood: Floats = plain + 0.5 * np.linalg.slogdet(information)[1]
    return likelihood, mean, information


def _step(beta: Floats, Y: Floats, X: Floats, weights: Floats, free: NDArray[np.bool_]) -> Floats:
    _, mean, information = _penalised(beta, Y, X, weights)
    inverse = np.linalg.inv(information)
    leverage = weights * mean * (1 - mean) * np.einsum("ni,gij,nj->gn", X, inverse, X)
    score = (weights * (Y - mean) + leverage * (0.5 - mean)) @ X
    step = np.zeros_like(beta)
    among = np.ix_(np.arange(len(beta)), free, free)
    step[:, free] = np.linalg.solve(information[among], score[:, free][:, :, None])[:, :, 0]
    return step


def combine(p_abundance: Floats, p_detection: Floats) -> Floats:
    """Join the two parts into one p-value by Fisher's method; where one part is NaN, the other stands alone.

    Parameters
    ----------
    p_abundance : ndarray of shape (n_molecules,)
        Of the values, among the samples that have one.
    p_detection : ndarray of shape (n_molecules,)
        Of having one.

    Returns
    -------
    ndarray of shape (n_molecules,)

    Notes
    -----
    The values are tested given which samples have one, so the parts are independent where neither differs (Lachenbruch
    2001, doi 10.1002/sim.790).
    """
    logs = -2 * (np.log(np.maximum(p_abundance, 1e-300)) + np.log(np.maximum(p_detection, 1e-300)))
    both = chi2.sf(logs, 4)
    alone = np.where(np.isnan(p_abundance), p_detection, p_abundance)
    return np.where(np.isnan(p_abundance) | np.isnan(p_detection), alone, both)
