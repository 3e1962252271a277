"""The written gate between a newly trained model and its use: not worse anywhere that matters, and better where asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from scipy.stats import binom

from exoclassify.judging.metrics import calibration, mean_figure
from exoclassify.judging.resampling import bootstrap_weights, percentile_interval, weighted_aucs
from exoclassify.learning.recipe import Gate
from exoclassify.typing import Codes, Floats

__all__ = ["Answers", "Check", "Setting", "check_setting"]


_DRAWS = 1000
_CELLS = 20_000_000
"""Weights held at once: fewer draws for very many samples."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What one model said of the samples of a setting, pass by pass.

    Parameters
    ----------
    log_odds : ndarray of shape (n_passes, n_samples, n_states)
        Logs of the probabilities answered.
    sets : ndarray of bool of the same shape
        Prediction sets.
    calls : ndarray of int8 of shape (n_passes, n_samples)
        Position of the state called; -1 for ``uncertain``.
    """

    log_odds: Floats
    sets: NDArray[np.bool_]
    calls: NDArray[np.int8]

    def of(self, rows: Codes | NDArray[np.bool_]) -> Answers:
        """Give the answers to some samples."""
        return Answers(self.log_odds[:, rows], self.sets[:, rows], self.calls[:, rows])

    def called(self) -> Floats:
        """Share of the passes in which each sample was called; shape (n_samples,)."""
        result: Floats = (self.calls >= 0).mean(axis=0)
        return result

    def wrong(self, y: Codes) -> Floats:
        """Share of the passes in which each sample was called wrongly; shape (n_samples,)."""
        result: Floats = ((self.calls >= 0) & (self.calls != y)).mean(axis=0)
        return result

    def losses(self, y: Codes) -> Floats:
        """Log-loss of each sample, averaged over passes; shape (n_samples,)."""
        log_p = log_softmax(self.log_odds, axis=2)
        result: Floats = -log_p[:, np.arange(len(y)), y].mean(axis=0)
        return result

    def aucs(self, y: Codes, weights: Floats) -> Floats:
        """AUC of one state against the rest, averaged over states and passes, for each weighting."""
        p = softmax(self.log_odds, axis=2)
        parts = [weighted_aucs(p[r, :, k], y == k, weights) for r in range(len(p)) for k in range(p.shape[2])]
        result: Floats = np.mean(parts, axis=0)
        return result


@dataclass(frozen=True, eq=False)
class Setting:
    """Samples that both models are judged on under the same conditions.

    Parameters
    ----------
    name : str
        In words.
    y, groups : ndarray of shape (n_samples,)
        Codes of state and subject.
    champion, challenger : Answers
        Of these samples.
    parts : dict of str to ndarray of bool of shape (n_samples,)
        Batches and subgroups by name.
    """

    name: str
    y: Codes
    groups: Codes
    champion: Answers
    challenger: Answers
    parts: dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Check:
    """One thing that the gate looked at.

    Parameters
    ----------
    setting, what : str
        Where, and which figure.
    champion, challenger : float or None
        Its values.
    gain : float or None
        How much better the challenger is; less than 0 is worse.
    low, high : float or None
        95 % of the bootstrap draws of the gain lie between.
    passed : bool
        Whether the gate lets it pass.
    rule : str
        What was asked.
    """

    setting: str
    what: str
    champion: float | None
    challenger: float | None
    gain: float | None
    low: float | None
    high: float | None
    passed: bool
    rule: str

    def line(self) -> str:
        """Give it as one line for a reader."""
        values = " → ".join("–" if v is None else f"{v:.3f}" for v in (self.champion, self.challenger))
        interval = "" if self.low is None else f", gain {self.gain:+.3f} ({self.low:+.3f} to {self.high:+.3f})"
        told = "" if self.champion is None and self.challenger is None else f": {values}"
        return f"{'pass' if self.passed else 'FAIL'}  {self.setting}, {self.what}{told}{interval}; {self.rule}"


def check_setting(
    setting: Setting, gate: Gate, *, states: tuple[str, ...], level: float, max_wrong: float, seed: int
) -> list[Check]:
    """Judge a challenger in one setting.

    Parameters
    ----------
    states : tuple of str
        What the codes stand for.
    """
    draws = max(100, min(_DRAWS, _CELLS // max(len(setting.y), 1)))
    weights = bootstrap_weights(setting.y, setting.groups, draws, seed)
    checks = [
        _paired(setting, "log-loss", _log_loss_gain, weights, gate, gate.margin, "log_loss" in gate.better),
        _paired(setting, "AUC", _auc_gain, weights, gate, gate.margin, "auc" in gate.better),
        _against_guessing(setting),
        _calibration(setting),
        *_coverage(setting, states, level),
        _share_called(setting, weights, gate, max_wrong),
        _wrong_among_calls(setting, max_wrong),
    ]
    for name, rows in setting.parts.items():
        if rows.sum() >= gate.smallest_group:
            part = _part(setting, rows)
            here = weights[:, rows]
            here = here[here.sum(axis=1) > 0]
            checks.append(_paired(part, f"log-loss in {name}", _log_loss_gain, here, gate, gate.group_margin, False))
    return checks


def _part(setting: Setting, rows: NDArray[np.bool_]) -> Setting:
    cut = [a.of(rows) for a in (setting.champion, setting.challenger)]
    return Setting(setting.name, setting.y[rows], setting.groups[rows], cut[0], cut[1], {})


def _log_loss_gain(setting: Setting, weights: Floats) -> tuple[Floats, Floats, Floats]:
    total = weights.sum(axis=1)
    one, two = (weights @ a.losses(setting.y) / total for a in (setting.champion, setting.challenger))
    return one, two, one - two


def _auc_gain(setting: Setting, weights: Floats) -> tuple[Floats, Floats, Floats]:
    one, two = (a.aucs(setting.y, weights) for a in (setting.champion, setting.challenger))
    return one, two, two - one


def _paired(
    setting: Setting, what: str, figure: Any, weights: Floats, gate: Gate, margin: float, better: bool
) -> Check:
    one, two, gain = (float(value[0]) for value in figure(setting, np.ones((1, len(setting.y)))))
    drawn = figure(setting, weights)[2]
    drawn = drawn[np.isfinite(drawn)]
    low, high = percentile_interval(drawn)
    surely_worse = float((drawn < 0).mean()) >= gate.confidence and gain < -margin / 2
    passed = gain >= -margin and not surely_worse
    rule = f"not worse by more than {margin:g}"
    if better:
        passed = passed and gain > 0 and float((drawn > 0).mean()) >= gate.confidence
        rule = f"better in {gate.confidence:.0%} of the draws"
    return Check(setting.name, what, one, two, gain, low, high, passed, rule)


def _against_guessing(setting: Setting) -> Check:
    shares = np.bincount(setting.y) / len(setting.y)
    guess = float(-np.log(shares[setting.y]).mean())
    found = float(setting.challenger.losses(setting.y).mean())
    return Check(
        setting.name, "log-loss against guessing the prevalence", guess, found, guess - found, None, None, found < guess,
        "better than guessing",
    )  # fmt: skip


def _calibration(setting: Setting) -> Check:
    slopes = []
    for answers in (setting.champion, setting.challenger):
        found = [calibration(log_odds, setting.y) for log_odds in answers.log_odds]
        known = [each[0] for each in found if each is not None]
        slopes.append(mean_figure(known) if len(known) == len(found) else None)
    one, two = slopes
    values = [None if each is None else each.value for each in slopes]
    passed = True
    if two is not None:
        # Below 1 it is more certain than it should be, which hurts; above 1 it only says less than it knows.
        passed = two.interval(setting.groups)[1] >= 1 or (one is not None and two.value >= one.value)
    return Check(
        setting.name, "calibration slope", values[0], values[1], None, None, None, passed,
        "not surely below 1 (overconfident), or no lower than before",
    )  # fmt: skip


def _coverage(setting: Setting, states: tuple[str, ...], level: float) -> list[Check]:
    checks = []
    for k, state in enumerate(states):
        rows = setting.y == k
        one, two = (float(a.sets[:, rows, k].mean()) for a in (setting.champion, setting.challenger))
        short = float(binom.cdf(round(two * rows.sum()), int(rows.sum()), level)) < 0.05
        passed = not (short and two < one)
        what, rule = (
            f"{level:.0%} sets that hold {state}",
            f"not surely less than {level:.0%}, or no less than before",
        )
        checks.append(Check(setting.name, what, one, two, two - one, None, None, passed, rule))
    return checks


def _surely_wrong(answers: Answers, y: Codes, max_wrong: float) -> bool:
    """Whether more of the calls are wrong than stated, by more than chance."""
    called, wrong = round(float(answers.called().sum())), round(float(answers.wrong(y).sum()))
    return bool(called and binom.sf(wrong - 1, called, max_wrong) < 0.05)


def _called_gain(setting: Setting, weights: Floats) -> tuple[Floats, Floats, Floats]:
    total = weights.sum(axis=1)
    one, two = (weights @ a.called() / total for a in (setting.champion, setting.challenger))
    return one, two, two - one


def _share_called(setting: Setting, weights: Floats, gate: Gate, max_wrong: float) -> Check:
    check = _paired(setting, "share called", _called_gain, weights, gate, gate.call_margin, False)
    assert check.gain is not None
    enough = check.gain >= -gate.call_margin  # a few calls less do no harm, however sure it is that they are less
    rule = f"{check.rule}, and not none where it called before"
    fewer_and_right = _surely_wrong(setting.champion, setting.y, max_wrong)  # fewer calls are then what is wanted
    none_left = check.challenger == 0 and check.champion != 0
    return replace(check, rule=rule, passed=(enough or fewer_and_right) and not none_left)


def _wrong_among_calls(setting: Setting, max_wrong: float) -> Check:
    shares = []
    for answers in (setting.champion, setting.challenger):
        called, wrong = answers.called().sum(), answers.wrong(setting.y).sum()
        shares.append(float(wrong / called) if called else None)
    one, two = shares
    gain = None if one is None or two is None else one - two
    no_more = gain is not None and gain >= 0
    passed = no_more or not _surely_wrong(setting.challenger, setting.y, max_wrong)
    rule = f"not surely above the {max_wrong:.0%} stated, or no more than before"
    return Check(setting.name, "wrong among the calls", one, two, gain, None, None, passed, rule)
