"""Libraries that failed, samples unlike all others, and samples of no person: pools, blanks and other controls."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from exoclassify.auditing.baselines import library_sizes
from exoclassify.auditing.duplicates import MOST, alike
from exoclassify.auditing.findings import Finding
from exoclassify.auditing.reference import log_view
from exoclassify.data.cohort import Cohort
from exoclassify.data.quality import FEWEST_READS, failed_libraries
from exoclassify.errors import first_three
from exoclassify.tables.ids import counted
from exoclassify.typing import Floats, Mask

__all__ = ["audit_controls", "audit_libraries", "audit_outliers", "outlying"]


_ROBUST_Z = 3.5  # Iglewicz & Hoaglin 1993
_NAMED = re.compile(
    r"(?i)(?:.*[^a-z])?(?:qc|qcs|ntc|blanks?|pool|pooled|pools|water|h2o|no[ _-]?template|neg(?:ative)?[ _-]?(?:ctrl|control)|"
    r"mock|buffer|empty|calibrator|undetermined|phix|spike[ _-]?control)(?:[^a-z].*)?"
)
_MOST = 0.3
_CENTRAL = -6.0
"""Robust z of the log distance from the mean profile, below which a sample lies: a pool of all lies on it."""


def audit_libraries(cohort: Cohort) -> list[Finding]:
    """Count the libraries of counts with too few reads to stand for a sample, however many they are."""
    table = cohort.cargo
    if table.unit != "counts":
        return []
    failed = np.flatnonzero(failed_libraries(table))
    if not len(failed):
        message = f"No library failed for want of reads (fewer than {FEWEST_READS:,}, or a twentieth of the others)."
        return [Finding("failed-libraries", "reads", "samples", 0.0, "info", message)]
    named = first_three(cohort.sheet.sample_ids[i] for i in failed)
    reads = int(np.nansum(table.values[failed], axis=1).max())
    message = (
        f"{counted(len(failed), 'samples', 'has', 'have')} {reads:,} reads or fewer ({named}; {_mix(cohort, failed)}): in a "
        "failed library it is chance what is found."
    )
    mend = "leave failed libraries out by a blank label, or sequence them again, and say so"
    return [Finding("failed-libraries", named, "samples", float(len(failed)), "warning", message, mend)]


def audit_outliers(cohort: Cohort) -> list[Finding]:
    """Look for samples unlike all others, and for libraries far smaller than the others.

    Notes
    -----
    Robust z (median and MAD) below −3.5, of the median rank correlation with the others and of the library size. More than a
    few such samples are a warning; one or two in a hundred are what a skewed distribution has.
    """
    found = []
    for what, z in _standing(cohort):
        low = np.flatnonzero(z < -_ROBUST_Z)
        if not len(low):
            found.append(Finding("outliers", what, "samples", 0.0, "info", f"No sample stands out by {what}."))
            continue
        named = first_three(cohort.sheet.sample_ids[i] for i in low)
        far = (z < -2 * _ROBUST_Z).any() or len(low) > max(2, 0.03 * len(z))
        message = (
            f"{counted(len(low), 'samples', 'lies', 'lie')} far below the others by {what} ({named}; {_mix(cohort, low)}), which "
            "adds noise, and bias where they gather in one state."
        )
        mend = "look at these libraries; leave failed ones out by a blank label, and say so"
        found.append(Finding("outliers", named, what, float(len(low)), "warning" if far else "info", message, mend))
    return found


def audit_controls(cohort: Cohort) -> list[Finding]:
    """Look for controls among the samples, by their names and by profiles that lie on the mean of all."""
    ids = cohort.sheet.sample_ids
    named = [one for one in ids if _NAMED.fullmatch(one)]
    found = []
    if named and len(named) < _MOST * len(ids):
        named_so = f"{counted(len(named), 'samples', 'is', 'are')} named like a control of the laboratory"
        message = f"{named_so} ({first_three(named)}), which is no person and has no state."
        mend = "leave them out by a blank label, unless they are samples of persons"
        found.append(
            Finding("control-samples", first_three(named), "samples", float(len(named)), "warning", message, mend)
        )
    pools = [ids[i] for i in _central(cohort)]
    if pools:
        message = (
            f"{counted(len(pools), 'samples', 'lies', 'lie')} far nearer to the mean of all than any person does "
            f"({first_three(pools)}), as a pool of many samples."
        )
        mend = "find out whether they are pools; leave pools out by a blank label"
        found.append(
            Finding("control-samples", first_three(pools), "samples", float(len(pools)), "warning", message, mend)
        )
    return found


def _central(cohort: Cohort) -> list[int]:
    V = log_view(cohort.cargo)
    V = V[
        :, np.argsort(-np.median(V, axis=0))[: max(20, V.shape[1] // 3)]
    ]  # rare molecules vary by chance in a pool too
    distance = np.log(np.sqrt(((V - np.median(V, axis=0)) ** 2).mean(axis=1)) + 1e-12)
    return [int(i) for i in np.flatnonzero(_robust_z(distance) < _CENTRAL)] if len(V) >= 10 else []


def outlying(cohort: Cohort) -> Mask:
    """Mark samples that lie far below all others by likeness or by library size, as `audit_outliers` counts them.

    Shape (n_samples,).
    """
    marked = np.zeros(cohort.n_samples, dtype=bool)
    for _, z in _standing(cohort):
        marked[: len(z)] |= z < -_ROBUST_Z
    return marked


def _standing(cohort: Cohort) -> list[tuple[str, Floats]]:
    """Give robust z of likeness to the others (of the first samples only, where there are very many), and of library size."""
    compared = cohort.cargo.take(np.arange(min(cohort.n_samples, MOST)))
    typical = np.arctanh(np.clip(np.nanmedian(alike(compared)[0], axis=1), -0.999, 0.999))
    name, size = library_sizes(cohort.cargo)
    return [("median rank correlation with the others", _robust_z(typical)), (name, _robust_z(size))]


def _mix(cohort: Cohort, rows: NDArray[np.intp]) -> str:
    states, counts = np.unique(cohort.y[rows], return_counts=True)
    return ", ".join(f"{count} {state}" for state, count in zip(states, counts, strict=True))


def _robust_z(values: Floats) -> Floats:
    centre = np.median(values)
    spread = np.median(np.abs(values - centre)) / 0.6745
    result: Floats = (values - centre) / spread if spread > 0 else np.zeros(len(values))
    return result
