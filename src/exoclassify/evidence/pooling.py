"""Effects of several independent tables as one, by a random-effects meta-analysis, and how far the next table may lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from exoclassify.typing import Floats

__all__ = ["Pooled", "pooled"]


@dataclass(frozen=True)
class Pooled:
    """One effect made of several.

    Parameters
    ----------
    value, low, high : float
        Mean effect and its 95 % interval (Hartung-Knapp, never narrower than by the errors alone).
    predicted_low, predicted_high : float or None
        95 % interval of the effect in a further table; None with fewer than three.
    tau : float
        Standard deviation of the effects between tables.
    i_squared : float
        Share of the variation that is between tables, 0 to 1.
    n : int
        Tables.
    """

    value: float
    low: float
    high: float
    predicted_low: float | None
    predicted_high: float | None
    tau: float
    i_squared: float
    n: int

    @property
    def in_words(self) -> str:
        """Say it in one line."""
        further = (
            "no prediction interval with two tables"
            if self.predicted_low is None
            else f"a further table {self.predicted_low:+.2f} to {self.predicted_high:+.2f}"
        )
        return (
            f"pooled over {self.n} tables: log2 fold change {self.value:+.2f} ({self.low:+.2f} to {self.high:+.2f}); "
            f"{further}; I² {self.i_squared:.0%}"
        )


def pooled(effects: Sequence[float], errors: Sequence[float]) -> Pooled | None:
    """Pool independent effects.

    Notes
    -----
    Variance between tables by Paule and Mandel (1982), the interval by Hartung and Knapp (2001), the prediction interval by
    Higgins, Thompson and Spiegelhalter (2009), on k - 2 degrees of freedom. With few tables all of them are wide, and rightly.
    """
    y, v = np.asarray(effects, dtype=np.float64), np.asarray(errors, dtype=np.float64) ** 2
    k = len(y)
    if k < 2:
        return None
    q = _heterogeneity(0.0, y, v)
    tau2 = 0.0 if q <= k - 1 else _paule_mandel(y, v)
    w = 1 / (v + tau2)
    mean = float(w @ y / w.sum())
    spread = max(1.0, float(w @ (y - mean) ** 2) / (k - 1))
    error = float(np.sqrt(spread / w.sum()))
    reach = float(stdtrit(k - 1, 0.975)) * error
    further: tuple[float | None, float | None] = (None, None)
    if k > 2:
        far = float(stdtrit(k - 2, 0.975)) * float(np.sqrt(tau2 + error**2))
        further = (mean - far, mean + far)
    share = max(0.0, (q - (k - 1)) / q) if q > 0 else 0.0
    return Pooled(mean, mean - reach, mean + reach, *further, float(np.sqrt(tau2)), share, k)


def _heterogeneity(tau2: float, y: Floats, v: Floats) -> float:
    w = 1 / (v + tau2)
    mean = w @ y / w.sum()
    return float(w @ (y - mean) ** 2)


def _paule_mandel(y: Floats, v: Floats) -> float:
    from scipy.optimize import brentq  # as slow to load as the rest of a service

    top = float(np.var(y) * len(y) + v.max()) or 1.0
    while _heterogeneity(top, y, v) > len(y) - 1:
        top *= 2
    return float(brentq(lambda tau2: _heterogeneity(tau2, y, v) - (len(y) - 1), 0.0, top))
