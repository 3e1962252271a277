"""Samples that are of no person: pools, blanks and other controls of the laboratory."""

from __future__ import annotations

import re

import numpy as np

from exoclassify.auditing.findings import Finding
from exoclassify.auditing.reference import log_view
from exoclassify.data.cohort import Cohort
from exoclassify.errors import first_three
from exoclassify.tables.ids import counted

__all__ = ["audit_controls"]

_NAMED = re.compile(
    r"(?i)(?:.*[^a-z])?(?:qc|qcs|ntc|blanks?|pool|pooled|pools|water|h2o|no[ _-]?template|neg(?:ative)?[ _-]?(?:ctrl|control)|"
    r"mock|buffer|empty|calibrator|undetermined|phix|spike[ _-]?control)(?:[^a-z].*)?"
)
_MOST = 0.3
_CENTRAL = -4.5
"""Robust z of the log distance from the mean profile, below which a sample lies: a pool of all lies on it."""


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
    distance = np.log(np.sqrt(((V - np.median(V, axis=0)) ** 2).mean(axis=1)) + 1e-12)
    centre = float(np.median(distance))
    spread = float(np.median(np.abs(distance - centre))) / 0.6745
    return (
        [] if spread <= 0 or len(V) < 10 else [int(i) for i in np.flatnonzero((distance - centre) / spread < _CENTRAL)]
    )
