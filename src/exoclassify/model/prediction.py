"""Answers: a probability for each state, the states that cannot be excluded, and when the honest answer is that it is unknown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.errors import FileError, InputError
from exoclassify.methods.conformal import conformal_p
from exoclassify.methods.heads import Place
from exoclassify.tables.formulas import guarded_frame
from exoclassify.tables.writing import write_atomically
from exoclassify.typing import Floats

__all__ = [
    "DEFAULT_MAX_WRONG",
    "REASONS",
    "UNCERTAIN",
    "Answers",
    "Limits",
    "Predictions",
    "Use",
    "answer",
    "explained",
    "reasons_of",
    "shifted_prevalence",
]


_UNTESTED = 0.5
"""Share of the mix in the answer to a novel sample."""

DEFAULT_MAX_WRONG = 0.05
"""Share of the calls that may be wrong."""

UNCERTAIN = "uncertain"
"""The call where no state is called."""

REASONS: Mapping[str, str] = {
    "several-states": "Two or more states remain plausible; only more samples like this one in training would settle it.",
    "no-state-fits": "It looks like no state of the training samples; check the sample and how it was measured.",
    "novel": "It is unlike the training samples; check the sample, its unit and its preparation, and measure it again.",
    "low-coverage": "Too little of the panel was measured, or with too few reads; measure what is missing, or sequence again.",
    "one-batch": "The model was trained in one batch and never tested in another; 10 local samples (recalibrate --site) "
    "or training on two batches would settle it.",
    "rare-here": "At the prevalence of the answer another state is more probable.",
    "unsure": "The best guess is not probable enough to keep the stated error among calls; where the batch was not trained on, "
    "10 local samples (recalibrate --site) make it surer.",
    "no-evidence": "The model's scores were not shown to carry over to samples like this one; 10 local samples "
    "(recalibrate --site), or more training batches, would show it.",
}
"""What each flag means and what would settle it; every one of them makes the call `uncertain`. `several-states`,
`no-state-fits` and `rare-here` are raised by models of the first format alone."""


_BITS = {name: 1 << bit for bit, name in enumerate(REASONS)}


@dataclass(frozen=True, eq=False)
class Answers:
    """The numbers of many answers, before they are put into words.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_states)
        Calibrated; at the training prevalence unless another was stated.
    sets : ndarray of bool of shape (n_samples, n_states)
        States that cannot be excluded at the model's level.
    novelty_p, coverage : ndarray of shape (n_samples,)
        As in `Predictions`.
    calls : ndarray of int8 of shape (n_samples,)
        Position of the state called; -1 for ``uncertain``.
    reasons : ndarray of uint8 of shape (n_samples,)
        Bit i is the i-th key of `REASONS`; 0 when a state was called.
    places : ndarray of int of shape (n_samples,)
        Positions in `named`.
    named : tuple of str
        Where the samples were taken to be from.
    """

    probabilities: Floats
    sets: NDArray[np.bool_]
    novelty_p: Floats
    coverage: Floats
    calls: NDArray[np.int8]
    reasons: NDArray[np.uint8]
    places: NDArray[np.intp]
    named: tuple[str, ...]

    @classmethod
    def together(cls, parts: Sequence[tuple[NDArray[np.intp], Answers]]) -> Answers:
        """Put answers of some rows each into the order of the rows.

        Parameters
        ----------
        parts : sequence of (rows, Answers)
            Every row once; at least one part.
        """
        order = np.argsort(np.concatenate([rows for rows, _ in parts]), kind="stable")
        each = [part for _, part in parts]
        named = tuple(sorted({part.named[0] for part in each}))
        places = [np.full(len(rows), named.index(part.named[0])) for rows, part in parts]

        def joined(values: Sequence[NDArray[Any]]) -> Any:
            return np.concatenate(values)[order]

        return cls(
            joined([p.probabilities for p in each]), joined([p.sets for p in each]),
            joined([p.novelty_p for p in each]), joined([p.coverage for p in each]), joined([p.calls for p in each]),
            joined([p.reasons for p in each]), joined(places), named,
        )  # fmt: skip

    def in_words(self, states: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Give calls and flags as `Predictions` holds them.

        Parameters
        ----------
        states : tuple of str
            Names of the states.

        Returns
        -------
        calls : tuple of str
        flags : tuple of tuple of str
        """
        named = {mask: reasons_of(mask) for mask in np.unique(self.reasons).tolist()}
        calls = (*states, "uncertain")
        return tuple(calls[call] for call in self.calls), tuple(named[mask] for mask in self.reasons.tolist())


def reasons_of(mask: int) -> tuple[str, ...]:
    """Name the reasons of one answer.

    Parameters
    ----------
    mask : int
        As in `Answers.reasons`.

    Returns
    -------
    tuple of str
        Keys of `REASONS`.
    """
    return tuple(name for bit, name in enumerate(REASONS) if mask >> bit & 1)


def explained(flags: Sequence[str]) -> str:
    """Say in plain words why a call is uncertain and what would settle it.

    Parameters
    ----------
    flags : sequence of str
        Keys of `REASONS`.

    Returns
    -------
    str
        Empty where a state was called.
    """
    return " ".join(REASONS[flag] for flag in flags)


@dataclass(frozen=True)
class Use:
    """Where the samples are from, and how sure the answers must be.

    Parameters
    ----------
    prevalence : mapping of str to float, optional
        Shares of the states at the place of use; that of training if omitted.
    batch : str
        Name of the batch; one that was not trained on is an unknown batch, and so is an empty name.
    same_batch : bool
        Some batch that was trained on, it is not known which.
    site : str
        Name of a site that the model has a profile of; of a model of one site that one if empty.
    max_wrong : float, optional
        Share of the calls that may be wrong, expected in a batch like those left out; the recipe's if omitted.
    level : float, optional
        Promised coverage of the prediction sets; the recipe's if omitted.
    """

    prevalence: Mapping[str, float] | None = None
    batch: str = ""
    same_batch: bool = False
    site: str = ""
    max_wrong: float | None = None
    level: float | None = None

    def key(self) -> tuple[object, ...]:
        """Give what requests must have in common to be scored together."""
        shares = tuple((self.prevalence or {}).items())
        return shares, self.batch, self.same_batch, self.site, self.max_wrong, self.level

    def check(self) -> None:
        """Refuse what cannot be asked.

        Raises
        ------
        InputError
            If a share is out of range, or the place is stated twice.
        """
        if self.max_wrong is not None and not 0.01 <= self.max_wrong <= 0.5:
            raise InputError(f"max-wrong: {self.max_wrong:g}; give a share from 0.01 to 0.5, such as 0.05")
        if self.level is not None and not 0.5 < self.level < 1:
            raise InputError(f"level: {self.level:g}; give a share above 0.5 and below 1, such as 0.9")
        stated = [
            name
            for name, given in (("batch", self.batch), ("same-batch", self.same_batch), ("site", self.site))
            if given
        ]
        if len(stated) > 1:
            raise InputError(f"{' and '.join(stated)}: say one of them, for they are different places")


@dataclass(frozen=True, eq=False)
class Predictions:
    """One answer for each sample: support for a decision, not a diagnosis.

    Parameters
    ----------
    sample_ids : tuple of str
        In the order asked.
    states : tuple of str
        Order of the columns below.
    probabilities : ndarray of shape (n_samples, n_states)
        Calibrated; at the training prevalence unless another was stated.
    sets : ndarray of bool of shape (n_samples, n_states)
        States that cannot be excluded at the model's level.
    novelty_p : ndarray of shape (n_samples,)
        Share of training samples at least as unlike the others.
    coverage : ndarray of shape (n_samples,)
        Measured share of the panel, 0 to 1.
    calls : tuple of str
        A state, or ``uncertain``.
    flags : tuple of tuple of str
        Why a call is uncertain; keys of `REASONS`.
    model, version : str
        Who answered.
    places : tuple of str
        Where each was taken to be from: ``batch NAME``, ``a training batch``, ``site NAME`` or ``unknown batch``.
    layers : tuple of tuple of str
        Which layers each answer rests on; empty for a model of one.
    """

    sample_ids: tuple[str, ...]
    states: tuple[str, ...]
    probabilities: Floats
    sets: NDArray[np.bool_]
    novelty_p: Floats
    coverage: Floats
    calls: tuple[str, ...]
    flags: tuple[tuple[str, ...], ...]
    model: str
    version: str
    places: tuple[str, ...] = ()
    layers: tuple[tuple[str, ...], ...] = ()

    @property
    def best_guesses(self) -> tuple[str, ...]:
        """The most probable state of each sample, whether it is called or not."""
        return tuple(self.states[k] for k in self.probabilities.argmax(axis=1))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why each call is uncertain and what would settle it, in plain words; empty where a state was called."""
        return tuple(explained(flags) for flags in self.flags)

    def to_frame(self) -> pd.DataFrame:
        """Give the answers as a table, one row a sample, columns as in the written file."""
        columns: dict[str, object] = {
            "sample_id": self.sample_ids,
            "call": self.calls,
            "best_guess": self.best_guesses,
            "p_best_guess": self.probabilities.max(axis=1),
        }
        for state, p in zip(self.states, self.probabilities.T, strict=True):
            columns[f"p_{state}"] = p
        columns["prediction_set"] = [
            ";".join(s for s, held in zip(self.states, row, strict=True) if held) for row in self.sets
        ]
        columns["novelty_p"] = self.novelty_p
        columns["coverage"] = self.coverage
        columns["flags"] = [";".join(flags) for flags in self.flags]
        columns["reason"] = self.reasons
        columns["place"] = self.places
        if self.layers:
            columns["layers"] = [";".join(used) for used in self.layers]
        columns["model"] = self.model
        columns["version"] = self.version
        return pd.DataFrame(columns)

    def write(self, path: str | Path, *, force: bool = False) -> None:
        """Write the answers as .csv, .tsv, .parquet or .jsonl, whole or not at all.

        Parameters
        ----------
        path : str or Path
            Its ending names the format.
        force : bool
            Replace an existing file.

        Raises
        ------
        FileError
            If the ending is unknown, the file exists, or it cannot be written.
        """
        path, frame = Path(path), self.to_frame()
        safe = guarded_frame(frame)
        writers: Mapping[str, Callable[[Path], None]] = {
            ".csv": partial(safe.to_csv, index=False),
            ".tsv": partial(safe.to_csv, index=False, sep="\t"),
            ".parquet": partial(frame.to_parquet, index=False),
            ".jsonl": partial(frame.to_json, orient="records", lines=True, double_precision=15),
        }
        if path.suffix not in writers:
            raise FileError(f"{path.name}: unknown ending {path.suffix or '(none)'}; use {', '.join(writers)}")
        write_atomically(path, writers[path.suffix], force=force)


class Limits(NamedTuple):
    """What a model asks of an answer before it calls a state.

    Parameters
    ----------
    level : float
        Promised coverage of the prediction sets.
    max_wrong : float
        Share of the calls that may be wrong.
    novelty_alpha : float
        Novelty at or below which a sample is novel.
    min_coverage : float
        Share of the panel that must be measured.
    """

    level: float
    max_wrong: float
    novelty_alpha: float
    min_coverage: float


def shifted_prevalence(
    states: Sequence[str], training: Floats, stated: Mapping[str, float] | None, *, what: str = "prevalence"
) -> Floats | None:
    """Complete a stated prevalence: states not named share the rest as they did in training.

    Parameters
    ----------
    states : sequence of str
        The model's states.
    training : ndarray of shape (n_states,)
        Prevalence in training.
    stated : mapping of str to float, optional
        Prevalence at the place of use.
    what : str
        Named in messages.

    Returns
    -------
    ndarray of shape (n_states,) or None

    Raises
    ------
    InputError
        If a state is unknown, a value is not between 0 and 1, or they do not add up.
    """
    if not stated:
        return None
    unknown = [state for state in stated if state not in states]
    if unknown:
        raise InputError(f"{what}: {unknown[0]} is not a state of this model; its states are {', '.join(states)}")
    for state, value in stated.items():
        if not (math.isfinite(value) and 0 < value < 1):
            raise InputError(f"{what}: {state}={value:g}; give a share above 0 and below 1, such as {state}=0.05")
    total = sum(stated.values())
    rest = np.array([0.0 if state in stated else share for state, share in zip(states, training, strict=True)])
    if len(stated) == len(states):
        if abs(total - 1) > 1e-6:
            raise InputError(f"{what}: the shares of all states add up to {total:g}; they must add up to 1")
    elif total >= 1:
        raise InputError(
            f"{what}: the stated shares add up to {total:g}; leave something for {len(states) - len(stated)} more"
        )
    else:
        rest *= (1 - total) / rest.sum()
    return np.array([stated.get(state, share) for state, share in zip(states, rest, strict=True)])


def answer(
    log_odds: Floats, novelty: Floats, coverage: Floats, place: Place, *,
    training: Floats, stated: Floats | None, limits: Limits, name: str,
) -> Answers:  # fmt: skip
    """Turn what a model found into probabilities, calls and their reasons.

    Parameters
    ----------
    log_odds : ndarray of shape (n_heads, n_samples, n_states)
        In a batch without an offset, the mix not added.
    novelty, coverage : ndarray of shape (n_samples,)
        Residuals; measured share of the panel.
    place : Place
        Where the samples are from.
    training, stated : ndarray of shape (n_states,)
        Shares of the states in training; those at the place of use where they were stated.
    limits : Limits
        What is asked of the answers.
    name : str
        Of the place.

    Returns
    -------
    Answers
        Probabilities of novel samples are drawn to the mix like those of a place where nothing was tested.
    """
    share = place.mix if stated is None else stated
    mixed = place.mixed(log_odds[place.head], np.log(share))
    as_trained = share is training and place.sets_head == place.head
    plain = mixed if as_trained else place.mixed(log_odds[place.sets_head], np.log(training))
    sets = place.sets.sets(plain, limits.level)
    novelty_p = conformal_p(place.novelty, novelty)
    novel = novelty_p <= limits.novelty_alpha
    by_sets = place.from_probability is None
    drawn = np.where(novel & (not by_sets), max(place.untested, _UNTESTED), place.untested)[:, None]
    probabilities: Floats = mixed if by_sets else (1 - drawn) * mixed + drawn * share
    best = probabilities.argmax(axis=1)
    size, first = sets.sum(axis=1), sets.argmax(axis=1)
    causes = {"novel": novel, "low-coverage": coverage < limits.min_coverage}
    if by_sets:
        causes |= {
            "several-states": size > 1, "no-state-fits": size == 0, "rare-here": (size == 1) & (first != best),
        }  # fmt: skip
    elif not place.closed:
        causes["unsure"] = probabilities.max(axis=1) < place.call_from(limits.max_wrong)
    reasons = np.full(len(size), _BITS.get(place.closed, 0), dtype=np.uint8)
    for reason, cause in causes.items():
        reasons |= cause * np.uint8(_BITS[reason])
    calls = np.where(reasons == 0, first if by_sets else best, -1).astype(np.int8)
    nowhere = np.zeros(len(size), dtype=np.intp)
    return Answers(probabilities, sets, novelty_p, coverage, calls, reasons, nowhere, (name,))
