from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from exoclassify.methods.detection import combine, test_detection

GOLDEN = Path(__file__).parent / "golden"
ALONE = np.ones(40)


def test_log_odds_are_those_of_bias_reduced_regression_in_r() -> None:
    sheet = pd.read_csv(GOLDEN / "limma_samples.csv", index_col=0)
    values = pd.read_csv(GOLDEN / "limma_intensities.csv", index_col=0)
    expected = pd.read_csv(GOLDEN / "detection.csv", index_col=0)["log_odds"]
    design = np.column_stack([np.ones(30), sheet["state"], sheet["batch"], sheet["age"]]).astype(float)
    found = test_detection(values.notna().to_numpy(), design, 1, np.ones(30))
    got = pd.Series(found.log_odds, values.columns)[expected.index]
    np.testing.assert_allclose(got, expected, atol=2e-5)


def test_without_covariates_half_a_sample_is_added_to_each_cell() -> None:
    y = np.repeat([1.0, 0.0], 20)
    found = np.zeros((40, 1), dtype=bool)
    found[:20] = True  # found in every sample of the state, and in none of the reference
    result = test_detection(found, np.column_stack([np.ones(40), y]), 1, ALONE)
    assert result.log_odds[0] == pytest.approx(np.log(20.5 / 0.5 * 20.5 / 0.5), abs=1e-6)
    assert result.p[0] < 1e-9


def test_what_is_found_everywhere_or_nowhere_cannot_be_tested() -> None:
    found = np.column_stack([np.ones(40), np.zeros(40)]).astype(bool)
    design = np.column_stack([np.ones(40), np.repeat([1.0, 0.0], 20)])
    assert np.isnan(test_detection(found, design, 1, ALONE).p).all()


def test_null_p_values_are_uniform_and_each_person_has_one_voice() -> None:
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(40), np.repeat([1.0, 0.0], 20)])
    found = rng.random((40, 800)) < 0.5
    p = test_detection(found, design, 1, ALONE).p
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.025)
    twice = np.vstack([found, found])
    copied = test_detection(twice, np.vstack([design, design]), 1, np.full(80, 0.5)).p
    np.testing.assert_allclose(copied, p, atol=1e-6)


def test_two_parts_are_joined_by_fisher_and_one_stands_alone() -> None:
    joined = combine(np.array([0.01, np.nan, 0.2]), np.array([0.03, 0.04, np.nan]))
    assert joined[0] == pytest.approx(chi2.sf(-2 * np.log(0.01 * 0.03), 4))
    np.testing.assert_allclose(joined[1:], [0.04, 0.2])
