"""The audit as sections of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exoclassify.report.html import Section, Table
from exoclassify.report.plots import Axis, Bar, Series, curves, intervals

__all__ = ["audit_section", "baseline_section", "learning_curve_section"]

_ALPHA = 0.05
_WORDS = {"critical": "Critical findings", "warning": "Warnings", "info": "For the record"}


def audit_section(audit: Mapping[str, Any]) -> Section:
    """List every finding with what to do, the worst first."""
    tables = []
    for severity, word in _WORDS.items():
        found = [finding for finding in audit["findings"] if finding["severity"] == severity]
        if found:
            rows = [(f["check"], f["subject"], f["message"], f["mend"] or None, _figure(f)) for f in found]
            columns = ["check", "about", "what was found", "what to do", "value"]
            tables.append(Table(columns, rows, f"{word}: {len(found)}", folded=severity == "info"))
    return Section("Audit: what could explain the result without biology", audit["verdict"], tables=tables)


def _figure(finding: Mapping[str, Any]) -> str | None:
    return None if finding["value"] is None else f"{finding['figure']} {finding['value']:.3g}"


def baseline_section(audit: Mapping[str, Any]) -> Section | None:
    """Draw the model beside everything technical that was judged in the same folds."""
    rows: Sequence[Mapping[str, Any]] = audit["drawn"].get("baselines") or ()
    if len(rows) < 2:
        return None
    bars = [Bar(row["name"], row["auc"], row["low"], row["high"], 1 if i == 0 else 2) for i, row in enumerate(rows)]
    low = min(0.4, *(bar.low for bar in bars))
    figure = intervals(
        "AUC of the model and of technical variables alone",
        bars,
        Axis("AUC, 95 % interval by subject", max(0.0, low // 0.1 / 10)),
        reference=0.5,
        caption="Dashed: guessing. The model's interval should lie to the right of all others.",
    )
    best, beaten = audit["drawn"]["best_baseline"], audit["drawn"]["beats_best_baseline"]
    p_value = next(row["p_model_better"] for row in rows if row["name"] == best)
    if not beaten:
        verdict = (
            f"The model is not better than {best} (one-sided p = {p_value:.2g}). It may have learned nothing else."
        )
    elif p_value < _ALPHA:
        verdict = f"The model is better than the best of them, {best} (one-sided p = {p_value:.2g})."
    else:
        verdict = f"None of them predicts the state beyond chance; the model is not clearly better than {best} either."
    return Section(
        "Technical baselines",
        "Differences in sequencing depth, detection, run order or a column of the sheet can look like biology. Each was judged "
        f"alone as a classifier, in the folds of the model. {verdict}",
        figures=[figure],
        notes=[
            "Paired test of two AUCs on the same samples (DeLong et al. 1988), by subject.",
            "An AUC below 0.5 is usual for a variable that says nothing: when the training part has more of a state in one "
            "group, the part left out has less of it there.",
        ],
    )


def learning_curve_section(audit: Mapping[str, Any]) -> Section | None:
    """Draw how the figure grows with the number of subjects."""
    points = audit["drawn"].get("learning_curve")
    found = [f for f in audit["findings"] if f["check"] in ("sample-size", "learning-curve")]
    if not points:
        return None
    n = [float(point["n_subjects"]) for point in points]
    figure = curves(
        "Learning curve",
        [
            Series(
                "plain ridge regression",
                n,
                [point["auc"] for point in points],
                [point["low"] for point in points],
                [point["high"] for point in points],
            ),
            Series("guessing", [0.0, n[-1] * 1.05], [0.5, 0.5], reference=True),
        ],
        Axis("subjects", 0.0, n[-1] * 1.05),
        Axis("AUC", min(0.4, *(point["low"] for point in points)), 1.0),
        "Parts of the cohort, judged by cross-validation; the band is the 95 % interval by subject.",
    )
    return Section("Sample size", "\n\n".join(finding["message"] for finding in found), figures=[figure])
