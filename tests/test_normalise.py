"""Normalisers: equal to the tools they follow, and right for one sample alone."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from exoclassify.methods.frozen import FrozenStep
from exoclassify.methods.normalise_counts import expected_shares, library_sizes
from exoclassify.methods.normalise_ct import most_stable
from exoclassify.methods.transformers import (
    TMM,
    CenteredLogRatio,
    CtInverted,
    DeltaCt,
    FrozenQuantile,
    GlobalMean,
    Log2Plus,
    LogCPM,
    MedianCentred,
    MedianOfRatios,
)

GOLDEN = Path(__file__).parent / "golden"
NAN = float("nan")

COUNTS = [LogCPM(), TMM(), MedianOfRatios(), CenteredLogRatio(), Log2Plus()]
CYCLES = [CtInverted(), DeltaCt(), DeltaCt(global_mean_from=5), DeltaCt(references=(0, 2)), GlobalMean()]
INTENSITIES = [MedianCentred(), FrozenQuantile(), MedianCentred(logged=True), FrozenQuantile(logged=True)]
EVERY = COUNTS + CYCLES + INTENSITIES


def named(step: FrozenStep) -> str:
    return repr(step)


def golden(name: str) -> np.ndarray:
    return pd.read_csv(GOLDEN / name, index_col=0).to_numpy(float)


def factors(table: str, column: str) -> np.ndarray:
    return pd.read_csv(GOLDEN / f"factors_{table}.csv", index_col=0)[column].to_numpy(float)


def hostile(seed: int, n: int, p: int, missing: float, scale: float) -> np.ndarray:
    """Counts with empty samples, molecules never found, never measured, and cells missing at random."""
    rng = np.random.default_rng(seed)
    counts = rng.negative_binomial(0.6, 0.6 / (0.6 + scale * np.exp(rng.normal(0.0, 2.0, p))), (n, p)).astype(float)
    counts[rng.random((n, p)) < missing] = NAN
    if n > 3:
        counts[0], counts[1, :], counts[2, : p // 2] = 0.0, NAN, 0.0
    if p > 3:
        counts[:, 0], counts[:, 1] = 0.0, NAN
    return counts


@pytest.mark.slow
@parametrize_with_checks([*COUNTS, *CYCLES[:3], GlobalMean(), *INTENSITIES])
def test_scikit_learn_accepts_every_normaliser(estimator, check):
    check(estimator)


@pytest.mark.parametrize("table", ["hand", "seeded", "sparse"])
class TestGolden:
    def test_log_cpm_follows_the_formula_of_edger(self, table):
        found = LogCPM(prior_count=2.0).fit_transform(golden(f"counts_{table}.csv"))
        np.testing.assert_allclose(found, golden(f"log_cpm_{table}.csv"), rtol=0, atol=1e-12)

    def test_tmm_factors_equal_rnanorm(self, table):
        counts = golden(f"counts_{table}.csv")
        np.testing.assert_allclose(TMM().fit(counts).factors(counts), factors(table, "tmm"), rtol=1e-13)

    def test_tmm_values_follow_the_formula_of_edger_on_rnanorm_factors(self, table):
        found = TMM().fit_transform(golden(f"counts_{table}.csv"))
        np.testing.assert_allclose(found, golden(f"log_cpm_tmm_{table}.csv"), rtol=0, atol=1e-12)

    def test_size_factors_equal_pydeseq2(self, table):
        counts = golden(f"counts_{table}.csv")
        found = MedianOfRatios().fit(counts).size_factors(counts)
        np.testing.assert_allclose(found, factors(table, "size_factor"), rtol=1e-13)


@pytest.mark.slow
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.1, 0.7]),
    st.sampled_from([0.3, 20.0]),
    st.sampled_from(EVERY),
)
@settings(max_examples=300, deadline=None)
def test_a_row_alone_gives_the_bits_it_gives_in_a_batch(seed, n, p, missing, scale, step):
    training, new = hostile(seed, n, p, missing, scale), hostile(seed + 1, n, p, missing, scale)
    if any(reference >= p for reference in getattr(step, "references", ())):
        p = 3
        training, new = hostile(seed, n, 3, missing, scale), hostile(seed + 1, n, 3, missing, scale)
    fitted = clone(step).fit(training)
    for table in (training, new):
        together = fitted.transform(table)
        alone = np.vstack([fitted.transform(table[i : i + 1]) for i in range(n)])
        assert together.tobytes() == alone.tobytes()
        assert together.tobytes() == fitted.transform(np.asfortranarray(table)).tobytes()
        assert not np.isinf(together).any()
        assert (np.isnan(together) | ~np.isnan(table)).all(), "what was not measured stays NaN"


@pytest.mark.parametrize("step", EVERY, ids=named)
def test_a_row_of_a_wide_table_gives_the_bits_it_gives_in_a_batch(step):
    # Wider than numpy's buffer of 8192 and its blocks of pairwise summation.
    table = hostile(3, 6, 20_000, 0.05, 20.0)
    fitted = clone(step).fit(table)
    together = fitted.apply(table)
    assert together.tobytes() == np.vstack([fitted.apply(table[i : i + 1]) for i in range(6)]).tobytes()


@pytest.mark.parametrize("step", EVERY, ids=named)
def test_a_step_leaves_its_input_alone_and_needs_fit(step):
    table = hostile(5, 8, 12, 0.2, 20.0)
    before = table.tobytes()
    with pytest.raises(NotFittedError, match="not fitted"):
        clone(step).transform(table)
    clone(step).fit_transform(table)
    assert table.tobytes() == before


@pytest.mark.parametrize("step", EVERY, ids=named)
def test_a_step_survives_a_table_in_which_nothing_was_found(step):
    for nothing in (np.zeros((4, 5)), np.full((4, 5), NAN), np.full((4, 5), 40.0)):
        assert not np.isinf(clone(step).fit(nothing).transform(nothing)).any()


@pytest.mark.parametrize("step", COUNTS + INTENSITIES[:2], ids=named)
def test_a_negative_count_is_refused_with_its_place(step):
    with pytest.raises(ValueError, match="row 1, column 2 is -3; counts, cpm and intensities are zero or more"):
        clone(step).fit([[1.0, 2.0, 3.0], [4.0, 5.0, -3.0]])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (LogCPM(prior_count=0.0), "prior_count is 0.0; it must be above 0"),
        (TMM(prior_count=-1.0), "prior_count is -1.0; it must be above 0"),
        (TMM(logratio_trim=0.5), "logratio_trim is 0.5; it must be 0 or more and below 0.5"),
        (TMM(sum_trim=-0.1), "sum_trim is -0.1; it must be 0 or more and below 0.5"),
        (MedianOfRatios(pseudo_count=0.0), "pseudo_count is 0.0; it must be above 0"),
        (CenteredLogRatio(pseudo_count=NAN), "pseudo_count is nan; it must be above 0"),
        (Log2Plus(plus=0.0), "plus is 0.0; it must be above 0"),
        (DeltaCt(references=(1, 7)), r"references holds \[7\]; the table has columns 0 to 2"),
        (DeltaCt(n_references=0), "n_references is 0; at least one reference is needed"),
    ],
)
def test_a_parameter_out_of_range_is_refused(step, message):
    with pytest.raises(ValueError, match=message):
        step.fit([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def test_log_cpm_by_hand():
    # Depths 100 and 300, mean 200: priors 1 and 3, denominators 102 and 306.
    found = LogCPM(prior_count=2.0).fit_transform([[25.0, 75.0], [0.0, 300.0]])
    expected = [
        [math.log2(26 / 102 * 1e6), math.log2(76 / 102 * 1e6)],
        [math.log2(3 / 306 * 1e6), math.log2(303 / 306 * 1e6)],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_log_cpm_keeps_the_training_depth_for_a_new_sample():
    fitted = LogCPM().fit([[25.0, 75.0], [0.0, 300.0]])
    # Depth 400 against the frozen mean of 200: prior 4, denominator 408.
    np.testing.assert_allclose(
        fitted.transform([[400.0, 0.0]]), [[math.log2(404 / 408 * 1e6), math.log2(4 / 408 * 1e6)]]
    )


def test_a_sample_without_reads_gets_the_value_of_a_count_of_zero():
    fitted = LogCPM().fit([[25.0, 75.0], [0.0, 300.0]])
    np.testing.assert_allclose(fitted.transform([[0.0, 0.0]]), fitted.transform([[0.0, 300.0]])[:, [0, 0]])


@pytest.mark.parametrize("step", [LogCPM(), TMM(), MedianOfRatios(), CenteredLogRatio()], ids=named)
def test_a_molecule_that_was_not_measured_leaves_the_others_where_they_were(step):
    rng = np.random.default_rng(11)
    shares = np.exp(rng.normal(0.0, 1.5, 50))
    shares[7] = shares.sum()  # half of every library
    table = rng.poisson(rng.uniform(0.5, 2.0, (40, 1)) * 1e6 * shares / shares.sum()).astype(float)
    fitted = clone(step).fit(table)
    lacking = table.copy()
    lacking[:, 7] = NAN
    others = np.arange(50) != 7
    assert np.isnan(fitted.transform(lacking)[:, 7]).all()
    # Without the correction LogCPM would be off by log2(2) = 1.
    np.testing.assert_allclose(fitted.transform(lacking)[:, others], fitted.transform(table)[:, others], atol=0.02)


def test_library_sizes_are_completed_by_the_expected_share():
    sizes = library_sizes(np.array([[50.0, 30.0, 20.0], [50.0, NAN, 20.0]]), np.array([0.5, 0.3, 0.2]))
    np.testing.assert_allclose(sizes, [100.0, 100.0])


def test_expected_shares_are_found_when_cells_are_missing_in_training():
    shares = np.array([0.5, 0.25, 0.125, 0.125])
    table = np.outer([100.0, 200.0, 400.0, 800.0], shares)
    table[0, 0] = table[1, 1] = table[2, 0] = table[3, 3] = NAN
    np.testing.assert_allclose(expected_shares(table), shares, atol=1e-5)


def test_tmm_takes_a_new_sample_with_zeros_where_training_had_none():
    counts = golden("counts_hand.csv")
    fitted = TMM().fit(counts[:3])
    found = fitted.factors(counts[3:])
    # RNAnorm, fitted on all four, relative to the same reference (the first sample).
    np.testing.assert_allclose(
        found / fitted.factors(counts[:1]), factors("hand", "tmm")[3] / factors("hand", "tmm")[0], rtol=1e-13
    )


def test_tmm_factors_have_geometric_mean_one_in_training_and_an_empty_sample_has_factor_one_before_that():
    counts = golden("counts_seeded.csv")
    fitted = TMM().fit(counts)
    assert np.log(fitted.factors(counts)).mean() == pytest.approx(0.0, abs=1e-14)
    assert fitted.factors(np.zeros((1, 60)))[0] == 1.0 / fitted.scale_


def test_tmm_takes_the_sample_of_most_counts_for_reference_when_upper_quartiles_are_zero():
    counts = np.diag([3.0, 9.0, 5.0, 4.0, 6.0])
    assert TMM().fit(counts).reference_ == 1


def test_tmm_is_blind_to_one_molecule_that_fills_the_library_where_log_cpm_is_not():
    counts = golden("counts_hand.csv")
    tmm, cpm = TMM().fit_transform(counts), LogCPM().fit_transform(counts)
    assert abs(tmm[2, 3] - tmm[0, 3]) < 0.05
    assert abs(cpm[2, 3] - cpm[0, 3]) > 3.0


def test_median_of_ratios_by_hand():
    # Geometric means 4 and 8 (and none for the third molecule): ratios 1/2, 1/2 and 2, 2.
    fitted = MedianOfRatios().fit([[2.0, 4.0, 0.0], [8.0, 16.0, 5.0]])
    np.testing.assert_allclose(fitted.size_factors(np.array([[2.0, 4.0, 0.0], [8.0, 16.0, 5.0]])), [0.5, 2.0])
    np.testing.assert_allclose(fitted.transform([[8.0, 0.0, 6.0]]), [[math.log2(5), 0.0, 2.0]])


def test_centred_log_ratio_by_hand():
    found = CenteredLogRatio(pseudo_count=1.0).fit_transform([[0.0, 3.0, 15.0]])
    np.testing.assert_allclose(found, [[-2.0, 0.0, 2.0]])


def test_ct_is_turned_round_and_a_non_detect_is_nan():
    found = CtInverted(not_detected=40.0).fit_transform([[40.0, 41.0, 25.0, NAN]])
    np.testing.assert_array_equal(found, [[NAN, NAN, 15.0, NAN]])


def test_delta_ct_to_named_references_by_hand():
    training = [[20.0, 30.0, 22.0], [21.0, 33.0, 25.0]]
    fitted = DeltaCt(references=(0, 2)).fit(training)
    np.testing.assert_allclose(fitted.transform([[20.0, 30.0, 22.0]]), [[1.0, -9.0, -1.0]])
    # Assay 2 not detected: assay 0 is 0.5 above its mean of 20.5, so the reference is 22 + 0.5.
    np.testing.assert_allclose(fitted.transform([[21.0, 30.0, 40.0]]), [[1.5, -7.5, NAN]])
    # No reference detected: the shift is that of what there is, assay 1 at 1.5 above its mean.
    np.testing.assert_allclose(fitted.transform([[40.0, 33.0, NAN]]), [[NAN, -9.5, NAN]])


def test_the_assays_that_move_with_the_sample_are_chosen_as_references():
    rng = np.random.default_rng(2)
    loading = rng.normal(0.0, 1.0, (20, 1))
    noise = np.array([0.05, 1.0, 0.05, 1.0, 0.05, 1.0, 1.0])
    cycles = 28.0 + loading + noise * rng.normal(size=(20, 7))
    assert list(most_stable(cycles, 3)) == [0, 2, 4]
    assert list(DeltaCt(n_references=3).fit(cycles).positions_) == [0, 2, 4]


def test_references_are_the_most_detected_assays_when_none_is_found_in_every_sample():
    cycles = np.full((4, 3), 30.0)
    cycles[0, 0] = cycles[1, 1] = NAN
    cycles[:, 2] = NAN
    assert list(most_stable(cycles, 2)) == [0, 1]


def test_from_fifty_assays_the_reference_is_the_global_mean_of_a_frozen_set():
    rng = np.random.default_rng(3)
    cycles = rng.normal(28.0, 1.0, (10, 50))
    cycles[:4, 5] = 40.0
    many = DeltaCt().fit(cycles)
    np.testing.assert_array_equal(many.positions_, np.delete(np.arange(50), 5))
    np.testing.assert_array_equal(many.transform(cycles), GlobalMean().fit_transform(cycles))
    assert len(DeltaCt().fit(cycles[:, :49]).positions_) == 5


def test_median_centring_by_hand():
    training = np.array([[4.0, 16.0, 64.0], [8.0, 32.0, 128.0], [16.0, 64.0, 0.0]])
    fitted = MedianCentred().fit(training)  # the third molecule is found in 2 of 3: below 0.7
    np.testing.assert_allclose(fitted.reference_, [3.0, 5.0, 6.5])
    np.testing.assert_array_equal(fitted.positions_, [0, 1])
    np.testing.assert_allclose(fitted.transform(training), [[3, 5, 7], [3, 5, 7], [3, 5, NAN]])


def test_median_centring_is_not_lifted_by_what_fell_below_detection():
    logs = np.array([[10.0, 12.0, 14.0, 16.0, 18.0]] * 4)
    weak = np.array([[NAN, NAN, 12.0, 14.0, 16.0]])
    np.testing.assert_allclose(MedianCentred(logged=True).fit(logs).transform(weak), [[NAN, NAN, 14, 16, 18]])


def test_frozen_quantile_by_hand():
    fitted = FrozenQuantile(logged=True).fit([[1.0, 2.0, 6.0], [5.0, 4.0, 3.0]])
    np.testing.assert_allclose(fitted.quantiles_, [2.0, 3.0, 5.5])
    np.testing.assert_allclose(fitted.transform([[9.0, 7.0, 8.0]]), [[5.5, 2.0, 3.0]])
    np.testing.assert_allclose(fitted.transform([[7.0, NAN, 8.0]]), [[2.0, NAN, 5.5]])
    np.testing.assert_allclose(fitted.transform([[NAN, 7.0, NAN]]), [[NAN, 3.0, NAN]])
    np.testing.assert_allclose(fitted.transform([[7.0, 7.0, 8.0]]), [[2.5, 2.5, 5.5]])


def test_log2_plus_by_hand():
    np.testing.assert_array_equal(Log2Plus(plus=1.0).fit_transform([[0.0, 7.0, NAN]]), [[0.0, 3.0, NAN]])
