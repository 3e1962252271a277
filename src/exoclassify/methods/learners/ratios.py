"""Log-ratios of two molecules of the same sample: valid for one sample alone, whatever its depth or dilution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exoclassify.methods.learners.linear import Rotated, Scaling, fit_ridge
from exoclassify.typing import Floats

__all__ = ["Ratios", "fit_ratios", "within_batch_t"]


@dataclass(frozen=True, eq=False)
class _Contrasts:
    """Columns and indicators of the states, both centred within batches."""

    centred: Floats
    indicators: Floats
    freedom: int

    @classmethod
    def of(cls, V: Floats, y: NDArray[np.intp], batches: NDArray[np.intp] | None) -> _Contrasts:
        n_states = int(y.max()) + 1
        indicators = (y[:, None] == np.arange(1 if n_states == 2 else 0, n_states)).astype(np.float64)
        groups = np.zeros(len(y), dtype=np.intp) if batches is None else batches
        centred = V.copy()
        for batch in np.unique(groups):
            rows = groups == batch
            centred[rows] -= centred[rows].mean(axis=0)
            indicators[rows] -= indicators[rows].mean(axis=0)
        return cls(centred, indicators, max(len(y) - len(np.unique(groups)) - 1, 1))

    def strongest(self, total: Floats, slopes_of: Callable[[Floats], Floats]) -> Floats:
        """Largest absolute t over the states, from each column's sum of squares and its slopes."""
        found = np.zeros(len(total))
        for d in self.indicators.T:
            weight = d @ d
            if weight < 1e-9:
                continue
            slope = slopes_of(d @ self.centred / weight)
            variance = np.maximum(total - slope**2 * weight, 0) / self.freedom / weight
            steadied = np.sqrt(variance + 0.05 * np.median(variance)) + 1e-12
            found = np.maximum(found, np.abs(slope) / steadied)
        return found


def within_batch_t(V: Floats, y: NDArray[np.intp], batches: NDArray[np.intp] | None) -> Floats:
    """Largest absolute moderated t of each column over states (one against the rest), computed within batches.

    Columns and the state indicator are centred within batches: the t of a linear model with batch in the design, 0 where state
    and batch are the same thing. A twentieth of the median variance is added to each, the idea of SAM (Tusher, Tibshirani & Chu
    2001), so that a column that hardly varies does not win by its denominator.
    """
    contrasts = _Contrasts.of(V, y, batches)
    return contrasts.strongest((contrasts.centred**2).sum(axis=0), lambda slopes: slopes)


def _t_of_pairs(
    V: Floats, y: NDArray[np.intp], batches: NDArray[np.intp] | None, left: NDArray[np.intp], right: NDArray[np.intp]
) -> Floats:
    """`within_batch_t` of the differences of columns, from the products of the columns: the differences are never formed."""
    contrasts = _Contrasts.of(V, y, batches)
    products = contrasts.centred.T @ contrasts.centred
    squares = np.diagonal(products)
    total = np.maximum(squares[left] + squares[right] - 2 * products[left, right], 0)
    return contrasts.strongest(total, lambda slopes: slopes[left] - slopes[right])


@dataclass(frozen=True, eq=False)
class Ratios:
    """A ridge logistic regression on chosen log-ratios.

    Parameters
    ----------
    view : str
        ``log`` or ``damped``.
    numerators, denominators : ndarray of shape (n_ratios,)
        Positions of the two molecules of each ratio on the panel.
    mean, scale : ndarray of shape (n_ratios,)
        What is subtracted from the ratios and what they are divided by.
    coef : ndarray of shape (n_states, n_ratios)
        Weights on the ratios so scaled.
    intercept : ndarray of shape (n_states,)
        Constants in log-odds.
    """

    view: str
    numerators: NDArray[np.intp]
    denominators: NDArray[np.intp]
    mean: Floats
    scale: Floats
    coef: Floats
    intercept: Floats

    def scores(self, V: Floats) -> Floats:
        """Score samples step by step: ratios, standardise, weigh, add; shape (n_samples, n_states), log-odds."""
        ratios = V[:, self.numerators] - V[:, self.denominators]
        return ((ratios - self.mean) / self.scale) @ self.coef.T + self.intercept

    def folded(self, n_molecules: int) -> tuple[Floats, Floats]:
        """Give the same scores as one matrix (n_states, n_molecules) and one constant (n_states,) on the log view."""
        per_ratio = self.coef / self.scale
        matrix = np.zeros((len(self.coef), n_molecules))
        for row, weights in zip(matrix, per_ratio, strict=True):
            np.add.at(row, self.numerators, weights)
            np.subtract.at(row, self.denominators, weights)
        return matrix, self.intercept - per_ratio @ self.mean


def _choose_pairs(
    strength: Floats, left: NDArray[np.intp], right: NDArray[np.intp], n: int, uses: int
) -> NDArray[np.intp]:
    """Take the strongest pairs, each molecule at most `uses` times, so that one loud molecule is not the whole panel."""
    used = np.zeros(int(max(left.max(), right.max())) + 1, dtype=np.intp)
    chosen: list[int] = []
    for pair in np.argsort(-strength, kind="stable"):
        i, j = left[pair], right[pair]
        if used[i] < uses and used[j] < uses:
            chosen.append(int(pair))
            used[i] += 1
            used[j] += 1
            if len(chosen) == n:
                break
    return np.array(chosen, dtype=np.intp)


def fit_ratios(
    view: str,
    V: Floats,
    y: NDArray[np.intp],
    batches: NDArray[np.intp] | None,
    *,
    C: float,
    n_ratios: int,
    pool: int,
    uses: int = 4,
    scaling: Scaling = "standard",
    class_weight: str | None,
) -> Ratios:
    """Choose the log-ratios that differ most between states within batches, and fit a ridge regression on them.

    V is the log or damped view of the training fold, without NaN. Ratios are formed among the `pool` molecules with the largest t
    after centring each sample.
    """
    strength = within_batch_t(V - V.mean(axis=1, keepdims=True), y, batches)
    best = np.sort(np.argsort(-strength, kind="stable")[:pool])
    left, right = np.triu_indices(len(best), 1)
    if left.size == 0:  # a panel of one molecule has no ratio: a constant learner
        none, states = np.zeros(0, dtype=np.intp), int(y.max()) + 1
        empty = np.zeros(0)
        return Ratios(view, none, none, empty, empty, np.zeros((states, 0)), np.zeros(states))
    strength = _t_of_pairs(V[:, best], y, batches, left, right)
    chosen = _choose_pairs(strength, left, right, n_ratios, uses)
    numerators, denominators = best[left[chosen]], best[right[chosen]]
    table = Rotated.fit(view, V[:, numerators] - V[:, denominators], scaling)
    fitted = fit_ridge(table, y, C, class_weight)
    return Ratios(view, numerators, denominators, table.mean, table.scale, fitted.coef, fitted.intercept)
