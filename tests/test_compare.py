import numpy as np
import pandas as pd
import pytest

from cohorts import FAST, cohort_of, counts
from exoclassify.errors import DesignError
from exoclassify.judging.aside import short_name, to_frame
from exoclassify.judging.compare import compare
from exoclassify.judging.evaluate import judge


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    samples = counts(n=60, n_batches=2, effect=2.0)
    cohort = cohort_of(samples, batch=True)
    return to_frame(judge(samples, cohort.sheet.sample_ids, FAST, n_jobs=1), cohort)


def worse(frame: pd.DataFrame, by: float, seed: int = 0) -> pd.DataFrame:
    """The same answers with noise on the log-odds."""
    p = frame["p_state-1"].clip(1e-6, 1 - 1e-6)
    logit = np.log(p / (1 - p)) + np.random.default_rng(seed).normal(0, by, len(frame))
    return frame.assign(**{"p_state-1": 1 / (1 + np.exp(-logit)), "p_state-0": 1 - 1 / (1 + np.exp(-logit))})


@pytest.mark.slow
def test_answers_kept_aside_bear_short_names_and_every_sample_once_a_pass(frame: pd.DataFrame) -> None:
    assert set(frame["judged"]) == {"cv-1", "batch"}
    assert (frame.groupby("judged")["sample"].nunique() == 60).all()
    assert short_name("S000") in set(frame["sample"])
    assert "S000" not in set(frame["sample"])
    np.testing.assert_allclose(frame[["p_state-0", "p_state-1"]].sum(axis=1), 1, atol=1e-8)


def test_a_model_is_as_good_as_itself(frame: pd.DataFrame) -> None:
    for _, figure in compare(frame, frame.copy(), digests=("a", "a")):
        assert figure.difference == figure.low == figure.high == 0
        assert figure.within_folds.p_value == 1


def test_noise_makes_a_model_worse_and_the_interval_says_so(frame: pd.DataFrame) -> None:
    found = compare(frame, worse(frame, 6.0), digests=("a", "a"))
    assert found.auc.low > 0
    assert found.log_loss.high < 0
    assert found.brier.high < 0
    assert found.auc.difference == pytest.approx(found.auc.first - found.auc.second)


@pytest.mark.slow
def test_two_as_good_as_each_other_are_seldom_told_apart(frame: pd.DataFrame) -> None:
    told = 0
    for seed in range(20):
        pair = worse(frame, 1.0, seed), worse(frame, 1.0, seed + 100)
        found = compare(*pair, digests=("a", "a")).auc
        told += not found.low <= 0 <= found.high
    assert told <= 4


def test_other_folds_samples_or_states_are_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match="judged on different folds"):
        compare(frame, frame, digests=("a", "b"))
    with pytest.raises(DesignError, match="other samples or other states"):
        compare(frame, frame.iloc[1:], digests=("a", "a"))
