"""The three views of one sample's cargo that learners read: log, damped log, and ranks within the sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exoclassify.methods.frozen import FrozenStep
from exoclassify.typing import Floats

__all__ = ["Views", "normal_scores"]


@dataclass(frozen=True, eq=False)
class Views:
    """From raw panel values to the views, with constants frozen at fit.

    Parameters
    ----------
    normaliser : FrozenStep
        Raw values to log2 abundance.
    imputer : FrozenStep
        Fills what is missing.
    damping : float
        Log2 abundance at which the damped view bends: ``log2(2^log + 2^damping)``.

    Notes
    -----
    *log* is the normalised log2 abundance. *damped* adds the median abundance of the training table before the logarithm,
    so that counting noise of scarce molecules weighs less: across the two batches of the migraine cohort ridge regression
    reaches AUC .95 / .87 on it and .985 / .82 on the log view. *ranks* are normal scores within the sample, which any
    monotone distortion of the sample leaves as they are. Different views help a blend more than more learners do.
    """

    normaliser: FrozenStep
    imputer: FrozenStep
    damping: float

    @classmethod
    def fit(cls, X: Floats, normaliser: FrozenStep, imputer: FrozenStep) -> Views:
        """Learn the constants from raw values of the panel in the training fold; NaN = not measured."""
        log = imputer.fit_apply(normaliser.fit_apply(X))
        return cls(normaliser, imputer, float(np.median(log)))

    def log(self, X: Floats) -> Floats:
        """Normalise and fill raw values (n_samples, n_molecules); same shape, log2, no NaN."""
        return self.imputer.apply(self.normaliser.apply(X))

    def of(self, X: Floats) -> dict[str, Floats]:
        """Give all views of raw values (n_samples, n_molecules), each of the same shape and without NaN."""
        log = self.log(X)
        return {"log": log, "damped": np.logaddexp2(log, self.damping), "ranks": normal_scores(log)}


_CELLS = 12_288
"""Sorted at once: 96 kB, so that no temporary array is so large that its memory is asked of the system each time."""

_SIGN = np.int64(2**63 - 1)


class _Constants(NamedTuple):
    """What the rows of a block of one width need.

    Parameters
    ----------
    place : ndarray of int of shape (n_rows, n_molecules)
        Position of each cell in a block.
    bits : int
        As many as a position needs.
    scores : ndarray of shape (2 * n_rows * n_molecules + 1,)
        Normal score of each average rank by twice the rank (ties give half ranks), one row of the block after the other.
    """

    place: NDArray[np.int64]
    bits: int
    scores: NDArray[np.float64]


@lru_cache(maxsize=32)
def _constants(n_molecules: int) -> _Constants:
    rows = max(1, _CELLS // max(1, n_molecules))
    place = np.arange(rows * n_molecules).reshape(rows, n_molecules)
    quantile = NormalDist().inv_cdf
    # Twice the rank is from 2 to 2 * n_molecules.
    scores = [np.nan, *(quantile((twice - 1) / (2 * n_molecules)) for twice in range(2, 2 * n_molecules + 1))]
    bits = max(_CELLS, n_molecules).bit_length()
    return _Constants(place, bits, np.concatenate([[np.nan], np.tile(scores, rows)]))


def _ordered(block: NDArray[np.float64], constants: _Constants) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sort each row; gives the places of its cells in the block, and their values, row after row."""
    # Floats are in the order of their bits, read as an integer. The lowest bits are given to the place in the block, so that one
    # sort of plain numbers gives the order too: half the cost of sorting places by their values.
    keys = (block + 0.0).view(np.int64)  # + 0.0: a copy without minus zero
    if keys.min() < 0:
        keys ^= (keys >> 63) & _SIGN
    low, place = np.int64((1 << constants.bits) - 1), constants.place[: len(block)]
    keys &= ~low
    keys |= place
    keys.sort(axis=1)
    keys &= low
    ordered = block.reshape(-1).take(keys)
    if np.count_nonzero(ordered[:, 1:] < ordered[:, :-1]):  # values so close that they differ in the lowest bits alone
        keys = block.argsort(axis=1) + place[:, :1]
        ordered = block.reshape(-1).take(keys)
    return keys.reshape(-1), ordered.reshape(-1)


def _block_scores(block: NDArray[np.float64], constants: _Constants, out: NDArray[np.float64]) -> None:
    places, ordered = _ordered(block, constants)
    begins = np.empty(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    begins[:: block.shape[1]] = True
    first = np.flatnonzero(begins)
    after = np.empty_like(first)
    after[:-1], after[-1] = first[1:], len(ordered)
    # A run of ties from `first` to before `after` has twice the average rank first + after + 1, counted on from row to row.
    out.reshape(-1)[places] = constants.scores.take(first + after + 1).repeat(after - first)


def normal_scores(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each molecule's rank within its sample as a quantile of the normal distribution; no NaN.

    ``Phi^-1((rank - 0.5) / n_molecules)``, ties sharing their mean rank: van der Waerden scores with Hazen's plotting position,
    equal to ``scipy.stats.norm.ppf((scipy.stats.rankdata(X, axis=1) - 0.5) / n_molecules)`` at a tenth of the cost for one row. A
    row depends on that row alone.
    """
    X = np.ascontiguousarray(X)
    out = np.empty_like(X)
    if not X.size:
        return out
    constants = _constants(X.shape[1])
    step = len(constants.place)
    for at in range(0, len(X), step):
        _block_scores(X[at : at + step], constants, out[at : at + step])
    return out
