import numpy as np
import pytest
from scipy.stats import norm

from exoclassify.judging.resampling import (
    bootstrap_weights,
    corrected_resampled_t,
    delong_interval,
    percentile_interval,
    weighted_aucs,
)
from golden_numbers import answers, r_figures


def test_auc_and_interval_are_those_of_proc() -> None:
    frame, r = answers(), r_figures()
    for model in ("first", "second"):
        found = delong_interval(frame[model].to_numpy(), frame["y"].to_numpy() == 1)
        expected = (r[f"auc_{model}"], r[f"low_{model}"], r[f"high_{model}"])
        assert found == pytest.approx(expected, abs=1e-12)


def test_weights_keep_subjects_together_and_the_size_of_each_state() -> None:
    y = np.repeat([0, 0, 1, 1, 1], 2)
    groups = np.repeat(np.arange(5), 2)
    weights = bootstrap_weights(y, groups, 50, seed=1)
    np.testing.assert_array_equal(weights[:, ::2], weights[:, 1::2])
    np.testing.assert_array_equal(weights[:, y == 0].sum(axis=1), 4)
    np.testing.assert_array_equal(weights[:, y == 1].sum(axis=1), 6)


def test_a_weighted_auc_is_that_of_samples_written_out_as_often() -> None:
    frame = answers()
    score, positive = frame["first"].to_numpy(), frame["y"].to_numpy() == 1
    weights = bootstrap_weights(positive.astype(int), np.arange(80), 5, seed=0)
    for drawn, area in zip(weights, weighted_aucs(score, positive, weights), strict=True):
        rows = np.repeat(np.arange(80), drawn.astype(int))
        assert area == pytest.approx(delong_interval(score[rows], positive[rows])[0])


def test_a_state_that_was_not_drawn_gives_no_auc() -> None:
    areas = weighted_aucs(np.arange(4.0), np.array([True, True, False, False]), np.array([[1.0, 1, 0, 0]]))
    assert np.isnan(areas).all()


def test_the_bootstrap_of_a_mean_is_about_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(size=400)
    weights = bootstrap_weights(np.zeros(400, int), np.arange(400), 2000, seed=0)
    low, high = percentile_interval(weights @ values / 400)
    assert high - low == pytest.approx(2 * norm.ppf(0.975) * values.std() / 20, rel=0.08)


def test_the_corrected_t_is_worked_by_hand() -> None:
    mean, statistic, p_value = corrected_resampled_t(np.array([0.1, 0.3]), 0.25)
    assert mean == pytest.approx(0.2)
    assert statistic == pytest.approx(0.2 / np.sqrt((0.5 + 0.25) * 0.02))
    assert p_value == pytest.approx(2 * (0.5 - np.arctan(statistic) / np.pi))  # one degree of freedom: Cauchy


def test_folds_that_agree_exactly_are_not_called_different() -> None:
    assert corrected_resampled_t(np.zeros(5), 0.25) == (0.0, 0.0, 1.0)


def test_the_corrected_t_calls_nothing_different_about_five_times_in_a_hundred() -> None:
    # Fold figures share their training sets: simulated as a common part with the correlation that the correction assumes.
    rng = np.random.default_rng(3)
    folds, ratio = 15, 0.25
    rho = ratio / (1 + ratio)
    called = 0
    for _ in range(2000):
        common = rng.normal() * np.sqrt(rho)
        called += corrected_resampled_t(common + rng.normal(size=folds) * np.sqrt(1 - rho), ratio)[2] < 0.05
    assert 0.02 < called / 2000 < 0.08
