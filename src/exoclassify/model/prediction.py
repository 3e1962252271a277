"""Answers: a probability for each state, the states that cannot be excluded, and when the honest answer is that it is unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from exoclassify.errors import InputError
from exoclassify.methods.conformal import conformal_p
from exoclassify.methods.heads import Place
from exoclassify.model.answers import BITS, UNCERTAIN, Answers, columns_of, explained
from exoclassify.tables.encoding import Column, write_columns
from exoclassify.typing import Floats

__all__ = ["DEFAULT_MAX_WRONG", "Limits", "Predictions", "Use", "answer", "layers_of", "shifted_prevalence"]


_UNTESTED = 0.5
"""Share of the mix in the answer to a novel sample."""

DEFAULT_MAX_WRONG = 0.05
"""Share of the calls that may be wrong."""


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
        """Refuse what cannot be asked."""
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

    @classmethod
    def of_columns(cls, table: pa.Table | pa.RecordBatch, states: Sequence[str]) -> Predictions:
        """Take answers back from the columns in which they were written.

        Parameters
        ----------
        table : pyarrow.Table or pyarrow.RecordBatch
            As `write` makes them for .parquet and .arrow; one row or more.
        states : sequence of str
            Of the model.
        """
        words = ("sample_id", "call", "prediction_set", "flags", "place", "model", "version")
        ids, calls, sets, flags, places, models, versions = (table.column(name).to_pylist() for name in words)
        layers = table.column("layers").to_pylist() if "layers" in table.schema.names else []
        numbers = [table.column(f"p_{state}").to_numpy(zero_copy_only=False) for state in states]
        return cls(
            tuple(ids), tuple(states), np.column_stack(numbers), np.array([_held(text, states) for text in sets]),
            table.column("novelty_p").to_numpy(), table.column("coverage").to_numpy(), tuple(calls),
            tuple(tuple(filter(None, text.split(";"))) for text in flags), models[0], versions[0], tuple(places),
            tuple(map(layers_of, layers)),
        )  # fmt: skip

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
        columns = self._columns()
        return pd.DataFrame({column.name: column.filled(len(self.sample_ids)).to_pandas() for column in columns})

    def _columns(self) -> list[Column]:
        position = {state: k for k, state in enumerate(self.states)} | {UNCERTAIN: -1}
        places = self.places or ("",) * len(self.sample_ids)
        named = tuple(dict.fromkeys(places))
        where = {place: i for i, place in enumerate(named)}
        texts = [";".join(used) for used in self.layers]
        sets = tuple(dict.fromkeys(texts))
        layers = np.array([sets.index(text) for text in texts], dtype=np.intp) if texts else None
        answers = Answers(
            self.probabilities, self.sets, self.novelty_p, self.coverage,
            np.array([position[call] for call in self.calls], dtype=np.int8),
            np.array([sum(BITS[flag] for flag in flags) for flags in self.flags], dtype=np.uint8),
            np.array([where[place] for place in places], dtype=np.intp), named, layers, sets,
        )  # fmt: skip
        ids = pa.array(self.sample_ids, pa.string())
        return columns_of(self.states, self.model, self.version, ids, answers, {})

    def write(self, path: str | Path, *, force: bool = False) -> None:
        """Write the answers as .csv, .tsv, .jsonl, .parquet or .arrow, whole or not at all: the bytes of every other door.

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
        write_columns(Path(path), self._columns(), len(self.sample_ids), force=force)


def layers_of(text: str) -> tuple[str, ...]:
    """Take a set of layers apart."""
    return tuple(filter(None, text.split(";")))


def _held(text: str, states: Sequence[str]) -> list[bool]:
    """Say which states a written prediction set holds; they stand in the model's order."""
    found = []
    for state in states:
        found.append(text == state or text.startswith(f"{state};"))
        text = text[len(state) + 1 :] if found[-1] else text
    return found


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
    training : ndarray of shape (n_states,)
        Prevalence in training.

    Returns
    -------
    ndarray of shape (n_states,) or None
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
    training, stated : ndarray of shape (n_states,)
        Shares of the states in training; those at the place of use where they were stated.

    Returns
    -------
    Answers
        Probabilities of novel samples are drawn to the mix like those of a place where nothing was tested.
    """
    share = place.mix if stated is None else stated
    mixed = place.mixed(log_odds[place.head], np.log(share))
    as_trained = np.array_equal(share, training) and place.sets_head == place.head
    plain = mixed if as_trained else place.mixed(log_odds[place.sets_head], np.log(training))
    sets = (
        place.sets.sets(plain, limits.level) | (coverage == 0)[:, None]
    )  # where nothing was measured, nothing is excluded
    novelty_p = conformal_p(place.novelty, novelty)
    novel = novelty_p <= limits.novelty_alpha
    by_sets = place.from_probability is None
    drawn = np.where(novel & (not by_sets), max(place.untested, _UNTESTED), place.untested)[:, None]
    probabilities: Floats = mixed if by_sets else (1 - drawn) * mixed + drawn * share
    best = probabilities.argmax(axis=1)
    causes = {"novel": novel, "low-coverage": coverage < limits.min_coverage}
    called = best
    if by_sets:
        size, called = sets.sum(axis=1), sets.argmax(axis=1)
        causes |= {
            "several-states": size > 1, "no-state-fits": size == 0, "rare-here": (size == 1) & (called != best),
        }  # fmt: skip
    elif not place.closed:
        causes["unsure"] = probabilities.max(axis=1) < place.call_from(limits.max_wrong)
    reasons = np.full(len(best), BITS.get(place.closed, 0), dtype=np.uint8)
    for reason, cause in causes.items():
        reasons |= cause * np.uint8(BITS[reason])
    calls = np.where(reasons == 0, called, -1).astype(np.int8)
    nowhere = np.zeros(len(best), dtype=np.intp)
    return Answers(probabilities, sets, novelty_p, coverage, calls, reasons, nowhere, (name,))
