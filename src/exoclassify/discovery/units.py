"""What is shuffled and halved when markers are sought, and the statistic that is computed for each labelling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exoclassify.typing import Codes, Floats, Mask

__all__ = ["Units", "moderated_statistics"]


@dataclass(frozen=True, eq=False)
class Units:
    """What is shuffled and halved: one row a subject and state, free of batch and covariates.

    Parameters
    ----------
    Y : ndarray of shape (n_units, n_molecules)
        Log2 abundance; 0 where `weights` is 0.
    weights : ndarray of shape (n_units, n_molecules)
        Precision; 0 = no value.
    y : ndarray of int, shape (n_units,)
        1 in the state, 0 in the reference.
    strata : ndarray of int, shape (n_units,)
        Only units of one stratum are exchanged: those of one batch, or the two of a subject measured in both states.
    subjects : ndarray of int, shape (n_units,)
        Units of one subject stay on one side of a halving.
    prior_freedom, prior_variance : float
        What variances are drawn towards, see `squeezed`.
    """

    Y: Floats
    weights: Floats
    y: Codes
    strata: Codes
    subjects: Codes
    prior_freedom: float
    prior_variance: float


def moderated_statistics(units: Units, y: Codes, taken: Mask) -> Floats:
    """Size of the moderated t within strata, for many labellings and subsets at once.

    |t|; 0 where a case has both states in no stratum.

    Parameters
    ----------
    units : Units
        The samples.
    y : ndarray of int, shape (n_cases, n_units) or (n_units,)
        Labels of each case.
    taken : ndarray of bool, shape (n_cases, n_units)
        Which units each case has.
    """
    ones, zeros = (taken & (y == 1)).astype(np.float64), (taken & (y == 0)).astype(np.float64)
    WY = units.weights * units.Y
    WYY = WY * units.Y
    shape = (len(taken), units.Y.shape[1])
    information, difference, squares, freedom = (np.zeros(shape) for _ in range(4))
    for stratum in np.unique(units.strata):
        at = units.strata == stratum
        W, present = units.weights[at], (units.weights[at] > 0).astype(np.float64)
        n1, n0 = ones[:, at] @ W, zeros[:, at] @ W
        s1, s0 = ones[:, at] @ WY[at], zeros[:, at] @ WY[at]
        total = n1 + n0
        safe = np.where(total > 0, total, 1.0)
        # The share of each side times the other: 0 unless both are there.
        information += n1 * n0 / safe
        difference += (s1 * n0 - s0 * n1) / safe
        both = ones[:, at] + zeros[:, at]
        squares += both @ WYY[at] - (s1 + s0) ** 2 / safe
        freedom += np.maximum(both @ present - 1, 0)
    effect = difference / np.where(information > 1e-12, information, 1.0)
    residual = np.maximum(squares - effect**2 * information, 0.0)
    freedom = np.maximum(freedom - 1, 0)
    if np.isinf(units.prior_freedom):
        variance = np.full(shape, units.prior_variance)
    else:
        pooled = units.prior_freedom * units.prior_variance + residual
        variance = pooled / np.maximum(units.prior_freedom + freedom, 1.0)
    spread = np.sqrt(np.maximum(variance, 1e-300))
    return np.where(information > 1e-12, np.abs(effect) * np.sqrt(information) / spread, 0.0)
