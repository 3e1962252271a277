"""Samples on which a challenger and the model in use are judged under the same conditions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.special import softmax

from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError, InputError
from exoclassify.learning.finish import on_panel
from exoclassify.learning.folds import Fold, of_known_batch
from exoclassify.learning.gate import Answers, Setting
from exoclassify.learning.judgement import Judgement, KeptAside
from exoclassify.learning.learn import Samples, learn
from exoclassify.learning.recipe import Recipe
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.compiled import CompiledBlend
from exoclassify.model.prediction import prevalence_shift

__all__ = [
    "as_it_is",
    "by_recipe",
    "check_states",
    "enough",
    "on_external",
    "recipe_of",
    "same_data",
    "trained_on_before",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_MIN_SUBJECTS = 5
"""Fewer subjects of a state and two models cannot be told apart (as in `exoclassify.learning.finish`)."""


def trained_on_before(model: ModelBundle, cohort: Cohort) -> dict[str, Bools]:
    """Say which samples of a cohort a model was trained on.

    Parameters
    ----------
    model : ModelBundle
        Any model.
    cohort : Cohort
        Of its kind and unit.

    Returns
    -------
    dict of str to ndarray of bool of shape (n_samples,)
        By sample id, subject and near-duplicate cargo; all of them where the model does not remember.
    """
    if model.trained_on is None:
        return {"not remembered by the model": np.ones(cohort.n_samples, dtype=bool)}
    return model.trained_on.recognised(
        model.blend,
        model.panel.molecules,
        model.panel.values(cohort.cargo),
        cohort.sheet.sample_ids,
        cohort.groups.tolist() if cohort.has_subjects else None,
        model.about["training"]["data_sha256"],
    )


def recipe_of(bundle: ModelBundle) -> Recipe:
    """Read the recipe that a model was made by.

    Parameters
    ----------
    bundle : ModelBundle
        The model.

    Returns
    -------
    Recipe

    Raises
    ------
    RecipeError
        If it is one of another version of this package.
    """
    return Recipe.of(bundle.about["recipe"], source=f"recipe of {bundle.name} {bundle.version}")


def same_data(model: ModelBundle, cohort: Cohort) -> bool:
    """Whether a model was trained on this very cohort; only the molecules that its recipe names count, if it names any.

    Parameters
    ----------
    model : ModelBundle
        Any model.
    cohort : Cohort
        Of its kind and unit.

    Returns
    -------
    bool
    """
    named = recipe_of(model).panel.molecules
    if not set(named) <= set(cohort.cargo.molecules):
        return False
    return bool(model.about["training"]["data_sha256"] == on_panel(cohort, recipe_of(model)).digest())


def check_states(champion: ModelBundle, cohort: Cohort) -> None:
    """Refuse a cohort of other states.

    Parameters
    ----------
    champion : ModelBundle
        In use.
    cohort : Cohort
        To be learned from or judged on.

    Raises
    ------
    InputError
        With both lists.
    """
    if cohort.states != champion.states:
        raise InputError(
            f"{cohort.sheet.source}, column {cohort.sheet.label_column}: its states are {', '.join(cohort.states)}, and "
            f"{champion.name} tells apart {', '.join(champion.states)}; give these states, or train a model of another name"
        )


def enough(cohort: Cohort, rows: Bools) -> bool:
    """Whether some samples have enough subjects of each state to tell two models apart.

    Parameters
    ----------
    cohort : Cohort
        All samples.
    rows : ndarray of bool of shape (n_samples,)
        Those that count.

    Returns
    -------
    bool
    """
    return all(
        len(np.unique(cohort.groups[rows & (cohort.y == state)])) >= _MIN_SUBJECTS for state in cohort.states
    )


def as_it_is(
    champion: ModelBundle, cohort: Cohort, recipe: Recipe, judged: Judgement, X: Floats, new: Bools
) -> Setting:
    """Let the champion itself answer, on samples new to it.

    Parameters
    ----------
    champion : ModelBundle
        In use.
    cohort : Cohort
        The challenger's.
    recipe : Recipe
        With the gate.
    judged : Judgement
        The challenger's answers to samples kept aside.
    X : ndarray of shape (n_samples, n_molecules)
        The cohort in the champion's panel.
    new : ndarray of bool of shape (n_samples,)
        Samples that the champion was not trained on.

    Returns
    -------
    Setting
        Of a batch that the champion does not know, the challenger's answers are those of leaving that batch out.
    """
    crossed = _passes(judged, cohort.n_samples)
    log_odds, sets = crossed.log_odds, crossed.sets
    same_batch = np.ones(cohort.n_samples, dtype=bool)
    if judged.batched is not None and cohort.batches is not None:
        known = list(champion.about["training"]["batches"] or {})
        rows = judged.batched.rows
        rows_new = ~np.isin(cohort.batches[rows], known)
        log_odds[:, rows[rows_new]] = judged.batched.log_odds[rows_new]
        sets[:, rows[rows_new]] = judged.batched.sets[rows_new]
        same_batch[rows[rows_new]] = False
    mine = _answers(champion, X[new], judged.samples, len(log_odds), same_batch[new])
    return _setting("new samples", cohort, recipe, new, mine, Answers(log_odds[:, new], sets[:, new]))


def by_recipe(
    champion: ModelBundle,
    cohort: Cohort,
    recipe: Recipe,
    judged: Judgement,
    known: Bools,
    n_jobs: int,
) -> list[Setting]:
    """Train the champion's recipe again in the challenger's folds, on the samples that the champion was trained on.

    Parameters
    ----------
    champion : ModelBundle
        In use.
    cohort : Cohort
        The challenger's.
    recipe : Recipe
        The challenger's; folds and seed are taken from it.
    judged : Judgement
        The challenger's answers to samples kept aside.
    known : ndarray of bool of shape (n_samples,)
        Samples that the champion was trained on; where a fold holds too few of them, all are used.
    n_jobs : int
        Parallel processes.

    Returns
    -------
    list of Setting
        Cross-validation, and leaving out batches where that is possible.
    """
    old = recipe_of(champion).model_copy(update={"folds": recipe.folds, "seed": recipe.seed})
    samples = Samples.of(on_panel(cohort, old))
    again = Parallel(n_jobs=n_jobs)(
        delayed(_trained_again)(samples, old, fold, known) for fold in judged.plan
    )
    everything = np.ones(cohort.n_samples, dtype=bool)
    mine, at = [], 0
    for kept in judged.passes:
        n_folds = int(kept.fold.max()) + 1
        mine.append(_placed(cohort, judged.plan[at : at + n_folds], again[at : at + n_folds]))
        at += n_folds
    passes = Answers(np.stack([one[0] for one in mine]), np.stack([one[1] for one in mine]))
    challenger = _passes(judged, cohort.n_samples)
    settings = [_setting("cross-validation", cohort, recipe, everything, passes, challenger)]
    if judged.batched is not None:
        rows = np.zeros(cohort.n_samples, dtype=bool)
        rows[judged.batched.rows] = True
        log_odds, sets = _placed(cohort, judged.plan[at:], again[at:])
        old_answers = Answers(log_odds[None, rows], sets[None, rows])
        new_answers = Answers(judged.batched.log_odds[None], judged.batched.sets[None])
        settings.append(_setting("batches left out", cohort, recipe, rows, old_answers, new_answers))
    return settings


def _trained_again(samples: Samples, recipe: Recipe, fold: Fold, known: Bools) -> tuple[Floats, Bools]:
    train, test = fold
    same_batch = of_known_batch(samples.batches, fold)
    own = train[known[train]]
    states = range(len(samples.states))
    if all(len(np.unique(samples.groups[own][samples.y[own] == k])) >= _MIN_SUBJECTS for k in states):
        train = own
    learned = learn(samples.take(train), recipe)
    log_odds = CompiledBlend.of(learned.blend).evaluate(samples.X[test][:, learned.support])[0]
    sets = learned.blend.sets.sets(softmax(log_odds, axis=1), recipe.answers.level, same_batch=same_batch)
    return log_odds, sets


def _placed(
    cohort: Cohort, folds: Sequence[Fold], answers: Sequence[tuple[Floats, Bools]]
) -> tuple[Floats, Bools]:
    shape = (cohort.n_samples, len(cohort.states))
    log_odds, sets = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    for (_, test), (found, held) in zip(folds, answers, strict=True):
        log_odds[test], sets[test] = found, held
    return log_odds, sets


def on_external(
    champion: ModelBundle, challenger: ModelBundle, external: Cohort, recipe: Recipe
) -> tuple[Setting, dict[str, int]]:
    """Let both answer for samples that neither was trained on.

    Parameters
    ----------
    champion, challenger : ModelBundle
        As finished.
    external : Cohort
        Of the same kind, unit and states.
    recipe : Recipe
        With the gate.

    Returns
    -------
    Setting
    seen : dict of str to int
        How many samples were left out, by how they were known.

    Raises
    ------
    InputError
        If its states are others.
    DesignError
        If too few samples are left.
    """
    check_states(champion, external)
    known = [trained_on_before(model, external) for model in (champion, challenger)]
    seen = {way: int(rows.sum()) for each in known for way, rows in each.items()}
    new = ~np.any([rows for each in known for rows in each.values()], axis=0)
    if not enough(external, new):
        raise DesignError(
            f"{external.sheet.source}: {int(new.sum())} external samples are left that neither model was trained on, fewer than "
            f"{_MIN_SUBJECTS} subjects in some state; give samples that were never trained on"
        )
    samples = Samples.of(external)
    both = [
        _answers(model, model.panel.values(external.cargo)[new], samples, 1, np.zeros(new.sum(), dtype=bool))
        for model in (champion, challenger)
    ]
    return _setting("external samples", external, recipe, new, *both), seen


def _answers(model: ModelBundle, X: Floats, samples: Samples, n_passes: int, same_batch: Bools) -> Answers:
    """Let a finished model answer, at the mix of the cohort."""
    log_odds = model.compiled.evaluate(X)[0]
    level = model.about["answers"]["level"]
    sets = model.blend.sets.sets(softmax(log_odds, axis=1), level, same_batch=same_batch)
    mix = np.bincount(samples.y, minlength=len(samples.states)) / len(samples.y)
    shift = prevalence_shift(model.blend.prevalence, mix)
    assert shift is not None
    return Answers(
        np.repeat((log_odds + shift)[None], n_passes, axis=0), np.repeat(sets[None], n_passes, axis=0)
    )


def _passes(judged: Judgement, n_samples: int) -> Answers:
    dense = [_dense(kept, n_samples) for kept in judged.passes]
    return Answers(np.stack([log_odds for log_odds, _ in dense]), np.stack([sets for _, sets in dense]))


def _dense(kept: KeptAside, n_samples: int) -> tuple[Floats, Bools]:
    shape = (n_samples, kept.log_odds.shape[1])
    log_odds, sets = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    log_odds[kept.rows], sets[kept.rows] = kept.log_odds, kept.sets
    return log_odds, sets


def _setting(
    name: str, cohort: Cohort, recipe: Recipe, rows: Bools, champion: Answers, challenger: Answers
) -> Setting:
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
