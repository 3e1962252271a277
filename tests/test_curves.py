import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from exoclassify.judging.curves import (
    average_precision,
    calibration_bins,
    net_benefit,
    pr_curve,
    risk_coverage,
    roc_curve,
)
from golden_numbers import FOLDER, answers, r_figures


def given() -> tuple[np.ndarray, np.ndarray]:
    frame = answers()
    return frame["first"].to_numpy(), frame["y"].to_numpy() == 1


def test_the_roc_curve_goes_through_the_points_of_proc() -> None:
    p, positive = given()
    fpr, tpr = roc_curve([p], positive)
    points = pd.read_csv(FOLDER / "metrics_roc.csv")
    # At each of our grid's false-positive rates: between the least and the most sensitive of R's points there.
    expected = np.interp(fpr, 1 - points["specificity"], points["sensitivity"])
    inside = ~np.isin(fpr.round(6), (1 - points["specificity"]).round(6))
    np.testing.assert_allclose(tpr[inside], expected[inside], atol=1e-12)


def test_the_area_under_averaged_curves_is_the_mean_area() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(400) % 2 == 0
    scores = [rng.normal(size=400) + positive for _ in range(3)]
    fpr, tpr = roc_curve(scores, positive)
    assert np.trapezoid(tpr, fpr) == pytest.approx(
        np.mean([roc_auc_score(positive, score) for score in scores]), abs=0.005
    )


def test_average_precision_is_that_of_scikit_learn_with_ties_too() -> None:
    p, positive = given()
    assert average_precision([p], positive) == pytest.approx(average_precision_score(positive, p))
    recall, precision = pr_curve([p], positive)
    assert precision[-1] == pytest.approx(positive.mean(), abs=0.2)
    assert (np.diff(recall) > 0).all()


def test_precision_ranks_samples_within_their_fold_whatever_its_level_and_mix() -> None:
    rng = np.random.default_rng(5)
    fold = np.repeat([0, 1], [40, 60])
    positive = np.r_[np.arange(40) < 30, np.arange(60) < 15]  # three in four, and one in four
    separated = positive + np.where(fold == 0, 100.0, 0.0)  # a level of its own: pooled, the second fold ranks last
    assert average_precision([separated], positive, [fold]) == pytest.approx(1.0)
    assert average_precision([separated], positive) < 0.95
    guessed = [average_precision([rng.normal(size=100)], positive, [fold]) for _ in range(200)]
    pooled = [average_precision([rng.normal(size=100)], positive) for _ in range(200)]
    assert np.mean(guessed) == pytest.approx(np.mean(pooled), abs=0.03)  # small folds do not flatter


def test_precision_within_folds_is_worked_by_hand() -> None:
    fold, positive = np.array([0, 0, 0, 1, 1, 1]), np.array([True, False, False, True, True, False])
    score = np.array([2.0, 3.0, 1.0, 9.0, 7.0, 8.0])
    # Two pairs a fold. Shares ranked as high or higher: 1/4 (negative), 3/4, 1 in fold 0, and 1/4 (positive), 3/4, 1 in fold 1.
    # So first a quarter of the positives with a quarter of the negatives, then half of the positives with half of the negatives.
    recall, precision = pr_curve([score], positive, [fold])
    assert precision[recall <= 0.25].tolist() == pytest.approx([0.5] * 26)
    assert average_precision([score], positive, [fold]) == pytest.approx(0.25 * 0.5 + 0.5 * 0.5 + 0.25 * 0.5)


def test_bins_are_those_of_scikit_learn_where_no_values_tie() -> None:
    rng = np.random.default_rng(1)
    p = rng.permutation(np.linspace(0.01, 0.99, 100))
    positive = rng.random(100) < p
    bins = calibration_bins([p], positive, n_bins=5)
    seen, said = calibration_curve(positive, p, n_bins=5, strategy="quantile")
    np.testing.assert_allclose(bins.said, said)
    np.testing.assert_allclose([figure.value for figure in bins.seen], seen)
    assert bins.count.tolist() == [20] * 5


def test_ece_is_worked_by_hand() -> None:
    p = np.array([0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9])
    positive = np.array([0, 0, 0, 1, 1, 1, 0, 0], dtype=bool)
    # Shares 1/4 and 2/4: |0.1 - 0.25| and |0.9 - 0.5|, half of the samples each.
    assert calibration_bins([p], positive, n_bins=2).ece == pytest.approx((0.15 + 0.4) / 2)


def test_the_parts_of_the_brier_score_add_up_to_it() -> None:
    p, positive = given()
    parts = calibration_bins([p], positive).decomposition()
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within_bins"]
    assert total == pytest.approx(parts["brier"]) == pytest.approx(brier_score_loss(positive, p))
    assert parts["brier"] == pytest.approx(r_figures()["brier"], abs=1e-9)
    assert parts["uncertainty"] == pytest.approx(positive.mean() * (1 - positive.mean()))


def test_nothing_is_hidden_within_bins_of_equal_probability() -> None:
    p = np.repeat([0.2, 0.7], 20)
    positive = np.random.default_rng(0).random(40) < p
    assert calibration_bins([p], positive, n_bins=2).decomposition()["within_bins"] == pytest.approx(0)


def test_net_benefit_is_that_of_dcurves_at_the_samples_mix_and_at_a_stated_one() -> None:
    p, positive = given()
    golden = pd.read_csv(FOLDER / "metrics_net_benefit.csv")
    for prevalence in (None, 0.1):
        part = golden[golden["prevalence"].isna() if prevalence is None else golden["prevalence"] == prevalence]
        model, everyone = (part[part["model"] == name] for name in ("first", "all"))
        at = model["threshold"].to_numpy()
        found = net_benefit([p], positive, at, prevalence)
        np.testing.assert_allclose(found[0], model["net_benefit"], atol=1e-12)
        np.testing.assert_allclose(found[1], everyone["net_benefit"], atol=1e-12)


def test_the_surest_answers_first() -> None:
    p = np.array([[0.99, 0.01], [0.9, 0.1], [0.4, 0.6], [0.45, 0.55]])
    coverage, risk, area = risk_coverage([p], np.array([0, 0, 1, 0]))
    assert risk[np.isclose(coverage, 0.5)] == 0
    assert risk[-1] == pytest.approx(0.25)
    assert area == pytest.approx((0 + 0 + 0 + 0.25) / 4)


def test_answers_as_sure_as_each_other_have_no_order() -> None:
    p = np.tile([0.6, 0.4], (10, 1))
    y = np.array([0] * 7 + [1] * 3)
    first, again = risk_coverage([p], y)[1], risk_coverage([p], y[::-1])[1]
    np.testing.assert_allclose(first, 0.3)
    np.testing.assert_allclose(again, 0.3)
