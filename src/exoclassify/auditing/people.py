"""Persons that come twice without it being said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exoclassify.auditing.columns import names_persons
from exoclassify.auditing.duplicates import MOST, alike_within
from exoclassify.auditing.findings import Finding, Severity
from exoclassify.data.cohort import Cohort
from exoclassify.errors import first_three

__all__ = ["Suspects", "audit_subjects", "suspects"]


_NEAR, _FAR = 3, 8
"""A person's other samples are sought among the nearest three; what strangers do is read off the fourth to eighth."""
_SURE = 0.5
_FEWEST = 12


@dataclass(frozen=True, eq=False)
class Suspects:
    """Pairs of samples that may be of one person, under two ids.

    Parameters
    ----------
    pairs : list of (int, int)
        Each the nearest of the other, and nearer than strangers are.
    sure : float
        Share of them that is expected to be right.
    recalled : (int, int) or None
        Known pairs of one person found in the same way, and known pairs in all; None where none is known.
    """

    pairs: list[tuple[int, int]]
    sure: float
    recalled: tuple[int, int] | None


def suspects(cohort: Cohort) -> Suspects:
    """Look for samples whose nearest neighbour is nearer than strangers are.

    Notes
    -----
    Nearness is the rank correlation after the mean profile of state and batch is taken away, on Fisher's scale. Gaps between
    a sample's successive neighbours, times their rank, have one distribution among strangers whose nearness falls off
    exponentially (Rényi 1953); so the gaps after the fourth to eighth neighbour say how large those after the first to third get
    by chance, and how many of the pairs found are expected to be strangers.
    """
    z = np.arctanh(np.clip(alike_within(cohort), -0.999, 0.999))
    n = len(z)
    np.fill_diagonal(z, -np.inf)
    order = np.argsort(-z, axis=1)
    ranked = np.take_along_axis(z, order, axis=1)[:, : _FAR + 1]
    gaps = (ranked[:, :-1] - ranked[:, 1:]) * np.arange(1, _FAR + 1)
    near, far = gaps[:, :_NEAR].max(axis=1), gaps[:, _NEAR:].max(axis=1) * (_NEAR / (_FAR - _NEAR)) ** 0.25
    nearest = order[:, 0]
    mutual = np.array([(i, int(nearest[i])) for i in range(n) if nearest[nearest[i]] == i and i < nearest[i]])
    if not len(mutual):
        return Suspects([], 0.0, None)
    gap = np.minimum(near[mutual[:, 0]], near[mutual[:, 1]])
    limits = np.sort(gap)
    # A pair of strangers needs a large gap on both sides, and to be each other's nearest: half of the larger at most.
    strangers = np.array([(far >= limit).mean() ** 2 * len(mutual) for limit in limits])
    found = np.array([(gap >= limit).sum() for limit in limits])
    sure = 1 - strangers / np.maximum(found, 1)
    good = np.flatnonzero(sure >= 0.9)
    limit = limits[good[0]] if len(good) else np.inf
    chosen = mutual[gap >= limit]
    known = cohort.groups[chosen[:, 0]] == cohort.groups[chosen[:, 1]] if len(chosen) else np.zeros(0, bool)
    share = float(sure[good[0]]) if len(good) else 0.0
    return Suspects([(int(i), int(j)) for i, j in chosen[~known]], share, _recalled(cohort, known))


def _recalled(cohort: Cohort, known: NDArray[np.bool_]) -> tuple[int, int] | None:
    if not cohort.has_subjects:
        return None
    counts = np.unique(cohort.groups, return_counts=True)[1]
    repeated = int((counts // 2).sum())
    return (int(known.sum()), repeated) if repeated else None


def audit_subjects(cohort: Cohort) -> list[Finding]:
    """Say whether persons are known, and suspect those who come under two ids."""
    n = cohort.n_samples
    found = suspects(cohort) if _FEWEST <= n <= MOST else Suspects([], 0.0, None)
    said, count = "", float(len(found.pairs))
    if found.pairs:
        ids = cohort.sheet.sample_ids
        named = first_three(f"{ids[i]} and {ids[j]}" for i, j in found.pairs)
        said = (
            f" {len(found.pairs)} pairs of samples are as alike as samples of one person ({named}); {_how_sure(found)}"
        )
    if not cohort.has_subjects:
        column = next((str(c) for c in cohort.sheet.frame.columns if names_persons(str(c))), None)
        mend = (
            f"name column {column} with --subject" if column else "add a column of persons, and name it with --subject"
        )
        message = "No subject column is given, so a person with several samples may be trained on and tested on."
        return [
            Finding("missing-subjects", "no subject column", "suspected pairs", count, "warning", message + said, mend)
        ]
    repeated = n - len(np.unique(cohort.groups))
    known = f"{n} samples of {n - repeated} subjects; all samples of a subject stay on one side of every split."
    if not found.pairs:
        return [Finding("missing-subjects", "subjects", "repeated samples", float(repeated), "info", known)]
    trusted = found.recalled is None or found.recalled[0] >= _SURE * found.recalled[1]
    severity: Severity = "warning" if trusted and len(found.pairs) > 1 else "info"
    mend = "ask who gave these samples: one person under two ids is trained on and tested on"
    return [Finding("missing-subjects", "subjects", "suspected pairs", count, severity, known + said, mend)]


def _how_sure(found: Suspects) -> str:
    sure = f"about {found.sure:.0%} of such pairs are expected to be right"
    if found.recalled is None:
        return f"{sure}: a suspicion, no proof."
    right, of = found.recalled
    return f"{sure}, and {right} of {of} known pairs were found this way."
