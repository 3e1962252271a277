"""The fitted blend, step by step: the reference that the compiled scorer is held to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from exoclassify.errors import InputError
from exoclassify.methods.heads import Calibration, Place
from exoclassify.methods.learners.linear import Linear
from exoclassify.methods.learners.ratios import Ratios
from exoclassify.methods.learners.trees import Boosted, Forest
from exoclassify.methods.novelty import PCAResidual
from exoclassify.methods.views import Views
from exoclassify.model.answers import Answers
from exoclassify.model.prediction import Limits, Use, answer, shifted_prevalence
from exoclassify.typing import Floats

__all__ = ["Blend", "FittedBlend", "Learner", "Member", "Scorer"]

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


class Scorer(Protocol):
    """Whatever gives log-odds and residuals of raw values.

    Parameters
    ----------
    *args, **kwargs
        Of the class that does.
    """

    def evaluate(self, X: Floats) -> tuple[Floats, Floats]:
        """Give log-odds (n_heads, n_samples, n_states) and residuals (n_samples,), see `FittedBlend.evaluate`."""


class Blend(ABC):
    """What was learned and answers: log-odds of raw values, and answers of the log-odds at a place."""

    states: tuple[str, ...]
    prevalence: Floats
    calibration: Calibration

    @abstractmethod
    def evaluate(self, X: Floats) -> tuple[Floats, Floats]:
        """Give log-odds (n_heads, n_samples, n_states) and residuals (n_samples,) of raw values, see `FittedBlend`."""

    def with_calibration(self, calibration: Calibration) -> Self:
        """Give the same with another calibration, as with the profile of a new site."""
        return replace(self, calibration=calibration)  # type: ignore[type-var]  # every subclass is a dataclass

    @abstractmethod
    def steepness(self, head: int, layers: int) -> float:
        """Say how much the log-odds of a head grow with the scores; `layers` is the set of layers (`set_codes`), 0 of one."""

    @abstractmethod
    def log(self, X: Floats) -> Floats:
        """Give normalised values, of the same shape."""

    @abstractmethod
    def standardised(self, log: Floats) -> Floats:
        """Give the distance of normalised values from those of training, of the same shape."""

    def place(self, use: Use) -> tuple[Place, str]:
        """Find where samples are from.

        Returns
        -------
        name : str
            ``batch NAME``, ``a training batch``, ``site NAME`` or ``unknown batch``.
        """
        known = self.calibration
        if use.same_batch:
            return known.some, "a training batch"
        if use.batch and use.batch in known.batches:
            return known.known[known.batches.index(use.batch)], f"batch {use.batch}"
        if use.site and use.site not in known.site_names:
            has = f"its sites: {', '.join(known.site_names)}" if known.site_names else "it has no site profile"
            raise InputError(
                f"site {use.site}: this model does not know it ({has}); make a profile from 10 local samples with "
                f"`exoclassify recalibrate NAME --site {use.site} …`"
            )
        if known.sites and not use.batch:
            at = known.site_names.index(use.site) if use.site else 0
            return known.sites[at], f"site {known.site_names[at]}"
        return known.unknown, "unknown batch"

    def judge(
        self, log_odds: Floats, residuals: Floats, coverage: Floats, use: Use, limits: Limits,
        batches: Sequence[str] | None = None,
    ) -> Answers:  # fmt: skip
        """Answer in numbers for what was measured; no answer depends on the other samples.

        Parameters
        ----------
        coverage : ndarray of shape (n_samples,)
            Measured share of the panel.
        use : Use
            Where the samples are from, and how sure the answers must be.
        """
        use.check()
        stated = shifted_prevalence(self.states, self.prevalence, use.prevalence)
        asked = Limits(
            limits.level if use.level is None else use.level,
            limits.max_wrong if use.max_wrong is None else use.max_wrong,
            limits.novelty_alpha,
            limits.min_coverage,
        )

        def at(rows: slice | NDArray[np.intp], batch: str) -> Answers:
            place, name = self.place(use if batch == use.batch else replace(use, batch=batch))
            return answer(
                log_odds[:, rows], residuals[rows], coverage[rows], place,
                training=self.prevalence, stated=stated, limits=asked, name=name,
            )  # fmt: skip

        named = np.asarray(() if batches is None else batches, dtype=np.str_)
        if not named.size:
            return at(slice(None), use.batch)
        if named.shape != residuals.shape:
            raise InputError(
                f"batches have shape {named.shape}, and there are {len(residuals)} samples; give one batch a sample"
            )
        names, codes = np.unique(named, return_inverse=True)
        rows = [np.flatnonzero(codes == code) for code in range(len(names))]
        return Answers.together([(r, at(r, str(name))) for r, name in zip(rows, names, strict=True)])


@dataclass(frozen=True, eq=False)
class FittedBlend(Blend):
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

    def steepness(self, head: int, layers: int) -> float:
        """See `Blend.steepness`."""
        return float(np.linalg.norm(self.calibration.heads[head].map))

    def log(self, X: Floats) -> Floats:
        """Normalise and fill raw values of the panel; same shape, log2, no NaN."""
        return self.views.log(X)

    def standardised(self, log: Floats) -> Floats:
        """Distance of log values from the training mean, in training standard deviations."""
        result: Floats = (log - self.novelty.mean) / self.novelty.scale
        return result
