"""The judge itself, in short; tests/benchmarks/judging_noise.py is the long version."""

import numpy as np
import pytest

from exoclassify.judging.evaluate import judge
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples

SELECTING = Recipe.of(
    {
        "folds": {"outer": 4, "repeats": 1, "inner": 2},
        "voices": [{"learner": "ratios", "view": "log", "n_ratios": 20, "pool": 20}],
    }
)
"""Molecules are chosen by how they differ between the states: outside the fold this scores noise near 1."""


def noise(seed: int, n: int = 32, p: int = 400) -> Samples:
    rng = np.random.default_rng(seed)
    X = rng.poisson(np.exp2(rng.normal(5, 1, p)) * rng.gamma(3, 1 / 3, (n, p))).astype(float)
    return Samples(X, rng.permutation(np.arange(n) % 2), np.arange(n), None, ("a", "b"), "counts", None)


@pytest.mark.slow
def test_selection_inside_the_fold_scores_noise_one_half_and_intervals_hold_it() -> None:
    values, held = [], 0
    for seed in range(20):
        samples = noise(seed)
        figure = judge(
            samples, [str(i) for i in range(32)], SELECTING, n_jobs=1
        ).evaluation.cross_validation.figures.auc
        values.append(figure.value)
        held += figure.low <= 0.5 <= figure.high
    assert abs(np.mean(values) - 0.5) < 0.06  # 20 cohorts: the standard error of the mean is about .025
    assert held >= 17
