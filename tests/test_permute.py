import dataclasses

import numpy as np
import pytest

from cohorts import counts
from exoclassify.judging.permute import permutation_test, permuted_labels
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples

RIDGE = Recipe.of({"folds": {"outer": 3, "inner": 2}, "voices": [{"learner": "ridge"}]})


def test_labels_go_round_among_persons_within_batches() -> None:
    samples = counts(n=40, n_batches=2)
    twice = Samples(
        np.repeat(samples.X, 2, axis=0), np.repeat(samples.y, 2), np.repeat(samples.groups, 2),
        np.repeat(samples.batches, 2), samples.states, "counts", None,
    )  # fmt: skip
    dealt = permuted_labels(twice, seed=1)
    assert not np.array_equal(dealt, twice.y)
    np.testing.assert_array_equal(dealt[::2], dealt[1::2])
    for batch in (0, 1):
        here = twice.batches == batch
        assert np.bincount(dealt[here]).tolist() == np.bincount(twice.y[here]).tolist()


def test_what_differs_within_persons_is_dealt_within_them() -> None:
    # Before and after treatment of the same person: each keeps one of both.
    samples = counts(n=40)
    pairs = dataclasses.replace(samples, groups=np.arange(40) // 2)
    dealt = permuted_labels(pairs, seed=3)
    assert (np.bincount(pairs.groups, weights=dealt) == 1).all()
    assert not np.array_equal(dealt, pairs.y)


@pytest.mark.slow
def test_a_clear_signal_beats_every_deal() -> None:
    told: list[tuple[int, int]] = []
    found = permutation_test(
        counts(n=40, effect=3.0),
        RIDGE,
        0.99,
        n_permutations=19,
        n_jobs=1,
        progress=lambda done, of: told.append((done, of)),
    )
    assert found.p_value == 1 / 20
    assert 0.3 < found.mean < 0.7
    assert told[-1] == (19, 19)


@pytest.mark.slow
def test_the_result_does_not_depend_on_the_number_of_processes() -> None:
    samples = counts(n=24, p=10)
    one, two = (permutation_test(samples, RIDGE, 0.6, n_permutations=4, n_jobs=n) for n in (1, 2))
    assert one == two


@pytest.mark.slow
def test_noise_gives_p_values_of_every_size() -> None:
    values = []
    for seed in range(8):
        samples = counts(n=24, p=10, effect=0.0, seed=seed)
        observed = permutation_test(samples, RIDGE, 0.0, n_permutations=1, n_jobs=1).mean  # a deal like any other
        later = RIDGE.model_copy(update={"seed": 50})
        values.append(permutation_test(samples, later, observed, n_permutations=5, n_jobs=1).p_value)
    assert min(values) < 0.5 < max(values)
