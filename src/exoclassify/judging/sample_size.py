"""How many samples a prediction model needs (Riley et al.), and how much a given number can carry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

__all__ = [
    "RileyCriteria",
    "auc_half_width",
    "cox_snell_from_auc",
    "riley_binary",
    "samples_for_half_width",
    "supported_parameters",
]

_SHRINKAGE = 0.9
_OPTIMISM = 0.05
_MARGIN = 0.05


@dataclass(frozen=True)
class RileyCriteria:
    """Samples needed by each criterion.

    Parameters
    ----------
    shrinkage : int
        Expected shrinkage of the effects at least 0.9.
    optimism : int
        Apparent less adjusted Nagelkerke R² at most 0.05.
    overall_risk : int
        Overall risk known to ±0.05.
    """

    shrinkage: int
    optimism: int
    overall_risk: int

    @property
    def needed(self) -> int:
        """The largest of the three."""
        return max(self.shrinkage, self.optimism, self.overall_risk)


def riley_binary(parameters: int, prevalence: float, cox_snell: float) -> RileyCriteria:
    """Count the samples needed to develop a model of two states.

    Notes
    -----
    Riley et al. 2019, doi 10.1002/sim.7992, equations 11 and 15 and criterion (iii). Equal to pmsampsize
    (tests/golden/README.md). Penalised models bend the first criterion, they do not abolish it (Riley et al. 2021).
    """
    null = prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)
    most = 1 - math.exp(2 * null)
    shrunk = cox_snell / (cox_snell + _OPTIMISM * most)
    z = float(norm.ppf(0.975))
    return RileyCriteria(
        math.ceil(parameters / ((_SHRINKAGE - 1) * math.log(1 - cox_snell / _SHRINKAGE))),
        math.ceil(parameters / ((shrunk - 1) * math.log(1 - cox_snell / shrunk))),
        math.ceil((z / _MARGIN) ** 2 * prevalence * (1 - prevalence)),
    )


def supported_parameters(n_samples: int, prevalence: float, cox_snell: float) -> int:
    """Give the most parameters that this many samples carry by the first two criteria."""
    one = riley_binary(1000, prevalence, cox_snell)
    return int(n_samples * 1000 / max(one.shrinkage, one.optimism))


@lru_cache(maxsize=256)
def cox_snell_from_auc(auc: float, prevalence: float) -> float:
    """Cox-Snell R² of a model whose linear predictor is normal in each state with this AUC.

    Notes
    -----
    The binormal model of Riley, Van Calster & Collins 2021 (doi 10.1002/sim.8806), by quadrature where they simulate.
    """
    distance = math.sqrt(2) * float(norm.ppf(auc))
    nodes, weights = np.polynomial.hermite_e.hermegauss(201)
    weights = weights / weights.sum()
    loss = 0.0
    shift = _shift(distance, prevalence)
    for share, mean, sign in ((prevalence, distance, 1.0), (1 - prevalence, 0.0, -1.0)):
        score = mean + nodes
        slope_form = shift + distance * score  # log-odds of two normals of equal spread are linear in the score
        loss += share * float((weights * -np.log(expit(sign * slope_form))).sum())
    null = -(prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence))
    return 1 - math.exp(-2 * (null - loss))


def _shift(distance: float, prevalence: float) -> float:
    return math.log(prevalence / (1 - prevalence)) - distance**2 / 2


def auc_half_width(auc: float, n_of_state: float, n_others: float) -> float:
    """Half the width of a 95 % interval of an AUC, to be expected with this many samples.

    Notes
    -----
    Newcombe 2006, method 4, as in Riley et al. 2021 (doi 10.1002/sim.9025), equation for the C-statistic.
    """
    middle = (n_of_state + n_others) / 2 - 1
    variance = (
        auc * (1 - auc)
        * (1 + middle * (1 - auc) / (2 - auc) + middle * auc / (1 + auc))
        / (n_of_state * n_others)
    )  # fmt: skip
    return float(norm.ppf(0.975)) * math.sqrt(variance)


def samples_for_half_width(auc: float, prevalence: float, half_width: float) -> int:
    """Give the samples in all that bring the interval of an AUC to ± this."""

    def excess(n: float) -> float:
        return auc_half_width(auc, n * prevalence, n * (1 - prevalence)) - half_width

    return math.ceil(float(brentq(excess, 4, 1e7)))
