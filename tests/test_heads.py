"""Heads and places: the mean over nodes by hand, and no answer that depends on its neighbours."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from cohorts import FAST, counts
from exoclassify.learning.learn import learn
from exoclassify.methods.conformal import ClassConditionalSets
from exoclassify.methods.heads import MAX_WRONG, Head, Place, mixed
from exoclassify.model.answers import Answers
from exoclassify.model.prediction import Limits, Use

HEAD = Head(
    factors=np.array([0.5, 1.5]),
    weights=np.array([0.25, 0.75]),
    losses=np.array([0.4, 0.3]),
    white=np.array([[-0.5, 0.5]]),
    means=np.array([[-1.0], [2.0]]),
    shift=np.array([0.25, -0.25]),
)
"""Two states, one dimension."""


def place(nodes: list[float], **more: object) -> Place:
    nodes = np.array(nodes)[:, None]
    loads = np.exp(-HEAD.means @ nodes.T)
    sets = ClassConditionalSets((np.array([0.1]), np.array([0.1])))
    given = {"from_probability": np.linspace(0.99, 0.6, len(MAX_WRONG)), "closed": "", "untested": 0.0, **more}
    return Place(
        head=0, nodes=nodes, loads=loads, sets=sets, novelty=np.array([1.0]), mix=np.array([0.5, 0.5]), sets_head=0,
        **given,
    )  # fmt: skip


def test_log_odds_of_a_blended_score_are_by_hand() -> None:
    """Score (-1, 1): white 1; log-odds (-1, 2) and the shift."""
    np.testing.assert_allclose(HEAD.log_odds(np.array([[-1.0, 1.0]])), [[-0.75, 1.75]])
    np.testing.assert_allclose(HEAD.of_white(np.array([[1.0]])), [[-0.75, 1.75]])
    np.testing.assert_allclose(HEAD.to_white(np.array([[-0.75, 1.75]])), [[1.0]])


def test_steeper_log_odds_lie_further_apart_in_white_scores_by_the_root() -> None:
    blended = np.array([[-1.0, 1.0], [0.3, -0.3]])
    steep = HEAD.steeper(4.0)
    np.testing.assert_allclose(steep.log_odds(blended), 4 * HEAD.log_odds(blended))
    np.testing.assert_allclose(steep.to_white(steep.log_odds(blended)), 2 * HEAD.to_white(HEAD.log_odds(blended)))


def test_an_answer_is_the_mean_over_what_the_offset_may_be() -> None:
    """By hand: log-odds of state 1 over state 0 are 3 w - .5; offsets 0 and 1 of a sample at w = 1 give 2.5 and -.5."""
    p = place([0.0, 1.0]).mixed(HEAD.of_white(np.array([[1.0]])), np.log([0.5, 0.5]))
    first, second = (1 / (1 + np.exp(-logit)) for logit in (2.5, -0.5))
    np.testing.assert_allclose(p, [[1 - (first + second) / 2, (first + second) / 2]], rtol=1e-12)


def test_a_rare_state_is_rarer_at_every_node() -> None:
    p = place([0.0, 1.0]).mixed(HEAD.of_white(np.array([[1.0]])), np.log([0.9, 0.1]))
    first, second = (1 / (1 + 9 * np.exp(-logit)) for logit in (2.5, -0.5))
    assert p[0, 1] == pytest.approx((first + second) / 2, rel=1e-12)


@given(st.integers(2, 4), st.integers(1, 300), st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_mean_over_nodes_is_that_of_softmax(k: int, n: int, n_nodes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_odds, moves = rng.normal(0, 5, (n, k)), rng.normal(0, 3, (k, n_nodes))
    found = mixed(log_odds, np.exp(moves))
    wanted = softmax(log_odds[:, None, :] + moves.T[None], axis=2).mean(axis=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    for i in rng.integers(0, n, 5):
        assert (mixed(log_odds[i : i + 1], np.exp(moves))[0] == found[i]).all()


def test_log_odds_beyond_all_measure_give_probabilities() -> None:
    p = mixed(np.array([[0.0, 900.0], [-900.0, 0.0]]), np.exp(np.array([[0.0, 5.0], [0.0, -5.0]])))
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)


@pytest.mark.parametrize(("max_wrong", "expected"), [(0.005, np.inf), (0.01, 0), (0.05, 4), (0.07, 5), (0.5, -1)])
def test_the_limit_of_a_call_is_that_of_the_next_smaller_share(max_wrong: float, expected: float) -> None:
    given = place([0.0])
    assert given.from_probability is not None
    wanted = np.inf if expected == np.inf else given.from_probability[int(expected)]
    assert given.call_from(max_wrong) == wanted


SAMPLES = replace(counts(n=90, n_states=3, n_batches=3), batch_names=("A", "B", "C"))
LEARNED = learn(SAMPLES, FAST)
USES = [
    Use(**where, **more)
    for where, more in product(
        ({"batch": "A"}, {"batch": "C"}, {"same_batch": True}, {"batch": "elsewhere"}, {}),
        ({}, {"prevalence": {"state-1": 0.05}}),
    )
]


LIMITS = Limits(0.9, 0.05, 0.05, 0.0)
FOUND = LEARNED.blend.evaluate(SAMPLES.X[:, LEARNED.support])


def same_alone(together: Answers, i: int, use: Use) -> None:
    rows = slice(i, i + 1)
    alone = LEARNED.blend.judge(FOUND[0][:, rows], FOUND[1][rows], np.ones(1), use, LIMITS)
    for name in ("probabilities", "sets", "novelty_p", "calls", "reasons"):
        assert (getattr(alone, name)[0] == getattr(together, name)[i]).all(), name


@pytest.mark.parametrize("use", USES, ids=str)
def test_a_sample_alone_gets_the_bits_that_it_gets_among_others(use: Use) -> None:
    together = LEARNED.blend.judge(*FOUND, np.ones(90), use, LIMITS)
    for i in (0, 41, 89):
        same_alone(together, i, use)


def test_a_sample_alone_gets_the_bits_that_it_gets_in_a_table_of_many_batches() -> None:
    names = [("A", "B", "elsewhere", "")[i % 4] for i in range(90)]
    together = LEARNED.blend.judge(*FOUND, np.ones(90), Use(), LIMITS, names)
    for i in (0, 3, 41, 82):
        same_alone(together, i, Use(batch=names[i]))
