"""What was said of samples while they were left out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from exoclassify.learning.folds import Fold
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.model.evaluation import Evaluation
from exoclassify.typing import Floats

__all__ = ["Judgement", "KeptAside"]


@dataclass(frozen=True, eq=False)
class KeptAside:
    """What one pass over a cohort said of each sample while that sample was left out.

    Parameters
    ----------
    rows : ndarray of int
        Positions of the samples; those of a batch that could not be left out are absent.
    fold : ndarray of int of the same length
        In which fold each was left out.
    log_odds : ndarray of shape (n_rows, n_states)
        Logs of the probabilities answered.
    sets : ndarray of bool of shape (n_rows, n_states)
        Prediction sets.
    novelty_p : ndarray of shape (n_rows,)
        Novelty.
    calls : ndarray of int8 of shape (n_rows,)
        Position of the state called; -1 for ``uncertain``.
    by_layers : dict of int to ndarray of shape (n_rows, n_states)
        Logs of the probabilities by each set of layers (`set_codes`) shown alone; NaN for a sample that lacks one of it.
    """

    rows: NDArray[np.intp]
    fold: NDArray[np.intp]
    log_odds: Floats
    sets: NDArray[np.bool_]
    novelty_p: Floats
    calls: NDArray[np.int8]
    by_layers: dict[int, Floats] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was said of held-out samples, and the figures made of it.

    Parameters
    ----------
    samples : Samples
        The cohort.
    recipe : Recipe
        What was judged.
    sample_ids : tuple of str
        In its order.
    plan : tuple of (train, test)
        Every fold, those of leaving out batches last.
    passes : tuple of KeptAside
        One for each repeat of cross-validation.
    batched : KeptAside or None
        Leaving out each batch, where that is possible.
    evaluation : Evaluation
        The figures.
    moved : ndarray of shape (n_folds, n_molecules)
        How far each molecule moved the answers in each fold of cross-validation, see `exoclassify.judging.importance.moved`.
    """

    samples: Samples
    recipe: Recipe
    sample_ids: tuple[str, ...]
    plan: tuple[Fold, ...]
    passes: tuple[KeptAside, ...]
    batched: KeptAside | None
    evaluation: Evaluation
    moved: Floats

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds of cross-validation, repeat after repeat."""
        return self.plan[: sum(int(kept.fold.max()) + 1 for kept in self.passes)]
