"""Values that were normalised, transformed or cut before they came here, and what can then no longer be tested."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from exoclassify.auditing.findings import Finding
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort

__all__ = ["audit_scale"]

Seen = tuple[str, str, str] | None
"""What the values look like, what follows, and what to do."""

_MOSTLY = 0.9
_FEWEST = 10
"""Samples of a state, so that being alike in all of them is no chance."""
_DEPTH = "depth can no longer be tested, and whatever depth did to a sample is hidden in it"
_ACROSS = "every value depends on all samples of the table, so a new sample cannot be brought to this scale"


def audit_scale(cohort: Cohort) -> list[Finding]:
    """Name what was done to the values before.

    Empty where the values look as the unit has them.
    """
    table = cohort.cargo
    found = []
    for look in _LOOKS:
        seen = look(table)
        if seen is not None:
            what, why, mend = seen
            found.append(Finding("normalised-input", what, "unit", None, "warning", f"{what}: {why}.", mend))
        elif look in _TOGETHER:
            found += _by_state(cohort, look)
    return found


def _by_state(cohort: Cohort, look: Callable[[CargoTable], Seen]) -> list[Finding]:
    """Name what is not so in the whole table, but among the samples of one state."""
    for state in cohort.states:
        rows = np.flatnonzero(cohort.y == state)
        seen = look(cohort.cargo.take(rows)) if len(rows) >= _FEWEST else None
        if seen is not None:
            message = f"within {state} alone, {seen[0]}: each state was normalised by itself, which makes them differ."
            mend = "give the values before that, or normalise all samples in one way"
            return [Finding("normalised-input", f"{state} alone", "unit", None, "critical", message, mend)]
    return []


def _constant_sums(table: CargoTable) -> Seen:
    if table.unit not in ("counts", "intensity") or table.n_samples < 3:
        return None
    sums = np.nansum(table.values, axis=1)
    rounding = table.n_molecules / 4 if table.unit == "counts" else 0.0
    middle = float(np.median(sums))
    if middle <= 0 or np.mean(np.abs(sums - middle) <= max(1e-3 * middle, rounding)) < _MOSTLY:
        return None
    if rounding > 0.01 * middle:  # counts so few that sums could be the same by chance
        return None
    per_million = 0.9e6 < middle < 1.1e6
    what = (
        "rounded counts per million, stated as counts"
        if per_million
        else f"{table.unit} that sum to {middle:.4g} in every sample"
    )
    return (
        what,
        _DEPTH,
        "give the raw counts" if table.unit == "counts" else "give the values before they were scaled",
    )


def _equal_distributions(table: CargoTable) -> Seen:
    if table.n_samples < 3 or table.n_molecules < 10:
        return None
    complete = np.isfinite(table.values).all(axis=1)
    if complete.mean() < _MOSTLY:
        return None
    ordered = np.sort(table.values[complete], axis=1)
    middle = np.median(ordered, axis=0)
    spread = float(middle[-1] - middle[0])
    if spread <= 0:
        return None
    # Averaged ties leave small differences; raw samples differ at nearly every rank.
    same = (np.abs(ordered - middle) <= 1e-6 * spread + 1e-9).mean(axis=1)
    changing = len(np.unique(middle)) > 0.3 * len(middle)
    if not changing or np.mean(same > 0.7) < _MOSTLY:
        return None
    return (
        "all samples have the same distribution, as quantile normalisation gives it",
        f"{_DEPTH}; {_ACROSS}",
        "give the values before normalisation",
    )


def _standardised(table: CargoTable) -> Seen:
    if table.unit not in ("log2_intensity", "intensity") or table.n_samples < 5:
        return None
    known = np.isfinite(table.values).sum(axis=0) >= 5
    values = table.values[:, known]
    if values.shape[1] < 5:
        return None
    mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    slack = 0.5 / np.sqrt(table.n_samples) ** 2  # n or n - 1 in the variance
    if np.mean((np.abs(mean) < 0.02) & (np.abs(spread - 1) < 0.02 + slack)) > _MOSTLY:
        return (
            "z-scores: each molecule has mean 0 and standard deviation 1",
            _ACROSS,
            "give the values before scaling",
        )
    middle = np.nanmedian(values, axis=0)
    if np.mean((np.abs(mean) < 1e-3) | (np.abs(middle) < 1e-6)) > _MOSTLY:
        return "values centred molecule by molecule", _ACROSS, "give the values before centring"
    return None


def _rows_standardised(table: CargoTable) -> Seen:
    if table.unit != "log2_intensity" or table.n_molecules < 10:
        return None
    mean, spread = np.nanmean(table.values, axis=1), np.nanstd(table.values, axis=1)
    if np.mean((np.abs(mean) < 0.01) & (np.abs(spread - 1) < 0.03)) > _MOSTLY:
        return ("z-scores: each sample has mean 0 and standard deviation 1", _DEPTH, "give the values before scaling")
    return None


def _between_0_and_1(table: CargoTable) -> Seen:
    if table.unit in ("counts", "ct") or table.n_samples < 5:
        return None
    some = np.isfinite(table.values).sum(axis=0) >= 5
    if not some.any():
        return None
    low, high = np.nanmin(table.values[:, some], axis=0), np.nanmax(table.values[:, some], axis=0)
    if np.mean((np.abs(low) < 1e-9) & (np.abs(high - 1) < 1e-9)) > _MOSTLY:
        return ("min-max scaled values: each molecule goes from 0 to 1", _ACROSS, "give the values before scaling")
    if np.nanmax(high) <= 1.0 and np.nanmin(low) >= 0.0:
        return "values that all lie between 0 and 1", _DEPTH, "give the values before scaling"
    return None


def _other_log(table: CargoTable) -> Seen:
    if table.unit != "log2_intensity":
        return None
    values = table.values[np.isfinite(table.values)]
    if len(values) < 50 or values.min() < -1:
        return None
    for base, name in ((10.0, "log10"), (np.e, "natural logarithms"), (2.0, "log2 of counts")):
        for plus in (0.0, 1.0):
            raw = base**values - plus
            small = raw[(raw > -0.5) & (raw < 1e3)]  # more digits than a file holds above
            whole = np.abs(small - np.round(small)) < 1e-4 * np.maximum(small, 1)
            if len(small) > 0.3 * len(raw) and len(np.unique(np.round(small))) > 20 and whole.mean() > 0.99:
                return _log_of_counts(name)
    medians = np.nanmedian(table.values[:, np.isfinite(table.values).any(axis=0)], axis=0)
    spread, level = float(np.std(medians)), float(np.median(medians))
    if table.kind == "protein" and len(medians) >= 20:
        if 3.5 < level < 10.5 and values.min() > 1.5 and spread < 1.0:
            return "log10 of intensities, it seems, stated as log2", *_OF_LOG
        if 12 <= level < 18.5 and values.min() > 5 and 1.0 <= spread < 1.75:
            return "natural logarithms of intensities, it seems, stated as log2", *_OF_LOG
    return None


_OF_LOG = (
    "fold changes and noise are read on the wrong scale, and so is every later table in another base",
    "give log2 values, or the raw intensities with their unit",
)


def _log_of_counts(name: str) -> Seen:
    if name == "log2 of counts":
        return (
            "log2 of whole counts, stated as log2_intensity",
            f"{_DEPTH.split(',')[0]} as counts can be, and the noise of few reads is taken for signal",
            "give the raw counts with --unit counts",
        )
    return f"{name} of whole counts, stated as log2", *_OF_LOG


def _not_cycles(table: CargoTable) -> Seen:
    if table.unit != "ct":
        return None
    measured = np.where(table.values == table.not_detected, np.nan, table.values)
    known = measured[np.isfinite(measured)]
    if len(known) < 20:
        return None
    low, middle = float(known.min()), float(np.median(known))
    at_low = float((known == low).mean())
    raw = "give the raw Ct, with Undetermined where none was found"
    if middle < 17 and at_low > 0.01 and low < 5:
        return (
            "40 − Ct, it seems, stated as ct",
            "more would be read as less, and what was not found as most abundant",
            raw,
        )
    if middle < 17 or low < 3:
        return ("ΔCt or another difference shifted to be positive, stated as ct", "input can no longer be tested", raw)
    some = np.isfinite(measured).mean(axis=0) > 0.5
    if not some.any():
        return None
    rows = np.nanmean(measured[:, np.isfinite(measured).any(axis=0)], axis=1)
    if np.nanstd(rows) < 0.02 or (np.nanstd(measured[:, some], axis=0) < 1e-9).any():
        what = "normalised cycles: the mean, or a reference, is the same in every sample"
        return what, "input can no longer be tested", raw
    return None


def _cap(table: CargoTable) -> Seen:
    if table.unit != "ct":
        return None
    known = table.values[np.isfinite(table.values) & (table.values != table.not_detected)]
    if len(known) < 20:
        return None
    top = float(known.max())
    often = int((known == top).sum())
    usual = np.unique(known, return_counts=True)[1][-11:-1]
    if often < 5 or len(usual) < 10 or often < 5 * usual.mean() or top > 45:
        return None
    what = f"{often} values of exactly {top:g} and none above but {table.not_detected:g}: cycles cut at {top:g}"
    return what, "what was not found is read as measured", f"state it with --not-detected {top:g}"


_TOGETHER = (_constant_sums, _equal_distributions, _standardised, _rows_standardised)
_LOOKS = (*_TOGETHER, _between_0_and_1, _other_log, _not_cycles, _cap)
