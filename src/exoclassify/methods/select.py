"""Which molecules are worth a model's attention before any label is looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exoclassify.errors import DesignError
from exoclassify.methods.frozen import FrozenStep
from exoclassify.typing import Floats

__all__ = ["PrevalenceFilter"]

_UNITS = ("counts", "ct", "intensity", "log2_intensity", "cpm", "value")


class PrevalenceFilter(FrozenStep):
    """Keeps the molecules detected in enough of the training samples, and not the same in all of them.

    Parameters
    ----------
    min_prevalence : float, default 0.2
        Least share of all training samples in which a molecule is detected, from 0 to 1.
    unit : str, default "counts"
        Unit of the raw table, which says what detected means: above 0 for counts, cpm and intensity, below
        `not_detected` for ct, and not NaN for log2_intensity and value. NaN is never detected.
    not_detected : float, default 40.0
        Ct from which nothing was found.

    Raises
    ------
    DesignError
        From ``fit``: if no molecule is left; the message says how many were rare and how many constant.
    ValueError
        From ``fit``: if the unit is unknown or `min_prevalence` is out of its range.

    Notes
    -----
    The share is taken over all samples without looking at the label, so the filter cannot leak it; a marker
    found only in a state rarer than `min_prevalence` is lost, and a lower value keeps it. Independent
    filtering of this kind raises power at the same false-discovery rate (Bourgon et al. 2010, doi
    10.1073/pnas.0914005107).
    """

    support_: NDArray[np.bool_]  # which molecules are kept
    positions_: NDArray[np.intp]  # their columns
    prevalence_: NDArray[np.float64]  # share of the training samples that detected each

    def __init__(self, min_prevalence: float = 0.2, unit: str = "counts", not_detected: float = 40.0) -> None:
        self.min_prevalence = min_prevalence
        self.unit = unit
        self.not_detected = not_detected

    def _learn(self, X: Floats) -> None:
        if not 0.0 <= self.min_prevalence <= 1.0:
            raise ValueError(f"min_prevalence is {self.min_prevalence}; it must be from 0 to 1")
        detected = self._detected(X)
        self.prevalence_ = detected.mean(axis=0)
        common = (self.prevalence_ >= self.min_prevalence) & detected.any(axis=0)
        varying = _varies(X)
        if self.unit not in ("counts", "cpm"):  # elsewhere, found in some and not in others is a difference
            varying |= detected.any(axis=0) & ~detected.all(axis=0)
        if len(X) == 1:  # one sample cannot show that a molecule varies
            varying[:] = True
        self.support_ = common & varying
        self.positions_ = np.flatnonzero(self.support_)
        if not self.support_.any():
            rare, constant = int((~common).sum()), int((common & ~varying).sum())
            raise DesignError(
                f"none of {X.shape[1]} molecules is left: {rare} are detected in less than "
                f"{self.min_prevalence:.0%} of {len(X)} training samples, {constant} more never vary; "
                f"lower min_prevalence, or check the unit ({self.unit})"
            )

    def _detected(self, X: Floats) -> NDArray[np.bool_]:
        if self.unit not in _UNITS:
            raise ValueError(f"unit is {self.unit!r}; it must be one of {', '.join(_UNITS)}")
        if self.unit in ("log2_intensity", "value"):
            return ~np.isnan(X)
        return self.not_detected > X if self.unit == "ct" else X > 0.0

    def apply(self, X: Floats) -> Floats:
        """Keep the chosen columns without any check: the fast path."""
        return X.take(self.positions_, axis=1)


def _varies(X: Floats) -> NDArray[np.bool_]:
    """Say which columns hold at least two different numbers."""
    highest = np.where(np.isnan(X), -np.inf, X).max(axis=0)
    lowest = np.where(np.isnan(X), np.inf, X).min(axis=0)
    varies: NDArray[np.bool_] = highest > lowest
    return varies
