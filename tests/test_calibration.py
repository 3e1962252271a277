"""One calibration: a known batch is answered sharply, an unknown one widely, and where nothing carries over nothing is called."""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import norm

from exoclassify.learning.calibration import HeldOut, calibrated
from exoclassify.learning.site import Local, offset_nodes, site_place
from exoclassify.methods.heads import Calibration, Place

MIX = np.array([0.5, 0.5])


class World(NamedTuple):
    """Scores of one learner for two states: what tells them apart, how far batches lie apart, how many."""

    signal: float = 3.0
    spread: float = 2.0
    n_batches: int = 5
    n: int = 40
    seed: int = 0

    def offsets(self) -> np.ndarray:
        """Quantiles of a normal distribution in an order of the seed: no world is luckier than another."""
        return np.random.default_rng(self.seed).permutation(
            self.spread * norm.ppf((np.arange(self.n_batches) + 0.5) / self.n_batches)
        )

    def batch(self, offset: float, n: int, seed: int, share: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
        """White scores of a batch, unit noise, and its states."""
        rng = np.random.default_rng([self.seed, seed])
        y = (np.arange(n) < share * n).astype(np.intp)
        return rng.normal(size=n) + self.signal * (y - 0.5) + offset, y

    def held_out(self, signal: float | None = None) -> HeldOut:
        world = self if signal is None else self._replace(signal=signal)
        drawn = [world.batch(offset, self.n, i) for i, offset in enumerate(self.offsets())]
        u, y = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
        batch = np.repeat(np.arange(self.n_batches), self.n)
        residuals = np.random.default_rng(9).gamma(2, 1, len(y))
        return HeldOut(np.stack([-u, u], axis=1)[None], residuals, y, np.arange(len(y)), batch, self.n_batches)

    def calibrated(self, *, new: float | None = None) -> Calibration:
        """With scores of left-out batches of another signal where that is given."""
        names = [f"B{i}" for i in range(self.n_batches)]
        left_out = self.held_out(new) if self.n_batches > 1 else None
        return calibrated(self.held_out(), left_out, MIX, names, np.array([1.0]), None)


def answers(known: Calibration, place: Place, u: np.ndarray) -> np.ndarray:
    head = known.heads[place.head]
    scores = np.stack([-u, u], axis=1) * head.factors[0]
    p = place.mixed(head.log_odds(scores), np.log(place.mix))
    return (1 - place.untested) * p + place.untested * place.mix


def loss(p: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(p[np.arange(len(y)), y]).mean())


def slope(p: np.ndarray, y: np.ndarray) -> float:
    """Best factor of the log-odds, by a grid: 1 where they are calibrated."""
    logit = np.log(p[:, 1] / p[:, 0])
    grid = np.geomspace(0.2, 5, 81)
    return float(grid[np.argmin([np.logaddexp(0, -factor * logit * (2 * y - 1)).mean() for factor in grid])])


def white(known: Calibration, u: np.ndarray) -> np.ndarray:
    head = known.heads[0]
    return head.to_white(head.log_odds(np.stack([-u, u], axis=1) * head.factors[0]))


WORLD = World(n=120)
KNOWN = WORLD.calibrated()


def test_new_samples_of_a_known_batch_are_calibrated_in_spite_of_strong_offsets() -> None:
    p, y, truth = [], [], []
    for code, offset in enumerate(WORLD.offsets()):
        u, states = WORLD.batch(offset, 400, 100 + code)
        p.append(answers(KNOWN, KNOWN.known[code], u))
        y.append(states)
        truth.append(np.logaddexp(0, -WORLD.signal * (u - offset) * (2 * states - 1)).mean())
    assert loss(np.concatenate(p), np.concatenate(y)) < np.mean(truth) + 0.02
    assert 0.75 < slope(np.concatenate(p), np.concatenate(y)) < 1.35


def test_of_an_unknown_batch_the_answer_is_as_wide_as_the_offsets_are() -> None:
    overall = []
    for i, offset in enumerate(WORLD._replace(n_batches=40).offsets()):
        u, y = WORLD.batch(offset, 50, 200 + i)
        overall.append((answers(KNOWN, KNOWN.unknown, u), y))
    p, y = (np.concatenate(parts) for parts in zip(*overall, strict=True))
    assert 0.3 < loss(p, y) < np.log(2)
    assert 0.6 < slope(p, y) < 1.7
    as_known = np.concatenate([answers(KNOWN, KNOWN.known[0], WORLD.batch(0, 50, 9)[0])])
    assert p.max(axis=1).mean() < as_known.max(axis=1).mean() - 0.05


def test_batches_that_lie_further_apart_make_an_unknown_one_wider() -> None:
    u, _ = WORLD.batch(0.0, 200, 1)
    each = []
    for spread in (0.1, 1.0, 4.0):
        known = World(spread=spread).calibrated()
        each.append(answers(known, known.unknown, u).max(axis=1).mean())
    assert all(before > after + 0.02 for before, after in pairwise(each))


def test_some_batch_of_training_is_the_mean_over_them() -> None:
    u, _ = WORLD.batch(0.0, 50, 1)
    each = np.mean([answers(KNOWN, place, u) for place in KNOWN.known], axis=0)
    np.testing.assert_allclose(answers(KNOWN, KNOWN.some, u), each, atol=0.02)


def test_scores_that_say_nothing_in_left_out_batches_close_an_unknown_one() -> None:
    known = WORLD.calibrated(new=0.0)
    assert known.unknown.closed == "no-evidence"
    assert known.unknown.untested >= 0.5
    u, _ = WORLD.batch(0.0, 200, 3)
    assert answers(known, known.unknown, u).max() < 0.8
    assert all(place.closed == "" for place in known.known)  # in its own batches it does


def test_scores_that_carry_over_leave_it_open() -> None:
    assert KNOWN.unknown.closed == ""
    assert KNOWN.unknown.untested < 0.05
    assert KNOWN.held_out is not None
    assert (KNOWN.held_out.evidence > 3).all()


@pytest.mark.parametrize("signal", [0.0, 3.0])
def test_after_one_batch_nothing_is_called_in_another_and_half_of_the_answer_is_the_mix(signal: float) -> None:
    known = World(signal=signal, n_batches=1, n=80).calibrated()
    assert (known.unknown.closed, known.unknown.untested) == ("one-batch", 0.5)
    assert len(known.heads) == 1
    assert (answers(known, known.unknown, np.linspace(-20, 20, 9)) >= MIX / 2 - 1e-12).all()


def test_scores_of_nothing_at_all_give_the_mix() -> None:
    held = WORLD.held_out()
    flat = replace(held, scores=0 * held.scores)
    known = calibrated(flat, flat, MIX, [f"B{i}" for i in range(5)], np.array([1.0]), None)
    for place in (known.unknown, known.some, known.known[0]):
        assert place.closed == "no-evidence"
        np.testing.assert_allclose(answers(known, place, np.linspace(-3, 3, 5)), 0.5, atol=0.02)


@pytest.mark.parametrize("spread", [0.5, 1.0])
def test_calls_in_new_batches_are_wrong_no_more_often_than_promised(spread: float) -> None:
    """Over worlds and new batches: at most .05 of the calls, and a share is called where batches lie near each other."""
    called = wrong = asked = 0
    for seed in range(10):
        world = World(signal=4.0, spread=spread, seed=seed, n_batches=3)
        known = world.calibrated()
        place = known.unknown
        for i, offset in enumerate(np.random.default_rng(50 + seed).normal(0, spread, 6)):
            u, y = world.batch(offset, 50, 300 + i)
            p = answers(known, place, u)
            mine = (p.max(axis=1) >= place.call_from(0.05)) & (place.closed == "")
            called, wrong, asked = (called + mine.sum(), wrong + (mine & (p.argmax(axis=1) != y)).sum(), asked + 50)
    assert wrong <= 0.06 * called
    assert called > (0.4 if spread < 1 else 0.0) * asked


AWAY = 4.0
"""Offset of a new site: two spreads away."""


def local(n: int, *, share: float = 0.5, labels: str = "none", mix: tuple | None = (0.5, 0.5)) -> Local:
    u, y = WORLD.batch(AWAY, n, 77, share)
    given = {"none": np.full(n, -1), "all": y, "controls": np.where(y == 0, 0, -1)}[labels]
    return Local(white(KNOWN, u), MIX if mix is None else np.array(mix), mix is not None, given.astype(np.intp))


def learned(there: Local, seed: int = 0) -> np.ndarray:
    assert KNOWN.held_out is not None
    return offset_nodes(KNOWN.heads[0], KNOWN.held_out, there, seed=seed)[:, 0]


@pytest.mark.parametrize("labels", ["none", "controls", "all"])
def test_a_site_s_offset_is_found_from_few_samples(labels: str) -> None:
    truth = white(KNOWN, np.array([AWAY, 0.0]))[:, 0]
    nodes = learned(local(20, labels=labels))
    assert nodes.mean() == pytest.approx(truth[0] - truth[1], abs=1.0)
    assert nodes.std() < 0.6


def test_controls_alone_are_enough_and_labels_are_better_than_none() -> None:
    sds = [learned(local(12, labels=labels, mix=None)).std() for labels in ("all", "controls", "none")]
    assert sds[0] < sds[2]
    assert sds[1] < sds[2]


def test_by_hand_labelled_samples_give_the_posterior_of_a_normal_mean() -> None:
    """All labelled: offset ~ N(sum of (w - mean of its state) / (n + 1 / tau^2), 1 / (n + 1 / tau^2)), here with one tau."""
    assert KNOWN.held_out is not None
    there = local(16, labels="all")
    head = KNOWN.heads[0]
    sharp = np.zeros(len(KNOWN.held_out.tau))
    at = len(sharp) // 2
    sharp[at] = 1.0
    tau = KNOWN.held_out.tau[at]
    nodes = offset_nodes(head, replace(KNOWN.held_out, tau_weight=sharp), there)[:, 0]
    precision = 16 + 1 / tau**2
    by_hand = (there.w - head.means[there.labels]).sum() / precision
    assert nodes.mean() == pytest.approx(by_hand, abs=4 / np.sqrt(200 * precision))
    assert nodes.std() == pytest.approx(1 / np.sqrt(precision), rel=0.2)


@pytest.mark.slow
def test_a_profile_is_the_same_every_time_and_answers_better_than_none() -> None:
    there = local(20)
    place = site_place(KNOWN, there, MIX)
    assert (place.nodes == site_place(KNOWN, there, MIX).nodes).all()
    u, y = WORLD.batch(AWAY, 400, 500)
    assert loss(answers(KNOWN, place, u), y) < loss(answers(KNOWN, KNOWN.unknown, u), y) - 0.1
    assert place.closed == ""


@pytest.mark.slow
def test_a_stated_mix_that_is_wrong_is_worse_than_the_right_one_and_better_than_no_profile() -> None:
    u, y = WORLD.batch(AWAY, 400, 501, 0.2)
    right, wrong = (site_place(KNOWN, local(20, share=0.2, mix=mix), MIX) for mix in ((0.8, 0.2), (0.6, 0.4)))
    losses = [loss(answers(KNOWN, place, u), y) for place in (right, wrong, KNOWN.unknown)]
    assert losses == sorted(losses)


@pytest.mark.slow
def test_where_the_unknown_batch_is_closed_a_profile_without_labels_opens_nothing() -> None:
    known = WORLD.calibrated(new=0.0)
    u, _ = WORLD.batch(AWAY, 20, 77)
    there = Local(white(known, u), MIX, True, np.full(20, -1, dtype=np.intp))
    place = site_place(known, there, MIX)
    assert place.closed == "no-evidence"
    assert place.untested >= 0.5
