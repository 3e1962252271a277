"""The fitted blend, step by step: the reference that the compiled scorer is held to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exoclassify.methods.calibrate import ScaleAndShift
from exoclassify.methods.conformal import ClassConditionalSets
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
    """One voice of the blend.

    Parameters
    ----------
    name : str
        Learner and view, such as ``ridge-ranks``.
    learner : Linear, Ratios, Forest or Boosted
        Gives scores of shape (n_samples, n_states).
    calibration : ScaleAndShift
        Makes them log-odds; fitted on out-of-fold scores.
    weight : float
        Its share of the blend; all shares sum to one.
    inner_log_loss : float
        Its calibrated out-of-fold log-loss inside the training samples, on which the weight rests.
    """

    name: str
    learner: Learner
    calibration: ScaleAndShift
    weight: float
    inner_log_loss: float


@dataclass(frozen=True, eq=False)
class FittedBlend:
    """Everything that was learned from training samples and is needed to answer for a new one.

    Parameters
    ----------
    states : tuple of str
        The pain states, in the order of all columns.
    prevalence : ndarray of shape (n_states,)
        Shares of the states among the training samples, at which the probabilities hold.
    views : Views
        Raw panel values to views.
    members : tuple of Member
        The voices.
    calibration : ScaleAndShift
        Of the blended log-odds, fitted out of fold.
    sets : ClassConditionalSets
        Out-of-fold scores per state.
    novelty : PCAResidual
        Main directions of the training samples in the log view.
    novelty_reference : ndarray of shape (n_training_samples,)
        Sorted out-of-fold residuals.
    """

    states: tuple[str, ...]
    prevalence: Floats
    views: Views
    members: tuple[Member, ...]
    calibration: ScaleAndShift
    sets: ClassConditionalSets
    novelty: PCAResidual
    novelty_reference: Floats

    def evaluate(self, X: Floats) -> tuple[Floats, Floats]:
        """Answer step by step, learner by learner.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            Raw values of the panel in the unit of training; NaN = not measured.

        Returns
        -------
        log_odds : ndarray of shape (n_samples, n_states)
            Calibrated; softmax gives probabilities at the training prevalence.
        residuals : ndarray of shape (n_samples,)
            What the main directions of the training samples leave unexplained.
        """
        views = self.views.of(np.ascontiguousarray(X, dtype=np.float64))
        blended = np.zeros((len(X), len(self.states)))
        for member in self.members:
            scores = member.learner.scores(views[member.learner.view])
            blended += member.weight * member.calibration.apply(scores)
        return self.calibration.apply(blended), self.novelty.residuals(views["log"])
