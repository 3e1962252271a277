import numpy as np
import pytest
from scipy.special import logit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, log_loss, roc_auc_score

from exoclassify.judging.metrics import (
    auc,
    auc_within,
    balanced_accuracy,
    brier,
    calibration,
    figures,
    log_loss_figure,
    mean_figure,
)
from golden_numbers import answers, r_figures


def drawn(n: int = 200, k: int = 3, scale: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(size=(n, k))
    y = (rng.random((n, 1)) > softmax(scale * log_odds, axis=1).cumsum(axis=1)).sum(axis=1)
    return log_odds, y


def test_figures_are_those_of_scikit_learn() -> None:
    log_odds, y = drawn()
    p = softmax(log_odds, axis=1)
    found = {name: figure.value for name, figure in figures(log_odds, y, ("a", "b", "c")).items()}
    assert found["auc"] == pytest.approx(roc_auc_score(y, p, multi_class="ovr"))
    assert found["auc:b"] == pytest.approx(roc_auc_score(y == 1, p[:, 1]))
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y, p.argmax(axis=1)))
    assert found["log_loss"] == pytest.approx(log_loss(y, p))
    assert brier(log_odds[:, :2], np.minimum(y, 1)).value == pytest.approx(
        brier_score_loss(np.minimum(y, 1), softmax(log_odds[:, :2], axis=1)[:, 1])
    )


def test_auc_interval_is_delong_s_on_the_logit_scale() -> None:
    # Worked from DeLong, DeLong & Clarke-Pearson (1988) with numpy's var(ddof=1) over the placement values.
    rng = np.random.default_rng(3)
    positive = np.arange(40) < 15
    score = rng.normal(size=40) + positive
    wins = (score[positive][:, None] > score[~positive]).astype(float)
    value = wins.mean()
    error = np.sqrt(wins.mean(axis=1).var(ddof=1) / 15 + wins.mean(axis=0).var(ddof=1) / 25)
    centre, width = np.log(value / (1 - value)), 1.959964 * error / (value * (1 - value))
    expected = 1 / (1 + np.exp(-np.array([centre - width, centre + width])))
    np.testing.assert_allclose(auc(score, positive).interval(np.arange(40)), expected, atol=0.01)


def test_figures_of_folds_are_wider_and_those_of_one_model_are_not() -> None:
    rng = np.random.default_rng(3)
    positive = np.arange(40) < 15
    figure = auc(rng.normal(size=40) + positive, positive)
    groups = np.arange(40)
    plain, five = (np.array(figure.over_folds(n).interval(groups)) for n in (1, 5))
    np.testing.assert_array_equal(plain, figure.interval(groups))
    np.testing.assert_allclose(np.ptp(logit(five)) / np.ptp(logit(plain)), np.sqrt(1 + 4 / 5 * 5 / 8))
    assert figure.over_folds(5).value == figure.value


def test_ties_count_half() -> None:
    assert auc(np.zeros(10), np.arange(10) < 4).value == 0.5


def test_repeating_every_subject_three_times_does_not_narrow_the_interval() -> None:
    log_odds, y = drawn(80, 2)
    groups = np.repeat(np.arange(80), 3)
    once = figures(log_odds, y, ("a", "b"))
    thrice = figures(np.repeat(log_odds, 3, axis=0), np.repeat(y, 3), ("a", "b"))
    for name in once:
        np.testing.assert_allclose(thrice[name].interval(groups), once[name].interval(np.arange(80)), rtol=1e-6)


def test_intervals_cover_at_their_level() -> None:
    truth = auc(*_two(200_000, 99)).value
    hits = 0
    for seed in range(400):
        low, high = auc(*_two(60, seed)).interval(np.arange(60))
        hits += low <= truth <= high
    assert hits / 400 > 0.92


def _two(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    return rng.normal(size=n) + 1.5 * positive, positive


def test_a_perfect_auc_still_has_an_honest_lower_bound() -> None:
    positive = np.arange(20) < 10
    low, high = auc(positive.astype(float), positive).interval(np.arange(20))
    assert high == 1.0
    assert low == pytest.approx(0.05 ** (1 / 10))


def test_slope_and_intercept_are_those_of_an_unpenalised_regression() -> None:
    log_odds, y = drawn(300, 2, scale=0.6)
    found = calibration(log_odds, y)
    assert found is not None
    logit = (log_odds[:, 1] - log_odds[:, 0])[:, None]
    library = LogisticRegression(C=np.inf, tol=1e-10).fit(logit, y)
    assert found[0].value == pytest.approx(library.coef_[0, 0], rel=1e-4)
    assert found[1][0].value == pytest.approx(_intercept(logit[:, 0], y), rel=1e-6)


def _intercept(offset: np.ndarray, y: np.ndarray) -> float:
    b = 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-(offset + b)))
        b += (y - p).sum() / (p * (1 - p)).sum()
    return b


def test_slope_is_one_for_true_probabilities_and_less_for_overconfident_ones() -> None:
    log_odds, y = drawn(4000, 3, scale=1.0)
    honest, bold = calibration(log_odds, y), calibration(3 * log_odds, y)
    assert honest is not None
    assert bold is not None
    low, high = honest[0].interval(np.arange(4000))
    assert low < 1 < high
    assert bold[0].value == pytest.approx(honest[0].value / 3, rel=1e-6)


def test_perfect_separation_has_no_slope() -> None:
    y = np.arange(20) % 2
    assert calibration(np.c_[-y, y] - np.array([0.0, 0.5]), y) is None


def test_the_mean_of_repeats_keeps_subjects_together() -> None:
    log_odds, y = drawn(50, 2)
    one = log_loss_figure(log_odds, y)
    assert mean_figure([one, one]).interval(np.arange(50)) == pytest.approx(one.interval(np.arange(50)))


def test_balanced_accuracy_weighs_states_alike() -> None:
    y = np.r_[np.zeros(90, int), np.ones(10, int)]
    assert balanced_accuracy(np.tile([1.0, 0.0], (100, 1)), y).value == 0.5


def test_slope_intercept_and_brier_are_those_of_r() -> None:
    frame, r = answers(), r_figures()
    log_odds = np.c_[np.zeros(80), np.log(frame["first"] / (1 - frame["first"]))]
    y = frame["y"].to_numpy()
    found = calibration(log_odds, y)
    assert found is not None
    assert found[0].value == pytest.approx(r["slope"], rel=1e-5)
    assert found[1][0].value == pytest.approx(r["intercept_at_slope_one"], rel=1e-6)
    assert brier(log_odds, y).value == pytest.approx(r["brier"], abs=1e-9)


def test_the_auc_of_a_constant_is_one_half_and_nothing_else() -> None:
    assert auc(np.zeros(20), np.arange(20) < 8).interval(np.arange(20)) == (0.5, 0.5)


def test_the_auc_within_folds_is_the_mean_of_its_folds_and_the_pooled_one_when_there_is_one_fold() -> None:
    rng = np.random.default_rng(0)
    positive, fold = np.arange(60) % 2 == 0, np.arange(60) // 20
    score = rng.normal(size=60) + positive
    found = auc_within(score, positive, fold)
    assert found is not None
    parts = [auc(score[fold == k], positive[fold == k]).value for k in range(3)]
    assert found.value == pytest.approx(np.mean(parts))
    assert found.influence.sum() == pytest.approx(0)
    whole, pooled = auc_within(score, positive, np.zeros(60, int)), auc(score, positive)
    assert whole is not None
    np.testing.assert_allclose(whole.influence, pooled.influence)
    assert whole.value == pytest.approx(pooled.value)


def test_what_shifts_a_whole_fold_does_not_count_within_folds() -> None:
    positive, fold = np.arange(40) % 2 == 0, np.arange(40) // 20
    score = positive + np.where(fold == 1, 5.0, 0.0)
    found = auc_within(score, positive, fold)
    assert found is not None
    assert found.value == 1.0
    assert auc(score, positive).value == 0.75
    assert auc_within(score, fold == 0, fold) is None
