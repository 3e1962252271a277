from dataclasses import replace
from itertools import combinations
from math import factorial
from pathlib import Path

import numpy as np
import pytest
import xgboost

from cohorts import EVERY_VOICE, counts
from exoclassify.learning.learn import Learned, learn
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.methods.learners.trees import Trees, fit_boosted, fit_forest
from exoclassify.methods.tree_shapley import LeafBoxes
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.explain import against_rest, contributions, top
from exoclassify.model.panel import Panel

SAMPLES = {k: counts(n=60, n_states=k, n_batches=2) for k in (2, 3)}
LEARNED = {k: learn(samples, EVERY_VOICE) for k, samples in SAMPLES.items()}


ABOUT = ModelBundle.load(Path(__file__).parents[1] / "models" / "pain-state-demo" / "3.0.0").about
"""Of another model: what is explained here does not depend on what is told of it."""


def bundled(samples: Samples, learned: Learned) -> ModelBundle:
    n = len(learned.support)
    names = tuple(f"hsa-miR-{i}-5p" for i in learned.support)
    panel = Panel(names, "mirna", "counts", None, np.ones(n), float(n), 0.8, False)
    return ModelBundle(learned.blend, panel, ABOUT, samples.X[:20, learned.support], "")


BUNDLES = {k: bundled(SAMPLES[k], LEARNED[k]) for k in (2, 3)}


def of_one_voice(**voice: object) -> tuple[ModelBundle, np.ndarray]:
    samples = SAMPLES[2]
    recipe = Recipe.of({"folds": {"inner": 3}, "voices": [voice]})
    learned = learn(samples, recipe)
    return bundled(samples, learned), samples.X[:, learned.support]


@pytest.mark.parametrize("head", [0, 1], ids=["new batch", "known batch"])
@pytest.mark.parametrize("k", [2, 3])
def test_contributions_add_up_to_the_compiled_score(k: int, head: int) -> None:
    bundle, X = BUNDLES[k], SAMPLES[k].X[:, LEARNED[k].support]
    rng = np.random.default_rng(0)
    for rows in (X, rng.permuted(X, axis=0), np.where(rng.random(X.shape) < 0.4, np.nan, X), X[:4] * 0):
        parts, base = contributions(bundle, rows, head)
        assert parts.shape == (len(rows), X.shape[1], k)
        np.testing.assert_allclose(base + parts.sum(axis=1), bundle.compiled.evaluate(rows)[0][head], rtol=0, atol=1e-6)


@pytest.mark.parametrize("member", range(len(EVERY_VOICE.voices)), ids=lambda i: EVERY_VOICE.voices[i].name)
@pytest.mark.parametrize("k", [2, 3])
def test_contributions_of_every_voice_alone_add_up_to_its_score(member: int, k: int) -> None:
    blend = LEARNED[k].blend
    heads = tuple(replace(head, factors=np.ones(1)) for head in blend.calibration.heads)
    calibration = replace(blend.calibration, heads=heads)
    alone = replace(blend, members=(blend.members[member],), calibration=calibration)
    bundle = replace(BUNDLES[k], blend=alone)
    X = SAMPLES[k].X[:, LEARNED[k].support]
    parts, base = contributions(bundle, X)
    single = EVERY_VOICE.voices[member].learner == "xgboost"  # adds its trees up in single precision
    np.testing.assert_allclose(
        base + parts.sum(axis=1), bundle.compiled.evaluate(X)[0][0], rtol=0, atol=1e-6 if single else 1e-9
    )


@pytest.mark.parametrize("k", [2, 3])
def test_no_explanation_depends_on_who_else_was_asked(k: int) -> None:
    X = SAMPLES[k].X[:12, LEARNED[k].support]
    together = contributions(BUNDLES[k], X)[0]
    for i in (3, 0, 11):
        assert (contributions(BUNDLES[k], X[i : i + 1])[0][0] == together[i]).all()


@pytest.mark.parametrize("n_states", [2, 3])
def test_boosted_contributions_are_those_of_xgboost(n_states: int) -> None:
    samples = counts(n=80, p=40, n_states=n_states, seed=3)
    V = np.log2(samples.X + 1)
    fitted = fit_boosted("log", V, samples.y, n_trees=40, max_depth=4, learning_rate=0.3, class_weight=None, seed=1)
    new = np.random.default_rng(1).permuted(V, axis=0)
    expected = fitted.booster().predict(xgboost.DMatrix(new.astype(np.float32)), pred_contribs=True)
    boxes = LeafBoxes.of(fitted.trees())
    # Ours is (sample, molecule, column); theirs (sample, column, molecule and bias), without a column axis for two states.
    expected = expected.reshape(len(V), boxes.value.shape[1], 41).transpose(0, 2, 1)
    found = boxes.shapley(new)
    np.testing.assert_allclose(found, expected[:, :-1], atol=2e-5)
    bias = expected[0, -1] - (0.5 if n_states == 3 else 0.0)  # its base score, the same for all states
    np.testing.assert_allclose(boxes.base, bias, atol=2e-5)
    assert np.abs(found).max() > 0.1


def value_of(trees: Trees, row: np.ndarray, known: set[int], node: int) -> np.ndarray:
    """What a tree says when only some molecules are known: the definition, by recursion."""
    left, right = trees.left[node], trees.right[node]
    if left == node:
        return trees.value[node]
    if trees.feature[node] in known:
        goes_right = np.float32(row[trees.feature[node]]) > trees.threshold[node]
        return value_of(trees, row, known, right if goes_right else left)
    both = [trees.cover[child] * value_of(trees, row, known, child) for child in (left, right)]
    return (both[0] + both[1]) / trees.cover[node]


def test_forest_contributions_are_shapley_values_by_their_definition() -> None:
    samples = counts(n=60, p=5, n_states=3, effect=1.0)
    V = np.log2(samples.X + 1)
    trees = fit_forest("log", V, samples.y, extra=False, n_trees=3, min_leaf=1, class_weight="balanced", seed=0).trees
    row, p = V[7], 5
    expected = np.zeros((p, 3))
    for j in range(p):
        others = [i for i in range(p) if i != j]
        for size in range(p):
            weight = factorial(size) * factorial(p - size - 1) / factorial(p)
            for subset in combinations(others, size):
                for root in trees.roots:
                    with_j = value_of(trees, row, {*subset, j}, root)
                    expected[j] += weight * (with_j - value_of(trees, row, set(subset), root))
    found = LeafBoxes.of(trees).shapley(row[None, :])[0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_tree_without_a_split_moves_nothing() -> None:
    V = np.random.default_rng(0).normal(size=(20, 3))
    y = np.arange(20) % 2
    forest = fit_forest("log", V, y, extra=True, n_trees=2, min_leaf=20, class_weight=None, seed=0)
    boxes = LeafBoxes.of(forest.trees)
    assert (boxes.shapley(V) == 0).all()
    np.testing.assert_allclose(boxes.base, [1.0, 1.0])


def test_a_linear_contribution_is_weight_times_distance_from_the_training_mean() -> None:
    bundle, X = of_one_voice(learner="ridge", view="log")
    blend = bundle.blend
    learner, head = blend.members[0].learner, blend.calibration.heads[0]
    V = blend.views.log(X)
    scores = ((V - V.mean(axis=0)) / V.std(axis=0))[:, :, None] * learner.coef.T
    expected = head.factors[0] * scores @ (head.means @ head.white).T
    np.testing.assert_allclose(contributions(bundle, X)[0], expected, atol=1e-9)


def test_ratio_contributions_are_nil_on_average_over_the_training_samples() -> None:
    bundle, X = of_one_voice(learner="ratios", view="damped", n_ratios=12, pool=15)
    parts, base = contributions(bundle, X)
    assert np.abs(parts).max() > 0.1
    np.testing.assert_allclose(parts.sum(axis=1).mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(base[0], bundle.compiled.evaluate(X)[0][0].mean(axis=0), atol=1e-9)


def test_the_molecules_that_differ_move_most() -> None:
    bundle, X = BUNDLES[2], SAMPLES[2].X[:, LEARNED[2].support]
    moved = np.abs(against_rest(contributions(bundle, X)[0], 1)).mean(axis=0)
    strongest = {int(LEARNED[2].support[i]) for i in np.argsort(-moved)[:3]}
    assert strongest == {3, 4, 5}  # those raised in state-1


def test_movers_are_told_of_the_most_probable_state_the_strongest_first() -> None:
    bundle, X = BUNDLES[3], SAMPLES[3].X[:9, LEARNED[3].support]
    movers = top(bundle, X, 3)
    sizes = [[abs(mover.log_odds) for mover in row] for row in movers]
    assert all(row == sorted(row, reverse=True) and len(row) == 3 for row in sizes)
    called = bundle.compiled.evaluate(X)[0][0].argmax(axis=1)
    assert [row[0].state for row in movers] == [bundle.states[k] for k in called]


def test_what_was_not_measured_is_told_as_nan() -> None:
    bundle, X = BUNDLES[2], SAMPLES[2].X[:1, LEARNED[2].support].copy()
    X[:] = np.nan
    assert all(np.isnan(mover.value) for mover in top(bundle, X, 5)[0])


def test_against_rest_is_the_logit_for_two_states_and_a_mean_for_three() -> None:
    assert against_rest(np.array([[-0.5, 0.5]]), 1) == [1.0]
    assert against_rest(np.array([[3.0, 0.0, 1.0]]), 0) == [2.5]


def test_no_samples_have_no_explanation() -> None:
    parts, base = contributions(BUNDLES[3], np.zeros((0, len(LEARNED[3].support))))
    assert parts.shape == (0, len(LEARNED[3].support), 3)
    assert base.shape == (0, 3)
    assert top(BUNDLES[3], np.zeros((0, len(LEARNED[3].support))), 4) == []
