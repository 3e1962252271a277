"""What the technique alone tells: library size, detection, missingness, run order and single columns, judged as a model is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.quality import missing_mask
from exoclassify.learning.folds import Fold
from exoclassify.learning.metrics import Figure, macro_auc, mean_figure
from exoclassify.methods.learners.linear import Rotated, fit_ridge

__all__ = ["Baseline", "baselines", "judged", "library_sizes", "run_order", "sheet_columns"]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

_ORDER_NAMES = (
    "run_order",
    "runorder",
    "injection_order",
    "acquisition_order",
    "processing_order",
    "order",
    "run_number",
)
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
    column : str, optional
        The sheet's column, when it is one.
    values : ndarray of shape (n_samples,), optional
        The figure itself, numbers or texts, to be held against the state directly.
    """

    name: str
    guess: Guess
    column: str | None = None
    values: NDArray[Any] | None = None


def judged(baseline: Baseline, repeats: Sequence[Sequence[Fold]], y: Codes, n_states: int) -> Figure:
    """AUC of a baseline on samples kept aside in the very folds of the model.

    Parameters
    ----------
    baseline : Baseline
        What to judge.
    repeats : sequence of sequences of (train, test)
        Folds of each repeat.
    y : ndarray of shape (n_samples,)
        State codes.
    n_states : int
        How many.

    Returns
    -------
    Figure
        Macro AUC within folds, averaged over repeats.
    """
    found = []
    for folds in repeats:
        scores, fold = np.zeros((len(y), n_states)), np.zeros(len(y), dtype=np.intp)
        for k, (train, test) in enumerate(folds):
            scores[test], fold[test] = baseline.guess(train, test, y, n_states), k
        found.append(macro_auc(scores, y, fold))
    return mean_figure(found)


def baselines(cohort: Cohort) -> list[Baseline]:
    """Give every technical figure of a cohort that varies.

    Parameters
    ----------
    cohort : Cohort
        With one layer.

    Returns
    -------
    list of Baseline
    """
    table = cohort.cargo
    found = []
    for name, values in (library_sizes(table), ("number of detected molecules", _n_detected(table))):
        if np.ptp(values) > 1e-9:
            found.append(Baseline(name, _Number(values), values=values))
    mask = missing_mask(table)
    if len(np.unique(mask, axis=0)) > 1:
        found.append(Baseline("which values are missing", _Mask(mask.astype(np.float64))))
    order, column = run_order(cohort)
    if order is not None:
        found.append(Baseline(f"run order ({column})", _Neighbours(order), column))
    return found + [one for one in sheet_columns(cohort) if one.column != column]


def library_sizes(table: CargoTable) -> tuple[str, Floats]:
    """Give the name and the value of what stands for the amount of input, one a sample.

    Parameters
    ----------
    table : CargoTable
        Of any unit.

    Returns
    -------
    tuple of str and ndarray of shape (n_samples,)
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


def _n_detected(table: CargoTable) -> Floats:
    missing = (
        missing_mask(table) | (table.values == 0) if table.unit in ("counts", "cpm") else missing_mask(table)
    )
    count: Floats = (~missing).sum(axis=1).astype(np.float64)
    return count


def run_order(cohort: Cohort) -> tuple[Floats | None, str | None]:
    """Find the column that says in which order the samples were run.

    Parameters
    ----------
    cohort : Cohort
        With its sheet.

    Returns
    -------
    tuple of (ndarray of shape (n_samples,) or None, str or None)
        The order, and the column's name.
    """
    for column in cohort.sheet.frame.columns:
        if column.lower().replace(" ", "_").replace("-", "_") in _ORDER_NAMES:
            numbers = pd.to_numeric(cohort.sheet.frame[column], errors="coerce").to_numpy(dtype=np.float64)
            if np.isfinite(numbers).all() and len(np.unique(numbers)) > len(numbers) / 2:
                return numbers, str(column)
    return None, None


def sheet_columns(cohort: Cohort) -> list[Baseline]:
    """Give every column of the sheet that could tell the states apart by itself: not ids, not constants.

    Parameters
    ----------
    cohort : Cohort
        With its sheet.

    Returns
    -------
    list of Baseline
    """
    sheet, found = cohort.sheet, []
    for column in sheet.frame.columns:
        if column in (sheet.label_column, sheet.subject_column):
            continue
        cells = sheet.frame[column]
        numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
        if np.isfinite(numbers).mean() > 0.8 and len(np.unique(numbers[np.isfinite(numbers)])) > 5:
            found.append(Baseline(f"column {column}", _Number(numbers), str(column), numbers))
        elif 1 < cells.nunique(dropna=False) <= max(len(cells) / 3, 2):
            codes = pd.factorize(cells, use_na_sentinel=False)[0].astype(np.intp)
            levels = cells.fillna("").to_numpy(dtype=np.str_)
            found.append(Baseline(f"column {column}", _Levels(codes), str(column), levels))
    return found


class _Number:
    """Logistic regression on a number and its square; blanks take the training mean and a flag."""

    def __init__(self, values: Floats) -> None:
        self.values = values

    def __call__(self, train: Codes, test: Codes, y: Codes, n_states: int) -> Floats:
        blank = ~np.isfinite(self.values)
        known = self.values[train][~blank[train]]
        centre, spread = (float(known.mean()), float(known.std())) if len(known) else (0.0, 1.0)
        z = np.where(blank, 0.0, (self.values - centre) / (spread or 1.0))
        table = np.c_[z, z**2 - 1, blank]
        model = LogisticRegression(C=1.0).fit(table[train], y[train])
        log_p: Floats = model.predict_log_proba(table[test])
        return log_p


class _Levels:
    """Share of each state among the training samples of a level, one sample of the training mix added."""

    def __init__(self, codes: Codes) -> None:
        self.codes = codes

    def __call__(self, train: Codes, test: Codes, y: Codes, n_states: int) -> Floats:
        counts = np.zeros((int(self.codes.max()) + 1, n_states))
        np.add.at(counts, (self.codes[train], y[train]), 1.0)
        counts += np.bincount(y[train], minlength=n_states) / len(train)
        shares: Floats = np.log(counts / counts.sum(axis=1, keepdims=True))
        return shares[self.codes[test]]


class _Neighbours:
    """Share of each state among the training samples run just before and after."""

    def __init__(self, order: Floats) -> None:
        self.order = order

    def __call__(self, train: Codes, test: Codes, y: Codes, n_states: int) -> Floats:
        distance = np.abs(self.order[test][:, None] - self.order[train][None, :])
        nearest = np.argsort(distance, axis=1, kind="stable")[:, :_NEIGHBOURS]
        votes = (y[train][nearest][:, :, None] == np.arange(n_states)).sum(axis=1).astype(np.float64)
        votes += np.bincount(y[train], minlength=n_states) / len(train)
        shares: Floats = np.log(votes / votes.sum(axis=1, keepdims=True))
        return shares


class _Mask:
    """Ridge logistic regression on which values are missing."""

    def __init__(self, mask: Floats) -> None:
        self.mask = mask

    def __call__(self, train: Codes, test: Codes, y: Codes, n_states: int) -> Floats:
        kept = np.flatnonzero(np.ptp(self.mask[train], axis=0) > 0)
        if not len(kept):
            return np.zeros((len(test), n_states))
        table = self.mask[:, kept]
        return fit_ridge(Rotated.fit("log", table[train]), y[train], 30.0, None).scores(table[test])
