"""From which probability on a best guess is called: by hand."""

import math

import numpy as np
import pytest

from exoclassify.learning.calling import call_limits, strictest
from exoclassify.methods.heads import MAX_WRONG


def limits(best: list[float], wrong: list[int], batch: list[int] | None = None, **more: bool) -> dict:
    """Of two states, the first always the best guess."""
    p = np.stack([best, 1 - np.array(best)], axis=1)
    found = call_limits(p, np.array(wrong), np.zeros(len(best), int) if batch is None else np.array(batch), **more)
    return dict(zip(MAX_WRONG, found, strict=True))


def test_in_one_batch_the_share_wrong_among_calls_decides() -> None:
    """Wrong is the fourth: 0 of 3 from .90 on, 1 of 4 from .80 on, 1 of 5 from .70 on."""
    found = limits([0.7, 0.95, 0.9, 0.8, 0.99], [0, 0, 0, 1, 0])
    assert [found[share] for share in (0.01, 0.05, 0.15)] == [0.9] * 3
    assert [found[share] for share in (0.2, 0.25, 0.5)] == [0.7] * 3


def test_nothing_is_called_where_the_surest_answer_is_wrong() -> None:
    found = limits([0.99, 0.9], [1, 0])
    assert found[0.4] == math.inf
    assert found[0.5] == 0.9


def test_equal_probabilities_are_called_together_or_not_at_all() -> None:
    found = limits([0.9, 0.8, 0.8], [0, 0, 1])
    assert found[0.3] == 0.9
    assert found[0.4] == 0.8


def test_every_batch_counts_alike_and_their_spread_counts_against_it() -> None:
    """Nine right of batch 0, then of batch 1 one wrong: at .05 the mean of .05/10 and .05/1 is .0275, and with one standard
    error (.0225) exactly .05; the wrong one would make it 1.05 / 2."""
    best = [0.99] * 9 + [0.8]
    found = limits(best, [0] * 9 + [1], [0] * 9 + [1])
    assert found[0.05] == 0.99
    assert found[0.1] == 0.99  # pooled 1 of 10 would do
    assert found[0.5] == 0.99  # (0.5 / 10 + 1.5 / 2) / 2 = .4, and a standard error of .35
    assert limits(best, [0] * 9 + [1])[0.1] == 0.8


def test_few_calls_without_error_are_not_enough_where_it_must_be_bounded() -> None:
    """Clopper and Pearson, 80 %: of 3 right calls at most 1 - .2^(1/3) = .415 are wrong: more than .4, less than .5."""
    found = limits([0.9] * 3, [0] * 3, bounded=True)
    assert found[0.2] == math.inf
    assert found[0.25] == 0.9
    enough = limits([0.9] * 16, [0] * 16, bounded=True)  # 1 - .2^(1/16) = .0957
    assert enough[0.05] == 0.9
    assert limits([0.9] * 15, [0] * 15, bounded=True)[0.05] == math.inf


def test_the_strictest_of_several_is_kept_share_by_share() -> None:
    np.testing.assert_array_equal(
        strictest(np.array([0.5, math.inf, 0.9]), np.array([0.7, 0.6, 0.8])), [0.7, math.inf, 0.9]
    )


@pytest.mark.parametrize("seed", range(3))
def test_calls_of_calibrated_answers_are_wrong_no_more_often_than_allowed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.4, 0.4, 3000)
    y = (rng.random(3000) > p).astype(int)
    found = call_limits(np.stack([p, 1 - p], axis=1), y, rng.integers(0, 5, 3000))
    best, wrong = np.maximum(p, 1 - p), (p > 0.5) == y
    for share, limit in zip(MAX_WRONG, found, strict=True):
        assert wrong[best >= limit].mean() <= share if math.isfinite(limit) else share < 0.05
