import pytest

from exoclassify.judging.sample_size import (
    auc_half_width,
    cox_snell_from_auc,
    riley_binary,
    samples_for_half_width,
    supported_parameters,
)
from golden_numbers import sample_sizes


@pytest.mark.parametrize("case", [case for case in sample_sizes() if "criteria" in case])
def test_criteria_are_those_of_pmsampsize(case: dict) -> None:
    found = riley_binary(case["parameters"], case["prevalence"], case["cox_snell"])
    assert [found.shrinkage, found.optimism, found.overall_risk] == case["criteria"]
    assert found.needed == max(case["criteria"])


@pytest.mark.parametrize("case", [case for case in sample_sizes() if "auc" in case])
def test_r2_of_an_auc_is_that_of_pmsampsize_which_simulates_it(case: dict) -> None:
    assert cox_snell_from_auc(case["auc"], case["prevalence"]) == pytest.approx(case["cox_snell"], abs=0.002)


def test_as_many_parameters_are_supported_as_need_that_many_samples() -> None:
    carried = supported_parameters(500, 0.3, 0.2)
    few, many = (riley_binary(k, 0.3, 0.2) for k in (carried, carried + 1))
    assert max(few.shrinkage, few.optimism) <= 500 < max(many.shrinkage, many.optimism)
    assert supported_parameters(5, 0.3, 0.05) == 0


def test_the_interval_of_an_auc_narrows_with_samples_as_wanted() -> None:
    n = samples_for_half_width(0.8, 0.4, 0.1)
    assert auc_half_width(0.8, 0.4 * n, 0.6 * n) <= 0.1
    assert auc_half_width(0.8, 0.4 * (n - 1), 0.6 * (n - 1)) > 0.1
