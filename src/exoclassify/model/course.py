"""One person over time: probabilities with measurement noise around them, and whether a change exceeds it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import t as student

from exoclassify.errors import InputError, ModelError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Predictions
from exoclassify.typing import Codes, Floats, Mask

__all__ = ["FEWEST_REPEATS", "Course", "Retest", "course", "log_odds_of", "retest_of"]

FEWEST_REPEATS = 5
"""Degrees of freedom from which on test-retest noise is told: with fewer it is known to no better than a factor of two."""

_LEAST = 1e-9
"""Probabilities closer to 0 or 1 have no log-odds worth telling apart."""


@dataclass(frozen=True, eq=False)
class Retest:
    """How far the answers to samples of one person in one state lie apart.

    Parameters
    ----------
    sd : ndarray of shape (n_states,)
        Standard deviation of one answer's log-odds, each state against all others.
    freedom : float
        Degrees of freedom of it: repeated samples beyond the first of each person and state.
    persons : int
        Persons with repeated samples.
    source : str
        Whose repeats: ``training``, held out, or the name of a file.
    """

    sd: Floats
    freedom: float
    persons: int
    source: str

    @classmethod
    def of_model(cls, bundle: ModelBundle) -> Retest:
        """Give what training taught of it.

        Parameters
        ----------
        bundle : ModelBundle
            A model.

        Raises
        ------
        ModelError
            If its training had too few repeated samples, or it was not judged.
        """
        found: Mapping[str, Any] | None = bundle.about.get("retest")
        if found is None:
            raise ModelError(
                f"{bundle.name} {bundle.version}: how far repeated samples of one person lie apart was not learned (training needs "
                f"{FEWEST_REPEATS} repeats of persons in one state, --subject, and to be judged); give such samples with --repeats"
            )
        return cls(np.array([found["sd"][state] for state in bundle.states]), found["freedom"], found["persons"], "training")

    def to_dict(self, states: Sequence[str]) -> dict[str, Any]:
        """Give it as plain values, as a bundle keeps it."""
        return {
            "sd": dict(zip(states, self.sd.tolist(), strict=True)),
            "freedom": self.freedom,
            "persons": self.persons,
            "source": self.source,
        }


def log_odds_of(probabilities: Floats) -> Floats:
    """Give the log-odds of each state against all others; both of shape (n_samples, n_states).

    Parameters
    ----------
    probabilities : ndarray
        Rows sum to 1.
    """
    p = np.clip(probabilities, _LEAST, 1 - _LEAST)
    result: Floats = np.log(p) - np.log1p(-p)
    return result


def retest_of(probabilities: Sequence[Floats], persons: Codes, y: Codes, source: str) -> Retest | None:
    """Learn the noise from answers to repeated samples of one person in one state.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_samples, n_states)
        Answers to the same samples by models that were not trained on them, one array a pass.
    persons, y : ndarray of shape (n_samples,)
        Codes.
    source : str
        See `Retest`.

    Returns
    -------
    Retest or None
        None where there are too few repeats.
    """
    _, of = np.unique(np.stack([persons, y]), axis=1, return_inverse=True)
    of = of.ravel()
    n = np.bincount(of)
    freedom = int((n - 1).sum())
    if freedom < FEWEST_REPEATS:
        return None
    variances = []
    for p in probabilities:
        eta = log_odds_of(p)
        mean = np.stack([np.bincount(of, column) / n for column in eta.T], axis=1)
        variances.append(((eta - mean[of]) ** 2).sum(axis=0) / freedom)
    repeated = len(np.unique(persons[n[of] > 1]))
    return Retest(np.sqrt(np.mean(variances, axis=0)), float(freedom), repeated, source)


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
        Log-odds less those at the first visit.
    limit : ndarray of shape (n_states,)
        A change is beyond noise from here on; in a person who does not change one alarm or more in all visits has a chance of
        1 - level at most.
    reliable : ndarray of bool of shape (n_visits, n_states)
        Whether the change exceeds the limit.
    noise : Retest
        What the intervals and limits were made from.
    level : float
        Of intervals and of the absence of alarms.
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

    def to_frame(self) -> pd.DataFrame:
        """Give one row a visit."""
        said = self.answers.to_frame()
        columns: dict[str, object] = {"subject": self.person, "visit": self.visits, "sample_id": said["sample_id"]}
        columns |= {"call": said["call"], "best_guess": said["best_guess"]}
        for k, state in enumerate(self.answers.states):
            columns |= {f"p_{state}": said[f"p_{state}"], f"low_{state}": self.low[:, k], f"high_{state}": self.high[:, k]}
            columns |= {f"change_{state}": self.change[:, k], f"reliable_{state}": self.reliable[:, k]}
        return pd.DataFrame({**columns, **said[["novelty_p", "coverage", "flags", "reason", "place", "model", "version"]]})

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
            "noise": self.noise.to_dict(states),
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
                }
                for i, visit in enumerate(self.visits)
            ],
        }

    def in_words(self) -> list[str]:
        """Say what changed, a sentence a line."""
        p, states = self.answers.probabilities, self.answers.states
        told = []
        shown = range(len(states)) if len(states) > 2 else [1]
        for k in shown:
            for i in np.flatnonzero(self.reliable[:, k]):
                way = "rose" if self.change[i, k] > 0 else "fell"
                told.append(
                    f"{self.person}: from {self.visits[0]} to {self.visits[i]} the probability of {states[k]} {way} from "
                    f"{p[0, k]:.2f} to {p[i, k]:.2f}, more than repeated samples of one person in one state lie apart."
                )
        if not told:
            told = [f"{self.person}: no change since {self.visits[0]} exceeds what repeated samples of one person lie apart."]
        return told


def course(
    bundle: ModelBundle, person: str, visits: Sequence[str], answers: Predictions, noise: Retest, level: float = 0.95
) -> Course:
    """Follow one person.

    Parameters
    ----------
    bundle : ModelBundle
        Who answered.
    person : str
        Who.
    visits : sequence of str
        In the order of time, two or more.
    answers : Predictions
        One a visit.
    noise : Retest
        See `Retest.of_model`.
    level : float
        Of the intervals; 1 less it is the chance of an alarm, in all visits together, in a person who does not change.

    Raises
    ------
    InputError
        If there are fewer than two visits, one comes twice, or the level is no share.

    Notes
    -----
    The reliable change of Jacobson and Truax (1991, doi 10.1037/0022-006X.59.1.12) on log-odds: a difference of two answers
    has the variance of two noises. The quantile is Student's, for the noise is estimated too; it is divided among the
    comparisons with the first visit, and among the states where there are more than two (Bonferroni).
    """
    if not 0.5 <= level < 1:
        raise InputError(f"level: {level:g}; give a share of at least 0.5 and below 1, such as 0.95")
    if len(visits) < 2:
        raise InputError(f"{person} has {len(visits)} visit; a course needs two or more")
    if len(set(visits)) < len(visits):
        twice = next(visit for visit in visits if list(visits).count(visit) > 1)
        raise InputError(f"{person} has two samples at visit {twice}; keep one of them, or give each a visit of its own")
    eta = log_odds_of(answers.probabilities)
    n_states = len(bundle.states)
    n_tests = (len(visits) - 1) * (n_states if n_states > 2 else 1)
    half = student.ppf(0.5 + level / 2, noise.freedom) * noise.sd
    limit = student.ppf(1 - (1 - level) / 2 / n_tests, noise.freedom) * math.sqrt(2) * noise.sd
    change = eta - eta[0]
    return Course(
        person, tuple(visits), answers, expit(eta - half), expit(eta + half), change, limit, np.abs(change) > limit, noise, level
    )
