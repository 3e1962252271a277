"""What was found in all, counted as the answers are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exoclassify.model.answers import REASONS, reasons_of
from exoclassify.model.prediction import Predictions

__all__ = ["Report", "Tally"]


@dataclass(eq=False)
class Tally:
    """Counts over answers.

    Parameters
    ----------
    states : tuple of str
        The model's.
    n : int
        Answers.
    calls, reasons : Counter
        How many of each.
    coverage : float
        Sum over the answers.
    places : Counter
        How many were answered as from each.
    trained_on : int
        How many the model was trained on, as far as it remembers.
    """

    states: tuple[str, ...]
    n: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    coverage: float = 0.0
    places: Counter[str] = field(default_factory=Counter)
    trained_on: int = 0

    def add(
        self,
        calls: NDArray[np.int8],
        reasons: NDArray[np.uint8],
        coverage: NDArray[np.float64],
        places: Mapping[str, int],
        trained_on: int,
    ) -> None:
        """Count some answers.

        Parameters
        ----------
        calls, reasons, coverage : ndarray of shape (n_samples,)
            As in `exoclassify.model.prediction.Answers`.
        """
        self.n += len(calls)
        names = (*self.states, "uncertain")
        for call, times in enumerate(np.bincount(calls % len(names), minlength=len(names)).tolist()):
            self.calls[names[call]] += times
        for bit, reason in enumerate(REASONS):
            self.reasons[reason] += int((reasons >> np.uint8(bit) & np.uint8(1)).sum())
        self.coverage += float(coverage.sum())
        self.places.update(places)
        self.trained_on += trained_on

    @classmethod
    def of(cls, predictions: Predictions) -> Tally:
        """Count the answers of a table."""
        return cls(
            predictions.states,
            len(predictions.calls),
            Counter(predictions.calls),
            Counter(flag for flags in predictions.flags for flag in flags),
            float(predictions.coverage.sum()),
            Counter(predictions.places),
        )


@dataclass(frozen=True, eq=False)
class Report:
    """What became of the files.

    Parameters
    ----------
    tally : Tally
        Over the answers written.
    n_rejected : int
        Rows without an answer.
    broken : tuple of str
        One line for each file that could not be read, or not to its end.
    left_out : tuple of str
        Files in folders that are no tables.
    out : path
        The answers.
    rejected : path or None
        Where the rejected rows and files are named; None when there are none.
    notes : tuple of str
        What was understood of the files or left out of them, and what a user should look at.
    """

    tally: Tally
    n_rejected: int
    broken: tuple[str, ...]
    left_out: tuple[str, ...]
    out: Path
    rejected: Path | None
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every row of every file got an answer."""
        return not self.n_rejected and not self.broken


assert len(reasons_of(2 ** len(REASONS) - 1)) == len(REASONS) <= 8  # the bits of a byte
