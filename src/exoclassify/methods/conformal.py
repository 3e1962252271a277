"""Prediction sets that hold the true state at a stated level, for each state separately."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from exoclassify.typing import Floats

__all__ = ["ClassConditionalSets", "conformal_p"]


def conformal_p(reference: Floats, strangeness: Floats) -> Floats:
    """Share of a sorted reference at least as strange as each new value, the new value counted among them; in (0, 1].

    Uniform or larger when the new samples are exchangeable with the reference, which must not have been used to fit (Vovk,
    Gammerman & Shafer, Algorithmic Learning in a Random World, 2005).
    """
    at_least = len(reference) - np.searchsorted(reference, strangeness, side="left")
    return (at_least + 1) / (len(reference) + 1)


@dataclass(frozen=True, eq=False)
class ClassConditionalSets:
    """Mondrian conformal prediction: one reference of out-of-fold scores for each state.

    Parameters
    ----------
    references : tuple of ndarray
        For each state the sorted values 1 - p(true state) of its out-of-fold samples. A state with fewer than 9 / 19 / 99
        samples can never be excluded at the 90 / 95 / 99 % level, and so every set holds it: the honest answer.
    by_batch : tuple of tuple of ndarray
        The same for each state from further held-out answers, each of which must exclude it too: those of single batches in
        models of the first format, those at fresh offsets since; empty where there are none.

    Notes
    -----
    Marginal conformal sets covered a minority state at 0.66 where 0.90 was promised; per state they kept it.
    The promise holds for samples like those held out. A batch not seen is another draw of *batches*, of which training had
    a few: so a state is excluded only if every reference excludes it (the idea of Dunn, Wasserman & Ramdas 2023,
    Distribution-free prediction sets for two-layer hierarchical models).
    """

    references: tuple[Floats, ...]
    by_batch: tuple[tuple[Floats, ...], ...] = ()

    @classmethod
    def fit(cls, held_out: Sequence[tuple[Floats, NDArray[np.intp]]]) -> ClassConditionalSets:
        """Keep held-out strangeness of each state.

        Each part of `held_out` is calibrated probabilities (n_samples, n_states) and state codes; all but the first are further
        references.
        """
        states = range(held_out[0][0].shape[1])
        first, *more = [tuple(np.sort(1 - p[y == k, k]) for k in states) for p, y in held_out]
        return cls(first, tuple(tuple(each[k] for each in more) for k in states) if more else ())

    def sets(self, probabilities: Floats, level: float) -> NDArray[np.bool_]:
        """Say which states remain plausible at a level such as 0.9, by probabilities at the training prevalence.

        Both (n_samples, n_states). A row may be empty: then no state looks like this sample.
        """
        return 1 - probabilities <= _limits(self, level)


@lru_cache(maxsize=64)
def _limits(sets: ClassConditionalSets, level: float) -> Floats:
    """Strangeness up to which each state is plausible: a sample beyond it has a p-value of 1 - level or less."""
    limits = [_limit(reference, level) for reference in sets.references]
    for k, references in enumerate(sets.by_batch):
        each = [_limit(reference, level) for reference in references]
        # One too small to exclude anything, whatever it held, is not asked.
        limits[k] = max([limits[k], *(limit for limit in each if limit < math.inf)])
    return np.array(limits)


def _limit(reference: Floats, level: float) -> float:
    """Give the largest strangeness with a `conformal_p` above 1 - level; the margin is for rounding."""
    most_stranger = math.floor((1 - level + 1e-12) * (len(reference) + 1) - 1)
    return math.inf if most_stranger < 0 else float(reference[len(reference) - 1 - most_stranger])
