"""What the gate says of calls, on answers made by hand: 49 samples of a new site, as in the case that it once let pass."""

import numpy as np
import pytest

from exoclassify.judging.gate import Answers, Check, Setting, check_setting
from exoclassify.learning.recipe import Gate

N = 49
Y = np.arange(N) % 2


def answers(called: int, wrong: int) -> Answers:
    """Good probabilities and sets; the first `called` samples are called, the first `wrong` of these wrongly."""
    log_odds = np.full((1, N, 2), -1.0)
    log_odds[0, np.arange(N), Y] = 1.0
    calls = np.where(np.arange(N) < called, Y, -1).astype(np.int8)
    calls[:wrong] = 1 - Y[:wrong]
    return Answers(log_odds, np.ones((1, N, 2), dtype=bool), calls[None])


def checked(champion: Answers, challenger: Answers) -> dict[str, Check]:
    setting = Setting("new site", Y, np.arange(N), champion, challenger, {})
    found = check_setting(setting, Gate(), states=("control", "pain"), level=0.9, max_wrong=0.05, seed=0)
    return {check.what: check for check in found}


@pytest.mark.parametrize(
    ("before", "now", "share_passes", "wrong_passes"),
    [
        ((45, 0), (45, 0), True, True),
        ((45, 0), (0, 0), False, True),
        ((2, 0), (0, 0), False, True),
        ((0, 0), (0, 0), True, True),
        ((45, 0), (42, 0), True, True),
        ((45, 0), (35, 0), False, True),
        ((45, 12), (20, 0), True, True),
        ((45, 12), (0, 0), False, True),
        ((45, 0), (45, 6), True, False),
        ((0, 0), (45, 12), True, False),
        ((0, 0), (45, 1), True, True),
        ((45, 12), (45, 11), True, True),
    ],
)
def test_calls_are_neither_lost_nor_wrong(
    before: tuple[int, int], now: tuple[int, int], share_passes: bool, wrong_passes: bool
) -> None:
    found = checked(answers(*before), answers(*now))
    assert found["share called"].passed is share_passes, found["share called"].line()
    assert found["wrong among the calls"].passed is wrong_passes, found["wrong among the calls"].line()
    assert found["log-loss"].passed


def test_the_figures_are_shares_of_the_samples_and_of_the_calls() -> None:
    found = checked(answers(40, 10), answers(20, 1))
    assert (found["share called"].champion, found["share called"].challenger) == (40 / N, 20 / N)
    assert found["wrong among the calls"].champion == pytest.approx(10 / 40)
    assert found["wrong among the calls"].challenger == pytest.approx(1 / 20)
    nothing = checked(answers(40, 10), answers(0, 0))["wrong among the calls"]
    assert (nothing.challenger, nothing.gain) == (None, None)
    assert "0.250 → –" in nothing.line()
