"""One calibration for every batch: from blended scores to log-odds, and from log-odds to an answer at a place.

A head turns the members' scores into log-odds of the states in a batch without an offset. A place says what is known of the
offset of the batch that a sample is from, as nodes: one batch that was trained on, an unknown one, a site with local samples.
The probability is the mean over the nodes, so it is as wide as the ignorance of the offset.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exoclassify.methods.conformal import ClassConditionalSets
from exoclassify.typing import Floats

__all__ = ["MAX_WRONG", "Batches", "Calibration", "Head", "Place", "mixed"]


MAX_WRONG = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Shares wrong among calls for which a place knows from which probability on to call."""

_ROWS = 128
"""Rows answered at once: their nodes stay in a core's cache."""


@dataclass(frozen=True, eq=False)
class Head:
    """Log-odds in a batch without an offset: ``means @ white @ sum_m factors_m scores_m + shift``, before the mix is added.

    Parameters
    ----------
    factors : ndarray of shape (n_members,)
        Weight times scale of each member.
    weights, losses : ndarray of shape (n_members,)
        Each member's share, and its out-of-fold log-loss inside the training samples on which the share rests.
    white : ndarray of shape (n_dims, n_states)
        Blended scores to white scores: what states and batches leave unexplained has unit variance.
    means : ndarray of shape (n_states, n_dims)
        White scores of the states in a batch without an offset.
    shift : ndarray of shape (n_states,)
        Constants.
    """

    factors: Floats
    weights: Floats
    losses: Floats
    white: Floats
    means: Floats
    shift: Floats

    @property
    def map(self) -> Floats:
        """Blended scores to log-odds, without `shift`; shape (n_states, n_states)."""
        return self.means @ self.white

    def log_odds(self, blended: Floats) -> Floats:
        """Give the log-odds of blended scores; both of shape (n_samples, n_states)."""
        return blended @ self.map.T + self.shift

    def to_white(self, log_odds: Floats) -> Floats:
        """Give the white scores behind log-odds of shape (n_samples, n_states)."""
        return (log_odds - self.shift) @ np.linalg.pinv(self.means).T

    def steeper(self, slope: float) -> Head:
        """Multiply the log-odds by a slope; white scores and offsets then grow by its square root."""
        root = math.sqrt(slope)
        return replace(self, white=root * self.white, means=root * self.means, shift=slope * self.shift)

    def of_white(self, w: Floats) -> Floats:
        """Give the log-odds of white scores of shape (n_samples, n_dims)."""
        return w @ self.means.T + self.shift


@dataclass(frozen=True, eq=False)
class Place:
    """How a sample from one place is answered.

    Parameters
    ----------
    head : int
        Which head's log-odds are read.
    nodes : ndarray of shape (n_nodes, n_dims)
        What the offset of its batch may be, each as likely as the others.
    loads : ndarray of shape (n_states, n_nodes)
        ``exp(-means @ nodes)``, by which an offset multiplies the odds.
    untested : float
        Share of batches like this one in which the scores say nothing: so far the answer is drawn to the mix.
    sets : ClassConditionalSets
        Held-out strangeness of each state, and that at fresh offsets.
    from_probability : ndarray of shape (len(MAX_WRONG),) or None
        The best guess is called from this probability on, for each of `MAX_WRONG`; inf = never. None: a state is called where
        the prediction set holds it alone (models of the first format).
    novelty : ndarray of shape (n_samples,)
        Sorted held-out residuals.
    closed : str
        Why nothing is called here whatever the probability, a key of `exoclassify.model.prediction.REASONS`; empty if it is.
    mix : ndarray of shape (n_states,)
        Shares of the states at which probabilities hold unless others are stated.
    sets_head : int
        Whose log-odds the sets are of; `head` but for models of the first format.
    """

    head: int
    nodes: Floats
    loads: Floats
    untested: float
    sets: ClassConditionalSets
    from_probability: Floats | None
    novelty: Floats
    closed: str
    mix: Floats
    sets_head: int

    def mixed(self, log_odds: Floats, log_mix: Floats) -> Floats:
        """Average probabilities over the nodes, from log-odds (n_samples, n_states) of this place's head and the log of the mix.

        No row's answer depends, in its last bit, on the other rows: products are taken element by element, sums row by row.
        """
        return mixed(log_odds + log_mix, self.loads)

    def call_from(self, max_wrong: float) -> float:
        """Give the probability from which on the best guess is called."""
        assert self.from_probability is not None
        allowed = [i for i, share in enumerate(MAX_WRONG) if share <= max_wrong + 1e-12]
        return float(self.from_probability[allowed[-1]]) if allowed else math.inf


def mixed(log_odds: Floats, loads: Floats) -> Floats:
    """Average softmax over offsets: log-odds (n_samples, n_states) with the mix, and `loads` as in `Place`."""
    odds = np.exp(log_odds - log_odds.max(axis=1, keepdims=True))
    if loads.shape[1] == 1:
        odds = odds * loads[:, 0]
        result: Floats = odds / odds.sum(axis=1, keepdims=True)
        return result
    p = np.empty_like(odds)
    for at in range(0, len(odds), _ROWS):
        chunk = odds[at : at + _ROWS]
        # einsum adds state after state whatever the number of rows, which a product of matrices does not.
        total = np.einsum("nk,kj->nj", chunk, loads)
        np.reciprocal(total, out=total)
        np.vecdot(total[:, None], loads, out=p[at : at + _ROWS])
    p *= odds
    p /= p.sum(axis=1, keepdims=True)
    result = p
    return result


@dataclass(frozen=True, eq=False)
class Batches:
    """What is known of the batches of training, on held-out scores of one head.

    Parameters
    ----------
    w : ndarray of shape (n_samples, n_dims)
        White held-out scores.
    y, batch : ndarray of int of shape (n_samples,)
        Codes.
    offsets : ndarray of shape (n_batches, n_dims)
        Posterior means.
    variance : ndarray of shape (n_batches,)
        Posterior variance of each dimension.
    tau, tau_weight : ndarray of shape (n_grid,)
        Spread of offsets, in units of the spread of samples within batch and state; its posterior.
    evidence : ndarray of shape (n_left_out,)
        Log Bayes factor, for each batch that was left out, of scores that carry over against scores that say nothing.
    """

    w: Floats
    y: NDArray[np.intp]
    batch: NDArray[np.intp]
    offsets: Floats
    variance: Floats
    tau: Floats
    tau_weight: Floats
    evidence: Floats


@dataclass(frozen=True, eq=False)
class Calibration:
    """Heads, and the places that are known from training.

    Parameters
    ----------
    heads : tuple of Head
        For a new batch, and for one that was trained on; one where no batch could be left out.
    batches : tuple of str
        Names of the batches trained on, sorted; empty where none were given.
    known : tuple of Place
        One for each of `batches`.
    some : Place
        Some batch that was trained on, it is not known which.
    unknown : Place
        A batch that was not trained on.
    held_out : Batches or None
        From which a profile of a new site is learned; None in models of the first format.
    site_names : tuple of str
        Of the sites that have a profile.
    sites : tuple of Place
        One for each of `site_names`.
    """

    heads: tuple[Head, ...]
    batches: tuple[str, ...]
    known: tuple[Place, ...]
    some: Place
    unknown: Place
    held_out: Batches | None
    site_names: tuple[str, ...] = ()
    sites: tuple[Place, ...] = ()
