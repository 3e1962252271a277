import numpy as np
import pytest
from scipy.stats import ttest_ind

from exoclassify.discovery.stability import FIRM, _halves, _shuffled, false_share, stability_selection
from exoclassify.discovery.units import Units, moderated_statistics


def units(n: int = 60, p: int = 200, true: int = 10, effect: float = 1.5, seed: int = 0, batches: int = 1) -> Units:
    rng = np.random.default_rng(seed)
    y, strata = np.arange(n) % 2, (np.arange(n) // 2) % batches
    Y = rng.normal(size=(n, p))
    Y[:, :true] += effect * y[:, None]
    return Units(Y, np.ones((n, p)), y, strata, np.arange(n), 0.0, 1.0)


def test_without_prior_and_strata_the_statistic_is_students_t() -> None:
    made = units()
    found = moderated_statistics(made, made.y, np.ones((1, 60), dtype=bool))[0]
    expected = ttest_ind(made.Y[made.y == 1], made.Y[made.y == 0]).statistic
    np.testing.assert_allclose(found, np.abs(expected), rtol=1e-10)


def test_the_statistic_ignores_what_strata_explain() -> None:
    made = units(batches=2, effect=0.0)
    shifted = Units(made.Y + 5.0 * made.strata[:, None], made.weights, made.y, made.strata, made.subjects, 0.0, 1.0)
    taken = np.ones((1, 60), dtype=bool)
    np.testing.assert_allclose(
        moderated_statistics(shifted, made.y, taken), moderated_statistics(made, made.y, taken), rtol=1e-8
    )


def test_true_markers_are_selected_and_few_others() -> None:
    found = stability_selection(units(), seed=1)
    assert found.selected[:10].sum() >= 8
    assert found.selected[10:].sum() <= 2
    assert found.false_share <= 0.1
    assert found.chance <= 0.05
    assert found.frequency[:10].min() > found.frequency[10:].mean()


@pytest.mark.slow
def test_noise_is_given_up_in_nine_of_ten_cohorts() -> None:
    false = [
        stability_selection(units(n=40, p=120, effect=0.0, seed=s), pairs=15, decoy_sets=15, seed=s).selected.any()
        for s in range(40)
    ]
    assert np.mean(false) <= 0.1


@pytest.mark.slow
def test_molecules_that_move_together_do_not_make_a_crowd_of_markers() -> None:
    rng = np.random.default_rng(5)
    crowds = 0
    for seed in range(30):
        made = units(n=40, p=120, effect=0.0, seed=seed)
        together = made.Y + 1.5 * rng.normal(size=(40, 1))
        moved = Units(together, made.weights, made.y, made.strata, made.subjects, 0.0, 1.0)
        crowds += int(stability_selection(moved, pairs=15, decoy_sets=15, seed=seed).selected.any())
    assert crowds <= 3


def test_few_molecules_are_firm_by_luck() -> None:
    firm = []
    for seed in range(20):
        found = stability_selection(units(n=40, p=120, effect=0.0, seed=seed), pairs=25, decoy_sets=2, shuffles=9)
        firm.append((found.frequency >= FIRM).sum())
        assert 0.9 <= found.bound <= 1.1
    assert np.mean(firm) <= 1.0


def test_what_another_test_does_not_allow_is_not_selected() -> None:
    allowed = np.ones(200, dtype=bool)
    allowed[3] = False
    free, held = (stability_selection(units(), allowed=a, seed=1) for a in (None, allowed))
    assert free.selected[3]
    assert not held.selected[3]
    assert (free.selected[allowed] == held.selected[allowed]).all()


def test_the_same_seed_selects_the_same() -> None:
    first, second = (stability_selection(units(), pairs=10, decoy_sets=5, seed=3) for _ in range(2))
    assert (first.score == second.score).all()
    assert (first.selected == second.selected).all()
    assert (stability_selection(units(), pairs=10, decoy_sets=5, seed=4).score != first.score).any()


def test_halves_are_complementary_balanced_and_keep_subjects_whole() -> None:
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 20)
    subjects = np.repeat(np.arange(20), 2)  # everyone in both states
    made = Units(np.zeros((40, 3)), np.ones((40, 3)), y, subjects, subjects, 0.0, 1.0)
    halves = _halves(made, 8, rng)
    assert (halves[::2] ^ halves[1::2]).all()
    for half in halves:
        assert set(subjects[half]) & set(subjects[~half]) == set()
        assert half[y == 1].sum() == half[y == 0].sum() == 10


def test_shuffling_stays_within_strata() -> None:
    strata = np.array([0, 0, 0, 1, 1, 2])
    for seed in range(5):
        order = _shuffled(strata, np.random.default_rng(seed))
        assert (strata[order] == strata).all()
        assert sorted(order) == list(range(6))


def test_the_threshold_is_the_lowest_that_decoys_allow() -> None:
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.1])
    decoys = np.tile([0.65, 0.2, 0.1, 0.1, 0.1], (10, 1))
    # At 0.7 no decoy: (0 + 0.1) / 3; at 0.6 one in each set: (1 + 0.1) / 4.
    assert false_share(score, decoys, 0.1) == pytest.approx((0.7, 0.1 / 3))
    assert false_share(score, decoys, 0.3) == pytest.approx((0.6, 1.1 / 4))
    assert false_share(score, decoys, 0.01)[0] == np.inf


def test_no_values_in_common_are_no_difference() -> None:
    made = units(p=5)
    weights = made.weights.copy()
    weights[made.y == 1, 0] = 0.0
    gone = Units(made.Y, weights, made.y, made.strata, made.subjects, 0.0, 1.0)
    found = moderated_statistics(gone, made.y, np.ones((1, 60), dtype=bool))[0]
    assert found[0] == 0
    assert (found[1:] > 0).all()
