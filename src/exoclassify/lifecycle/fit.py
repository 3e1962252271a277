"""The main job: a cohort in, an honest model out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from exoclassify.data.cohort import Cohort, cohort_of
from exoclassify.data.covariates import with_covariates as added
from exoclassify.errors import check_type
from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.finish import finish
from exoclassify.model.bundle import ModelBundle

__all__ = ["fit"]


def fit(
    cohort: Cohort | str | Path,
    recipe: Recipe | None = None,
    *,
    judge: bool = True,
    covariates: Sequence[str] = (),
    with_covariates: bool = False,
    permutations: int = 0,
    cache: Path | None = None,
    name: str = "model",
    version: str = "1.0.0",
    n_jobs: int = -1,
    progress: Callable[[int, int], None] | None = None,
) -> ModelBundle:
    """Train a classifier of pain state on a cohort and judge it on held-out samples.

    Parameters
    ----------
    cohort : Cohort or path
        One layer of cargo or several, labels, and where known subjects and batches; or the path of its study file, whose
        covariates hold where none are given.
    recipe : Recipe, optional
        The choices; the default blend if omitted.
    judge : bool
        Evaluate by repeated nested cross-validation, and batch by batch where batches are given, and audit the cohort.
        Without it the card says "not judged".
    covariates : sequence of str
        Columns of the sheet that are compared with the state and reported apart, beside those called sex, age or BMI. Those
        named here are also judged as a model of their own, beside one of the cargo and one of both.
    with_covariates : bool
        Also ship the covariates, as a layer of the model called ``covariates``.
    permutations : int
        How often the judgement is run again with labels permuted at random, for a p-value; 0 for none. At least 19 to reach 0.05.
    cache : Path, optional
        Folder in which finished folds are kept, so that the same run asked again goes on from there.
    name, version : str
        Of the model; the version is three numbers with dots between.
    n_jobs : int
        Parallel processes for the judgement; -1 for all cores. The result does not depend on it.
    progress : callable, optional
        Called with steps done and steps in all.

    Raises
    ------
    DesignError
        If the cohort is too small or one-sided to learn from.
    InputError
        If samples carry no values.
    RecipeError
        If the recipe does not fit the table's unit, or the name or version is not valid.
    """
    cohort, study = cohort_of(cohort, "fit: cohort")
    covariates = covariates or (study.covariates if study else ())
    check_type(recipe, (Recipe, type(None)), "fit: recipe", "a Recipe, such as Recipe.read(path) or Recipe.of({...})")
    return finish(
        added(cohort, covariates) if with_covariates else cohort,
        Recipe() if recipe is None else recipe,
        judge=judge,
        covariates=covariates,
        permutations=permutations,
        cache=cache,
        name=name,
        version=version,
        n_jobs=n_jobs,
        progress=progress,
    ).bundle
