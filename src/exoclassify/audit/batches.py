"""Whether the batch can be read from the cargo, and whether state goes with batch, sex or age."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.audit.association import association
from exoclassify.audit.findings import Finding, Severity
from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError
from exoclassify.learning.evaluate import evaluate
from exoclassify.learning.judgement import Judgement
from exoclassify.learning.learn import Samples
from exoclassify.learning.recipe import Recipe

__all__ = [
    "REFERENCE",
    "association",
    "audit_batches",
    "audit_covariates",
    "batch_columns",
]

Codes = NDArray[np.intp]

REFERENCE = Recipe.of({"folds": {"repeats": 1, "inner": 2}, "voices": [{"learner": "ridge", "view": "log"}]})
"""A plain ridge regression, for what is asked of the cohort rather than of the model."""

_BATCH_WORDS = (
    "batch",
    "plate",
    "centre",
    "center",
    "site",
    "run",
    "lane",
    "flowcell",
    "operator",
    "run_date",
)
_ALPHA = 0.05
_MIN_OF_BATCH = 5
_SMALL_FALL, _LARGE_FALL = 0.05, 0.1


def batch_columns(cohort: Cohort) -> list[str]:
    """Give the batch column, or columns whose names say that they might be one.

    Parameters
    ----------
    cohort : Cohort
        With its sheet.

    Returns
    -------
    list of str
    """
    if cohort.sheet.batch_column is not None:
        return [cohort.sheet.batch_column]
    frame = cohort.sheet.frame
    return [
        str(column)
        for column in frame.columns
        if column.lower() in _BATCH_WORDS
        and column not in (cohort.sheet.label_column, cohort.sheet.subject_column)
        and 1 < frame[column].nunique() <= cohort.n_samples / 3
    ]


def audit_batches(cohort: Cohort, samples: Samples, n_jobs: int = 1) -> list[Finding]:
    """Judge how well the batch is read from the cargo, and hold the label against the batch.

    Parameters
    ----------
    cohort : Cohort
        With one layer.
    samples : Samples
        The same as codes.
    n_jobs : int
        Parallel processes.

    Returns
    -------
    list of Finding
    """
    found: list[Finding] = []
    columns = batch_columns(cohort)
    if not columns:
        message = "No batch column is given: whether the model holds in another batch or laboratory cannot be tested."
        mend = "record centre, plate or run of every sample, and name the column with --batch"
        return [Finding("batch-confounded", "no batch column", "batches", None, "warning", message, mend)]
    for column in columns:
        named = column == cohort.sheet.batch_column
        if not named:
            message = f"The sheet has a column {column}, and it was not named as the batch: the model is not judged across it."
            mend = f"name it with --batch {column}, unless it is no batch"
            found.append(
                Finding("batch-confounded", f"column {column}", "batches", None, "warning", message, mend)
            )
        batches = cohort.sheet.frame[column].fillna("").to_numpy(dtype=np.str_)
        found += _readable(cohort, samples, column, batches, n_jobs)
        found.append(_associated("batch-confounded", column, batches, cohort, is_batch=True))
    return found


def audit_unseen(judgement: Judgement) -> list[Finding]:
    """Say how much worse the model is in a batch that it has not seen.

    Parameters
    ----------
    judgement : Judgement
        Of the model.

    Returns
    -------
    list of Finding
        Empty where no batch could be left out.
    """
    batched = judgement.summary["leave_one_batch_out"]
    if batched is None:
        return []
    crossed = judgement.summary["cross_validation"]["figures"]["auc"]["value"]
    unseen = batched["figures"]["auc"]["value"]
    within = [found["auc"] for found in batched["batches"].values() if found["auc"] is not None]
    fall = crossed - unseen
    severity: Severity = "critical" if fall > _LARGE_FALL else "warning" if fall > _SMALL_FALL else "info"
    message = (
        f"AUC is {crossed:.2f} in cross-validation, which mixes batches, and {unseen:.2f} in batches that were left out"
        + (f" ({np.mean(within):.2f} on average within a batch)" if within else "")
        + (": scores do not carry over from batch to batch." if severity != "info" else ".")
    )
    mend = "quote the lower figure, recalibrate in a new batch before use, and collect more batches that hold every state"
    return [
        Finding(
            "batch-confounded",
            "batches left out",
            "fall of the AUC",
            fall,
            severity,
            message,
            mend if fall > _SMALL_FALL else "",
        )
    ]


def _readable(
    cohort: Cohort, samples: Samples, column: str, batches: NDArray[np.str_], n_jobs: int
) -> list[Finding]:
    names, counts = np.unique(batches, return_counts=True)
    kept = np.isin(batches, names[counts >= _MIN_OF_BATCH])
    if len(np.unique(batches[kept])) < 2:
        return []
    rows = np.flatnonzero(kept)
    within, codes = np.unique(batches[kept], return_inverse=True)
    asked = dataclasses.replace(samples.take(rows), y=codes, batches=None, states=tuple(map(str, within)))
    asked = dataclasses.replace(asked, groups=np.unique(asked.groups, return_inverse=True)[1])
    try:
        judged = evaluate(asked, [cohort.sheet.sample_ids[i] for i in rows], REFERENCE, n_jobs=n_jobs)
    except DesignError:
        return []
    auc = judged["cross_validation"]["figures"]["auc"]
    severity: Severity = "warning" if auc["low"] > 0.5 and auc["value"] >= 0.7 else "info"
    return [
        Finding(
            "batch-confounded", f"{column} read from the cargo", "AUC", auc["value"], severity,
            f"Which {column} a sample is of can be read from its cargo with AUC {auc['value']:.2f} ({auc['low']:.2f} to "
            f"{auc['high']:.2f}): "
            + ("samples differ by where or when they were measured, and figures that mix batches say nothing of a new one."
               if severity == "warning" else "batches look alike."),
            "quote the figure of leaving out each batch, normalise within samples, and measure every state in every batch"
            if severity == "warning" else "",
        )
    ]  # fmt: skip


def audit_covariates(cohort: Cohort, columns: Sequence[str]) -> list[Finding]:
    """Hold the label against sex, age and other covariates.

    Parameters
    ----------
    cohort : Cohort
        With its sheet.
    columns : sequence of str
        Of the sheet.

    Returns
    -------
    list of Finding
    """
    found = []
    for column in columns:
        cells = cohort.sheet.frame[column]
        numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
        numeric = np.isfinite(numbers).mean() > 0.8 and len(np.unique(numbers[np.isfinite(numbers)])) > 5
        values = numbers if numeric else cells.fillna("").to_numpy(dtype=np.str_)
        found.append(_associated("covariate-confounded", column, values, cohort, is_batch=False))
    return found


def _associated(check: str, column: str, values: NDArray[Any], cohort: Cohort, *, is_batch: bool) -> Finding:
    subjects, first = np.unique(cohort.groups, return_index=True)
    y = np.unique(cohort.y[first], return_inverse=True)[1]
    strength, p_value, same = association(values[first], y)
    name = "Cramér's V" if values.dtype.kind in "US" else "epsilon squared of ranks"
    subject = f"label against {column}"
    if same:
        message = (
            f"{column} and the label are the same thing: each level of {column} holds one state only. A difference between "
            f"states cannot be told from one of {column}; no claim about the states can be made."
        )
        mend = f"measure samples of every state at every level of {column}"
        return Finding(check, subject, name, strength, "critical", message, mend)
    severity: Severity = (
        "info" if p_value >= _ALPHA else ("critical" if is_batch and strength > 0.7 else "warning")
    )
    counted = f"{name} {strength:.2f}, p = {p_value:.2g}, {len(subjects)} subjects"
    message = (
        f"State and {column} go together ({counted}): part of any figure may be {column}."
        if severity != "info"
        else f"State and {column} do not go together more than chance gives ({counted})."
    )
    mend = f"match or balance {column} in the next cohort; report the figures within each level of {column}"
    return Finding(check, subject, name, strength, severity, message, "" if severity == "info" else mend)
