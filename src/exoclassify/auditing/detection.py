"""What was not found, what was filled in, and on which grid values lie: traces of the technique inside the numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from exoclassify.auditing.baselines import Baseline, Mask, Number
from exoclassify.auditing.findings import Finding, Severity
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.quality import missing_mask, missingness
from exoclassify.errors import first_three
from exoclassify.typing import Floats

__all__ = ["audit_imputed", "audit_missingness", "detection_baselines", "floor_mask", "surprising_zeros"]

Mask_ = NDArray[np.bool_]

_COUNTED = ("missing values", "abundant molecules that are zero", "values at a floor", "repeated values")
_ALPHA = 0.01
_ABUNDANT = 10.0
"""Reads that nine in ten of the samples with any have: of such a molecule a zero is no thinning of reads."""
_FLOOR = 0.05
"""Share of the samples that hold a molecule's least value, from which on it is a floor."""
_REPEATED = 1e-6
"""Chance of a count's repeats, given how often its neighbours come, below which it was filled in."""
_ONE_SUM = 1e-3
_CONTINUOUS = 0.3
"""Share of different values from which on a molecule was measured on a continuous scale."""


def detection_baselines(cohort: Cohort) -> list[Baseline]:
    """Give the masks of what is missing, zero, at a floor or repeated, and the grid that each sample's values lie on."""
    table = cohort.cargo
    masks = {
        "which values are missing": missing_mask(table),
        "which abundant molecules are zero": surprising_zeros(table),
        "which values lie at a floor": floor_mask(table),
        "which values are repeated": _repeated(table)[0],
    }
    found = []
    for name, mask in masks.items():
        varies = mask[:, mask.any(axis=0) & ~mask.all(axis=0)].astype(np.float64)
        if varies.shape[1]:
            found.append(Baseline(name, Mask(varies), "mask"))
    for name, values in (
        *((f"number of {what}", _rarities(mask)) for what, mask in zip(_COUNTED, masks.values(), strict=True)),
        ("common divisor or digits of the values", _grid(table)),
        ("smallest value of a sample", _smallest(table)),
        ("one sum shared by many samples", _common_sum(table)),
        ("share of what was not found that is left blank", _blank(table)),
    ):
        values = np.asarray(values, dtype=np.float64)
        if np.ptp(values) > 1e-9:
            found.append(Baseline(name, Number(values), "detection", values=values))
    return found


def _rarities(mask: Mask_) -> Floats:
    """Count a sample's set cells, each weighted by how rare it is in its molecule."""
    rare = -np.log((mask.sum(axis=0) + 0.5) / (len(mask) + 1))
    return np.asarray(mask @ rare)


def _common_sum(table: CargoTable) -> Floats:
    """1 for samples that have, within a thousandth, the sum that at least a tenth of all have; 0 for others."""
    sums = np.nansum(table.values, axis=1)
    if table.unit not in ("counts", "intensity") or not (sums > 0).all():
        return np.zeros(len(sums))
    ordered = np.sort(sums)
    low, high = (np.searchsorted(ordered, sums * (1 + side * _ONE_SUM)) for side in (-1, 1))
    return np.asarray(high - low >= max(5, 0.1 * len(sums)), dtype=np.float64)


def _blank(table: CargoTable) -> Floats:
    """Share of a sample's values without a measurement that are blank and not zero, or the cycle of what was not found."""
    missing, blank = missing_mask(table), np.isnan(table.values)
    if table.unit in ("counts", "cpm"):
        missing |= table.values == 0
    if not (missing & ~blank).any():
        return np.zeros(len(blank))
    return np.asarray(blank.sum(axis=1) / np.maximum(missing.sum(axis=1), 1))


def surprising_zeros(table: CargoTable) -> Mask_:
    """Say which values are zero though the molecule is abundant wherever it was found.

    Shape (n_samples, n_molecules).
    """
    zero = np.zeros(table.values.shape, dtype=bool)
    if table.unit not in ("counts", "cpm"):
        return zero
    positive = np.where(table.values > 0, table.values, np.nan)
    unit = 1.0 if table.unit == "counts" else float(np.nanmedian(np.nanmin(positive, axis=1)))
    some = np.flatnonzero(np.isfinite(positive).sum(axis=0) >= 5)
    abundant = some[np.nanquantile(positive[:, some], 0.1, axis=0) >= _ABUNDANT * unit]
    zero[:, abundant] = table.values[:, abundant] == 0
    return zero


def floor_mask(table: CargoTable) -> Mask_:
    """Say which values are a molecule's least, or the table's, where that is shared by many: filled in, not measured.

    Shape (n_samples, n_molecules).
    """
    values = table.values
    if table.unit == "counts":
        return np.zeros(values.shape, dtype=bool)
    known = np.where((values == 0) | missing_mask(table), np.nan, values)
    some = np.isfinite(known).any(axis=0)
    end = np.full(values.shape[1], np.nan)
    extreme = np.nanmax if table.unit == "ct" else np.nanmin
    end[some] = extreme(known[:, some], axis=0)
    at_end = known == end
    often = (at_end.sum(axis=0) >= 3) & (at_end.mean(axis=0) >= _FLOOR) & _continuous(known)
    return np.asarray(at_end & often)


def _continuous(known: Floats) -> Mask_:
    counts = np.isfinite(known).sum(axis=0)
    ordered = np.sort(known, axis=0)
    steps = (np.diff(ordered, axis=0) > 0).sum(axis=0) + 1
    return np.asarray(steps >= np.maximum(_CONTINUOUS * counts, 5))


def _repeated(table: CargoTable) -> tuple[Mask_, list[list[Mask_]]]:
    """Mark values that come far oftener in a molecule than its others do; and list them by molecule."""
    values = np.where(missing_mask(table) | (table.values == 0), np.nan, table.values)
    mask, groups = np.zeros(values.shape, dtype=bool), []
    if table.unit == "counts":
        considered, often_of = np.arange(values.shape[1]), _oftener_than_neighbours
    else:
        considered, often_of = np.flatnonzero(_continuous(values)), _oftener_than_once
    for j in considered:
        here = [values[:, j] == value for value in often_of(values[np.isfinite(values[:, j]), j], len(values))]
        if here:
            groups.append(here)
            mask[:, j] = np.any(here, axis=0)
    return mask & ~floor_mask(table), groups


def _oftener_than_once(known: Floats, n: int) -> Floats:
    found, counts = np.unique(known, return_counts=True)
    return found[counts >= max(3, 3 * np.median(counts), 0.03 * n)] if len(found) else found


def _oftener_than_neighbours(known: Floats, n: int) -> Floats:
    """Find counts that come again and again while those around them do not: reads spread, what was filled in does not."""
    found, counts = np.unique(known, return_counts=True)
    if not len(found):
        return found
    reach = np.maximum(2.0, np.ceil(0.1 * found))
    around = np.array(
        [counts[(np.abs(found - value) <= r) & (found != value)].sum() for value, r in zip(found, reach, strict=True)]
    )
    wide = np.minimum(2 * reach, reach + found - 1)  # counts from 1 on
    often: Mask_ = (counts >= max(3, 0.03 * n)) & (poisson.sf(counts - 1, (around + 1) / wide) < _REPEATED)
    return found[often]


def _grid(table: CargoTable) -> Floats:
    """Find the grid of each sample's values: the largest common divisor of counts, the number of decimals of others."""
    steps = np.zeros(table.n_samples)
    for i, row in enumerate(table.values):
        known = np.unique(row[np.isfinite(row)])
        gaps = np.diff(known)
        gaps = gaps[gaps > 1e-9]
        if not len(gaps):
            continue
        if table.unit == "counts":
            steps[i] = float(np.gcd.reduce(known.astype(np.int64)))
        else:
            steps[i] = _decimals(known)
    return steps


def _decimals(values: Floats) -> float:
    """Fewest decimals with which nine in ten of the values are written; 9 for more than 8."""
    for places in range(9):
        if np.isclose(values, np.round(values, places), rtol=0, atol=1e-9).mean() > 0.9:
            return float(places)
    return 9.0


def _smallest(table: CargoTable) -> Floats:
    """Log of the least positive value: for counts per million it is one read, and so tells the depth."""
    if table.unit != "cpm":
        return np.zeros(table.n_samples)
    least = np.where(table.values > 0, table.values, np.inf).min(axis=1)
    return np.asarray(np.log2(np.where(np.isfinite(least), least, 1.0)), dtype=np.float64)


def audit_missingness(cohort: Cohort) -> list[Finding]:
    """Say whether as much is missing in every state; which molecules, the masks of `detection_baselines` say."""
    found = missingness(cohort)
    if not any(found.share.values()):
        return []
    value = max(found.share.values()) - min(found.share.values())
    severity: Severity = "warning" if found.p_value is not None and found.p_value < _ALPHA else "info"
    mend = "find out why (input, depth, batch), and compare with the model on molecules measured in all samples"
    check, subject = "missingness-informative", "share of missing values"
    return [Finding.of(check, subject, "difference between states", value, severity, found.sentence, mend)]


def audit_imputed(cohort: Cohort) -> list[Finding]:
    """Look for values that were filled in by state: repeated within one state, and another one within another."""
    y = np.unique(cohort.y, return_inverse=True)[1]
    shares = np.bincount(y) / len(y)
    by_state, expected = 0, 0.0
    mask, groups = _repeated(cohort.cargo)
    for here in (one for one in groups if len(one) >= 2):
        states = [set(y[where]) for where in here]
        by_state += all(len(one) == 1 for one in states) and len(set.union(*states)) > 1
        expected += float(np.prod([(shares ** where.sum()).sum() for where in here]))
    if by_state < 2 or poisson.sf(by_state - 1, expected) > 1e-4:
        return []
    named = first_three(cohort.cargo.molecules[j] for j in np.flatnonzero(mask.any(axis=0)))
    message = (
        f"{by_state} molecules (of {named}) repeat one value in one state and another in another: missing values were filled in "
        "by state, which writes the label into the cargo."
    )
    mend = "give the values before imputation, missing ones empty: the folds fill them in without labels"
    subject = f"{by_state} molecules"
    return [Finding("imputed-by-state", subject, "molecules", float(by_state), "critical", message, mend)]
