"""Models of the first format: one scale and one shift for every batch, and calls by prediction sets; they answer as they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from exoclassify.methods.conformal import ClassConditionalSets
from exoclassify.methods.heads import Calibration, Head, Place
from exoclassify.methods.novelty import PCAResidual
from exoclassify.methods.views import Views
from exoclassify.model.blend import FittedBlend, Learner, Member
from exoclassify.typing import Floats

__all__ = ["FirstBlend", "FirstMember", "ScaleAndShift", "brought_forward"]


_KEPT = 0.25
"""Share of its distance from the training mix that an answer kept in a batch where none was ever tested."""


@dataclass(frozen=True, eq=False)
class ScaleAndShift:
    """``log-odds = scale * score + shift``.

    Parameters
    ----------
    scale : float
        0 or more.
    shift : ndarray of shape (n_states,)
        Summing to zero.
    """

    scale: float
    shift: Floats


@dataclass(frozen=True, eq=False)
class FirstMember:
    """A base learner with a calibration of its own.

    Parameters
    ----------
    name, learner
        As in `Member`.
    calibration : ScaleAndShift
        Of its scores.
    weight, inner_log_loss : float
        Its share, and the log-loss on which that rests.
    """

    name: str
    learner: Learner
    calibration: ScaleAndShift
    weight: float
    inner_log_loss: float


@dataclass(frozen=True, eq=False)
class FirstBlend:
    """A blend with one calibration.

    Parameters
    ----------
    states, prevalence, views, novelty
        As in `FittedBlend`.
    members : tuple of FirstMember
        The base learners.
    calibration : ScaleAndShift
        Of the blended log-odds.
    sets : ClassConditionalSets
        Held-out strangeness, pooled and of each batch.
    novelty_reference : ndarray of shape (n_samples,)
        Sorted held-out residuals.
    """

    states: tuple[str, ...]
    prevalence: Floats
    views: Views
    members: tuple[FirstMember, ...]
    calibration: ScaleAndShift
    sets: ClassConditionalSets
    novelty: PCAResidual
    novelty_reference: Floats


def brought_forward(first: FirstBlend, *, tested_across_batches: bool, batches: Sequence[str] | None) -> FittedBlend:
    """Say with heads and places what a model of the first format said.

    Parameters
    ----------
    batches : sequence of str or None
        Of its training samples; only where they had some were answers drawn to the mix where none was tested.
    """
    prevalence, members = first.prevalence, first.members
    factors = np.array([first.calibration.scale * m.weight * m.calibration.scale for m in members])
    shift = first.calibration.shift + sum(
        (first.calibration.scale * m.weight * m.calibration.shift for m in members), np.zeros(len(prevalence))
    )
    weights, losses = (np.array([getattr(m, name) for m in members]) for name in ("weight", "inner_log_loss"))
    same = np.eye(len(prevalence))
    mix = np.log(prevalence)
    whole = Head(factors, weights, losses, same, same, shift - mix)
    new = not tested_across_batches and batches is not None
    centred = shift - shift.mean() - mix  # drawn in: mix + kept * (log-odds - their mean - mix)
    heads = (whole, Head(_KEPT * factors, weights, losses, same, same, _KEPT * centred)) if new else (whole,)
    pooled = ClassConditionalSets(first.sets.references)

    def place(head: int, sets: ClassConditionalSets, closed: str) -> Place:
        nodes, loads = np.zeros((1, len(prevalence))), np.ones((len(prevalence), 1))
        return Place(head, nodes, loads, 0.0, sets, None, first.novelty_reference, closed, prevalence, 0)

    some = place(0, pooled, "")
    unknown = place(len(heads) - 1, first.sets, "" if tested_across_batches else "one-batch")
    names = tuple(sorted(batches or ()))
    calibration = Calibration(heads, names, (some,) * len(names), some, unknown, None)
    plain = tuple(Member(m.name, m.learner) for m in members)
    return FittedBlend(first.states, prevalence, first.views, plain, calibration, first.novelty)
