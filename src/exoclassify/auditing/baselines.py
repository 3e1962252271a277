"""What one technical figure tells of the state, judged as a model is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from exoclassify.data.cargo import CargoTable
from exoclassify.data.quality import missing_mask
from exoclassify.judging.metrics import Estimate, macro_auc, mean_figure
from exoclassify.learning.folds import Fold
from exoclassify.methods.learners.linear import Rotated, fit_ridge
from exoclassify.typing import Codes, Floats

__all__ = [
    "Baseline",
    "Family",
    "Levels",
    "Mask",
    "Neighbours",
    "Number",
    "input_baselines",
    "judged",
    "library_sizes",
    "n_detected",
]

Family = Literal["input", "mask", "detection", "order", "column", "contamination"]

_NEIGHBOURS = 5


class Guess(Protocol):
    """A learner of one technical figure: trained on some samples, scores others, shape (n_test, n_states)."""

    def __call__(self, train: Codes, test: Codes, y: Codes, n_states: int) -> Floats:
        """Train and score."""
        ...


@dataclass(frozen=True, eq=False)
class Baseline:
    """One technical figure as if it were a classifier.

    Parameters
    ----------
    name : str
        In plain words.
    guess : callable
        Given training rows, test rows, state codes and their number, gives scores.
    family : str
        Figures of one family are tested together: input, mask, detection, order, column or contamination.
    column : str, optional
        The sheet's column, when it is one.
    values : ndarray of shape (n_samples,), optional
        The figure itself, numbers or texts, to be compared with the state directly.
    p_value : float, optional
        That the figure has nothing to do with the state, where it has a test of its own.
    seen : str
        What else was seen, for the message.
    mild : bool
        It may go with the state for harmless reasons: never critical, unless the cargo follows it within each state.
    """

    name: str
    guess: Guess
    family: Family
    column: str | None = None
    values: NDArray[Any] | None = None
    p_value: float | None = None
    seen: str = ""
    mild: bool = False


def judged(baseline: Baseline, repeats: Sequence[Sequence[Fold]], y: Codes, n_states: int) -> Estimate:
    """AUC of a baseline on held-out samples in the very folds of the model."""
    found = []
    for folds in repeats:
        scores, fold = np.zeros((len(y), n_states)), np.zeros(len(y), dtype=np.intp)
        for k, (train, test) in enumerate(folds):
            scores[test], fold[test] = baseline.guess(train, test, y, n_states), k
        found.append(macro_auc(scores, y, fold))
    return mean_figure(found)


def input_baselines(table: CargoTable) -> list[Baseline]:
    """Give what stands for the amount of input, where it varies: size of the library, number of detected molecules."""
    figures = [library_sizes(table), ("number of detected molecules", n_detected(table))]
    return [Baseline(name, Number(values), "input", values=values) for name, values in figures if np.ptp(values) > 1e-9]


def library_sizes(table: CargoTable) -> tuple[str, Floats]:
    """Give the name and the value of what stands for the amount of input, one a sample.

    Log2 of the sum for counts, cpm and intensities; the mean of what was found for Ct and log2 intensities.
    """
    values = table.values
    if table.unit in ("counts", "cpm", "intensity"):
        name = "library size" if table.unit == "counts" else f"sum of {table.unit}"
        total: Floats = np.log2(np.nansum(values, axis=1) + 1)
        return name, total if table.unit != "cpm" else np.round(total, 3)  # a million each, but for rounding
    found = np.where(missing_mask(table), np.nan, values)
    some = np.isfinite(found).any(axis=1)
    means = np.zeros(len(found))
    means[some] = np.nanmean(found[some], axis=1)
    return ("mean Ct of what was found" if table.unit == "ct" else "mean log2 intensity"), means


def n_detected(table: CargoTable) -> Floats:
    """Count what was found in each sample.

    Shape (n_samples,).
    """
    missing = missing_mask(table) | (table.values == 0) if table.unit in ("counts", "cpm") else missing_mask(table)
    count: Floats = (~missing).sum(axis=1).astype(np.float64)
    return count


class Number:
    """Logistic regression on a number and its square; blanks take the training mean and a flag.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        NaN = blank.
    """

    def __init__(self, values: Floats) -> None:
        self.values = values

    def __call__(self, train: Codes, test: Codes, y: Codes, n_states: int) -> Floats:
        """Score the test samples, shape (n_test, n_states)."""
        blank = ~np.isfinite(self.values)
        known = self.values[train][~blank[train]]
        centre, spread = (float(known.mean()), float(known.std())) if len(known) else (0.0, 1.0)
        z = np.where(blank, 0.0, (self.values - centre) / (spread or 1.0))
        table = np.c_[z, z**2 - 1, blank]
        model = LogisticRegression(C=1.0).fit(table[train], y[train])
        log_p: Floats = np.log(np.maximum(model.predict_proba(table[test]), 1e-300))
        return log_p


class Levels:
    """Share of each state among the training samples of a level, one sample of the training mix added.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
        Level of each sample.
    """

    def __init__(self, codes: Codes) -> None:
        self.codes = codes

    def __call__(self, train: Codes, test: Codes, y: Codes, n_states: int) -> Floats:
        """Score the test samples, shape (n_test, n_states)."""
        counts = np.zeros((int(self.codes.max()) + 1, n_states))
        np.add.at(counts, (self.codes[train], y[train]), 1.0)
        counts += np.bincount(y[train], minlength=n_states) / len(train)
        shares: Floats = np.log(counts / counts.sum(axis=1, keepdims=True))
        return shares[self.codes[test]]


class Neighbours:
    """Share of each state among the training samples run just before and after.

    Parameters
    ----------
    order : ndarray of shape (n_samples,)
        Larger is later.
    """

    def __init__(self, order: Floats) -> None:
        self.order = order

    def __call__(self, train: Codes, test: Codes, y: Codes, n_states: int) -> Floats:
        """Score the test samples, shape (n_test, n_states)."""
        distance = np.abs(self.order[test][:, None] - self.order[train][None, :])
        nearest = np.argsort(distance, axis=1, kind="stable")[:, :_NEIGHBOURS]
        votes = (y[train][nearest][:, :, None] == np.arange(n_states)).sum(axis=1).astype(np.float64)
        votes += np.bincount(y[train], minlength=n_states) / len(train)
        shares: Floats = np.log(votes / votes.sum(axis=1, keepdims=True))
        return shares


class Mask:
    """Ridge logistic regression on which values are missing.

    Parameters
    ----------
    mask : ndarray of shape (n_samples, n_molecules)
        1 where a value is missing, or whatever the mask is of.
    """

    def __init__(self, mask: Floats) -> None:
        self.mask = mask

    def __call__(self, train: Codes, test: Codes, y: Codes, n_states: int) -> Floats:
        """Score the test samples, shape (n_test, n_states)."""
        kept = np.flatnonzero(np.ptp(self.mask[train], axis=0) > 0)
        if not len(kept):
            return np.zeros((len(test), n_states))
        table = self.mask[:, kept]
        return fit_ridge(Rotated.fit("log", table[train]), y[train], 30.0, None).scores(table[test])
