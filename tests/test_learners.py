import numpy as np
import pytest
from scipy.stats import norm, rankdata, ttest_ind
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from xgboost import XGBClassifier

from cohorts import counts
from exoclassify.methods.learners.linear import Rotated, fit_elastic_net, fit_ridge, fit_svm, symmetric
from exoclassify.methods.learners.ratios import fit_ratios, within_batch_t
from exoclassify.methods.learners.trees import fit_boosted, fit_forest
from exoclassify.methods.views import normal_scores


def log_counts(n_states: int, p: int = 90) -> tuple[np.ndarray, np.ndarray]:
    samples = counts(n=60, p=p, n_states=n_states, effect=1.5)
    return np.log2(samples.X + 1), samples.y


@pytest.mark.parametrize("n_states", [2, 3])
@pytest.mark.parametrize("p", [20, 200])
def test_ridge_on_the_row_space_is_ridge_on_all_molecules(n_states: int, p: int) -> None:
    V, y = log_counts(n_states, p)
    new = V[::-1] + 0.3
    fitted = fit_ridge(Rotated.fit("log", V), y, 10.0, None)
    scale = V.std(axis=0) * np.sqrt(p)
    plain = LogisticRegression(C=10.0, tol=1e-10, max_iter=10_000).fit((V - V.mean(axis=0)) / scale, y)
    expected = plain.decision_function((new - V.mean(axis=0)) / scale).reshape(len(V), -1)
    np.testing.assert_allclose(fitted.scores(new), symmetric(expected), atol=2e-3)


def test_svm_on_the_row_space_is_svm_on_all_molecules() -> None:
    V, y = log_counts(2, 200)
    fitted = fit_svm(Rotated.fit("log", V), y, 1.0, None)
    Z = (V - V.mean(axis=0)) / V.std(axis=0) / np.sqrt(200)
    margin = fitted.scores(V)[:, 1] - fitted.scores(V)[:, 0]
    np.testing.assert_allclose(margin, SVC(C=1.0, kernel="linear").fit(Z, y).decision_function(Z), atol=2e-3)


def test_a_molecule_that_does_not_vary_is_no_division_by_zero() -> None:
    V, y = log_counts(2)
    V[:, 5] = 7.0
    fitted = fit_ridge(Rotated.fit("log", V), y, 1.0, "balanced")
    assert np.isfinite(fitted.scores(V)).all()


@pytest.mark.parametrize("n_states", [2, 3])
def test_folded_linear_learners_give_the_same_scores(n_states: int) -> None:
    V, y = log_counts(n_states)
    ridge = fit_ridge(Rotated.fit("log", V), y, 30.0, None)
    net = fit_elastic_net("log", V, y, 0.1, 0.5, None, 0)
    ratios = fit_ratios("log", V, y, None, C=30.0, n_ratios=30, pool=25, class_weight=None)
    for learner, (matrix, constant) in ((ridge, ridge.folded()), (net, net.folded()), (ratios, ratios.folded(90))):
        np.testing.assert_allclose(V @ matrix.T + constant, learner.scores(V), atol=1e-10)


def test_elastic_net_leaves_molecules_out() -> None:
    V, y = log_counts(2)
    fitted = fit_elastic_net("log", V, y, 0.05, 0.9, None, 0)
    assert 0 < np.count_nonzero(fitted.coef[0]) < 60


@pytest.mark.parametrize("n_states", [2, 3])
@pytest.mark.parametrize("extra", [False, True])
def test_forest_as_arrays_votes_as_scikit_learn(n_states: int, extra: bool) -> None:
    V, y = log_counts(n_states)
    fitted = fit_forest("log", V, y, extra=extra, n_trees=30, min_leaf=2, class_weight="balanced", seed=4)
    kind = ExtraTreesClassifier if extra else RandomForestClassifier
    library = kind(30, min_samples_leaf=2, max_features="sqrt", class_weight="balanced", random_state=4).fit(V, y)
    new = np.random.default_rng(1).permuted(V, axis=0)
    np.testing.assert_allclose(fitted.trees.sums(new) / 30, library.predict_proba(new), atol=1e-12)


@pytest.mark.parametrize("n_states", [2, 3])
def test_boosted_trees_as_arrays_add_up_to_xgboost(n_states: int) -> None:
    V, y = log_counts(n_states)
    fitted = fit_boosted("log", V, y, n_trees=40, max_depth=3, learning_rate=0.1, class_weight=None, seed=2)
    new = np.random.default_rng(1).permuted(V, axis=0)
    np.testing.assert_allclose(fitted.link(fitted.trees().sums(new)), fitted.scores(new), atol=5e-6)


def test_a_value_equal_to_a_threshold_goes_the_way_xgboost_sends_it() -> None:
    V, y = log_counts(2)
    V = np.round(V)  # few different values, so that samples fall on thresholds
    fitted = fit_boosted("log", V, y, n_trees=20, max_depth=3, learning_rate=0.3, class_weight=None, seed=2)
    on_threshold = np.isin(V.astype(np.float32), fitted.trees().threshold.astype(np.float32))
    beside = np.nextafter(V.astype(np.float32), np.float32(np.inf)).astype(np.float64)
    for new in (V, beside):
        np.testing.assert_allclose(fitted.link(fitted.trees().sums(new)), fitted.scores(new), atol=5e-6)
    assert on_threshold.shape == V.shape


def test_boosting_is_the_library_s() -> None:
    V, y = log_counts(2)
    fitted = fit_boosted("log", V, y, n_trees=25, max_depth=2, learning_rate=0.2, class_weight=None, seed=3)
    library = XGBClassifier(
        n_estimators=25, max_depth=2, learning_rate=0.2, subsample=0.8, colsample_bynode=20 / 90, max_bin=64,
        base_score=0.5, n_jobs=1, random_state=3, tree_method="hist",
    ).fit(V.astype(np.float32), y)  # fmt: skip
    margin = library.predict(V.astype(np.float32), output_margin=True)
    np.testing.assert_allclose(fitted.scores(V)[:, 1] * 2, margin, atol=1e-5)


def test_without_batches_t_orders_columns_as_the_t_test() -> None:
    V, y = log_counts(2)
    expected = np.abs(ttest_ind(V[y == 1], V[y == 0]).statistic)
    found = within_batch_t(V, y, None)
    assert list(np.argsort(-found)[:6]) == list(np.argsort(-expected)[:6])


def test_t_within_batches_ignores_what_batches_explain() -> None:
    rng = np.random.default_rng(0)
    y, batches = np.repeat([0, 1], 40), np.r_[np.repeat([0, 1], [32, 8]), np.repeat([0, 1], [8, 32])]
    V = rng.normal(size=(80, 2))
    V[:, 0] += 3.0 * batches  # the batch alone, and state goes with batch
    V[:, 1] += 1.0 * y
    assert within_batch_t(V, y, None).argmax() == 0
    assert within_batch_t(V, y, batches).argmax() == 1


def test_t_is_zero_when_state_and_batch_are_the_same() -> None:
    V, y = log_counts(2)
    assert (within_batch_t(V, y, y) == 0).all()


def test_ratios_do_not_change_when_a_sample_is_diluted() -> None:
    V, y = log_counts(2)
    fitted = fit_ratios("log", V, y, None, C=30.0, n_ratios=30, pool=25, class_weight=None)
    np.testing.assert_allclose(fitted.scores(V - 3.7), fitted.scores(V), atol=1e-9)


def test_no_molecule_stands_in_more_than_four_ratios() -> None:
    V, y = log_counts(2)
    fitted = fit_ratios("log", V, y, None, C=30.0, n_ratios=40, pool=25, class_weight=None)
    assert np.bincount(np.r_[fitted.numerators, fitted.denominators]).max() <= 4


def test_a_panel_of_one_molecule_has_no_ratio() -> None:
    V, y = log_counts(2)
    fitted = fit_ratios("log", V[:, :1], y, None, C=30.0, n_ratios=40, pool=25, class_weight=None)
    assert (fitted.scores(V[:, :1]) == 0).all()


RNG = np.random.default_rng(0)
RANKED = {
    "ties": np.round(RNG.normal(size=(40, 80)), 1),
    "counts": RNG.poisson(0.5, (50, 400)).astype(float),
    "closer than the sorted keys": RNG.normal(size=(50, 1)) + RNG.integers(0, 9, (50, 300)) * np.finfo(float).eps,
    "two zeros": np.where(RNG.random((9, 30)) < 0.5, -0.0, 0.0),
    "wider than a block": RNG.normal(size=(3, 20_000)),
    "one molecule": RNG.normal(size=(5, 1)),
}


@pytest.mark.parametrize("X", RANKED.values(), ids=RANKED)
def test_normal_scores_are_those_of_scipy_and_of_each_row_alone(X: np.ndarray) -> None:
    expected = norm.ppf((rankdata(X, axis=1) - 0.5) / X.shape[1])
    found = normal_scores(X)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert all((normal_scores(X[i : i + 1])[0] == found[i]).all() for i in range(len(X)))
