"""The numbers of many answers, what each reason means, and the columns in which every door gives them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exoclassify.tables.encoding import Column
from exoclassify.typing import Codes, Floats

__all__ = ["BITS", "REASONS", "UNCERTAIN", "Answers", "columns_of", "explained", "reasons_of", "worded"]


UNCERTAIN = "uncertain"
"""The call where no state is called."""

REASONS: Mapping[str, str] = {
    "several-states": "Two or more states remain plausible; only more samples like this one in training would settle it.",
    "no-state-fits": "The sample fits none of the training states; check it and how it was measured.",
    "novel": "The sample is unlike the training samples; check its unit and its preparation, and measure it again.",
    "low-coverage": "Too little of the panel was measured, or with too few reads; measure what is missing, or sequence again.",
    "one-batch": "The model was trained in one batch and never tested in another; 10 local samples (recalibrate --site) "
    "or training on two batches would settle it.",
    "rare-here": "At the prevalence used here, another state is more probable.",
    "unsure": "No state is probable enough for a call at the stated error rate; in a batch that was not trained on, 10 local "
    "samples (recalibrate --site) make the answer surer.",
    "no-evidence": "The model's scores were not shown to carry over to samples like this one; 10 local samples "
    "(recalibrate --site), or more training batches, would show it.",
}
"""What each flag means and what would settle it; every one of them makes the call `uncertain`. `several-states`,
`no-state-fits` and `rare-here` are raised by models of the first format alone."""


BITS = {name: 1 << bit for bit, name in enumerate(REASONS)}


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
    layers : ndarray of int of shape (n_samples,), or None
        Which layers each answer rests on: positions in `layer_sets`; None for a model of one layer.
    layer_sets : tuple of str
        Sets of layers, as in ``protein;cells``.
    """

    probabilities: Floats
    sets: NDArray[np.bool_]
    novelty_p: Floats
    coverage: Floats
    calls: NDArray[np.int8]
    reasons: NDArray[np.uint8]
    places: NDArray[np.intp]
    named: tuple[str, ...]
    layers: Codes | None = None
    layer_sets: tuple[str, ...] = ()

    @classmethod
    def together(cls, parts: Sequence[tuple[NDArray[np.intp], Answers]]) -> Answers:
        """Put answers of some rows each into the order of the rows."""
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
        """Give calls and flags as `Predictions` holds them."""
        named = {mask: reasons_of(mask) for mask in set(self.reasons.tolist())}
        calls = (*states, "uncertain")
        return tuple(calls[call] for call in self.calls), tuple(named[mask] for mask in self.reasons.tolist())


def reasons_of(mask: int) -> tuple[str, ...]:
    """Name the reasons of one answer."""
    return tuple(name for bit, name in enumerate(REASONS) if mask >> bit & 1)


def explained(flags: Sequence[str]) -> str:
    """Say in plain words why a call is uncertain and what would settle it."""
    return " ".join(REASONS[flag] for flag in flags)


def columns_of(
    states: Sequence[str], model: str, version: str, ids: pa.Array, answers: Answers, keep: Mapping[str, pa.Array]
) -> list[Column]:
    """Put answers into the columns of the output."""
    held = answers.sets @ (1 << np.arange(len(states), dtype=np.int64))
    sets = worded(held, lambda mask: ";".join(s for k, s in enumerate(states) if mask >> k & 1))
    return [
        Column("sample_id", ids),
        Column("call", worded(answers.calls, lambda call: states[call] if call >= 0 else UNCERTAIN)),
        Column("best_guess", worded(answers.probabilities.argmax(axis=1), lambda k: states[k])),
        Column("p_best_guess", pa.array(answers.probabilities.max(axis=1))),
        *(Column(f"p_{state}", pa.array(p)) for state, p in zip(states, answers.probabilities.T.copy(), strict=True)),
        Column("prediction_set", sets),
        Column("novelty_p", pa.array(answers.novelty_p).dictionary_encode()),  # few different numbers,
        Column("coverage", pa.array(answers.coverage).dictionary_encode()),  # which are long to write
        Column("flags", worded(answers.reasons, lambda mask: ";".join(reasons_of(mask)))),
        Column("reason", worded(answers.reasons, lambda mask: explained(reasons_of(mask)))),
        Column("place", worded(answers.places, lambda i: answers.named[i])),
        *(
            []
            if answers.layers is None
            else [Column("layers", worded(answers.layers, lambda i: answers.layer_sets[i]))]
        ),
        Column("model", pa.scalar(model)),
        Column("version", pa.scalar(version)),
        *(Column(name, cells) for name, cells in keep.items()),
    ]


def worded(codes: NDArray[np.integer], word: Callable[[int], str]) -> pa.DictionaryArray:
    """Put each code into words, every different one once."""
    coded = pa.array(codes).dictionary_encode()
    words = pa.array(map(word, coded.dictionary.to_pylist()), pa.string())
    return pa.DictionaryArray.from_arrays(coded.indices, words)
