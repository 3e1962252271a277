"""The smallest panel that keeps the performance: for a laboratory that must build an assay of a few molecules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from exoclassify.discovery.contrast import Contrast
from exoclassify.judging.metrics import auc, mean_figure
from exoclassify.learning.folds import Fold, stratified_folds
from exoclassify.methods.learners.linear import Rotated, fit_ridge
from exoclassify.methods.learners.ratios import within_batch_t
from exoclassify.methods.select import PrevalenceFilter
from exoclassify.methods.steps import imputer_for, normaliser_for
from exoclassify.methods.views import Views
from exoclassify.typing import Codes, Floats

__all__ = ["N_REFERENCES", "SIZES", "PanelCurve", "panel_curve", "ranked"]


SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
"""Numbers of markers that are tried."""

N_REFERENCES = 3
"""Stable molecules measured beside the markers, to compare them with; geNorm asks for at least three."""

_C = 10.0
_OUTER, _INNER, _REPEATS = 5, 4, 2


@dataclass(frozen=True, eq=False)
class PanelCurve:
    """How well panels of each size tell state from reference, on samples that neither chose nor trained them.

    Parameters
    ----------
    sizes : tuple of int
        Numbers of markers; the references come on top.
    auc, error : ndarray of shape (n_sizes,)
        Mean over folds, and its standard error.
    chosen : int
        The smallest size within one standard error of the best.
    honest_auc : float
        Of the whole procedure, the choice of the size included: nested cross-validation.
    interval : tuple of float
        95 % interval of it, which respects subjects.
    """

    sizes: tuple[int, ...]
    auc: Floats
    error: Floats
    chosen: int
    honest_auc: float
    interval: tuple[float, float]


@dataclass(frozen=True, eq=False)
class _Task:
    """What is needed of a contrast, as plain arrays."""

    X: Floats
    y: Codes
    groups: Codes
    batches: Codes
    unit: str
    not_detected: float | None

    @classmethod
    def of(cls, contrast: Contrast) -> _Task:
        table = contrast.cohort.cargo
        return cls(table.values, contrast.y, contrast.subjects, contrast.batches, table.unit, table.not_detected)

    def take(self, rows: Codes) -> _Task:
        return _Task(self.X[rows], self.y[rows], self.groups[rows], self.batches[rows], self.unit, self.not_detected)

    def views(self, X: Floats) -> Views:
        return Views.fit(X, normaliser_for(self.unit, "auto", self.not_detected), imputer_for(self.unit))


def ranked(contrast: Contrast) -> tuple[Codes, Codes]:
    """Order the molecules of a contrast by how much they differ within batches, and name its references.

    Returns
    -------
    order : ndarray of int
        Positions in the table, the strongest first; molecules found too rarely are left out.
    references : ndarray of int
        Positions of the `N_REFERENCES` most stable ones.
    """
    return _ranked(_Task.of(contrast))


def _ranked(task: _Task) -> tuple[Codes, Codes]:
    limit = 40.0 if task.not_detected is None else task.not_detected
    kept = PrevalenceFilter(0.2, unit=task.unit, not_detected=limit).fit(task.X)
    X = np.ascontiguousarray(task.X[:, kept.positions_])
    V = task.views(X).log(X)
    strength = within_batch_t(V, task.y, task.batches)
    order = kept.positions_[np.argsort(-strength, kind="stable")]
    often = kept.prevalence_[kept.positions_]
    level = np.median(V, axis=0)
    common = (often >= np.quantile(often, 0.75)) & (level >= np.quantile(level, 0.5))
    if common.sum() < N_REFERENCES:
        common[:] = True
    # Neither noisy nor different: both make a poor yardstick.
    poor = np.where(common, V.std(axis=0) * (1 + strength), np.inf)
    return order, kept.positions_[np.argsort(poor, kind="stable")[:N_REFERENCES]]


def _scores(train: _Task, test: _Task, sizes: tuple[int, ...]) -> Floats:
    """Choose on the training samples, train on them, score the others; shape (n_sizes, n_test)."""
    order, references = _ranked(train)
    markers = order[~np.isin(order, references)]
    result = np.zeros((len(sizes), len(test.y)))
    for i, size in enumerate(sizes):
        panel = np.sort(np.concatenate([markers[:size], references]))
        views = train.views(np.ascontiguousarray(train.X[:, panel]))
        table = Rotated.fit("log", views.log(np.ascontiguousarray(train.X[:, panel])))
        fitted = fit_ridge(table, train.y, _C, None)
        result[i] = fitted.scores(views.log(np.ascontiguousarray(test.X[:, panel])))[:, 1]
    return result


def _curve(task: _Task, sizes: tuple[int, ...], folds: list[Fold]) -> Floats:
    """AUC of each fold and size; folds that lack a state say nothing."""
    found = []
    for train, test in folds:
        aside = task.take(test)
        if 0 < aside.y.sum() < len(aside.y):
            scores = _scores(task.take(train), aside, sizes)
            found.append([auc(row, aside.y == 1).value for row in scores])
    return np.array(found).reshape(-1, len(sizes))


def _smallest(found: Floats) -> tuple[int, Floats, Floats]:
    mean = found.mean(axis=0)
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.zeros_like(mean)
    best = int(mean.argmax())
    return int(np.flatnonzero(mean >= mean[best] - error[best])[0]), mean, error


def panel_curve(
    contrast: Contrast, *, largest: int, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> PanelCurve:
    """Judge panels of growing size, choosing their molecules anew in every fold.

    Notes
    -----
    Molecules are ranked by t within batches on the training samples, the panel is normalised on itself alone, as it will be in
    use, and a ridge regression is trained on it. The AUC of a size is that of held-out samples, but the best of several
    sizes flatters; `honest_auc` chooses the size inside each training fold.
    """
    task = _Task.of(contrast)
    sizes = tuple(size for size in SIZES if size <= largest) or (1,)
    found, honest = [], []
    for repeat in range(_REPEATS):
        folds = stratified_folds(task.y, task.groups, _OUTER, seed + repeat)
        found.append(_curve(task, sizes, folds))
        aside = np.full(len(task.y), np.nan)
        for i, (train, test) in enumerate(folds):
            part = task.take(train)
            groups = np.unique(part.groups, return_inverse=True)[1]
            inner = _curve(part, sizes, stratified_folds(part.y, groups, _INNER, seed + repeat))
            size = sizes[_smallest(inner)[0]]
            aside[test] = _scores(part, task.take(test), (size,))[0]
            if progress is not None:
                progress(repeat * len(folds) + i + 1, _REPEATS * len(folds))
        honest.append(auc(aside, task.y == 1))
    at, mean, error = _smallest(np.vstack(found))
    whole = mean_figure(honest)
    return PanelCurve(sizes, mean, error, sizes[at], whole.value, whole.over_folds(_OUTER).interval(task.groups))
