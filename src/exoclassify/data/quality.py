"""What the table alone says of its own quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort

__all__ = ["FEWEST_READS", "Missingness", "failed_libraries", "missing_mask", "missingness"]

_ALPHA = 0.05

FEWEST_READS = 50_000
"""Reads of a library below which it failed. Medians of 35 public exosome miRNA tables run from 10,000 to 5,300,000, most of them
from 40,000 to 2,100,000; a table that is shallow as a whole is held to its own depth alone."""
_OF_TYPICAL = 0.05


@dataclass(frozen=True, eq=False)
class Missingness:
    """How much is missing in each state, and whether that differs.

    Parameters
    ----------
    share : mapping of str to float
        Mean share of missing values by state, 0 to 1.
    p_value : float or None
        Two-sided, that the share is the same in every state; None where it cannot be tested: one state, or
        nothing missing, or the same share in all.
    sentence : str
        The same in words.
    """

    share: Mapping[str, float]
    p_value: float | None
    sentence: str


def missingness(cohort: Cohort) -> Missingness:
    """Hold the share of missing values in each state against the others.

    Notes
    -----
    Missing is what an imputer would fill: NaN, and for Ct and intensities also a molecule that was looked for
    and not found. Samples of one person and state are averaged first, for they are not independent. Two
    states are compared by Mann and Whitney's test, more by that of Kruskal and Wallis (scipy). A small
    p-value says that missingness alone tells the states apart; a large one does not say that values are
    missing at random.
    """
    per_sample = missing_mask(cohort.cargo).mean(axis=1)
    by_state = {
        state: _per_subject(per_sample[cohort.y == state], cohort.groups[cohort.y == state]) for state in cohort.states
    }
    share = {state: float(values.mean()) for state, values in by_state.items()}
    p_value = _p_value(list(by_state.values()))
    return Missingness(share, p_value, _sentence(share, p_value))


def missing_mask(table: CargoTable) -> NDArray[np.bool_]:
    """Say which values an imputer would fill: NaN, and for Ct and intensities also what was looked for and not found.

    Returns
    -------
    ndarray of bool of shape (n_samples, n_molecules)
    """
    missing = np.isnan(table.values)
    if table.not_detected is not None:
        missing |= table.values == table.not_detected
    elif table.unit == "intensity":
        missing |= table.values == 0
    return missing


def failed_libraries(table: CargoTable) -> NDArray[np.bool_]:
    """Say which libraries of counts hold too few reads to stand for a sample.

    Parameters
    ----------
    table : CargoTable
        Of counts; no library of another unit fails by this.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        Below `FEWEST_READS`, or a twentieth of the upper quartile, whichever is more; where even that quartile is below
        `FEWEST_READS`, the table is of another make (a targeted panel, a test) and only the second limit counts.
    """
    if table.unit != "counts":
        return np.zeros(table.n_samples, dtype=bool)
    reads = np.nansum(table.values, axis=1)
    usual = float(np.quantile(reads, 0.75))
    limit = _OF_TYPICAL * usual
    failed: NDArray[np.bool_] = reads < (max(limit, FEWEST_READS) if usual >= FEWEST_READS else limit)
    return failed


def _per_subject(values: NDArray[np.float64], groups: NDArray[np.str_]) -> NDArray[np.float64]:
    _, codes = np.unique(groups, return_inverse=True)
    result: NDArray[np.float64] = np.bincount(codes, values) / np.bincount(codes)
    return result


def _p_value(groups: list[NDArray[np.float64]]) -> float | None:
    if len(groups) < 2 or np.ptp(np.concatenate(groups)) == 0:
        return None
    from scipy import stats  # answering asks this module for a number alone, and the import takes half a second

    test = stats.mannwhitneyu(*groups) if len(groups) == 2 else stats.kruskal(*groups)
    return float(test.pvalue)


def _sentence(share: Mapping[str, float], p_value: float | None) -> str:
    if not any(share.values()):
        return "No value is missing."
    parts = ", ".join(f"{100 * part:.1f} % of {state}" for state, part in share.items())
    if p_value is None:
        return f"Missing values: {parts}."
    if p_value < _ALPHA:
        return f"Missing values: {parts}; this differs between states (p = {p_value:.2g}) and may itself separate them."
    return f"Missing values: {parts}; no difference between states was found (p = {p_value:.2g})."
