"""What a threshold does: sensitivity, specificity and predictive values, at the prevalence of the place of use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exoclassify.judging.metrics import Estimate, mean_figure
from exoclassify.typing import Floats, Mask

__all__ = ["OperatingPoint", "operating_point", "reaching", "share_of"]


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """One threshold.

    Parameters
    ----------
    threshold : float
        Probability from which the state is called.
    sensitivity, specificity : Estimate
        Of the samples.
    ppv, npv : Estimate or None
        At the prevalence; None where nothing is called, or everything.
    """

    threshold: float
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate | None
    npv: Estimate | None


def share_of(held: NDArray[np.bool_] | Floats, among: Mask) -> Estimate:
    """Share of some samples for which something holds.

    Parameters
    ----------
    held : ndarray of shape (n_samples,)
        Whether it holds, or how often.
    among : ndarray of bool of shape (n_samples,)
        At least one sample.
    """
    value = float(np.mean(held[among]))
    return Estimate(value, np.where(among, (held - value) / among.sum(), 0.0), share=True)


def operating_point(
    probabilities: Sequence[Floats], positive: Mask, threshold: float, prevalence: float
) -> OperatingPoint:
    """Judge one threshold.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_samples,)
        Of the state, one for each pass, at the prevalence.
    positive : ndarray of bool of shape (n_samples,)
        Samples of the state.
    threshold : float
        Probability from which it is called.

    Returns
    -------
    OperatingPoint
        Predictive values follow from sensitivity and specificity by Bayes; their intervals by the delta method.
    """
    called = [p >= threshold for p in probabilities]
    sensitivity = mean_figure([share_of(c, positive) for c in called])
    specificity = mean_figure([share_of(~c, ~positive) for c in called])
    return OperatingPoint(
        threshold,
        sensitivity,
        specificity,
        _predictive(sensitivity, specificity, prevalence),
        _predictive(specificity, sensitivity, 1 - prevalence),
    )


def _predictive(hit: Estimate, spared: Estimate, prevalence: float) -> Estimate | None:
    """Give the PPV from sensitivity and specificity; the NPV from the same the other way round."""
    a, b = prevalence * hit.value, (1 - prevalence) * (1 - spared.value)
    if a + b == 0:
        return None
    by_hit = prevalence * b / (a + b) ** 2
    by_spared = (1 - prevalence) * a / (a + b) ** 2
    return Estimate(a / (a + b), by_hit * hit.influence + by_spared * spared.influence, share=True)


def reaching(probabilities: Sequence[Floats], positive: Mask, least: float, *, of: str) -> float:
    """Give the threshold that reaches a sensitivity or specificity on these very samples, so an optimistic one.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_samples,)
        Of the state, one for each pass.
    positive : ndarray of bool of shape (n_samples,)
        Samples of the state.
    of : str
        ``sensitivity`` (the highest threshold that reaches it) or ``specificity`` (the lowest).
    """
    pooled = np.concatenate([p[positive if of == "sensitivity" else ~positive] for p in probabilities])
    if of == "sensitivity":
        return float(np.quantile(pooled, 1 - least, method="lower"))
    highest = float(np.quantile(pooled, least, method="higher"))
    return float(np.nextafter(highest, 1.0))
