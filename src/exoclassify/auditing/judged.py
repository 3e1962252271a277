"""The model that everything technical is compared with: its scores on samples that were held out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from exoclassify.auditing.reference import ridge_scores
from exoclassify.judging.judgement import Judgement
from exoclassify.judging.metrics import Estimate, macro_auc, mean_figure
from exoclassify.learning.folds import Fold, stratified_folds
from exoclassify.learning.samples import Samples
from exoclassify.typing import Codes, Floats

__all__ = ["Judged"]


_FOLDS, _REPEATS = 5, 3


@dataclass(frozen=True, eq=False)
class Judged:
    """Scores of a model on samples that were held out, and the folds.

    Parameters
    ----------
    name : str
        What messages call the model.
    samples : Samples
        The cohort.
    repeats : tuple of tuple of (train, test)
        Folds of each repeat of cross-validation.
    passes : tuple of (ndarray of shape (n_samples, n_states), ndarray of shape (n_samples,))
        For each repeat the scores, and the fold that each sample was held out in.
    judgement : Judgement or None
        Where the scores are from, when they are a model's own.
    failed : str
        Name of a model that gave every sample the same answer, in whose place this one stands; empty for none.
    """

    name: str
    samples: Samples
    repeats: tuple[tuple[Fold, ...], ...]
    passes: tuple[tuple[Floats, Codes], ...]
    judgement: Judgement | None = None
    failed: str = ""

    @classmethod
    def of(cls, judgement: Judgement, *, n_jobs: int = 1) -> Judged:
        """Take over what was said of held-out samples; a plain ridge regression stands in for a model that said nothing."""
        repeats, at = [], 0
        for kept in judgement.passes:
            count = int(kept.fold.max()) + 1
            repeats.append(tuple(judgement.plan[at : at + count]))
            at += count
        passes = tuple((kept.log_odds, kept.fold) for kept in judgement.passes)
        found = cls("model", judgement.samples, tuple(repeats), passes, judgement)
        if found.silent:
            ridge = ridge_scores([(found.samples, folds) for folds in found.repeats], n_jobs=n_jobs)
            return dataclasses.replace(found, name="plain ridge regression", passes=tuple(ridge), failed="model")
        return found

    @classmethod
    def reference(cls, samples: Samples, *, seed: int = 0, n_jobs: int = 1) -> Judged:
        """Judge a plain ridge regression."""
        repeats = tuple(
            tuple(stratified_folds(samples.y, samples.groups, _FOLDS, seed + 1000 * (r + 1))) for r in range(_REPEATS)
        )
        passes = tuple(ridge_scores([(samples, folds) for folds in repeats], n_jobs=n_jobs))
        found = cls("reference model (plain ridge)", samples, repeats, passes)
        return dataclasses.replace(found, failed=found.name) if found.silent else found

    @cached_property
    def figure(self) -> Estimate:
        """Macro AUC within folds, averaged over repeats, by sample."""
        return mean_figure([macro_auc(scores, self.samples.y, fold) for scores, fold in self.passes])

    def above_chance(self, figure: Estimate) -> bool:
        """Whether an AUC in the folds surely exceeds that of guessing."""
        return figure.over_folds(len(self.repeats[0])).interval(self.samples.groups)[0] > 0.5

    @property
    def silent(self) -> bool:
        """Whether every sample of a fold got the same answer, in half of the folds or more."""
        flat = [np.ptp(scores[fold == k], axis=0).max() < 1e-9 for scores, fold in self.passes for k in np.unique(fold)]
        return bool(np.mean(flat) >= 0.5)

    @cached_property
    def mean_scores(self) -> Floats:
        """Scores averaged over repeats, each fold centred, shape (n_samples, n_states)."""
        total = np.zeros(self.passes[0][0].shape)
        for scores, fold in self.passes:
            for k in np.unique(fold):
                total[fold == k] += scores[fold == k] - scores[fold == k].mean(axis=0)
        return total / len(self.passes)
