"""How good a recipe is on samples it never saw: repeated nested cross-validation, and batch by batch."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.special import softmax

from exoclassify.learning.folds import (
    Fold,
    fold_digest,
    leave_one_batch_out,
    of_known_batch,
    stratified_folds,
)
from exoclassify.learning.importance import moved
from exoclassify.learning.kept import remembered
from exoclassify.learning.learn import Learned, Samples, learn
from exoclassify.learning.metrics import Figure, auc, figures, mean_figure
from exoclassify.learning.recipe import Recipe
from exoclassify.methods.conformal import conformal_p
from exoclassify.model.compiled import CompiledBlend

__all__ = ["Judgement", "KeptAside", "cross_validated", "evaluate", "judge", "workers_started_undisturbed"]

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]
Answer = tuple[Floats, NDArray[np.bool_], Floats, bool]
"""Log-odds, prediction sets and novelty of the samples kept aside, and whether the model was tested across batches."""


@dataclass(frozen=True, eq=False)
class KeptAside:
    """What one pass over a cohort said of each sample while that sample was kept aside.

    Parameters
    ----------
    rows : ndarray of int
        Positions of the samples; those of a batch that could not be kept aside are absent.
    fold : ndarray of int of the same length
        In which fold each was kept aside.
    log_odds : ndarray of shape (n_rows, n_states)
        Calibrated.
    sets : ndarray of bool of shape (n_rows, n_states)
        Prediction sets.
    novelty_p : ndarray of shape (n_rows,)
        Novelty.
    across_batches : ndarray of bool of shape (n_rows,)
        The model that answered had itself been tested across batches.
    """

    rows: NDArray[np.intp]
    fold: NDArray[np.intp]
    log_odds: Floats
    sets: NDArray[np.bool_]
    novelty_p: Floats
    across_batches: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was said of samples kept aside, and the figures made of it.

    Parameters
    ----------
    samples : Samples
        The cohort.
    sample_ids : tuple of str
        In its order.
    plan : tuple of (train, test)
        Every fold, those of leaving out batches last.
    passes : tuple of KeptAside
        One for each repeat of cross-validation.
    batched : KeptAside or None
        Leaving out each batch, where that is possible.
    summary : dict
        Plain values, see `evaluate`.
    moved : ndarray of shape (n_folds, n_molecules)
        How far each molecule moved the answers in each fold of cross-validation, see `exoclassify.learning.importance.moved`.
    """

    samples: Samples
    sample_ids: tuple[str, ...]
    plan: tuple[Fold, ...]
    passes: tuple[KeptAside, ...]
    batched: KeptAside | None
    summary: dict[str, Any]
    moved: Floats

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds of cross-validation, repeat after repeat."""
        return self.plan[: sum(int(kept.fold.max()) + 1 for kept in self.passes)]


def evaluate(
    samples: Samples,
    sample_ids: Sequence[str],
    recipe: Recipe,
    *,
    n_jobs: int = -1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge a recipe on a cohort.

    Parameters
    ----------
    samples : Samples
        The cohort.
    sample_ids : sequence of str
        For the digest of the folds.
    recipe : Recipe
        Everything that is learned is learned again in each fold, inner choices included.
    n_jobs : int
        Parallel processes; -1 for all cores. The result does not depend on it.
    progress : callable, optional
        Called with folds done and folds in all.

    Returns
    -------
    dict
        Plain values: ``cross_validation``, ``leave_one_batch_out`` (or None), ``headline`` (the worse of the two), ``folds``.

    Raises
    ------
    DesignError
        If the cohort is too small to be judged.
    """
    return judge(samples, sample_ids, recipe, n_jobs=n_jobs, progress=progress).summary


def judge(
    samples: Samples,
    sample_ids: Sequence[str],
    recipe: Recipe,
    *,
    n_jobs: int = -1,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Judgement:
    """Judge a recipe on a cohort, and keep what was said of every sample; takes and raises what `evaluate` does.

    Parameters
    ----------
    samples, sample_ids, recipe, n_jobs, progress
        See `evaluate`.
    cache : Path, optional
        Folder in which finished folds are kept, and looked for.

    Returns
    -------
    Judgement

    Raises
    ------
    DesignError
        If the cohort is too small to be judged.
    """
    repeats = [
        stratified_folds(samples.y, samples.groups, recipe.folds.outer, recipe.seed + 1000 * (r + 1))
        for r in range(recipe.folds.repeats)
    ]
    by_batch = (
        [] if samples.batches is None else leave_one_batch_out(samples.y, samples.groups, samples.batches)
    )
    plan = [fold for folds in repeats for fold in folds] + by_batch
    answers, moves = [], []
    ask = remembered(_explained, cache)
    jobs = (delayed(ask)(samples, recipe, fold) for fold in plan)
    with nullcontext() if n_jobs == 1 else workers_started_undisturbed():
        results = Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="all")(jobs)
    for done, result in enumerate(results, start=1):
        answers.append(result[0])
        moves.append(result[1])
        if progress is not None:
            progress(done, len(plan))
    passes, at = [], 0
    for folds in repeats:
        passes.append(_gather(folds, answers[at : at + len(folds)]))
        at += len(folds)
    crossed = _summary(samples, passes, recipe)
    batched = _by_batch(samples, by_batch, answers[at:], recipe)
    summary = {
        "cross_validation": {"folds": len(repeats[0]), "repeats": len(repeats), **crossed},
        "leave_one_batch_out": batched,
        "headline": _headline(crossed, batched),
        "folds": fold_digest(sample_ids, plan),
    }
    kept = None if batched is None else _gather(by_batch, answers[at:])
    crossing = np.array(moves[: len(plan) - len(by_batch)])
    return Judgement(samples, tuple(sample_ids), tuple(plan), tuple(passes), kept, summary, crossing)


@contextmanager
def workers_started_undisturbed() -> Iterator[None]:
    """Hold Ctrl-C back while processes start, and let them inherit a blocked one: this process stops them, not the terminal."""
    able = hasattr(signal, "pthread_sigmask") and current_thread() is main_thread()
    if not able:  # Windows, or a thread of a server
        yield
        return
    held: list[int] = []
    resource_tracker.ensure_running()  # at its own start it would let Ctrl-C through again
    handler = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if held:
        signal.raise_signal(signal.SIGINT)


def _answer(samples: Samples, recipe: Recipe, fold: Fold) -> Answer:
    return _said(learn(samples.take(fold[0]), recipe), samples, recipe, fold)


def _explained(samples: Samples, recipe: Recipe, fold: Fold) -> tuple[Answer, Floats]:
    learned = learn(samples.take(fold[0]), recipe)
    said = _said(learned, samples, recipe, fold)
    return said, moved(learned.blend, learned.support, samples.X[fold[1]])


def _said(learned: Learned, samples: Samples, recipe: Recipe, fold: Fold) -> Answer:
    test = fold[1]
    blend = learned.blend
    log_odds, residuals = CompiledBlend.of(blend).evaluate(samples.X[test][:, learned.support])
    same_batch = of_known_batch(samples.batches, fold)
    sets = blend.sets.sets(softmax(log_odds, axis=1), recipe.answers.level, same_batch=same_batch)
    return log_odds, sets, conformal_p(blend.novelty_reference, residuals), learned.across_batches


def cross_validated(samples: Samples, recipe: Recipe, folds: list[Fold]) -> KeptAside:
    """Learn anew in each fold and answer for the samples kept aside, one fold after the other.

    Parameters
    ----------
    samples : Samples
        The cohort.
    recipe : Recipe
        The choices.
    folds : list of (train, test)
        One pass over the samples.

    Returns
    -------
    KeptAside
    """
    return _gather(folds, [_answer(samples, recipe, fold) for fold in folds])


def _gather(folds: list[Fold], answers: list[Answer]) -> KeptAside:
    rows = np.concatenate([test for _, test in folds])
    order = np.argsort(rows, kind="stable")
    fold = np.repeat(np.arange(len(folds)), [len(test) for _, test in folds])
    log_odds = np.concatenate([a[0] for a in answers])
    sets, novelty = np.concatenate([a[1] for a in answers]), np.concatenate([a[2] for a in answers])
    across = np.array([a[3] for a in answers], dtype=bool)[fold]
    return KeptAside(rows[order], fold[order], log_odds[order], sets[order], novelty[order], across[order])


def _summary(samples: Samples, passes: list[KeptAside], recipe: Recipe) -> dict[str, Any]:
    rows = passes[0].rows
    y, groups = samples.y[rows], np.unique(samples.groups[rows], return_inverse=True)[1]
    found = [figures(kept.log_odds, y, samples.states) for kept in passes]
    shared = [name for name in found[0] if all(name in each for each in found)]
    within = [_within_folds(kept, y, len(samples.states)) for kept in passes]
    known = [value for value in within if value is not None]
    return {
        "n_samples": len(rows),
        "n_subjects": len(np.unique(groups)),
        "figures": {name: _described(mean_figure([each[name] for each in found]), groups) for name in shared},
        "auc_within_folds": float(np.mean(known)) if known else None,
        "sets": _sets(passes, y, samples.states, recipe),
        "calls": _calls(passes, y, recipe),
    }


def _described(figure: Figure, groups: NDArray[np.intp]) -> dict[str, float]:
    low, high = figure.interval(groups)
    return {"value": figure.value, "low": low, "high": high}


def _within_folds(kept: KeptAside, y: NDArray[np.intp], n_states: int) -> float | None:
    """Mean AUC inside folds, beside the pooled one: pooling is biased low for strongly shrunk models."""
    values = []
    for fold in np.unique(kept.fold):
        here = kept.fold == fold
        if len(np.unique(y[here])) == n_states:
            p = softmax(kept.log_odds[here], axis=1)
            values.append(np.mean([auc(p[:, k], y[here] == k).value for k in range(n_states)]))
    return float(np.mean(values)) if values else None


def _sets(
    passes: list[KeptAside], y: NDArray[np.intp], states: tuple[str, ...], recipe: Recipe
) -> dict[str, Any]:
    held = np.mean([kept.sets[np.arange(len(y)), y] for kept in passes], axis=0)
    return {
        "level": recipe.answers.level,
        "coverage": {state: float(held[y == k].mean()) for k, state in enumerate(states)},
        "mean_size": float(np.mean([kept.sets.sum(axis=1).mean() for kept in passes])),
    }


def _calls(passes: list[KeptAside], y: NDArray[np.intp], recipe: Recipe) -> dict[str, float]:
    single = [kept.sets.sum(axis=1) == 1 for kept in passes]
    known = [kept.novelty_p > recipe.answers.novelty_alpha for kept in passes]
    right = [kept.sets.argmax(axis=1) == y for kept in passes]
    called = [s & n for s, n in zip(single, known, strict=True)]
    wrong = [c & ~r for c, r in zip(called, right, strict=True)]
    return {
        "called": float(np.mean(called)),
        "called_wrong": float(np.mean(wrong)),
        "novel": float(np.mean([~n for n in known])),
    }


def _by_batch(
    samples: Samples,
    folds: list[Fold],
    answers: list[Answer],
    recipe: Recipe,
) -> dict[str, Any] | None:
    if not folds:
        return None
    kept = _gather(folds, answers)
    y = samples.y[kept.rows]
    if len(np.unique(y)) < len(samples.states):
        return None
    summary = _summary(samples, [kept], recipe)
    # A model that was itself never tested across batches makes no call on a batch it has not seen.
    withheld = ~kept.across_batches
    single = (kept.sets.sum(axis=1) == 1) & (kept.novelty_p > recipe.answers.novelty_alpha)
    called = single & ~withheld
    summary["calls"]["called_without_batch_rule"] = summary["calls"]["called"]
    summary["calls"]["called_wrong_without_batch_rule"] = summary["calls"]["called_wrong"]
    summary["calls"]["called"] = float(called.mean())
    summary["calls"]["called_wrong"] = float((called & (kept.sets.argmax(axis=1) != y)).mean())
    assert samples.batches is not None
    each = {}
    for fold, (_, test) in enumerate(folds):
        here = kept.fold == fold
        complete = len(np.unique(y[here])) == len(samples.states)
        p = softmax(kept.log_odds[here], axis=1)
        value = np.mean([auc(p[:, k], y[here] == k).value for k in range(p.shape[1])]) if complete else None
        each[str(samples.batches[test[0]])] = {
            "n_samples": int(here.sum()),
            "auc": None if value is None else float(value),
        }
    return {"batches": each, **summary}


def _headline(crossed: dict[str, Any], batched: dict[str, Any] | None) -> dict[str, Any]:
    """Give the worse of the two AUCs, which is the one to quote."""
    worse, source = crossed["figures"]["auc"], "cross_validation"
    if batched is not None and batched["figures"]["auc"]["value"] < worse["value"]:
        worse, source = batched["figures"]["auc"], "leave_one_batch_out"
    return {"figure": "auc", **worse, "from": source}
