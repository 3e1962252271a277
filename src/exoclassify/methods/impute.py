"""Fill NaN with constants learned in training: from below what was too low to find, else with the middle.

Both steps take log2 values and leave none missing.
"""

from __future__ import annotations

import numpy as np

from exoclassify.methods.frozen import FrozenStep, row_medians, row_quantiles
from exoclassify.typing import Floats

__all__ = ["LeftCensored", "MedianFilled"]


class _Filled(FrozenStep):
    """Each molecule's NaN becomes a constant of that molecule."""

    fill_: Floats  # what NaN becomes; for a molecule never found in training by the whole table

    def apply(self, X: Floats) -> Floats:
        """Fill NaN without any check: the fast path. A table that lacks nothing is given back as it is, and not a copy."""
        if not np.isnan(X.sum()):  # most tables of counts lack nothing, and a sum is the quickest look
            return X
        return np.where(np.isnan(X), self.fill_, X)


class LeftCensored(_Filled):
    """NaN becomes a low value of its molecule, for Ct and intensities: too little was there to be found.

    Parameters
    ----------
    quantile : float, default 0.01
        Which quantile of the molecule's training values counts as its low value, from 0 to 1.
    shift : float, default 1.0
        How far below that quantile to go, in log2: 1 is half of it. 0 or more.

    Raises
    ------
    ValueError
        From ``fit``: if `quantile` or `shift` is out of its range.

    Notes
    -----
    The quantile is imputeLCMD's deterministic minimum (MinDet, Lazar et al. 2016, doi
    10.1021/acs.jproteome.5b00981) taken for each molecule, since each has its own limit of detection. With
    `shift` 1 it is the "half-minimum" (Wei et al. 2018, doi 10.1038/s41598-017-19120-0), which keeps a
    molecule found once, at its limit, apart from one not found. The fill carries no noise, so a molecule's
    spread is understated where many values are missing.
    """

    def __init__(self, quantile: float = 0.01, shift: float = 1.0) -> None:
        self.quantile = quantile
        self.shift = shift

    def _learn(self, X: Floats) -> None:
        if not 0.0 <= self.quantile <= 1.0:
            raise ValueError(f"quantile is {self.quantile}; it must be from 0 to 1")
        if not self.shift >= 0.0:
            raise ValueError(f"shift is {self.shift}; it must be 0 or more: what was not found lies below")
        own = row_quantiles(np.ascontiguousarray(X.T), self.quantile)
        low = _or_zero(row_quantiles(X.reshape(1, -1), self.quantile))
        self.fill_ = np.where(np.isnan(own), low, own) - self.shift


class MedianFilled(_Filled):
    """NaN becomes the molecule's training median, for units where NaN means that nobody measured it."""

    def _learn(self, X: Floats) -> None:
        medians = row_medians(np.ascontiguousarray(X.T))
        middle = _or_zero(row_medians(X.reshape(1, -1)))
        self.fill_ = np.where(np.isnan(medians), middle, medians)


def _or_zero(value: Floats) -> float:
    """Give the single value, or 0 when the whole training table was empty."""
    return 0.0 if np.isnan(value[0]) else float(value[0])
