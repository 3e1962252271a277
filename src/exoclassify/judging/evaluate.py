"""How good a recipe is on samples it never saw: repeated nested cross-validation, and batch by batch."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from multiprocessing import resource_tracker
from pathlib import Path
from threading import current_thread, main_thread

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from exoclassify.judging.by_layers import judged_sets, layers_judged, masked
from exoclassify.judging.importance import moved
from exoclassify.judging.judgement import Judgement, KeptAside
from exoclassify.judging.kept import remembered
from exoclassify.judging.rehearsal import Rehearsal, at_new_sites, rehearsed
from exoclassify.judging.summary import by_batch, headline, summarised
from exoclassify.learning.folds import Fold, fold_digest, leave_one_batch_out, stratified_folds
from exoclassify.learning.learn import Learned, learn
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.model.evaluation import CrossValidation, Evaluation
from exoclassify.typing import Codes, Floats

__all__ = ["Answer", "cross_validated", "judge", "said", "workers_started_undisturbed"]

Progress = Callable[[int, int], None]
Answer = tuple[Floats, NDArray[np.bool_], Floats, NDArray[np.int8]]
"""Logs of the probabilities, prediction sets, novelty and calls of the samples left out."""


def judge(
    samples: Samples,
    sample_ids: Sequence[str],
    recipe: Recipe,
    *,
    n_jobs: int = -1,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Judgement:
    """Judge a recipe on a cohort, and keep what was said of every sample.

    Parameters
    ----------
    recipe : Recipe
        Everything that is learned is learned again in each fold, inner choices included.
    n_jobs : int
        Parallel processes; -1 for all cores. The result does not depend on it.

    Returns
    -------
    Judgement
        Its evaluation holds ``cross_validation``, ``leave_one_batch_out`` (or None), ``new_site``, ``headline`` (the worse of
        the two) and ``folds``.
    """
    repeats = [
        stratified_folds(samples.y, samples.groups, recipe.folds.outer, recipe.seed + 1000 * (r + 1))
        for r in range(recipe.folds.repeats)
    ]
    left_out = [] if samples.batches is None else leave_one_batch_out(samples.y, samples.groups, samples.batches)
    plan = [fold for folds in repeats for fold in folds] + left_out
    answers, moves, sites, by_set = [], [], [], []
    ask = remembered(_explained, cache)
    jobs = (delayed(ask)(samples, recipe, fold) for fold in plan)
    with nullcontext() if n_jobs == 1 else workers_started_undisturbed():
        results = Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="all")(jobs)
    for done, result in enumerate(results, start=1):
        answers.append(result[0])
        moves.append(result[1])
        sites.append(result[2])
        by_set.append(result[3])
        if progress is not None:
            progress(done, len(plan))
    passes, at = [], 0
    for folds in repeats:
        passes.append(_gather(folds, answers[at : at + len(folds)], by_set[at : at + len(folds)]))
        at += len(folds)
    batched_kept = _gather(left_out, answers[at:], by_set[at:]) if left_out else None
    crossed = CrossValidation(
        folds=len(repeats[0]), repeats=len(repeats), **summarised(samples, passes, recipe, within=True)._asdict()
    )
    if samples.layers:
        crossed = crossed.model_copy(update={"layers": layers_judged(samples, passes)})
    batched = None if batched_kept is None else by_batch(samples, batched_kept, recipe)
    evaluation = Evaluation(
        cross_validation=crossed,
        leave_one_batch_out=batched,
        new_site=at_new_sites(sites),
        headline=headline(crossed, batched),
        folds=fold_digest(sample_ids, plan),
    )
    crossing = np.array(moves[: len(plan) - len(left_out)])
    kept = None if batched is None else batched_kept
    return Judgement(samples, recipe, tuple(sample_ids), tuple(plan), tuple(passes), kept, evaluation, crossing)


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
    return said(learn(samples.take(fold[0]), recipe), samples, recipe, fold[1])


_Explained = tuple[Answer, Floats, list[Rehearsal], dict[int, Floats]]
"""Answers, how far molecules moved them, rehearsals at a new site, and answers by sets of layers."""


def _explained(samples: Samples, recipe: Recipe, fold: Fold) -> _Explained:
    train, test = fold
    learned = learn(samples.take(train), recipe)
    answers = said(learned, samples, recipe, test)
    new = samples.batches is not None and not np.isin(samples.batches[test], samples.batches[train]).any()
    rehearsals = rehearsed(learned, samples, recipe, test) if new else []
    sets = {code: _by_set(learned, samples, recipe, test, code) for code in judged_sets(samples)}
    return answers, moved(learned.blend, learned.support, samples.X[test]), rehearsals, sets


def _by_set(learned: Learned, samples: Samples, recipe: Recipe, test: Codes, code: int) -> Floats:
    """Let the model answer for samples shown without their other layers; NaN for those that lack one of the set."""
    X, have = masked(samples, test, code)
    log_odds = np.full((len(test), len(samples.states)), np.nan)
    rows = np.flatnonzero(have)
    batches = None if samples.batches is None else [samples.named(samples.batches[test[i]]) for i in rows]
    if len(rows):
        log_odds[rows] = np.log(np.maximum(learned.answers(X[rows], recipe, batches).probabilities, 1e-300))
    return log_odds


def said(learned: Learned, samples: Samples, recipe: Recipe, test: Codes) -> Answer:
    """Let a model that was learned without some samples answer for them, each from its own batch.

    Returns
    -------
    tuple
        Logs of the probabilities, prediction sets, novelty, calls.
    """
    batches = None if samples.batches is None else [samples.named(code) for code in samples.batches[test]]
    found = learned.answers(samples.X[test], recipe, batches)
    return np.log(np.maximum(found.probabilities, 1e-300)), found.sets, found.novelty_p, found.calls


def cross_validated(samples: Samples, recipe: Recipe, folds: Sequence[Fold], *, n_jobs: int = 1) -> KeptAside:
    """Learn anew in each fold and answer for the held-out samples."""
    with nullcontext() if n_jobs == 1 else workers_started_undisturbed():
        answers = Parallel(n_jobs=n_jobs)(delayed(_answer)(samples, recipe, fold) for fold in folds)
    return _gather(folds, answers)


def _gather(folds: Sequence[Fold], answers: list[Answer], by_set: Sequence[dict[int, Floats]] = ()) -> KeptAside:
    rows = np.concatenate([test for _, test in folds])
    order = np.argsort(rows, kind="stable")
    fold = np.repeat(np.arange(len(folds)), [len(test) for _, test in folds])
    log_odds = np.concatenate([a[0] for a in answers])
    sets, novelty = np.concatenate([a[1] for a in answers]), np.concatenate([a[2] for a in answers])
    calls = np.concatenate([a[3] for a in answers])
    by_layers = {code: np.concatenate([one[code] for one in by_set])[order] for code in (by_set[0] if by_set else ())}
    return KeptAside(rows[order], fold[order], log_odds[order], sets[order], novelty[order], calls[order], by_layers)
