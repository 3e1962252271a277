"""What this number of samples can support, and whether more would help."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from exoclassify.auditing.findings import Finding, Severity
from exoclassify.auditing.molecules import alone
from exoclassify.auditing.reference import log_view, ridge_scores
from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError
from exoclassify.judging.metrics import macro_auc
from exoclassify.judging.sample_size import (
    auc_half_width,
    cox_snell_from_auc,
    riley_binary,
    samples_for_half_width,
    supported_parameters,
)
from exoclassify.learning.folds import Fold, stratified_folds, subjects_per_state
from exoclassify.learning.samples import Samples
from exoclassify.typing import Codes

__all__ = ["audit_preselection", "audit_size", "learning_curve"]


_FEWEST = 5
_SHARES = (0.4, 0.6, 0.8, 1.0)
_DRAWS = 3
_FOLDS = 5
_WANTED = 0.1
_VAGUE = 0.17
"""Half width of the AUC's interval from which on it hardly says anything."""
_MEASURED = {
    ("mirna", "counts"): 150, ("mirna", "cpm"): 150, ("mirna", "log2_intensity"): 100, ("mrna", "counts"): 2000,
    ("mrna", "cpm"): 2000, ("lncrna", "counts"): 500, ("lncrna", "cpm"): 500, ("protein", "intensity"): 60,
    ("protein", "log2_intensity"): 60, ("mirna", "ct"): 12,
}  # fmt: skip
"""Molecules below which a table of this kind and unit is a choice: what sequencing, mass spectrometry and panels report."""
_SIGNATURE = 10
_ALIKE, _FEWEST_JUDGED = 0.3, 20
"""Share of molecules without a difference (Storey 2002, at p above one half) below which a table was chosen."""


def audit_size(samples: Samples, auc_found: float, curve: list[dict[str, Any]] | None) -> list[Finding]:
    """Compare the number of subjects with what a model needs.

    Parameters
    ----------
    auc_found : float
        Of the model or the reference; the criteria rest on it, and it is held to 0.6 to 0.9.
    """
    subjects = subjects_per_state(samples.y, samples.groups)
    fewest, n = int(subjects.min()), len(np.unique(samples.groups))  # a person in two states is one
    if fewest < _FEWEST:
        message = (
            f"{samples.states[int(subjects.argmin())]} has {fewest} subjects: nothing can be concluded. Of three against three a "
            "single molecule separates all by chance one time in ten, and there are hundreds."
        )
        mend = f"at least {_FEWEST} subjects of each state to train at all, and some 50 to be believed"
        return [Finding("sample-size", "smallest state", "subjects", float(fewest), "critical", message, mend)]
    assumed = float(np.clip(auc_found, 0.6, 0.9))
    in_states = int(subjects.sum())
    found = [_riley(n, fewest / in_states, assumed), _precision(fewest, in_states, assumed)]
    return [*found, _of_curve(curve)] if curve else found


def _riley(n: int, share: float, assumed: float) -> Finding:
    cox_snell = cox_snell_from_auc(round(assumed, 3), round(share, 3))
    carried = supported_parameters(n, share, cox_snell)
    needed = riley_binary(_SIGNATURE, share, cox_snell).needed
    message = (
        f"{n} subjects carry a model of {carried} free parameters at an AUC of {assumed:.2f} (Riley et al., doi "
        f"10.1002/sim.7992); {_SIGNATURE} molecules named beforehand need {needed}. Coefficients are not to be read one by one."
    )
    mend = (
        f"plan for {needed} subjects or more, or name at most {max(carried, 1)} molecules beforehand"
        if n < needed
        else ""
    )
    return Finding("sample-size", "parameters carried", "parameters", float(carried), "info", message, mend)


def _precision(fewest: int, n: int, assumed: float) -> Finding:
    width = auc_half_width(assumed, fewest, n - fewest)
    severity: Severity = "info" if width <= _VAGUE else "warning"
    message = (
        f"With {fewest} against {n - fewest} subjects an AUC of {assumed:.2f} is known to ±{width:.2f} at best: smaller "
        "differences mean nothing."
    )
    enough = samples_for_half_width(assumed, fewest / n, _WANTED)
    mend = f"{enough} subjects in the same mix give ±{_WANTED:g}" if width > _WANTED else ""
    return Finding("sample-size", "precision of the AUC", "half width", width, severity, message, mend)


def _of_curve(curve: list[dict[str, Any]]) -> Finding:
    first, before, last = curve[0], curve[-2], curve[-1]
    gain = last["auc"] - before["auc"]
    rises = gain > 0.015 and last["auc"] > first["auc"] + 0.02
    points = ", ".join(f"{one['auc']:.2f} with {one['n_subjects']} subjects" for one in (first, before, last))
    meaning = (
        "still rising, more samples would help" if rises else "flat at the end, more of the same would change little"
    )
    message = f"Learning curve of a plain ridge regression: AUC {points}: {meaning}."
    return Finding("learning-curve", "cohort", "gain of the last fifth", gain, "info", message)


def learning_curve(samples: Samples, *, seed: int = 0, n_jobs: int = 1) -> list[dict[str, Any]] | None:
    """Judge a plain ridge regression on parts of the cohort.

    n_subjects, auc, low, high (95 % interval by subject; all averaged over draws, or over folds anew for all samples), from
    small to all. None when the cohort is too small.
    """
    rng = np.random.default_rng(seed)
    parts = [(share, _part(samples, share, rng), draw) for share in _SHARES for draw in range(_DRAWS)]
    jobs = [(rows, _prepared(samples, rows, seed + draw)) for _, rows, draw in parts]
    possible = [i for i, (_, job) in enumerate(jobs) if job is not None]
    found = np.full((len(parts), 3), np.nan)
    asked = [job for _, job in jobs if job is not None]
    for i, (part, folds), (scores, fold) in zip(possible, asked, ridge_scores(asked, n_jobs=n_jobs), strict=True):
        figure = macro_auc(scores, part.y, fold)
        found[i] = figure.value, *figure.over_folds(len(folds)).interval(part.groups)
    points = []
    for share in _SHARES:
        here = [i for i, part in enumerate(parts) if part[0] == share and np.isfinite(found[i, 0])]
        if len(here) == _DRAWS:
            value, low, high = found[here].mean(axis=0)
            count = len(np.unique(samples.groups[parts[here[0]][1]]))
            points.append({"n_subjects": count, "auc": float(value), "low": float(low), "high": float(high)})
    return points if len(points) >= 2 else None


def _part(samples: Samples, share: float, rng: np.random.Generator) -> Codes:
    """Draw this share of the subjects of each state, with all of their samples."""
    subjects, first = np.unique(samples.groups, return_index=True)
    kept = []
    for k in range(len(samples.states)):
        of_state = subjects[samples.y[first] == k]
        kept.append(rng.permutation(of_state)[: max(2, round(share * len(of_state)))])
    return np.flatnonzero(np.isin(samples.groups, np.concatenate(kept)))


def _prepared(samples: Samples, rows: Codes, seed: int) -> tuple[Samples, list[Fold]] | None:
    """Give a part of the samples with its folds; None when it is too small to be judged."""
    part = samples.take(rows)
    part = dataclasses.replace(part, groups=np.unique(part.groups, return_inverse=True)[1], batches=None)
    try:
        return part, stratified_folds(part.y, part.groups, _FOLDS, seed)
    except DesignError:
        return None


def audit_preselection(cohort: Cohort) -> list[Finding]:
    """Ask how the molecules were chosen, where they are far fewer than usual or nearly all differ between the states.

    Empty where as many as usual are there, or the kind has no usual number, and some do not differ.
    """
    table = cohort.cargo
    chances = alone(cohort, log_view(table)).p_value
    alike = 2 * float((chances > 0.5).mean())
    if alike < _ALIKE and table.n_molecules >= _FEWEST_JUDGED:
        message = (
            f"Nearly all of the {table.n_molecules} molecules differ between the states ({alike:.0%} look the same in both): "
            "they were chosen by that on these samples, or the states were handled differently."
        )
        mend = "give the whole table, or say on which other samples the molecules were chosen"
        return [Finding("preselection", "molecules in the table", "share alike", alike, "warning", message, mend)]
    usual = _MEASURED.get((table.kind, table.unit), 0)
    if table.n_molecules >= usual:
        return []
    message = (
        f"The table has {table.n_molecules} molecules, where {table.kind} as {table.unit} usually gives {usual} or more: if they "
        "were chosen on these samples every figure is optimistic, and nothing in the table can show it."
    )
    mend = "say how the molecules were chosen; if it was on these samples, give the whole table"
    return [
        Finding(
            "preselection", "molecules in the table", "molecules", float(table.n_molecules), "warning", message, mend
        )
    ]
