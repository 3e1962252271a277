"""How often labels permuted at random would have scored as well, the whole pipeline run again each time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
from joblib import Parallel, delayed

from exoclassify.judging.evaluate import cross_validated, workers_started_undisturbed
from exoclassify.judging.metrics import macro_auc
from exoclassify.learning.folds import stratified_folds
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.model.evaluation import Permutation
from exoclassify.typing import Codes

__all__ = ["permutation_test", "permuted_labels"]


def permuted_labels(samples: Samples, seed: int) -> Codes:
    """Deal the labels anew among subjects, within batches where a batch holds more than one state.

    Returns
    -------
    ndarray of shape (n_samples,)
        A subject's samples keep their labels in order among themselves when every subject has as many samples as the one
        it swaps with; otherwise a subject takes the first label of the other for all of its samples.
    """
    rng = np.random.default_rng(seed)
    y = samples.y.copy()
    subjects, first = np.unique(samples.groups, return_index=True)
    block = np.zeros(len(subjects), dtype=np.intp) if samples.batches is None else samples.batches[first]
    size = np.bincount(samples.groups)[subjects]
    mixed = _has_mixed_subjects(samples)
    for b in np.unique(block):
        here = np.flatnonzero(block == b)
        if mixed:
            for n in np.unique(size[here]):
                _swap(samples, y, subjects, here[size[here] == n], rng)
        else:
            dealt = samples.y[first[rng.permutation(here)]]
            for subject, label in zip(subjects[here], dealt, strict=True):
                y[samples.groups == subject] = label
    return y


def _has_mixed_subjects(samples: Samples) -> bool:
    return any(len(np.unique(samples.y[samples.groups == g])) > 1 for g in np.unique(samples.groups))


def _swap(samples: Samples, y: Codes, subjects: Codes, here: Codes, rng: np.random.Generator) -> None:
    for into, source in zip(here, rng.permutation(here), strict=True):
        taken = samples.y[samples.groups == subjects[source]]
        # Within a person the order is dealt too: what differs within persons must be nothing but chance.
        y[samples.groups == subjects[into]] = rng.permutation(taken)


def permutation_test(
    samples: Samples,
    recipe: Recipe,
    observed: float,
    *,
    n_permutations: int,
    n_jobs: int = -1,
    progress: Callable[[int, int], None] | None = None,
) -> Permutation:
    """Run the whole judgement on permuted labels, and count how often the AUC is at least as high.

    Parameters
    ----------
    recipe : Recipe
        Judged in every permutation with one pass of cross-validation, nested as it is.

    Notes
    -----
    p = (1 + count at least as high) / (1 + count), never 0 (Phipson & Smyth 2010). Labels go round within batches, so a
    difference between batches is not taken for one between states.
    """
    jobs = (
        delayed(_auc_of)(dataclasses.replace(samples, y=permuted_labels(samples, recipe.seed + i)), recipe)
        for i in range(1, n_permutations + 1)
    )
    with nullcontext() if n_jobs == 1 else workers_started_undisturbed():
        results = Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="all")(jobs)
    found: list[float] = []
    for value in results:
        found.append(value)
        if progress is not None:
            progress(len(found), n_permutations)
    return Permutation(
        p_value=(1 + sum(value >= observed for value in found)) / (1 + n_permutations),
        n_permutations=n_permutations,
        mean=float(np.mean(found)),
        highest=float(np.max(found)),
    )


def _auc_of(samples: Samples, recipe: Recipe) -> float:
    folds = stratified_folds(samples.y, samples.groups, recipe.folds.outer, recipe.seed + 1000)
    kept = cross_validated(samples, recipe, folds)
    return macro_auc(kept.log_odds, samples.y[kept.rows], kept.fold).value
