"""Whether state goes with batch, sex or age, and whether the model holds in every batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from exoclassify.auditing.association import association
from exoclassify.auditing.baselines import Baseline, Levels, judged
from exoclassify.auditing.columns import described_by
from exoclassify.auditing.drift import first_of_persons
from exoclassify.auditing.findings import Finding, Severity
from exoclassify.auditing.judged import Judged
from exoclassify.auditing.reference import log_view, ridge_scores
from exoclassify.auditing.technical import SAME, better, within_levels
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError, first_three
from exoclassify.judging.metrics import Estimate, against_rest, auc_within, macro_auc, mean_figure
from exoclassify.learning.folds import leave_one_batch_out, stratified_folds
from exoclassify.learning.samples import Samples

__all__ = ["audit_answers", "audit_batches", "audit_covariates", "audit_unseen", "batch_columns"]

_BATCH_WORDS = (
    "batch", "plate", "centre", "center", "site", "run", "lane", "flowcell", "operator", "run_date", "zentrum", "lot", "study",
    "reagent_lot", "kit_lot", "cohort", "hospital", "clinic",
)  # fmt: skip
_MIN_OF_BATCH = 5
_OF_MEN = (
    "RPS4Y1", "DDX3Y", "KDM5D", "EIF1AY", "UTY", "USP9Y", "ENSG00000129824", "ENSG00000067048", "ENSG00000012817",
    "ENSG00000198692", "ENSG00000183878", "ENSG00000114374",
)  # fmt: skip
_OF_WOMEN = ("XIST", "ENSG00000229807")
_FALL = 0.1
_UNLIKELY = 0.01
_REACHED = 0.05
_GAP, _COVERED = 0.25, 0.7
"""Mean predicted minus observed share of a state in a batch, and coverage there, from which they are told."""


def batch_columns(cohort: Cohort) -> list[str]:
    """Give the batch column, or columns whose names say that they might be one."""
    sheet = cohort.sheet
    if sheet.batch_column is not None:
        return [sheet.batch_column]
    return [
        str(column)
        for column in sheet.frame.columns
        if column.lower() in _BATCH_WORDS
        and column not in (sheet.label_column, sheet.subject_column)
        and 1 < sheet.frame[column].nunique() <= cohort.n_samples / 3
    ]


def audit_batches(cohort: Cohort, model: Judged | None, n_jobs: int = 1) -> list[Finding]:
    """Compare state and batch, and see how well the batch is read from the cargo."""
    columns = batch_columns(cohort)
    if not columns:
        message = "No batch column is given, so whether the model holds in another batch cannot be tested."
        mend = "record centre, plate or run of every sample, and name the column with --batch"
        return [Finding("batch-confounded", "no batch column", "batches", None, "warning", message, mend)]
    found: list[Finding] = []
    for column in columns:
        if column != cohort.sheet.batch_column:
            message = (
                f"Column {column} looks like a batch but was not named as one, so the model is not judged across it."
            )
            mend = f"name it with --batch {column}, unless it is no batch"
            found.append(Finding("batch-confounded", f"column {column}", "batches", None, "warning", message, mend))
        batches = cohort.sheet.frame[column].fillna("").to_numpy(dtype=np.str_)
        found.append(_together(cohort, column, batches, model))
        found += _one_state_only(cohort, column, batches)
        found += _readable(cohort, column, batches, n_jobs)
    return found


def _together(cohort: Cohort, column: str, batches: NDArray[np.str_], model: Judged | None) -> Finding:
    finding, p_value = _associated("batch-confounded", column, batches, cohort)
    if finding.severity == "critical":
        return finding
    alone_in = [state for state in cohort.states if _always_alone(cohort.y, batches, state)]
    if alone_in:
        message = f"{first_three(alone_in)} shares no {column} with another state, so it may differ by {column} alone."
        mend = f"measure samples of every state at every level of {column}"
        return dataclasses.replace(finding, message=message, mend=mend, severity="critical")
    inside = None if p_value >= _UNLIKELY or model is None else within_levels(model, batches)
    if inside is None or model is None:
        return finding
    codes = np.unique(batches, return_inverse=True)[1].astype(np.intp)
    baseline = Baseline("batch", Levels(codes), "column", values=batches)
    alone = judged(baseline, model.repeats, model.samples.y, len(model.samples.states))
    message = (
        f"{finding.message[:-1]}. The {model.name} reaches AUC {model.figure.value:.2f} over all and {inside.value:.2f} within "
        f"batches, {column} alone {alone.value:.2f}."
    )
    if model.above_chance(inside) and alone.value < SAME:
        return dataclasses.replace(finding, message=message)
    reaches = better(model.figure, alone, model.samples.groups) >= _REACHED
    return dataclasses.replace(finding, message=message, severity="critical" if reaches else "warning")


def _always_alone(y: NDArray[np.str_], batches: NDArray[np.str_], state: str) -> bool:
    return all(set(y[batches == level]) == {state} for level in np.unique(batches[y == state]))


def _one_state_only(cohort: Cohort, column: str, batches: NDArray[np.str_]) -> list[Finding]:
    names = np.unique(batches)
    single = [str(name) for name in names if len(set(cohort.y[batches == name])) == 1]
    if not single or len(single) == len(names):  # all of them: the label and the batch are the same thing
        return []
    affected = int(np.isin(batches, single).sum())
    named = first_three(f"{name} ({cohort.y[batches == name][0]})" for name in single)
    message = (
        f"{len(single)} of {len(names)} levels of {column} hold one state only ({named}; {affected} samples), so what is "
        "peculiar to them counts as the state."
    )
    mend = "quote figures without them too, and measure every state in every batch"
    severity: Severity = "warning" if affected >= _MIN_OF_BATCH else "info"
    return [Finding("batch-confounded", f"{column} of one state", "samples", float(affected), severity, message, mend)]


def _readable(cohort: Cohort, column: str, batches: NDArray[np.str_], n_jobs: int) -> list[Finding]:
    names, counts = np.unique(batches, return_counts=True)
    rows = np.flatnonzero(np.isin(batches, names[counts >= _MIN_OF_BATCH]))
    within, codes = np.unique(batches[rows], return_inverse=True)
    if len(within) < 2:
        return []
    samples = Samples.of(cohort).take(rows)
    groups = np.unique(samples.groups, return_inverse=True)[1]
    asked = dataclasses.replace(samples, y=codes, groups=groups, batches=None, states=tuple(map(str, within)))
    try:
        folds = stratified_folds(asked.y, asked.groups, 5, 0)
    except DesignError:
        return []
    ((scores, fold),) = ridge_scores([(asked, folds)], n_jobs=n_jobs)
    figure = macro_auc(scores, asked.y, fold)
    low, high = figure.over_folds(len(folds)).interval(asked.groups)
    message = (
        f"The {column} of a sample can be read from its cargo with AUC {figure.value:.2f} ({low:.2f} to {high:.2f})"
        + (", so figures that mix batches say nothing of a new one." if low > 0.5 else ": batches look alike.")
    )
    mend = "quote the figure of leaving out each batch" if low > 0.5 else ""
    return [Finding("batch-confounded", f"{column} read from the cargo", "AUC", figure.value, "info", message, mend)]


def audit_unseen(model: Judged, n_jobs: int = 1) -> list[Finding]:
    """Say how much worse the model ranks samples of a batch that it has not seen, compared with one that it has.

    Notes
    -----
    Pairs of samples of one batch only, before and after: scores of models trained without different batches are not compared.
    """
    samples = model.samples
    if samples.batches is None:
        return []
    known = within_levels(model, samples.batches)
    unseen, rows = _left_out(model, n_jobs)
    if known is None or unseen is None:
        return []
    fall = known.value - unseen.value
    influence = np.zeros(len(samples.y))
    influence[rows] = unseen.influence
    reduced = Estimate(unseen.value, influence, share=True)
    severity: Severity = "info"
    if fall > _FALL and better(known, reduced, samples.groups) < _UNLIKELY:
        reversed_ranking = unseen.interval(samples.groups[rows])[1] < 0.5
        severity = "critical" if reversed_ranking else "warning"
    message = (
        f"Within batches AUC is {known.value:.2f} where the model has seen the batch and {unseen.value:.2f} where it was left out"
        + (": what it learned does not hold in another batch." if severity != "info" else ".")
    )
    mend = "quote the lower figure, and collect more batches that hold every state"
    return [Finding.of("batch-confounded", "batches left out", "fall of the AUC", fall, severity, message, mend)]


def _left_out(model: Judged, n_jobs: int) -> tuple[Estimate | None, NDArray[np.intp]]:
    samples, judgement = model.samples, model.judgement
    if judgement is not None and not model.failed:
        kept = judgement.batched
        if kept is None:
            return None, np.zeros(0, dtype=np.intp)
        rows, scores, fold = kept.rows, kept.log_odds, kept.fold
    else:
        assert samples.batches is not None
        folds = leave_one_batch_out(samples.y, samples.groups, samples.batches)
        ((scores, fold),) = ridge_scores([(samples, folds)], n_jobs=n_jobs)
        rows = np.flatnonzero(fold >= 0)
        scores, fold = scores[rows], fold[rows]
    y = samples.y[rows]
    each = [auc_within(against_rest(scores, k), y == k, fold) for k in range(scores.shape[1])]
    found = [one for one in each if one is not None]
    return (mean_figure(found) if found else None), rows


def audit_answers(cohort: Cohort, model: Judged) -> list[Finding]:
    """Compare, batch by batch, what the model predicted with what was there, and say where sets hold the truth least.

    Only a model's own answers are looked at: the reference is not calibrated.
    """
    judgement = model.judgement
    if cohort.batches is None or judgement is None:
        return []
    passes = judgement.passes if judgement.batched is None else (judgement.batched,)
    how = "in cross-validation" if judgement.batched is None else "left out in turn"
    rows = passes[0].rows
    batches, y, states = cohort.batches[rows], model.samples.y[rows], model.samples.states
    p = np.mean([softmax(kept.log_odds, axis=1) for kept in passes], axis=0)
    held = np.mean([kept.sets[np.arange(len(y)), y] for kept in passes], axis=0)
    found, covered = [], []
    for name in np.unique(batches):
        here = batches == name
        shares = np.bincount(y[here], minlength=len(states)) / here.sum()
        gaps = np.abs(p[here].mean(axis=0) - shares)
        k = int(np.argmax(gaps))
        found.append(
            (float(gaps[k]), str(name), states[k], float(p[here, k].mean()), float(shares[k]), int(here.sum()))
        )
        cells = [(state, here & (y == k)) for k, state in enumerate(states)]
        covered += [(float(held[at].mean()), f"{state} in {name}") for state, at in cells if at.sum() >= _MIN_OF_BATCH]
    gap, batch, state, predicted, true, n = max(found)
    wide = gap > _GAP and gap > 3 * np.sqrt(true * (1 - true) / n + 0.25 / n)
    message = (
        f"With batches {how}, predicted and true shares differ most in {batch}: {state} {predicted:.0%} on average, {true:.0%} "
        f"there ({n} samples)" + (", so probabilities mean something else in each batch." if wide else ".")
    )
    if covered:
        least, where = min(covered)
        message += f" Its prediction sets hold the truth least often for {where}, {least:.0%}."
    severity: Severity = "warning" if wide else "info"
    mend = "recalibrate in a new batch before use"
    return [Finding.of("batch-answers", batch, "predicted minus true share", gap, severity, message, mend)]


def audit_covariates(cohort: Cohort, columns: Sequence[str]) -> list[Finding]:
    """Compare columns with the state."""
    found = []
    for column in columns:
        values = described_by(cohort.sheet.frame[column])
        found.append(_associated("covariate-confounded", column, values, cohort)[0])
    sex = _sex(cohort.cargo)
    if sex is not None and not any(column.lower() in ("sex", "gender", "geschlecht") for column in columns):
        found.append(_associated("covariate-confounded", "sex, as the cargo tells it", sex, cohort)[0])
    return found


def _sex(table: CargoTable) -> NDArray[np.float64] | None:
    """Genes of the Y chromosome less XIST, in mean log2; None where one side was not measured."""
    names = [name.split(".")[0].upper() for name in table.molecules]
    men, women = ([j for j, name in enumerate(names) if name in genes] for genes in (_OF_MEN, _OF_WOMEN))
    if not men or not women:
        return None
    V = log_view(table)
    return np.asarray(V[:, men].mean(axis=1) - V[:, women].mean(axis=1))


def _associated(check: str, column: str, values: NDArray[Any], cohort: Cohort) -> tuple[Finding, float]:
    first = first_of_persons(cohort)
    y = np.unique(cohort.y[first], return_inverse=True)[1]
    strength, p_value, same = association(values[first], y)
    name = "Cramér's V" if values.dtype.kind in "US" else "epsilon squared of ranks"
    counted = f"{name} {strength:.2f}, p = {p_value:.2g}, {len(np.unique(cohort.groups))} subjects"
    severity: Severity = "critical" if same else "warning" if p_value < _UNLIKELY else "info"
    message, mend = {
        "critical": (
            f"{column} and the label are the same thing: each level of {column} holds one state only, so the states may differ "
            f"by {column} alone.",
            f"measure samples of every state at every level of {column}",
        ),
        "warning": (
            f"State and {column} go together ({counted}), so part of any figure may be {column}.",
            f"balance {column} in the next cohort, and report the figures within each level of it",
        ),
        "info": (f"State and {column} do not go together more than chance gives ({counted}).", ""),
    }[severity]
    return Finding(check, f"label against {column}", name, strength, severity, message, mend), p_value
