"""Reports of an audit alone, and of a model on another cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exoclassify.model.about import About
from exoclassify.model.evaluation import Validation
from exoclassify.report.audit import audit_section, baseline_section, learning_curve_section
from exoclassify.report.cohort import cohort_section, sensitivity_section
from exoclassify.report.evaluation import Way, abstaining, calibration, discrimination, subgroups, usefulness
from exoclassify.report.html import Report, Section
from exoclassify.report.verdict import lead_of_audit, lead_of_validation

__all__ = ["audit_report", "seen_before", "validation_report"]


def audit_report(audit: Mapping[str, Any], *, source: str, samples: Mapping[str, int]) -> Report:
    """Make the report of an audit."""
    sections = [
        audit_section(audit),
        baseline_section(audit),
        sensitivity_section(audit),
        cohort_section(audit),
        learning_curve_section(audit),
    ]
    return Report(
        f"Audit of {source}",
        lead_of_audit(audit, samples),
        [section for section in sections if section is not None],
        subtitle="What could make a classifier of this cohort look better than it is.",
    )


def validation_report(found: Validation, audit: Mapping[str, Any] | None, *, source: str, about: About) -> Report:
    """Make the report of a model judged on another cohort."""
    judged = Way.of(source, found)
    sections: list[Section | None] = [
        discrimination(judged),
        calibration(judged),
        abstaining(judged),
        subgroups(judged),
        usefulness(judged),
    ]
    if audit is not None:
        sections += [baseline_section(audit), audit_section(audit), sensitivity_section(audit), cohort_section(audit)]
    return Report(
        f"{about.name} {about.version} on {source}",
        lead_of_validation(found, audit, about, source, seen_before(found.trained_on, about)),
        [section for section in sections if section is not None],
        subtitle="External validation. Support for a decision by a person, not a diagnosis and not a medical device.",
        footer=f"Training data of the model sha256 {about.training.data_sha256}",
    )


def seen_before(left_out: Mapping[str, int] | None, about: About) -> str:
    """Say how many samples were left out because the model was trained on them, and what could not be known of that.

    Returns
    -------
    str
        Empty where none was left out, and persons could be compared too.
    """
    if left_out is None:
        return (
            "The model has no record of its training samples. If some of these samples are among them, every figure here is "
            "optimistic."
        )
    lines = []
    if left_out:
        ways = ", ".join(f"{count} by {way}" for way, count in left_out.items() if way != "in all")
        lines.append(f"{left_out['in all']} samples were left out: the model was trained on them ({ways}).")
    if about.training.subjects is None:
        lines.append(
            "The model was trained without subject ids, so other samples of the same people may be among these."
        )
    return " ".join(lines)
