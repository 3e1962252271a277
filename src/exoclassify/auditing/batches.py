"""Whether state goes with batch, sex or age, and whether the model holds in every batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from exoclassify.auditing.association import association
from exoclassify.auditing.baselines import Baseline, Levels, judged
from exoclassify.auditing.columns import described_by
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
        message = (
            "No batch column is given, so whether the model holds in another batch or laboratory cannot be tested."
        )
        mend = "record centre, plate or run of every sample, and name the column with --batch"
        return [Finding("batch-confounded", "no batch column", "batches", None, "warning", message, mend)]
    found: list[Finding] = []
    for column in columns:
        if column != cohort.sheet.batch_column:
            message = (
                f"Column {column} looks like a batch and was not named as one, so the model is not judged across it."
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
        message = (
            f"{first_three(alone_in)} shares no {column} with another state, so a difference from the others cannot be told "
            f"from one of {column}."
        )
        mend = f"measure samples of every state at every level of {column}"
        return dataclasses.replace(finding, message=message, mend=mend, severity="critical")
    if p_value >= _UNLIKELY or model is None:
        return finding
    inside = within_levels(model, batches)
    if inside is None:
        return finding
    low = inside.over_folds(len(model.repeats[0])).interval(model.samples.groups)[0]
    alone = judged(_levels(batches), model.repeats, model.samples.y, len(model.samples.states))
    message = (
        f"{finding.message[:-1]}; the {model.name} reaches AUC {model.figure.value:.2f} over all and {inside.value:.2f} within "
        f"batches, {column} alone {alone.value:.2f}."
    )
    if low > 0.5 and alone.value < SAME:
        return dataclasses.replace(finding, message=message)
    reaches = better(model.figure, alone, model.samples.groups) >= _REACHED
    return dataclasses.replace(finding, message=message, severity="critical" if reaches else "warning")


def _always_alone(y: NDArray[np.str_], batches: NDArray[np.str_], state: str) -> bool:
    return all(set(y[batches == level]) == {state} for level in np.unique(batches[y == state]))


def _levels(batches: NDArray[np.str_]) -> Baseline:
    codes = np.unique(batches, return_inverse=True)[1].astype(np.intp)
    return Baseline("batch", Levels(codes), "column", values=batches)


def _one_state_only(cohort: Cohort, column: str, batches: NDArray[np.str_]) -> list[Finding]:
    names = np.unique(batches)
    single = [str(name) for name in names if len(set(cohort.y[batches == name])) == 1]
    if not single or len(single) == len(names):  # all of them: the label and the batch are the same thing
        return []
    affected = int(np.isin(batches, single).sum())
    named = ", ".join(f"{name} ({cohort.y[batches == name][0]})" for name in single)
    message = (
        f"{len(single)} of {len(names)} levels of {column} hold one state only ({named}; {affected} samples): whatever "
        "is peculiar to them counts as the state."
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
        f"Which {column} a sample is of can be read from its cargo with AUC {figure.value:.2f} ({low:.2f} to {high:.2f})"
        + (", so figures that mix batches say nothing of a new one." if low > 0.5 else ": batches look alike.")
    )
    mend = "quote the figure of leaving out each batch" if low > 0.5 else ""
    subject = f"{column} read from the cargo"
    return [Finding("batch-confounded", subject, "AUC", figure.value, "info", message, mend)]


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
    reduced = Estimate(unseen.value, _spread_to(unseen.influence, rows, len(samples.y)), share=True)
    surely = better(known, reduced, samples.groups) < _UNLIKELY
    severity: Severity = "info"
    if surely and fall > _FALL:
        reversed_ranking = unseen.interval(samples.groups[rows])[1] < 0.5
        severity = "critical" if reversed_ranking else "warning"
    message = (
        f"Within batches AUC is {known.value:.2f} where the model has seen the batch and {unseen.value:.2f} where it was left out"
        + (": what it learned does not hold in another batch." if severity != "info" else ".")
    )
    mend = "quote the lower figure, and collect more batches that hold every state"
    return [
        Finding("batch-confounded", "batches left out", "fall of the AUC", fall, severity, message,
                mend if severity != "info" else "")
    ]  # fmt: skip


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


def _spread_to(influence: NDArray[np.float64], rows: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    full = np.zeros(n)
    full[rows] = influence
    return full


def audit_answers(cohort: Cohort, model: Judged) -> list[Finding]:
    """Compare, batch by batch, what the model predicted with what was there, and say where sets hold the truth least.

    Parameters
    ----------
    model : Judged
        Only a model's own answers are looked at: the reference is not calibrated.
    """
    judgement = model.judgement
    if cohort.batches is None or judgement is None:
        return []
    batches = cohort.batches
    passes = judgement.passes if judgement.batched is None else (judgement.batched,)
    how = "in cross-validation" if judgement.batched is None else "left out in turn"
    rows = passes[0].rows
    y, states = model.samples.y[rows], model.samples.states
    p = np.mean([softmax(kept.log_odds, axis=1) for kept in passes], axis=0)
    held = np.mean([kept.sets[np.arange(len(y)), y] for kept in passes], axis=0)
    found, covered = [], []
    for name in np.unique(batches[rows]):
        here = batches[rows] == name
        share = np.bincount(y[here], minlength=len(states)) / here.sum()
        k = int(np.argmax(np.abs(p[here].mean(axis=0) - share)))
        found.append(_Share(str(name), states[k], float(p[here, k].mean()), float(share[k]), int(here.sum())))
        cells = [(state, here & (y == k)) for k, state in enumerate(states)]
        covered += [(float(held[at].mean()), f"{state} in {name}") for state, at in cells if at.sum() >= _MIN_OF_BATCH]
    worst = max(found, key=lambda one: one.gap)
    message = (
        f"With batches {how}, predicted and true shares differ most in {worst.batch}: {worst.state} {worst.predicted:.0%} on "
        f"average, {worst.true:.0%} there ({worst.n} samples)"
    )
    if covered:
        least, where = min(covered)
        message += f"; prediction sets hold the truth least often for {where}, {least:.0%}"
    wide = worst.gap > _GAP and worst.gap > 3 * np.sqrt(worst.true * (1 - worst.true) / worst.n + 0.25 / worst.n)
    mend = "recalibrate in a new batch before use" if wide else ""
    meaning = ": probabilities mean something else in each batch" if wide else ""
    return [
        Finding("batch-answers", worst.batch, "predicted minus true share", worst.gap, "warning" if wide else "info",
                f"{message}{meaning}.", mend)
    ]  # fmt: skip


@dataclass(frozen=True)
class _Share:
    """Mean predicted and true share of a state in a batch."""

    batch: str
    state: str
    predicted: float
    true: float
    n: int

    @property
    def gap(self) -> float:
        return abs(self.predicted - self.true)


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
    persons = [f"{g}\0{s}" for g, s in zip(cohort.groups, cohort.y, strict=True)]
    first = np.unique(persons, return_index=True)[1]
    y = np.unique(cohort.y[first], return_inverse=True)[1]
    strength, p_value, same = association(values[first], y)
    name = "Cramér's V" if values.dtype.kind in "US" else "epsilon squared of ranks"
    subject = f"label against {column}"
    if same:
        message = (
            f"{column} and the label are the same thing, each level of {column} holds one state only: a difference between "
            f"states cannot be told from one of {column}."
        )
        mend = f"measure samples of every state at every level of {column}"
        return Finding(check, subject, name, strength, "critical", message, mend), p_value
    severity: Severity = "warning" if p_value < _UNLIKELY else "info"
    counted = f"{name} {strength:.2f}, p = {p_value:.2g}, {len(np.unique(cohort.groups))} subjects"
    message = (
        f"State and {column} go together ({counted}): part of any figure may be {column}."
        if severity == "warning"
        else f"State and {column} do not go together more than chance gives ({counted})."
    )
    mend = f"match or balance {column} in the next cohort; report the figures within each level of {column}"
    return Finding(check, subject, name, strength, severity, message, mend if severity == "warning" else ""), p_value
