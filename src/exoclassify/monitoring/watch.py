"""What a model does in use, read from its records: drift, calls, and how right it was where outcomes are known."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import binomtest, norm
from sqlalchemy import Engine, select

from exoclassify.data.cargo import CargoTable
from exoclassify.judging.metrics import figures
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Use
from exoclassify.monitoring.bins import Counts
from exoclassify.monitoring.database import reached
from exoclassify.monitoring.drift import count_bins, discoveries, input_drift, martingale, smoothed_p
from exoclassify.monitoring.tables import OUTCOMES, PREDICTIONS
from exoclassify.monitoring.tallies import tallied
from exoclassify.typing import Floats

__all__ = ["INPUT_RATE", "OTHER_RATE", "Watched", "watch", "watch_table"]


INPUT_RATE = 0.05
"""Chance that a look at the molecules finds any of them moved when none has; also the share of false ones among those found."""

OTHER_RATE = 0.01
"""Chance of each other alarm when nothing has changed."""

_MIN_OUTCOMES = 5
_FEWEST_LEVEL = 20
"""Answers from which the level of probabilities is looked at."""

_SITE_NEEDS = (
    "make a profile of it from 10 of its samples, with their mix or their labels (exoclassify recalibrate --site …)"
)


@dataclass(frozen=True, eq=False)
class Watched:
    """What was found; plain values, fit for JSON.

    Parameters
    ----------
    n : int
        Predictions in the period.
    alarms : tuple of str
        Sentences; none when all is as it was in training and judgement.
    input : dict or None
        Drift of molecules; None where nothing was counted.
    order : dict or None
        The martingale on novelty, sample by sample.
    calls : dict
        Share uncertain, novel and of low coverage, with intervals and what was expected.
    performance : dict
        Figures with intervals where outcomes are known, or what is lacking for them.
    sites : tuple of dict
        For each key that asked: how many samples, and how many of them novel.
    """

    n: int
    alarms: tuple[str, ...]
    input: dict[str, Any] | None
    order: dict[str, Any] | None
    calls: dict[str, Any]
    performance: dict[str, Any]
    sites: tuple[dict[str, Any], ...]


def watch(engine: Engine, bundle: ModelBundle, since: datetime.datetime) -> Watched:
    """Look at all records of a version since a moment."""
    rows = _records(engine, bundle, since)
    counts = tallied(engine, bundle, since.astimezone(datetime.UTC).date())
    alarms: list[str] = []
    found = Watched(
        n=len(rows),
        alarms=(),
        input=_input(bundle, counts, alarms),
        order=_order(bundle, np.array([row.novelty_p for row in rows]), alarms),
        calls=_calls(bundle, rows, alarms),
        performance=_performance(bundle, rows, alarms),
        sites=_sites(bundle, rows, alarms),
    )
    return replace(found, alarms=tuple(alarms))


def watch_table(bundle: ModelBundle, table: CargoTable | Mapping[str, CargoTable]) -> Watched:
    """Look at a table, or one a layer, instead of records."""
    ids, X = bundle.rows(table)
    answers = bundle.interpret(ids, bundle.measure(X), Use())
    alarms: list[str] = []
    drift = None
    if bundle.trained_on is not None:
        drift = _input(bundle, count_bins(bundle, X), alarms)
    rows = [
        _Answered(call, float(p), float(coverage))
        for call, p, coverage in zip(answers.calls, answers.novelty_p, answers.coverage, strict=True)
    ]
    found = Watched(
        n=len(rows),
        alarms=(),
        input=drift,
        order=_order(bundle, answers.novelty_p, alarms),
        calls=_calls(bundle, rows, alarms),
        performance={"outcomes": {}, "figures": None, "needs": "records and outcomes; this is a table"},
        sites=(),
    )
    return replace(found, alarms=tuple(alarms))


@dataclass(frozen=True)
class _Answered:
    call: str
    novelty_p: float
    coverage: float


def _input(bundle: ModelBundle, counts: Counts, alarms: list[str]) -> dict[str, Any] | None:
    if bundle.trained_on is None or not counts.sum():
        return None
    drift = input_drift(bundle, counts)
    moved = np.flatnonzero(discoveries(drift.p, INPUT_RATE))
    moved = moved[np.argsort(drift.p[moved], kind="stable")]
    molecules = bundle.panel.molecules
    listed = [
        {
            "molecule": molecules[i],
            "psi": float(drift.psi[i]),
            "psi_by_chance": float(drift.psi_expected[i]),
            "ks": float(drift.ks[i]),
            "p": float(drift.p[i]),
            "direction": "up" if drift.direction[i] > 0 else "down",
        }
        for i in moved
    ]
    if listed:
        named = ", ".join(f"{each['molecule']} {each['direction']}" for each in listed[:3])
        alarms.append(
            f"{len(listed)} of {len(molecules)} molecules have moved ({named}{', …' if len(listed) > 3 else ''})"
        )
    known = drift.psi[~np.isnan(drift.psi)]
    return {
        "n": drift.n_samples,
        "n_moved": len(listed),
        "moved": listed,
        "mean_psi": float(known.mean()) if len(known) else None,
        "mean_psi_by_chance": float(drift.psi_expected[~np.isnan(drift.psi)].mean()) if len(known) else None,
        "false_discovery_rate": INPUT_RATE,
    }


def _records(engine: Engine, bundle: ModelBundle, since: datetime.datetime) -> Sequence[Any]:
    c = PREDICTIONS.c
    asked = (
        select(
            c.sample_id, c.call, c.probabilities, c.novelty_p, c.coverage, c.key_name,
            OUTCOMES.c.state.label("outcome"),
        )
        .join_from(PREDICTIONS, OUTCOMES, c.sample_id == OUTCOMES.c.sample_id, isouter=True)
        .where(c.model == bundle.name, c.version == bundle.version, c.at >= since)
        .order_by(c.at, c.id)
    )  # fmt: skip
    with reached(engine), engine.connect() as connection:
        return connection.execute(asked).all()


def _order(bundle: ModelBundle, novelty_p: Floats, alarms: list[str]) -> dict[str, Any] | None:
    if not len(novelty_p):
        return None
    log10 = martingale(smoothed_p(novelty_p, len(bundle.blend.place(Use())[0].novelty))) / np.log(10)
    limit = -np.log10(OTHER_RATE)
    passed = np.flatnonzero(log10 >= limit)
    at = int(passed[0]) + 1 if len(passed) else None
    if at is not None:
        alarms.append(f"samples became stranger than those of training: sure at the {at}th of {len(log10)}")
    step = max(1, len(log10) // 200)
    return {
        "log10_capital": [float(v) for v in log10[::step]],
        "step": step,
        "limit": float(limit),
        "passed_at": at,
        "false_alarm_rate": OTHER_RATE,
    }


def _calls(bundle: ModelBundle, rows: Sequence[Any], alarms: list[str]) -> dict[str, Any]:
    evaluation = bundle.about.evaluation
    judged = None if evaluation is None else evaluation.quoted.calls
    if not bundle.about.training.tested_across_batches:
        judged = None  # what it calls depends on what the caller says of the batch
    events = {
        "uncertain": ([row.call == "uncertain" for row in rows], None if judged is None else 1 - judged.called),
        "novel": ([row.novelty_p <= bundle.about.answers.novelty_alpha for row in rows],
                  bundle.about.answers.novelty_alpha),
        "low coverage": ([row.coverage < bundle.panel.min_coverage for row in rows], None),
    }  # fmt: skip
    found = {}
    for name, (held, expected) in events.items():
        found[name] = share = _share(held, expected)
        if share["p"] is not None and share["p"] < OTHER_RATE and share["value"] > share["expected"]:
            alarms.append(
                f"{share['value']:.0%} of the samples are {name}, where {share['expected']:.0%} were expected"
            )
    return found


def _share(held: Sequence[bool], expected: float | None) -> dict[str, Any]:
    if not held:
        return {"value": None, "low": None, "high": None, "expected": expected, "p": None}
    test = binomtest(sum(held), len(held), 0.5 if expected is None else expected)
    low, high = test.proportion_ci(0.95, "wilson")
    value = sum(held) / len(held)
    return {
        "value": value,
        "low": float(low),
        "high": float(high),
        "expected": expected,
        "p": None if expected is None else float(test.pvalue),
    }


def _performance(bundle: ModelBundle, rows: Sequence[Any], alarms: list[str]) -> dict[str, Any]:
    states = bundle.states
    last = {row.sample_id: row for row in rows if row.outcome in states}  # the last answer for each sample
    y = np.array([states.index(row.outcome) for row in last.values()], dtype=np.intp)
    counts = np.bincount(y, minlength=len(states))
    known = {state: int(n) for state, n in zip(states, counts, strict=True)}
    if counts.min() < _MIN_OUTCOMES:
        lacking = [f"{_MIN_OUTCOMES - n} more of {s}" for s, n in known.items() if n < _MIN_OUTCOMES]
        return {"outcomes": known, "figures": None, "needs": f"outcomes: {', '.join(lacking)}"}
    p = np.array([[row.probabilities[state] for state in states] for row in last.values()])
    groups = np.arange(len(y))
    found = {}
    for name, figure in figures(np.log(np.maximum(p, 1e-300)), y, states).items():
        found[name] = figure.figure(groups).to_json()
    evaluation = bundle.about.evaluation
    if evaluation is not None and found["auc"]["high"] < evaluation.headline.low:
        alarms.append(
            f"AUC in use is {found['auc']['value']:.2f} ({found['auc']['low']:.2f} to {found['auc']['high']:.2f}), below the "
            f"{evaluation.headline.value:.2f} it was judged at"
        )
    slope = found.get("calibration_slope")
    if slope is not None and slope["high"] < 1:
        alarms.append(f"it is overconfident in use: calibration slope {slope['value']:.2f}, surely below 1")
    return {"outcomes": known, "figures": found, "needs": None}


def _sites(bundle: ModelBundle, rows: Sequence[Any], alarms: list[str]) -> tuple[dict[str, Any], ...]:
    alpha = bundle.about.answers.novelty_alpha
    keys = sorted({row.key_name for row in rows if row.key_name is not None})
    found = []
    for key in keys:
        novel = [row.novelty_p <= alpha for row in rows if row.key_name == key]
        share = _share(novel, alpha)
        far = share["p"] < OTHER_RATE / len(keys) and share["value"] > alpha
        if far:
            alarms.append(f"samples of {key} are unlike those of training ({share['value']:.0%} novel): {_SITE_NEEDS}")
        moved = _moved(bundle, [row for row in rows if row.key_name == key], OTHER_RATE / len(keys))
        if moved:
            alarms.append(f"answers to {key}: {moved}")
        found.append(
            {
                "key": key,
                "n": len(novel),
                "level_moved": bool(moved),
                "novel": share["value"],
                "low": share["low"],
                "high": share["high"],
                "far": far,
            }
        )
    return tuple(found)


def _moved(bundle: ModelBundle, rows: Sequence[Any], rate: float) -> str:
    """Say where the mean probability of a state is surely not its share: the mix is another one, or the offset moved."""
    if len(rows) < _FEWEST_LEVEL:
        return ""
    place, name = bundle.blend.place(Use())
    p = np.array([[row.probabilities[state] for state in bundle.states] for row in rows])
    error = p.std(axis=0, ddof=1) / np.sqrt(len(p))
    apart = np.abs(p.mean(axis=0) - place.mix) / np.maximum(error, 1e-6)
    k = int(apart.argmax())
    if 2 * norm.sf(apart[k]) * len(bundle.states) >= rate:
        return ""
    told = f"the mean probability of {bundle.states[k]} is {p[:, k].mean():.2f}, where {place.mix[k]:.2f} was expected"
    if name.startswith("site "):
        return f"{told}: the offset of {name} drifted, or the mix did; make its profile anew from 10 recent samples"
    return f"{told}: this place lies off those of training, or its mix does; {_SITE_NEEDS}"
