"""The fitted blend, step by step: the reference that the compiled scorer is held to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exoclassify.methods.heads import Calibration
from exoclassify.methods.learners.linear import Linear
from exoclassify.methods.learners.ratios import Ratios
from exoclassify.methods.learners.trees import Boosted, Forest
from exoclassify.methods.novelty import PCAResidual
from exoclassify.methods.views import Views

__all__ = ["FittedBlend", "Learner", "Member"]

Floats = NDArray[np.float64]
Learner = Linear | Ratios | Forest | Boosted


@dataclass(frozen=True, eq=False)
class Member:
    """One base learner of the blend.

    Parameters
    ----------
    name : str
        Learner and view, such as ``ridge-ranks``.
    learner : Linear, Ratios, Forest or Boosted
        Gives scores of shape (n_samples, n_states).
    """

    name: str
    learner: Learner


@dataclass(frozen=True, eq=False)
class FittedBlend:
    """Everything that was learned from training samples and is needed to answer for a new one.

    Parameters
    ----------
    states : tuple of str
        The pain states, in the order of all columns.
    prevalence : ndarray of shape (n_states,)
        Shares of the states among the training samples.
    views : Views
        Raw panel values to views.
    members : tuple of Member
        The base learners.
    calibration : Calibration
        What makes log-odds of their scores, and answers of the log-odds.
    novelty : PCAResidual
        Main directions of the training samples in the log view.
    """

    states: tuple[str, ...]
    prevalence: Floats
    views: Views
    members: tuple[Member, ...]
    calibration: Calibration
    novelty: PCAResidual

    def evaluate(self, X: Floats) -> tuple[Floats, Floats]:
        """Answer step by step, learner by learner.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            Raw values of the panel in the unit of training; NaN = not measured.

        Returns
        -------
        log_odds : ndarray of shape (n_heads, n_samples, n_states)
            Of each head, in a batch without an offset, the mix not added.
        residuals : ndarray of shape (n_samples,)
            What the main directions of the training samples leave unexplained.
        """
        views = self.views.of(np.ascontiguousarray(X, dtype=np.float64))
        scores = np.stack([member.learner.scores(views[member.learner.view]) for member in self.members])
        heads = self.calibration.heads
        log_odds = np.stack([h.log_odds(np.einsum("m,mnk->nk", h.factors, scores)) for h in heads])
        return log_odds, self.novelty.residuals(views["log"])
