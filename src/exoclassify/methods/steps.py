"""Which normaliser and which imputer a unit calls for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exoclassify.methods.frozen import FrozenStep
from exoclassify.methods.impute import LeftCensored, MedianFilled
from exoclassify.methods.normalise_counts import TMM, CenteredLogRatio, LogCPM, MedianOfRatios
from exoclassify.methods.normalise_ct import CtInverted, DeltaCt, GlobalMean
from exoclassify.methods.normalise_intensity import FrozenQuantile, Log2Plus, MedianCentred, Standardised

__all__ = ["NORMALISERS", "imputer_for", "normaliser_for"]

NORMALISERS: Mapping[str, Mapping[str, Callable[[float], FrozenStep]]] = {
    "counts": {
        "log-cpm": lambda _: LogCPM(),
        "tmm": lambda _: TMM(),
        "median-of-ratios": lambda _: MedianOfRatios(),
        "clr": lambda _: CenteredLogRatio(),
    },
    "cpm": {"log2": lambda _: Log2Plus(), "clr": lambda _: CenteredLogRatio()},
    "ct": {
        "delta-ct": lambda not_detected: DeltaCt(not_detected=not_detected),
        "global-mean": lambda not_detected: GlobalMean(not_detected=not_detected),
        "inverted": lambda not_detected: CtInverted(not_detected=not_detected),
    },
    "intensity": {"median-centred": lambda _: MedianCentred(), "quantile": lambda _: FrozenQuantile()},
    "log2_intensity": {
        "median-centred": lambda _: MedianCentred(logged=True),
        "quantile": lambda _: FrozenQuantile(logged=True),
    },
    "value": {"standardised": lambda _: Standardised()},
}
"""For each unit the normalisers that fit it, by name; the first is the default."""


def normaliser_for(unit: str, method: str, not_detected: float | None) -> FrozenStep:
    """Make the unfitted normaliser of a unit by its name, or ``auto`` for the unit's default."""
    known = NORMALISERS[unit]
    name = next(iter(known)) if method == "auto" else method
    if name not in known:
        raise ValueError(f"normalise.method is {method}, which does not fit {unit}; use auto, {', '.join(known)}")
    return known[name](40.0 if not_detected is None else not_detected)


def imputer_for(unit: str) -> FrozenStep:
    """Make the unfitted imputer of a unit: from below where missing means too little, else the middle."""
    return MedianFilled() if unit in ("counts", "cpm", "value") else LeftCensored()
