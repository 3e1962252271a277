"""A plain ridge regression, for what is asked of the cohort rather than of a model."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from exoclassify.data.cargo import CargoTable
from exoclassify.judging.evaluate import workers_started_undisturbed
from exoclassify.learning.folds import Fold
from exoclassify.learning.samples import Samples
from exoclassify.methods.learners.linear import Rotated, fit_ridge
from exoclassify.methods.select import PrevalenceFilter
from exoclassify.methods.steps import imputer_for, normaliser_for
from exoclassify.typing import Codes, Floats

__all__ = ["log_view", "ridge_scores"]


_PREVALENCE, _C = 0.2, 30.0  # as in the default recipe


def ridge_scores(jobs: Sequence[tuple[Samples, Sequence[Fold]]], *, n_jobs: int = 1) -> list[tuple[Floats, Codes]]:
    """Score the samples of each set of folds while they are held out.

    Scores, and the fold that each sample was held out in. Nothing is calibrated: there are no inner folds to fail in.
    """
    asked = (delayed(_scored)(samples, fold) for samples, folds in jobs for fold in folds)
    with nullcontext() if n_jobs == 1 else workers_started_undisturbed():
        answers = iter(Parallel(n_jobs=n_jobs)(asked))
    found = []
    for samples, folds in jobs:
        scores = np.zeros((len(samples.y), len(samples.states)))
        fold_of = np.full(len(samples.y), -1, dtype=np.intp)
        for k, (_, test) in enumerate(folds):
            scores[test], fold_of[test] = next(answers), k
        found.append((scores, fold_of))
    return found


def _scored(samples: Samples, fold: Fold) -> Floats:
    train, test = fold
    not_detected = 40.0 if samples.not_detected is None else samples.not_detected
    prevalence = PrevalenceFilter(_PREVALENCE, unit=samples.unit, not_detected=not_detected)
    with threadpool_limits(limits=1):
        support = np.flatnonzero(prevalence.fit(samples.X[train]).support_)
        normaliser = normaliser_for(samples.unit, "auto", samples.not_detected)
        imputer = imputer_for(samples.unit)
        V = imputer.fit_apply(normaliser.fit_apply(samples.X[train][:, support]))
        held_out = imputer.apply(normaliser.apply(np.ascontiguousarray(samples.X[test][:, support])))
        return fit_ridge(Rotated.fit("log", V), samples.y[train], _C, None).scores(held_out)


def log_view(table: CargoTable) -> Floats:
    """Normalise and impute a whole table, shape (n_samples, n_molecules): to look at, not to judge by.

    Log scale; more is more.
    """
    normaliser = normaliser_for(table.unit, "auto", table.not_detected)
    view: Floats = imputer_for(table.unit).fit_apply(normaliser.fit_apply(table.values))
    return view
