"""The prevalence filter: what detected means in each unit, and what is left."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from exoclassify.errors import DesignError
from exoclassify.methods.transformers import PrevalenceFilter

NAN = float("nan")


@parametrize_with_checks([PrevalenceFilter(), PrevalenceFilter(unit="log2_intensity")])
def test_scikit_learn_accepts_the_filter(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("unit", "table", "kept"),
    [
        # common, found once in four, never found, the same in all, never measured
        ("counts", [[5, 1, 0, 7, NAN], [3, 0, 0, 7, NAN], [0, 0, 0, 7, NAN], [2, 0, 0, 7, NAN]], [0]),
        ("cpm", [[5, 1, 0, 7, NAN], [3, 0, 0, 7, NAN], [0, 0, 0, 7, NAN], [2, 0, 0, 7, NAN]], [0]),
        # at the not-detected value, and found in half at one and the same Ct
        ("ct", [[20, 40, 30, 20], [21, 40, 30, 20], [22, 40, 40, 20], [23, 39, NAN, 20]], [0, 2]),
        ("intensity", [[5, 0, 9, NAN], [6, 0, 9, NAN], [NAN, 1, 0, NAN], [7, NAN, NAN, 3]], [0, 2]),
        # zero and below are values of a log
        ("log2_intensity", [[0.0, 1, NAN], [-1.0, NAN, NAN], [NAN, NAN, NAN], [NAN, NAN, 3]], [0]),
    ],
)
def test_detected_means_what_the_unit_means(unit, table, kept):
    step = PrevalenceFilter(min_prevalence=0.5, unit=unit).fit(table)
    assert list(np.flatnonzero(step.support_)) == kept
    np.testing.assert_array_equal(step.transform(table), np.asarray(table, dtype=float)[:, kept])


def test_the_share_is_of_all_training_samples_and_its_bound_is_kept():
    table = np.zeros((10, 2))
    table[:2, 0] = table[0, 1] = 1.0
    step = PrevalenceFilter(min_prevalence=0.2).fit(table)
    np.testing.assert_allclose(step.prevalence_, [0.2, 0.1])
    assert list(step.support_) == [True, False]


def test_the_filter_learned_in_training_stands_for_new_samples():
    step = PrevalenceFilter().fit([[1.0, 0.0], [2.0, 0.0]])
    np.testing.assert_array_equal(step.transform([[0.0, 99.0]]), [[0.0]])


def test_the_kept_molecules_are_named():
    frame = pd.DataFrame({"hsa-miR-21-5p": [1.0, 2.0], "hsa-miR-1-3p": [0.0, 0.0]})
    assert list(PrevalenceFilter().fit(frame).get_feature_names_out()) == ["hsa-miR-21-5p"]


def test_nothing_left_is_a_design_error_that_counts_the_reasons():
    with pytest.raises(DesignError, match="none of 3 molecules is left: 2 are detected in less than 20%"):
        PrevalenceFilter().fit([[0.0, 0.0, 7.0], [0.0, 0.0, 7.0]])


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (PrevalenceFilter(min_prevalence=1.1), "min_prevalence is 1.1; it must be from 0 to 1"),
        (PrevalenceFilter(unit="tpm"), "unit is 'tpm'; it must be one of counts, ct"),
    ],
)
def test_a_parameter_out_of_range_is_refused(step, message):
    with pytest.raises(ValueError, match=message):
        step.fit([[1.0, 2.0], [3.0, 4.0]])
