from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from exoclassify.methods.linear_fits import block_correlation, fit_linear
from exoclassify.methods.moderated import log_counts, lowess, moderate, precision_weights, squeezed
from exoclassify.methods.normalise_counts import TMM

GOLDEN = Path(__file__).parent / "golden"
SHEET = pd.read_csv(GOLDEN / "limma_samples.csv", index_col=0)
DESIGN = np.column_stack([np.ones(30), SHEET["state"], SHEET["batch"], SHEET["age"]]).astype(np.float64)
BLOCKS = np.unique(SHEET["subject"], return_inverse=True)[1]
COUNTS = pd.read_csv(GOLDEN / "limma_counts.csv", index_col=0).to_numpy(dtype=np.float64)
VALUES = pd.read_csv(GOLDEN / "limma_intensities.csv", index_col=0).to_numpy(dtype=np.float64)
CORRELATION = pd.read_csv(GOLDEN / "limma_correlation.csv", index_col=0)["correlation"]


def golden(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / name, index_col=0)


def effective_sizes() -> np.ndarray:
    steps = TMM().fit(COUNTS)
    factors = steps.factors(COUNTS)
    return COUNTS.sum(axis=1) * factors


def same(found: object, name: str) -> None:
    expected = golden(name)
    at = [int(name[1:]) for name in expected.index]
    for column in ("effect", "low", "high", "t", "p"):
        mine = getattr(found, column)[at]
        np.testing.assert_allclose(mine, expected[column], rtol=1e-8, atol=1e-10, err_msg=column)
    np.testing.assert_allclose(found.prior_freedom, expected["df_prior"], rtol=1e-8)
    np.testing.assert_allclose(found.prior_variance, expected["s2_prior"], rtol=1e-8)


def test_effective_library_sizes_are_those_of_edger() -> None:
    np.testing.assert_allclose(effective_sizes(), golden("limma_sizes.csv")["size"], rtol=1e-10)


def test_lowess_is_that_of_r() -> None:
    table = pd.read_csv(GOLDEN / "lowess.csv", index_col=0)
    found = lowess(table["x"].to_numpy(), table["y"].to_numpy(), 0.5)
    np.testing.assert_allclose(found, table["smooth"], rtol=1e-9, atol=1e-12)


def test_precision_weights_are_those_of_voom() -> None:
    sizes = effective_sizes()
    found = precision_weights(log_counts(COUNTS, sizes), sizes, DESIGN)
    np.testing.assert_allclose(found, golden("limma_weights.csv"), rtol=1e-8)


@pytest.mark.parametrize("blocked", [False, True])
def test_moderated_t_of_counts_is_that_of_limma_voom(blocked: bool) -> None:
    sizes = effective_sizes()
    Y = log_counts(COUNTS, sizes)
    weights = precision_weights(Y, sizes, DESIGN)
    how = {"blocks": BLOCKS, "correlation": 0.4} if blocked else {}
    found = moderate(fit_linear(Y, DESIGN, weights=weights, **how), 1)
    same(found, "limma_voom_block.csv" if blocked else "limma_voom.csv")


@pytest.mark.parametrize("blocked", [False, True])
def test_moderated_t_of_log_values_with_holes_is_that_of_limma(blocked: bool) -> None:
    how = {"blocks": BLOCKS, "correlation": 0.4} if blocked else {}
    found = moderate(fit_linear(VALUES, DESIGN, **how), 1)
    same(found, "limma_log_block.csv" if blocked else "limma_log.csv")
    assert np.isnan(found.p[50])  # one state has no value


def test_correlation_within_subjects_is_near_that_of_limma() -> None:
    found = block_correlation(VALUES, DESIGN, BLOCKS)
    assert found == pytest.approx(CORRELATION["log"], abs=0.02)
    sizes = effective_sizes()
    Y = log_counts(COUNTS, sizes)
    found = block_correlation(Y, DESIGN, BLOCKS, weights=precision_weights(Y, sizes, DESIGN))
    assert found == pytest.approx(CORRELATION["voom"], abs=0.02)


def test_repeats_that_are_copies_add_nothing() -> None:
    rng = np.random.default_rng(0)
    Y = rng.normal(size=(20, 30)) + rng.normal(size=30)
    y = np.repeat([0.0, 1.0], 10)
    twice = np.vstack([Y, Y + rng.normal(0, 1e-3, Y.shape)])
    design = np.column_stack([np.ones(40), np.tile(y, 2)])
    blocks = np.tile(np.arange(20), 2)
    rho = block_correlation(twice, design, blocks)
    found = fit_linear(twice, design, blocks=blocks, correlation=rho)
    naive = fit_linear(twice, design)
    assert rho > 0.95
    alone = fit_linear(Y, design[:20])
    np.testing.assert_allclose(
        np.sqrt(found.variance) * found.unscaled[:, 1], np.sqrt(alone.variance) * alone.unscaled[:, 1], rtol=0.4
    )
    assert (naive.unscaled[:, 1] < 0.8 * found.unscaled[:, 1]).all()


def test_one_molecule_is_the_plain_t_test() -> None:
    rng = np.random.default_rng(1)
    Y, y = rng.normal(size=(24, 1)), np.repeat([0.0, 1.0], 12)
    found = moderate(fit_linear(Y, np.column_stack([np.ones(24), y])), 1)
    expected = ttest_ind(Y[y == 1, 0], Y[y == 0, 0])
    np.testing.assert_allclose([found.t[0], found.p[0]], [expected.statistic, expected.pvalue], rtol=1e-9)


def test_equal_variances_are_pooled_entirely() -> None:
    rng = np.random.default_rng(2)
    variance = rng.chisquare(10, 4000) / 10
    posterior, prior, common = squeezed(np.full(5, 2.0), np.full(5, 10.0))
    assert (prior, common) == (np.inf, 2.0)
    assert (posterior == 2.0).all()
    assert squeezed(variance, np.full(4000, 10.0))[1] > 100


def test_null_p_values_are_uniform_with_a_batch_and_repeats() -> None:
    rng = np.random.default_rng(3)
    subject = np.r_[np.arange(30), np.arange(15)]
    y, batch = subject % 2, (subject // 2) % 2
    design = np.column_stack([np.ones(45), y, batch]).astype(np.float64)
    Y = rng.normal(size=(45, 3000)) + rng.normal(size=(30, 3000))[subject] + batch[:, None] * rng.normal(size=3000)
    rho = block_correlation(Y, design, subject)
    p = moderate(fit_linear(Y, design, blocks=subject, correlation=rho), 1).p
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.012)
    assert np.mean(moderate(fit_linear(Y, design), 1).p < 0.05) > 0.065  # as if they were 45 people
