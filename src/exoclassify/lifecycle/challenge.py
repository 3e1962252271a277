"""Samples on which a challenger and the model in use are judged under the same conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError, InputError
from exoclassify.judging.evaluate import Answer, said
from exoclassify.judging.gate import Answers, Setting
from exoclassify.judging.judgement import Judgement, KeptAside
from exoclassify.learning.folds import Fold
from exoclassify.learning.learn import learn
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.lifecycle.known import on_panel, recipe_of, trained_on_before
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Use
from exoclassify.typing import Floats, Mask

__all__ = ["as_it_is", "by_recipe", "check_states", "enough", "on_external"]

Calls = NDArray[np.int8]

_MIN_SUBJECTS = 5
"""Fewer subjects of a state and two models cannot be told apart (as in `exoclassify.lifecycle.finish`)."""


def check_states(champion: ModelBundle, cohort: Cohort) -> None:
    """Refuse a cohort of other states."""
    if cohort.states != champion.states:
        raise InputError(
            f"{cohort.sheet.source}, column {cohort.sheet.label_column}: its states are {', '.join(cohort.states)}, and "
            f"{champion.name} distinguishes {', '.join(champion.states)}; give these states, or train a model of another name"
        )


def enough(cohort: Cohort, rows: Mask) -> bool:
    """Whether some samples have enough subjects of each state to tell two models apart.

    Parameters
    ----------
    rows : ndarray of bool of shape (n_samples,)
        Those that count.
    """
    return all(len(np.unique(cohort.groups[rows & (cohort.y == state)])) >= _MIN_SUBJECTS for state in cohort.states)


def as_it_is(champion: ModelBundle, cohort: Cohort, recipe: Recipe, judged: Judgement, X: Floats, new: Mask) -> Setting:
    """Let the champion itself answer, on samples new to it.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        The cohort in the champion's panel.
    new : ndarray of bool of shape (n_samples,)
        Samples that the champion was not trained on.

    Returns
    -------
    Setting
        Of a batch that the champion does not know, the challenger's answers are those of leaving that batch out.
    """
    theirs = _passes(judged, cohort.n_samples)
    if judged.batched is not None and cohort.batches is not None:
        known = list(champion.about.training.batches or {})
        rows = judged.batched.rows
        left_out = ~np.isin(cohort.batches[rows], known)
        theirs.log_odds[:, rows[left_out]] = judged.batched.log_odds[left_out]
        theirs.sets[:, rows[left_out]] = judged.batched.sets[left_out]
        theirs.calls[:, rows[left_out]] = judged.batched.calls[left_out]
    batches = None if cohort.batches is None else cohort.batches[new].tolist()
    use = Use(prevalence=_mix(cohort), same_batch=batches is None)
    mine = _answers(champion, X[new], use, batches, len(theirs.calls))
    return _setting("new samples", cohort, recipe, new, mine, theirs.of(new))


def by_recipe(
    champion: ModelBundle, cohort: Cohort, recipe: Recipe, judged: Judgement, known: Mask, n_jobs: int
) -> list[Setting]:
    """Train the champion's recipe again in the challenger's folds, on the samples that the champion was trained on.

    Parameters
    ----------
    known : ndarray of bool of shape (n_samples,)
        Samples that the champion was trained on; where a fold holds too few of them, all are used.
    """
    old = recipe_of(champion).model_copy(update={"folds": recipe.folds, "seed": recipe.seed})
    samples = Samples.of(on_panel(cohort, old))
    again = Parallel(n_jobs=n_jobs)(delayed(_trained_again)(samples, old, fold, known) for fold in judged.plan)
    everything = np.ones(cohort.n_samples, dtype=bool)
    mine, at = [], 0
    for kept in judged.passes:
        n_folds = int(kept.fold.max()) + 1
        mine.append(_placed(cohort, judged.plan[at : at + n_folds], again[at : at + n_folds]))
        at += n_folds
    passes = _stacked(mine)
    challenger = _passes(judged, cohort.n_samples)
    settings = [_setting("cross-validation", cohort, recipe, everything, passes, challenger)]
    if judged.batched is not None:
        rows = np.zeros(cohort.n_samples, dtype=bool)
        rows[judged.batched.rows] = True
        old_answers = _stacked([_placed(cohort, judged.plan[at:], again[at:])]).of(rows)
        kept = judged.batched
        new_answers = Answers(kept.log_odds[None], kept.sets[None], kept.calls[None])
        settings.append(_setting("batches left out", cohort, recipe, rows, old_answers, new_answers))
    return settings


def _trained_again(samples: Samples, recipe: Recipe, fold: Fold, known: Mask) -> Answer:
    train, test = fold
    own = train[known[train]]
    states = range(len(samples.states))
    if all(len(np.unique(samples.groups[own][samples.y[own] == k])) >= _MIN_SUBJECTS for k in states):
        train = own
    return said(learn(samples.take(train), recipe), samples, recipe, test)


def _placed(cohort: Cohort, folds: Sequence[Fold], answers: Sequence[Answer]) -> tuple[Floats, Mask, Calls]:
    shape = (cohort.n_samples, len(cohort.states))
    log_odds, sets = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    calls = np.full(cohort.n_samples, -1, dtype=np.int8)
    for (_, test), (found, held, _, called) in zip(folds, answers, strict=True):
        log_odds[test], sets[test], calls[test] = found, held, called
    return log_odds, sets, calls


def on_external(
    champion: ModelBundle, challenger: ModelBundle, external: Cohort, recipe: Recipe
) -> tuple[Setting, dict[str, int]]:
    """Let both answer for samples that neither was trained on."""
    check_states(champion, external)
    known = [trained_on_before(model, external) for model in (champion, challenger)]
    seen = {way: int(rows.sum()) for each in known for way, rows in each.items()}
    new = ~np.any([rows for each in known for rows in each.values()], axis=0)
    if not enough(external, new):
        raise DesignError(
            f"{external.sheet.source}: {int(new.sum())} external samples are left that neither model was trained on, fewer than "
            f"{_MIN_SUBJECTS} subjects in some state; give samples that were never trained on"
        )
    X = [model.values(external)[new] for model in (champion, challenger)]
    batches = None if external.batches is None else external.batches[new].tolist()
    use = Use(prevalence=_mix(external))
    both = [_answers(m, x, use, batches, 1) for m, x in zip((champion, challenger), X, strict=True)]
    return _setting("external samples", external, recipe, new, *both), seen


def _mix(cohort: Cohort) -> dict[str, float]:
    """Shares of the states in a cohort."""
    states, counts = np.unique(cohort.y, return_counts=True)
    return {str(s): float(n / counts.sum()) for s, n in zip(states, counts, strict=True)}


def _answers(model: ModelBundle, X: Floats, use: Use, batches: Sequence[str] | None, n_passes: int) -> Answers:
    """Let a finished model answer; every pass is the same."""
    found = model.judge(model.measure(X), use, batches)
    log_odds = np.log(np.maximum(found.probabilities, 1e-300))

    def repeated(part: NDArray[Any]) -> NDArray[Any]:
        return np.repeat(part[None], n_passes, axis=0)

    return Answers(repeated(log_odds), repeated(found.sets), repeated(found.calls))


def _passes(judged: Judgement, n_samples: int) -> Answers:
    return _stacked([_dense(kept, n_samples) for kept in judged.passes])


def _stacked(passes: Sequence[tuple[Floats, Mask, Calls]]) -> Answers:
    return Answers(
        np.stack([log_odds for log_odds, _, _ in passes]),
        np.stack([sets for _, sets, _ in passes]),
        np.stack([calls for _, _, calls in passes]),
    )


def _dense(kept: KeptAside, n_samples: int) -> tuple[Floats, Mask, Calls]:
    shape = (n_samples, kept.log_odds.shape[1])
    log_odds, sets = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    calls = np.full(n_samples, -1, dtype=np.int8)
    log_odds[kept.rows], sets[kept.rows], calls[kept.rows] = kept.log_odds, kept.sets, kept.calls
    return log_odds, sets, calls


def _setting(name: str, cohort: Cohort, recipe: Recipe, rows: Mask, champion: Answers, challenger: Answers) -> Setting:
    samples, frame = Samples.of(cohort), cohort.sheet.frame[rows]
    columns = {column: frame[column].to_numpy(dtype=object) for column in recipe.gate.subgroups}
    if cohort.batches is not None:
        columns = {"batch": cohort.batches[rows].astype(object), **columns}
    parts = {
        f"{column} {value}": values == value
        for column, values in columns.items()
        for value in sorted({str(v) for v in values if v == v})
    }
    groups = np.unique(samples.groups[rows], return_inverse=True)[1]
    return Setting(name, samples.y[rows], groups, champion, challenger, parts)
