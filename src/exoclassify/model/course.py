"""One person over time: probabilities with measurement noise around them, and whether a change exceeds it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtri, ndtri, stdtrit

from exoclassify.data.cargo import CargoTable
from exoclassify.data.samples import SampleSheet
from exoclassify.data.states import positive_states
from exoclassify.data.visits import check_dates, check_one_each, in_order, named_visits
from exoclassify.errors import InputError, first_three
from exoclassify.methods.fusion import named, set_codes
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.compiled import Measured
from exoclassify.model.layered import LayeredBlend
from exoclassify.model.prediction import Predictions, Use
from exoclassify.model.retest import Retest, log_odds_of
from exoclassify.typing import Floats, Mask

__all__ = ["Course", "course", "followed"]


_SURELY = 0.9
"""Share of the models, each with noise estimated from its own repeats, in which persons without a change alarm as seldom as said.
On 20 simulated models (seeds 100 to 109) the worst alarmed in .061 of them, and in .132 with Student's quantile; of .95, .045."""


@dataclass(frozen=True, eq=False)
class Course:
    """What a model says of one person, visit after visit; support for a decision, not a diagnosis.

    Parameters
    ----------
    person : str
        Who.
    visits : tuple of str
        In the order of time.
    answers : Predictions
        One a visit.
    low, high : ndarray of shape (n_visits, n_states)
        Ends of the interval of each probability: where repeated samples of the same day would lie around.
    change : ndarray of shape (n_visits, n_states)
        Log-odds, each state against all others, less those at the first visit.
    limit : ndarray of shape (n_states,)
        A change is beyond noise from here on; in a person who does not change one alarm or more in all visits has a chance of
        1 - level at most.
    reliable : ndarray of bool of shape (n_visits, n_states)
        Whether the change exceeds the limit.
    noise : Retest
        What the limits were made from.
    level : float
        Of intervals and of the absence of alarms.
    compared_on : tuple of str
        Layers that every visit has, by which alone changes are told; none of a model of one layer.
    """

    person: str
    visits: tuple[str, ...]
    answers: Predictions
    low: Floats
    high: Floats
    change: Floats
    limit: Floats
    reliable: Mask
    noise: Retest
    level: float
    compared_on: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Give one row a visit."""
        said = self.answers.to_frame()
        columns: dict[str, object] = {"subject": self.person, "visit": self.visits, "sample_id": said["sample_id"]}
        columns |= {"call": said["call"], "best_guess": said["best_guess"]}
        for k, state in enumerate(self.answers.states):
            columns |= {
                f"p_{state}": said[f"p_{state}"],
                f"low_{state}": self.low[:, k],
                f"high_{state}": self.high[:, k],
            }
            columns |= {f"change_{state}": self.change[:, k], f"reliable_{state}": self.reliable[:, k]}
        return pd.DataFrame(
            {**columns, **said[["novelty_p", "coverage", "flags", "reason", "place", "model", "version"]]}
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain values."""
        states = self.answers.states

        def by_state(values: Sequence[Any]) -> dict[str, Any]:
            return dict(zip(states, values, strict=True))

        return {
            "subject": self.person,
            "model": self.answers.model,
            "version": self.answers.version,
            "level": self.level,
            "noise": self.noise.told(states).to_json(),
            **({"compared_on": list(self.compared_on)} if self.compared_on else {}),
            "limit": by_state(self.limit.tolist()),
            "changed": bool(self.reliable.any()),
            "summary": " ".join(self.in_words()),
            "visits": [
                {
                    "visit": visit,
                    "sample_id": self.answers.sample_ids[i],
                    "call": self.answers.calls[i],
                    "probabilities": by_state(self.answers.probabilities[i].tolist()),
                    "low": by_state(self.low[i].tolist()),
                    "high": by_state(self.high[i].tolist()),
                    "change": by_state(self.change[i].tolist()),
                    "reliable": by_state(self.reliable[i].tolist()),
                    "novelty_p": float(self.answers.novelty_p[i]),
                    "coverage": float(self.answers.coverage[i]),
                    "flags": list(self.answers.flags[i]),
                    "place": self.answers.places[i],
                    **({"layers": list(self.answers.layers[i])} if self.answers.layers else {}),
                }
                for i, visit in enumerate(self.visits)
            ],
        }

    def in_words(self) -> list[str]:
        """Say what changed, a sentence a line."""
        p, states = self.answers.probabilities, self.answers.states
        told = []
        shown = [states.index(state) for state in positive_states(states)]
        for k in shown:
            for i in np.flatnonzero(self.reliable[:, k]):
                way = "rose" if self.change[i, k] > 0 else "fell"
                told.append(
                    f"{self.person}: from {self.visits[0]} to {self.visits[i]} the probability of {states[k]} {way} from "
                    f"{p[0, k]:.2f} to {p[i, k]:.2f}, more than repeated samples of one person in one state lie apart."
                )
        if not told:
            told = [
                f"{self.person}: no change since {self.visits[0]} exceeds what repeated samples of one person lie apart."
            ]
        return told


def course(
    bundle: ModelBundle, person: str, visits: Sequence[str], ids: tuple[str, ...], X: Floats, noise: Retest,
    use: Use, batches: Sequence[str] = (), level: float = 0.95,
) -> Course:  # fmt: skip
    """Follow one person.

    Parameters
    ----------
    X : ndarray of shape (n_visits, n_molecules)
        Raw values in the panel's order.
    level : float
        Of the intervals; 1 less it is the chance of an alarm, in all visits together, in a person who does not change.

    Notes
    -----
    The reliable change of Jacobson and Truax (1991, doi 10.1037/0022-006X.59.1.12) on log-odds: a difference of two answers
    has the variance of two noises. The noise is estimated too, so its upper 90 % confidence bound is taken: the promise then
    holds in nine models of ten, where Student's quantile keeps it on average over models. It is divided among the
    comparisons with the first visit, and among the states where there are more than two (Bonferroni). Samples of
    a batch that was not trained on are compared as if of a training batch: the noise was learned there, and the visits share
    the offset of their own batch, whatever it is.
    """
    if not 0.5 <= level < 1:
        raise InputError(f"level: {level:g}; give a share of at least 0.5 and below 1, such as 0.95")
    if len(visits) < 2:
        raise InputError(f"{person} has {len(visits)} visit{_beside(bundle)}; a course needs two or more")
    if len(set(visits)) < len(visits):
        twice = next(visit for visit in visits if list(visits).count(visit) > 1)
        raise InputError(
            f"{person} has two samples at visit {twice}; keep one of them, or give each a visit of its own"
        )
    measured = bundle.measure(X)
    answers = bundle.interpret(ids, measured, use, batches or None)
    shared = _shared(bundle, person, visits, measured)
    own = noise.of(bundle, shared)
    n_states = len(bundle.states)
    n_tests = (len(visits) - 1) * (n_states if n_states > 2 else 1)
    at_most = own.sd * math.sqrt(own.freedom / chdtri(own.freedom, _SURELY))
    limit = ndtri(1 - (1 - level) / 2 / n_tests) * math.sqrt(2) * at_most
    half = np.stack([_half(bundle, noise, code, use, batches, level) for code in set_codes(measured.layers).tolist()])
    low, high = np.empty((2, len(ids), n_states))
    for k in range(n_states):
        for bounds, side in ((low, -1), (high, 1)):
            moved = measured.log_odds.copy()
            moved[:, :, k] += side * half[:, k, None]
            bounds[:, k] = bundle.judge(measured._replace(log_odds=moved), use, batches or None).probabilities[:, k]
    trained = [batch if batch in bundle.blend.calibration.batches else "" for batch in batches or [use.batch]]
    if isinstance(bundle.blend, LayeredBlend) and not measured.layers.all(axis=1).all():
        measured = bundle.measure(bundle.blend.only(X, shared)[1])
    where = (use, batches or None) if all(trained) else (Use(same_batch=True), None)
    as_trained = bundle.judge(measured, *where)
    eta = log_odds_of(as_trained.probabilities)
    change = eta - eta[0]
    reliable, layers = np.abs(change) > limit, named(shared, bundle.layers)
    return Course(person, tuple(visits), answers, low, high, change, limit, reliable, own, level, layers)


def _shared(bundle: ModelBundle, person: str, visits: Sequence[str], measured: Measured) -> int:
    """Give the layers that are read at every visit, as their `set_codes`; a change in which layers are there is none."""
    if not bundle.layers:
        return 0
    shared: Mask = np.all(measured.layers, axis=0)
    code = int(set_codes(shared[None])[0])
    if not shared.any() or not (isinstance(bundle.blend, LayeredBlend) and bundle.blend.able[code]):
        each = (" and ".join(named(code, bundle.layers)) or "none" for code in set_codes(measured.layers).tolist())
        told = ", ".join(f"{visit}: {names}" for visit, names in zip(visits, each, strict=True))
        raise InputError(
            f"{person}: no layer that says more than guessing is read at every visit ({told}), and a change is told by such "
            "layers: leave visits out, or measure what is missing"
        )
    return code


def _half(bundle: ModelBundle, noise: Retest, code: int, use: Use, batches: Sequence[str], level: float) -> Floats:
    """Half the width, in log-odds, of the interval of an answer that rests on a set of layers; shape (n_states,)."""
    own = noise.of(bundle, code)
    half: Floats = stdtrit(own.freedom, 0.5 + level / 2) * own.at(bundle, code, use, batches).sd
    return half


def followed(
    bundle: ModelBundle,
    table: CargoTable | Mapping[str, CargoTable],
    sheet: SampleSheet,
    *,
    persons: Sequence[str] = (),
    order: Sequence[str] = (),
    use: Use | None = None,
    noise: Retest | None = None,
    level: float = 0.95,
) -> list[Course]:
    """Follow the persons of a table.

    Parameters
    ----------
    table : CargoTable
        Samples, of the model's kind and unit; of several layers a table for each, by name. For a model of changes against a
        baseline the samples as they were measured, that of the baseline among them: the course begins with the visit after it.
    sheet : SampleSheet
        Their persons and visits; their batches where it names a column of them.
    order : sequence of str
        The visits, first to last, where their names do not tell it.
    """
    use = Use() if use is None else use
    Retest.check(bundle)
    noise = Retest.of_model(bundle) if noise is None else noise
    visits, everyone = named_visits(sheet), np.asarray(sheet.subject)
    unknown = [person for person in persons if person not in everyone]
    if unknown:
        raise InputError(f"{sheet.source}: there is no {first_three(unknown)} in column {sheet.subject_column}")
    plan = bundle.about.visit_tables
    ids, values = bundle.rows(table if plan is None else plan.since_baseline(table, sheet))
    row = {sample: i for i, sample in enumerate(ids)}
    measured = np.isin(sheet.sample_ids, ids) & (visits != "")
    kept = measured & np.isin(everyone, persons) if len(persons) else measured
    part, visits, everyone = sheet.take(kept), visits[kept], everyone[kept]
    check_one_each(part, everyone.tolist(), visits.tolist())
    ordered = in_order(visits.tolist(), f"{sheet.source}, visits", order)
    check_dates(part, ordered)
    found = []
    for person in persons or dict.fromkeys(everyone.tolist()):
        rows = sorted(np.flatnonzero(everyone == person), key=lambda i: ordered.index(str(visits[i])))
        if len(rows) < 2 and not len(persons):
            continue
        own = part.take(np.array(rows, dtype=np.intp))
        batches = () if own.batch is None else tuple(own.batch.tolist())
        X = values[[row[sample] for sample in own.sample_ids]]
        found.append(course(bundle, person, visits[rows].tolist(), own.sample_ids, X, noise, use, batches, level))
    if not found:
        raise InputError(
            f"{sheet.source}: no person has samples at two visits{_beside(bundle)}; a course needs two or more"
        )
    return found


def _beside(bundle: ModelBundle) -> str:
    plan = bundle.about.visit_tables
    return "" if plan is None else f" beside the baseline {plan.visits[0]}"
