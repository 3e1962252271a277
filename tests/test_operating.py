import numpy as np
import pytest

from exoclassify.judging.operating import operating_point, reaching, share_of

P = np.array([0.9, 0.8, 0.7, 0.2, 0.6, 0.3, 0.1, 0.05])
POSITIVE = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)


def test_a_threshold_is_worked_by_hand() -> None:
    # At 0.5: three of four found, one of four called for nothing; at a prevalence of 10 % by Bayes.
    point = operating_point([P], POSITIVE, 0.5, 0.1)
    assert point.sensitivity.value == 0.75
    assert point.specificity.value == 0.75
    assert point.ppv is not None
    assert point.npv is not None
    assert point.ppv.value == pytest.approx(0.1 * 0.75 / (0.1 * 0.75 + 0.9 * 0.25))
    assert point.npv.value == pytest.approx(0.9 * 0.75 / (0.9 * 0.75 + 0.1 * 0.25))


def test_predictive_values_are_the_shares_themselves_at_the_mix_of_the_samples() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(300) < 0.3
    p = np.clip(rng.normal(0.3 + 0.3 * positive, 0.2), 0, 1)
    point = operating_point([p], positive, 0.5, float(positive.mean()))
    assert point.ppv is not None
    assert point.ppv.value == pytest.approx(positive[p >= 0.5].mean())
    # And the delta method's interval is about that of the share among those called.
    low, high = point.ppv.interval(np.arange(300))
    plain_low, plain_high = share_of(positive, p >= 0.5).interval(np.arange(300))
    assert (low, high) == pytest.approx((plain_low, plain_high), abs=0.03)


def test_where_nothing_is_called_there_is_no_positive_predictive_value() -> None:
    point = operating_point([P], POSITIVE, 0.95, 0.1)
    assert point.ppv is None
    assert point.npv is not None


@pytest.mark.parametrize(("of", "expected"), [("sensitivity", 0.2), ("specificity", 0.6)])
def test_a_threshold_reaches_what_it_was_chosen_for(of: str, expected: float) -> None:
    threshold = reaching([P], POSITIVE, 0.9, of=of)
    assert threshold == pytest.approx(expected)
    point = operating_point([P], POSITIVE, threshold, 0.5)
    assert getattr(point, of).value >= 0.9
