"""The classifier as scikit-learn knows one: fit, predict_proba, and parameters that can be searched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.layers import checked_layers
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import ExoclassifyError
from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.finish import finish
from exoclassify.model.answers import UNCERTAIN
from exoclassify.model.prediction import Predictions, Use
from exoclassify.typing import Floats

__all__ = ["RECIPE_PARAMETERS", "ExoClassifier"]

_DEFAULT = Recipe()

RECIPE_PARAMETERS: dict[str, tuple[str, ...]] = {
    "random_state": ("seed",),
    "learners": ("voices",),
    "molecules": ("panel", "molecules"),
    "min_prevalence": ("panel", "min_prevalence"),
    "min_coverage": ("panel", "min_coverage"),
    "normalise": ("normalise", "method"),
    "without_claims": ("prior", "without"),
    "weights": ("blend", "weights"),
    "temperature": ("blend", "temperature"),
    "class_weight": ("blend", "class_weight"),
    "outer_folds": ("folds", "outer"),
    "repeats": ("folds", "repeats"),
    "inner_folds": ("folds", "inner"),
    "level": ("answers", "level"),
    "max_wrong": ("answers", "max_wrong"),
    "novelty_alpha": ("answers", "novelty_alpha"),
    "novelty_components": ("answers", "novelty_components"),
}
"""Where each parameter of the estimator stands in a recipe."""


class ExoClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The classifier that `exoclassify.fit` trains, for scikit-learn's cross-validation, searches and pipelines.

    Parameters
    ----------
    kind, unit : str, or mapping of str to str
        What X holds, see `CargoTable`; both must be stated before `fit`. Of several layers by name, as in
        ``kind={"protein": "protein", "cells": "other"}``: X is then a DataFrame with columns ``protein:NAME`` and ``cells:NAME``,
        all of a layer NaN where a sample lacks it.
    not_detected : float, optional
        For Ct, see `CargoTable`.
    random_state, learners, molecules, min_prevalence, min_coverage, normalise, without_claims, weights, temperature, class_weight
        Of the recipe: seed, base learners (dicts or `Voice`; None for the default blend), panel, normalise, prior and blend.
    outer_folds, repeats, inner_folds, level, max_wrong, novelty_alpha, novelty_components
        Of the recipe: folds and answers; the outer folds count only with `judge`.
    judge : bool
        Also judge and audit the model, as `exoclassify.fit` does; whoever cross-validates the estimator needs neither.
    n_jobs : int
        Processes for the judgement.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The states, sorted.
    bundle_ : ModelBundle
        The model, to be saved, shown or put into a registry.
    n_features_in_ : int
        Molecules in X.
    feature_names_in_ : ndarray of shape (n_molecules,)
        Their names; only where X is a DataFrame.

    Notes
    -----
    X is raw, as measured; NaN = not measured. Everything that scikit-learn would do before (normalising, imputing, selecting)
    is done inside. A DataFrame's columns are the molecules and its index the sample ids; the columns of an array are taken to
    be the same molecules in the same order each time. What `exoclassify.fit` refuses is a ValueError here, as scikit-learn
    expects. It gives support for a decision, not a diagnosis.
    """

    def __init__(
        self,
        kind: str | Mapping[str, str] | None = None,
        unit: str | Mapping[str, str] | None = None,
        *,
        not_detected: float | None = None,
        learners: Sequence[Any] | None = None,
        molecules: Sequence[str] = _DEFAULT.panel.molecules,
        min_prevalence: float = _DEFAULT.panel.min_prevalence,
        min_coverage: float = _DEFAULT.panel.min_coverage,
        normalise: str = _DEFAULT.normalise.method,
        without_claims: Sequence[str] = _DEFAULT.prior.without,
        weights: str = _DEFAULT.blend.weights,
        temperature: float = _DEFAULT.blend.temperature,
        class_weight: str = _DEFAULT.blend.class_weight,
        outer_folds: int = _DEFAULT.folds.outer,
        repeats: int = _DEFAULT.folds.repeats,
        inner_folds: int = _DEFAULT.folds.inner,
        level: float = _DEFAULT.answers.level,
        max_wrong: float = _DEFAULT.answers.max_wrong,
        novelty_alpha: float = _DEFAULT.answers.novelty_alpha,
        novelty_components: int = _DEFAULT.answers.novelty_components,
        random_state: int = _DEFAULT.seed,
        judge: bool = False,
        n_jobs: int = 1,
    ) -> None:
        self.kind = kind
        self.unit = unit
        self.not_detected = not_detected
        self.learners = learners
        self.molecules = molecules
        self.min_prevalence = min_prevalence
        self.min_coverage = min_coverage
        self.normalise = normalise
        self.without_claims = without_claims
        self.weights = weights
        self.temperature = temperature
        self.class_weight = class_weight
        self.outer_folds = outer_folds
        self.repeats = repeats
        self.inner_folds = inner_folds
        self.level = level
        self.max_wrong = max_wrong
        self.novelty_alpha = novelty_alpha
        self.novelty_components = novelty_components
        self.random_state = random_state
        self.judge = judge
        self.n_jobs = n_jobs

    @classmethod
    def of(cls, recipe: Recipe, **others: Any) -> Self:
        """Make the estimator of a recipe; what `recipe` gives back trains the same model.

        Parameters
        ----------
        recipe : Recipe
            The choices.
        **others
            Parameters that are no part of a recipe: kind, unit, not_detected, judge, n_jobs.
        """
        values: dict[str, Any] = {}
        for name, (first, *rest) in RECIPE_PARAMETERS.items():
            value = getattr(recipe, first)
            values[name] = getattr(value, rest[0]) if rest else value
        return cls(**values, **others)

    def recipe(self) -> Recipe:
        """Give the parameters as a recipe.

        Raises
        ------
        RecipeError
            If a value is out of range.
        """
        raw: dict[str, Any] = {}
        for name, (first, *rest) in RECIPE_PARAMETERS.items():
            value = getattr(self, name)
            if isinstance(value, np.generic):  # a search draws numpy's numbers
                value = value.item()
            if name == "learners":
                if value is None:
                    continue
                value = [learner if isinstance(learner, Mapping) else learner.model_dump() for learner in value]
            if rest:
                raw.setdefault(first, {})[rest[0]] = value
            else:
                raw[first] = value
        return Recipe.of(raw, source="ExoClassifier")

    def fit(
        self,
        X: ArrayLike | pd.DataFrame,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        batches: ArrayLike | None = None,
    ) -> Self:
        """Train the model.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_molecules)
            Raw values in `unit`; NaN = not measured.
        y : array of shape (n_samples,)
            States.
        groups : array of shape (n_samples,), optional
            Person of each sample; the samples are of different persons if omitted.
        batches : array of shape (n_samples,), optional
            Centre, run or plate of each sample.

        Raises
        ------
        ValueError
            If X, y, groups or batches cannot be used as stated, or are too few to learn from; the message names the fix.
        """
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        targets = _targets(y)
        sheet = {"label": targets, "subject": groups, "batch": batches}
        columns = {name: _column(name, given, len(values)) for name, given in sheet.items() if given is not None}
        self.classes_, codes = np.unique(targets, return_inverse=True)
        self._names = [str(name).strip() for name in self.classes_]
        if not 2 <= len(set(self._names)) == len(self.classes_):
            raise ValueError(f"y has the classes {self.classes_.tolist()}; give two or more that differ as words")
        columns["label"] = np.array(self._names, dtype=object)[codes]
        try:
            tables = self._tables(X, values)
            frame = pd.DataFrame(columns, index=list(next(iter(tables.values())).sample_ids))
            subject, batch = ("subject" if groups is not None else None), ("batch" if batches is not None else None)
            cohort = Cohort(checked_layers(tables), SampleSheet(frame, "label", subject, batch, source="y"))
            self.bundle_ = finish(cohort, self.recipe(), judge=self.judge, n_jobs=self.n_jobs).bundle
        except ExoclassifyError as error:
            raise ValueError(str(error)) from error
        return self

    def predict_proba(self, X: ArrayLike | pd.DataFrame, batches: ArrayLike | None = None) -> Floats:
        """Give the calibrated probability of each state.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_molecules)
            As in `fit`.
        batches : array of shape (n_samples,), optional
            Batch of each sample; unknown batches if omitted.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        given = self.answers(X, batches)
        return given.probabilities[:, self._order()]

    def predict(self, X: ArrayLike | pd.DataFrame, batches: ArrayLike | None = None) -> NDArray[Any]:
        """Give the most probable state, called or not; parameters as in `predict_proba`."""
        best = self.predict_proba(X, batches).argmax(axis=1)
        found: NDArray[Any] = self.classes_[best]
        return found

    def predict_set(self, X: ArrayLike | pd.DataFrame, batches: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Give the states that remain plausible at `level`, shape (n_samples, n_classes); parameters as in `predict_proba`."""
        given = self.answers(X, batches)
        return given.sets[:, self._order()]

    def predict_call(self, X: ArrayLike | pd.DataFrame, batches: ArrayLike | None = None) -> NDArray[np.object_]:
        """Give a state where it can be called at `max_wrong`, else "uncertain"; parameters as in `predict_proba`."""
        calls = self.answers(X, batches).calls
        named = dict(zip(self._names, self.classes_, strict=True))
        return np.array([UNCERTAIN if call == UNCERTAIN else named[call] for call in calls], dtype=object)

    def answers(self, X: ArrayLike | pd.DataFrame, batches: ArrayLike | None = None) -> Predictions:
        """Give answers with calls, sets, novelty and reasons, as `ModelBundle.predict` does; parameters as in `predict_proba`."""
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        named = None if batches is None else [str(batch) for batch in _column("batch", batches, len(values))]
        try:
            tables = self._tables(X, values)
            return self.bundle_.predict(
                tables if self.bundle_.layers else next(iter(tables.values())), Use(), batches=named
            )
        except ExoclassifyError as error:
            raise ValueError(str(error)) from error

    def _order(self) -> list[int]:
        """Columns of the model, whose states are sorted as texts, in the order of `classes_`."""
        return [self.bundle_.states.index(name) for name in self._names]

    def _tables(self, X: Any, values: Floats) -> dict[str, CargoTable]:
        """Give the layers by name; the one table where there are none."""
        if self.kind is None or self.unit is None:
            raise ValueError(
                "kind and unit are not stated; say what X holds, as in ExoClassifier(kind='mirna', unit='counts')"
            )
        named = X.columns if isinstance(X, pd.DataFrame) else [f"molecule-{j + 1}" for j in range(values.shape[1])]
        index = X.index if isinstance(X, pd.DataFrame) else None
        if index is None or isinstance(index, pd.RangeIndex) or not index.is_unique:
            mark = hashlib.sha256(values.tobytes()).hexdigest()[:12]  # no other table has these ids
            index = pd.Index([f"row-{mark}-{i + 1}" for i in range(len(values))])
        frame = pd.DataFrame(values, index=index.astype(str), columns=[str(name) for name in named])
        if isinstance(self.kind, str) and isinstance(self.unit, str):
            table = CargoTable.from_frame(
                frame, kind=self.kind, unit=self.unit, not_detected=self.not_detected, source="X"
            )
            return {table.kind: table}
        if isinstance(self.kind, str) or isinstance(self.unit, str) or set(self.kind) != set(self.unit):
            raise ValueError("kind and unit name different layers; give both by the same names, or both as words")
        lacking = [name for name in self.kind if not any(column.startswith(f"{name}:") for column in frame.columns)]
        if lacking:
            raise ValueError(
                f"X: no column begins with {lacking[0]}:; name the columns of a layer as in {lacking[0]}:MOLECULE"
            )
        return {
            name: CargoTable.from_frame(
                frame.filter(regex=f"^{re.escape(name)}:").rename(columns=lambda column: column.partition(":")[2]),
                kind=kind, unit=self.unit[name], not_detected=self.not_detected if self.unit[name] == "ct" else None,
                source=f"X, layer {name}",
            )
            for name, kind in self.kind.items()
        }  # fmt: skip

    def __sklearn_tags__(self) -> Any:
        """Say that missing values are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _targets(y: Any) -> NDArray[Any]:
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None; give the state of each sample")
    targets: NDArray[Any] = column_or_1d(y, warn=True)
    if targets.dtype.kind == "f":
        assert_all_finite(targets, input_name="y")
    if pd.isna(targets).any():
        raise ValueError(f"y lacks the state of {pd.isna(targets).sum()} of {len(targets)} samples; leave them out")
    check_classification_targets(targets)
    return targets


def _column(name: str, given: Any, n_samples: int) -> NDArray[Any]:
    column = np.asarray(given)
    if column.shape != (n_samples,):
        raise ValueError(f"{name} has shape {column.shape}, and X has {n_samples} samples; give one {name} a sample")
    return column
