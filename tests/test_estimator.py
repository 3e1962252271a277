"""The classifier in scikit-learn's hands: its checks, its loops, and the same numbers as `exo.fit`."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel
from sklearn import config_context
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import exoclassify as exo
from exoclassify.lifecycle.estimator import RECIPE_PARAMETERS

RIDGE = [{"learner": "ridge", "view": "log"}]
LOG = exo.ExoClassifier("other", "log2_intensity", learners=RIDGE)
AROUND_100 = "its values lie around 100, and no log2 intensity does; passes with unit='intensity', below"
EXPECTED = {
    "check_classifiers_train": "of its two molecules, centring each sample leaves one, and its three clusters then overlap",
    "check_class_weight_classifiers": "weights by class are 'none' or 'balanced': another mix is stated when answering",
    "check_fit2d_1feature": "it gives three samples of a state, and fewer than five are refused whatever they measure",
    "check_fit_idempotent": AROUND_100,
    "check_fit_check_is_fitted": AROUND_100,
    "check_n_features_in": AROUND_100,
}
MADE = exo.simulate(seed=3, n_samples=60, n_molecules=80, n_batches=2)
COHORT = MADE.cohort
X, Y = COHORT.cargo.to_frame(), pd.Series(COHORT.y)
COUNTS = exo.ExoClassifier("mirna", "counts", learners=RIDGE)


@pytest.mark.slow
@parametrize_with_checks([LOG], expected_failed_checks=lambda _: EXPECTED)
def test_scikit_learn_finds_a_classifier(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("name", [name for name, reason in EXPECTED.items() if reason == AROUND_100])
def test_checks_with_values_around_100_pass_as_intensities(name: str) -> None:
    getattr(estimator_checks, name)("ExoClassifier", exo.ExoClassifier("other", "intensity", learners=RIDGE))


def test_three_clusters_of_twenty_molecules_are_separated() -> None:
    values, y = make_blobs(n_samples=150, n_features=20, random_state=0)
    assert LOG.fit(values, y).score(values, y) > 0.95


def test_its_numbers_are_those_of_fit() -> None:
    recipe = exo.Recipe.of({"learners": RIDGE, "seed": 4, "panel": {"min_prevalence": 0.4}})
    bundle = exo.fit(COHORT, recipe, judge=False)
    fitted = exo.ExoClassifier.of(recipe, kind="mirna", unit="counts").fit(X, Y, COHORT.groups, COHORT.batches)
    for batches in (None, COHORT.batches):
        expected = bundle.predict(COHORT.cargo, batches=None if batches is None else batches.tolist())
        np.testing.assert_array_equal(fitted.predict_proba(X, batches), expected.probabilities)
        np.testing.assert_array_equal(fitted.predict_set(X, batches), expected.sets)
        assert fitted.predict_call(X, batches).tolist() == list(expected.calls)
        assert fitted.predict(X, batches).tolist() == list(expected.best_guesses)
    assert fitted.bundle_.about.training.data_sha256 == bundle.about.training.data_sha256


def test_its_parameters_are_the_recipes() -> None:
    leaves = set()
    for name, field in exo.Recipe.model_fields.items():
        part = field.annotation
        inner = part.model_fields if isinstance(part, type) and issubclass(part, BaseModel) else None
        leaves |= {(name, leaf) for leaf in inner} if inner is not None else {(name,)}
    not_of_one_model = {("panel", "chosen_on")} | {leaf for leaf in leaves if leaf[0] == "gate"}
    assert set(RECIPE_PARAMETERS.values()) == leaves - not_of_one_model
    assert set(RECIPE_PARAMETERS) < set(inspect.signature(exo.ExoClassifier).parameters)
    assert exo.ExoClassifier().recipe() == exo.Recipe()
    recipe = exo.Recipe.of({"seed": 5, "folds": {"inner": 3}, "learners": RIDGE, "answers": {"level": 0.8}})
    assert exo.ExoClassifier.of(recipe).recipe() == recipe


def test_groups_and_batches_are_routed_through_cross_validation() -> None:
    params = {"groups": COHORT.groups, "batches": COHORT.batches}
    with config_context(enable_metadata_routing=True):
        asking = exo.ExoClassifier("mirna", "counts", learners=RIDGE).set_fit_request(groups=True, batches=True)
        found = cross_validate(
            asking,
            X,
            Y,
            params=params,
            cv=GroupKFold(3),
            return_estimator=True,
            return_indices=True,
            scoring="accuracy",
        )
    for fitted, rows in zip(found["estimator"], found["indices"]["train"], strict=True):
        assert fitted.bundle_.about.training.subjects == len(set(COHORT.groups[rows]))
        assert fitted.bundle_.about.training.batches is not None
    assert found["test_score"].mean() > 0.5


@pytest.mark.slow
def test_it_is_searched_and_stands_at_the_end_of_a_pipeline() -> None:
    pipeline = Pipeline([("raw", FunctionTransformer()), ("model", COUNTS)]).set_output(transform="pandas")
    grid = {
        "model__temperature": np.array([1.0, 8.0]),
        "model__learners": [RIDGE, [{"learner": "svm", "view": "ranks"}]],
    }
    search = GridSearchCV(pipeline, grid, cv=2, scoring="neg_log_loss", error_score="raise").fit(X, Y)
    assert search.best_estimator_["model"].bundle_.panel.molecules[0].startswith("hsa-")
    assert cross_val_score(COUNTS, X.to_numpy(), Y, cv=2, error_score="raise").mean() > 0.5


def test_columns_in_another_order_are_refused_as_scikit_learn_does() -> None:
    fitted = COUNTS.fit(X, Y)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(X[X.columns[::-1]])


def test_numbers_as_classes_keep_their_type_and_order() -> None:
    codes = Y.map({"control": 2, "inflammatory": 10, "neuropathic": 3}).to_numpy()
    fitted = COUNTS.fit(X, codes)
    assert fitted.classes_.tolist() == [2, 3, 10]
    assert fitted.predict(X).dtype == codes.dtype
    assert (fitted.predict(X) == codes).mean() > 0.8
    assert set(fitted.predict_call(X)) <= {2, 3, 10, "uncertain"}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"y": None}, "give the state of each sample"),
        ({"y": Y.where(Y != "control")}, "lacks the state of .* of 60 samples; leave them out"),
        ({"y": np.full(60, "control")}, r"classes \['control'\]; give two or more"),
        ({"groups": COHORT.groups[:9]}, r"subject has shape \(9,\), and X has 60 samples"),
        ({"X": X.assign(**{X.columns[0]: -1.0})}, "X: 60 cells are negative .* counts are whole numbers"),
        ({"X": X.iloc[:, :1].to_numpy()[:, 0]}, "Expected 2D array"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_the_fix(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        COUNTS.fit(**({"X": X, "y": Y} | change))


def test_what_the_numbers_are_must_be_said() -> None:
    with pytest.raises(ValueError, match="kind and unit are not stated"):
        exo.ExoClassifier().fit(X, Y)
    with pytest.raises(ValueError, match=r"ExoClassifier: blend.temperature: .* greater than 0"):
        exo.ExoClassifier("mirna", "counts", temperature=-1.0).fit(X, Y)
