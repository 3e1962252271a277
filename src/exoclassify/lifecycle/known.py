"""What a model has seen of a cohort: by sample id, by person, and by the cargo itself, whatever it is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.covariates import COVARIATES, with_covariates
from exoclassify.errors import DesignError, RecipeError, first_three
from exoclassify.learning.recipe import Recipe
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.layered_panel import LayeredPanel
from exoclassify.typing import Floats, Mask

__all__ = [
    "as_trained",
    "nothing_new",
    "on_panel",
    "recipe_of",
    "recognised",
    "same_data",
    "trained_on_before",
    "unseen",
]


def recipe_of(bundle: ModelBundle) -> Recipe:
    """Read the recipe that a model was made by."""
    return Recipe.of(dict(bundle.about.recipe), source=f"recipe of {bundle.name} {bundle.version}")


def on_panel(cohort: Cohort, recipe: Recipe) -> Cohort:
    """Keep the molecules that a recipe names, if it names any.

    Returns
    -------
    Cohort
        With a note when the molecules were chosen on this very cohort; the same cohort when none is named.
    """
    named = recipe.panel.molecules
    if not named:
        return cohort
    if len(cohort.layers) > 1:
        raise RecipeError(
            "panel.molecules: the recipe names molecules of one layer, and several are given; leave them out"
        )
    table = cohort.cargo
    lacking = [name for name in named if name not in table.molecules]
    if lacking:
        raise RecipeError(
            f"panel.molecules: {table.source} lacks {len(lacking)} of the {len(named)} molecules that the recipe names "
            f"({first_three(lacking)}); give the table they were chosen on, or a recipe without them"
        )
    layer = CargoTable(
        table.aligned(named),
        table.sample_ids,
        named,
        table.kind,
        table.unit,
        f"{table.source}, the {len(named)} molecules of the recipe",
        table.not_detected,
    )
    note = (
        "the recipe's molecules were chosen on these very samples, so every figure of merit here is optimistic; the report "
        "of exoclassify discover has the honest one"
    )
    notes = (*cohort.notes, note) if recipe.panel.chosen_on == cohort.digest() else cohort.notes
    return dataclasses.replace(cohort, layers={next(iter(cohort.layers)): layer}, notes=notes)


def as_trained(model: ModelBundle, cohort: Cohort) -> Cohort:
    """Give a cohort the layer of covariates that a model was trained with, if it was, from the same columns of the sheet."""
    if COVARIATES not in model.layers or COVARIATES in cohort.layers or not isinstance(model.panel, LayeredPanel):
        return cohort
    own = model.panel.layers[COVARIATES].molecules
    return with_covariates(cohort, list(dict.fromkeys(name.partition("=")[0] for name in own)))


def trained_on_before(model: ModelBundle, cohort: Cohort) -> dict[str, Mask]:
    """Say which samples of a cohort a model was trained on.

    Returns
    -------
    dict of str to ndarray of bool of shape (n_samples,)
        By sample id, subject and near-duplicate cargo; all of them where the model does not remember.
    """
    return recognised(
        model, cohort.sheet.sample_ids, model.values(cohort), cohort.groups.tolist() if cohort.has_subjects else None
    )


def recognised(model: ModelBundle, ids: Sequence[str], X: Floats, subjects: Sequence[str] | None) -> dict[str, Mask]:
    """Say which samples a model was trained on, by ids and raw values of its panel; results as `trained_on_before`."""
    if model.trained_on is None:
        return {"not remembered by the model": np.ones(len(ids), dtype=bool)}
    key = model.training.data_sha256
    return model.trained_on.recognised(model.blend, model.panel.molecules, X, ids, subjects, key)


def unseen(model: ModelBundle, cohort: Cohort) -> tuple[Cohort, dict[str, int] | None]:
    """Leave out the samples that a model was trained on.

    Returns
    -------
    left_out : dict of str to int or None
        How many were left out, ``in all`` and by each way of knowing them; empty where none was, None where the model does
        not remember its training samples.
    """
    ways = trained_on_before(model, cohort)
    if model.trained_on is None:
        if not same_data(model, cohort):
            return cohort, None
        ways = {"training table": np.ones(cohort.n_samples, dtype=bool)}
    known = np.any(list(ways.values()), axis=0)
    if not known.any():
        return cohort, {}
    counts = {way: int(rows.sum()) for way, rows in ways.items() if rows.any()}
    if known.all():
        told = ", ".join(f"{count} by {way}" for way, count in counts.items())
        raise DesignError(
            f"{cohort.source}: {model.name} {model.version} was trained on all {cohort.n_samples} samples ({told}), so "
            "nothing is left to judge it by; give samples that it has not seen, and other ids where only the ids are the same"
        )
    return cohort.take(~known), {"in all": int(known.sum()), **counts}


def same_data(model: ModelBundle, cohort: Cohort) -> bool:
    """Whether a model was trained on this very cohort; only the molecules that its recipe names count, if it names any."""
    recipe = recipe_of(model)
    if not set(recipe.panel.molecules) <= set(cohort.molecules):
        return False
    return bool(model.about.training.data_sha256 == on_panel(cohort, recipe).digest())


def nothing_new(champion: ModelBundle, cohort: Cohort, recipe: Recipe) -> str:
    """Say why a challenger would learn nothing that the champion did not.

    Returns
    -------
    str
        Empty where there is something new: another recipe, cargo that the champion was not trained on, corrected labels, or
        batches or subjects that were not given then. Other ids, another order or a part of the same samples are not new.
    """
    own = recipe_of(champion)
    if own != recipe.model_copy(update={"gate": own.gate}):
        return ""
    who = f"{champion.name} {champion.version}"
    if same_data(champion, cohort):
        return f"{who} was made of these samples by this recipe"
    if champion.trained_on is None:
        return ""
    same = champion.trained_on.copies(champion.blend, champion.panel.molecules, champion.values(cohort))
    if (same < 0).any() or _relabelled(champion, cohort, same) or _better_described(champion, cohort, same):
        return ""
    ids = champion.trained_on.named(cohort.sheet.sample_ids, champion.about.training.data_sha256)
    return (
        f"{who} was trained on the cargo of all {cohort.n_samples} samples of {cohort.source}, {int(ids.sum())} of them "
        "under the same id, by this recipe; add samples that it was not trained on"
    )


def _better_described(champion: ModelBundle, cohort: Cohort, same: NDArray[np.intp]) -> bool:
    """Whether more is said of the samples than in training: subjects, or more batches; of copies beside them nothing is."""
    if len(np.unique(same)) < len(same):
        return False
    training = champion.about.training
    batches = 0 if cohort.batches is None else len(np.unique(cohort.batches))
    return batches > len(training.batches or {}) or (cohort.has_subjects and training.subjects is None)


def _relabelled(champion: ModelBundle, cohort: Cohort, same: NDArray[np.intp]) -> bool:
    """Whether a sample has another state than its copy had in training, as far as the model's files tell."""
    aside = champion.aside
    if aside is not None:
        labels = aside.loc[aside["judged"] == "cv-1", "label"].to_numpy(dtype=object)
        return bool((labels[same] != cohort.y).any())
    states, counts = np.unique(cohort.y, return_counts=True)
    now = dict(zip(states.tolist(), counts.tolist(), strict=True))
    then = champion.about.training.samples
    return bool(sum(now.values()) == sum(then.values()) and now != then)
