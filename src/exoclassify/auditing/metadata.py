"""What the sample sheet says of how samples were taken and prepared, and what it leaves open."""

from __future__ import annotations

import pandas as pd

from exoclassify.auditing.findings import Finding, Severity
from exoclassify.data.cohort import Cohort
from exoclassify.data.preanalytics import absent_fields, fields_asked, mixtures, wrong_cells

__all__ = ["audit_metadata"]

_CITRATE_MIN, _EDTA_MIN = 60.0, 480.0  # longest time to processing, PMC10196222


def audit_metadata(cohort: Cohort) -> list[Finding]:
    """Hold the sheet against the field list of `exoclassify.data.preanalytics`."""
    sheet = cohort.sheet
    found = []
    asked = "MISEV and blood collection guidelines ask for"
    mended = "add columns of these names, or state them in the paper"
    for level, why, mend in (("mandatory", asked, mended), ("encouraged", "help a reader", "")):
        missing = absent_fields(sheet, level)
        if missing:
            message = (
                f"The sheet lacks {len(missing)} of {len(fields_asked(level))} fields that {why}: {', '.join(missing)}."
            )
            found.append(
                Finding("metadata", f"{level} fields", "fields missing", float(len(missing)), "info", message, mend)
            )
    for wrong in wrong_cells(sheet):
        message = f"Column {wrong.column}: {wrong.count} cells are not as the schema has it ({wrong.shown})."
        subject, mend = f"column {wrong.column}", f"use {wrong.expected}"
        found.append(Finding("metadata", subject, "cells", float(wrong.count), "warning", message, mend))
    return found + _mixtures(cohort) + _late(cohort)


def _mixtures(cohort: Cohort) -> list[Finding]:
    found = []
    for column, counts in mixtures(cohort.sheet).items():
        listed = ", ".join(f"{count} {value}" for value, count in counts.items())
        batched = cohort.batches is not None and _nested(cohort, column)
        severity: Severity = "info" if batched else "warning"
        separated = "; the batch column separates them" if batched else ", and no batch column separates them"
        message = f"The cohort mixes {column}: {listed}{separated}."
        mend = f"name a batch column that separates the levels of {column}, or analyse them apart"
        found.append(
            Finding.of("metadata", f"mixture of {column}", "levels", float(len(counts)), severity, message, mend)
        )
    return found


def _nested(cohort: Cohort, column: str) -> bool:
    """Whether every batch holds one level of the column."""
    pairs = pd.DataFrame({"batch": cohort.batches, "level": cohort.sheet.frame[column].to_numpy()}).dropna()
    return bool((pairs.groupby("batch")["level"].nunique() <= 1).all())


def _late(cohort: Cohort) -> list[Finding]:
    """Blood that stood too long before it was spun."""
    frame = cohort.sheet.frame
    if not {"anticoagulant", "blood_processing_interval_min"} <= set(frame.columns):
        return []
    minutes = pd.to_numeric(frame["blood_processing_interval_min"], errors="coerce")
    tube = frame["anticoagulant"].str.lower()
    late = ((tube == "citrate") & (minutes > _CITRATE_MIN)) | (tube.isin(["edta", "acd-a"]) & (minutes > _EDTA_MIN))
    if not late.any():
        return []
    message = (
        f"{int(late.sum())} blood samples stood longer than recommended before processing (citrate {_CITRATE_MIN:g} min, EDTA "
        f"and ACD-A {_EDTA_MIN:g} min)."
    )
    mend = "leave them out, or compare the time with the state"
    return [Finding("metadata", "time to processing", "samples", float(late.sum()), "warning", message, mend)]
