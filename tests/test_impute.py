"""Imputation: constants of the training samples, from below or from the middle."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from exoclassify.methods.transformers import LeftCensored, MedianFilled

NAN = float("nan")
TRAINING = np.array([[1.0, 4.0, NAN], [2.0, NAN, NAN], [3.0, 8.0, NAN]])


@parametrize_with_checks([LeftCensored(), MedianFilled()])
def test_scikit_learn_accepts_both(estimator, check):
    check(estimator)


def test_left_censored_fills_from_below_by_hand():
    # Lowest values 1 and 4, the table's lowest 1, each one log2 unit lower.
    found = LeftCensored(quantile=0.0, shift=1.0).fit(TRAINING).transform([[NAN, NAN, NAN], [9.0, NAN, 7.0]])
    np.testing.assert_array_equal(found, [[0.0, 3.0, 0.0], [9.0, 3.0, 7.0]])


def test_the_quantile_is_interpolated_between_training_values():
    assert LeftCensored(quantile=0.25, shift=0.0).fit(TRAINING).fill_ == pytest.approx([1.5, 5.0, 2.0])


def test_a_molecule_found_once_stays_apart_from_one_not_found():
    found = LeftCensored().fit_transform([[5.0, 1.0], [NAN, 1.0], [NAN, 1.0]])
    np.testing.assert_array_equal(found[:, 0], [5.0, 4.0, 4.0])


def test_median_filled_by_hand():
    # Medians 2 and 6; the third molecule was never measured: the table's median, of 1 2 3 4 8.
    found = MedianFilled().fit(TRAINING).transform([[NAN, NAN, NAN], [9.0, NAN, 7.0]])
    np.testing.assert_array_equal(found, [[2.0, 6.0, 3.0], [9.0, 6.0, 7.0]])


@pytest.mark.parametrize("step", [LeftCensored(), MedianFilled()], ids=repr)
def test_nothing_stays_missing_even_when_training_held_nothing(step):
    assert np.isfinite(step.fit(np.full((3, 2), NAN)).transform([[NAN, 1.0]])).all()


@pytest.mark.parametrize("step", [LeftCensored(), MedianFilled()], ids=repr)
def test_a_row_alone_gives_the_bits_it_gives_in_a_batch(step):
    rng = np.random.default_rng(4)
    table = np.where(rng.random((30, 50)) < 0.4, NAN, rng.normal(size=(30, 50)))
    together = step.fit(table).transform(table)
    assert together.tobytes() == np.vstack([step.transform(table[i : i + 1]) for i in range(30)]).tobytes()


def test_new_samples_do_not_move_the_fill():
    step = LeftCensored().fit(TRAINING)
    before = step.fill_.copy()
    step.transform(np.full((4, 3), -100.0))
    np.testing.assert_array_equal(step.fill_, before)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (LeftCensored(quantile=1.5), "quantile is 1.5; it must be from 0 to 1"),
        (LeftCensored(shift=-1.0), "shift is -1.0; it must be 0 or more"),
    ],
)
def test_a_parameter_out_of_range_is_refused(step, message):
    with pytest.raises(ValueError, match=message):
        step.fit(TRAINING)
