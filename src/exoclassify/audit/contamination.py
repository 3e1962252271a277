"""Haemolysis and other contamination: how much, and whether it goes with the state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kruskal, mannwhitneyu

from exoclassify.audit.contamination_panels import PANELS, ContaminationPanel
from exoclassify.audit.findings import Finding, Severity
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.learning.metrics import auc
from exoclassify.methods.steps import imputer_for, normaliser_for

__all__ = ["audit_contamination", "haemolysis_index"]

Floats = NDArray[np.float64]

_HAEMOLYSED = 7.0  # Cq(miR-23a-3p) - Cq(miR-451a) above this: haemolysis is likely (Blondal et al. 2013)
_SOURCE = "Blondal et al. 2013, doi 10.1016/j.ymeth.2012.09.015"
_ALPHA = 0.01  # several panels are looked at


def audit_contamination(cohort: Cohort) -> list[Finding]:
    """Look for broken red cells, and for each published panel of contaminants.

    Parameters
    ----------
    cohort : Cohort
        With one layer.

    Returns
    -------
    list of Finding
        Empty for cargo without a panel.
    """
    table = cohort.cargo
    found = [_haemolysis(cohort)] if table.kind == "mirna" else []
    for panel in PANELS:
        if panel.kind == table.kind:
            score = _panel_score(table, panel)
            if score is not None:
                found.append(_of_panel(cohort, panel, score))
    return found


def haemolysis_index(table: CargoTable) -> Floats | None:
    """Log2 of miR-451a over miR-23a-3p in each sample.

    Parameters
    ----------
    table : CargoTable
        miRNA of any unit.

    Returns
    -------
    ndarray of shape (n_samples,) or None
        For Ct the difference Cq(miR-23a-3p) − Cq(miR-451a) itself; NaN where one is missing or not detected. None when the
        table lacks one of the two.

    Notes
    -----
    Blondal et al. 2013 for qPCR of plasma and serum: above 7 haemolysis is likely. For reads the ratio stands on another
    scale, library preparation being what it is: samples of one table can be compared by it, a limit cannot be read off.
    """
    names = {"red": ("hsa-miR-451a", "hsa-miR-451"), "stable": ("hsa-miR-23a-3p", "hsa-miR-23a")}
    columns = {}
    for role, spellings in names.items():
        at = [table.molecules.index(name) for name in spellings if name in table.molecules]
        if not at:
            return None
        columns[role] = table.values[:, at[0]]
    red, stable = columns["red"], columns["stable"]
    if table.unit == "ct":
        seen = (red != table.not_detected) & (stable != table.not_detected)
        return np.where(seen, stable - red, np.nan)
    if table.unit == "log2_intensity":
        return red - stable
    return np.asarray(np.log2(red + 1) - np.log2(stable + 1), dtype=np.float64)


def _haemolysis(cohort: Cohort) -> Finding:
    index = haemolysis_index(cohort.cargo)
    if index is None or np.isfinite(index).sum() < 3:
        message = "miR-451a or miR-23a-3p was not measured, so haemolysis cannot be judged from the cargo."
        return Finding(
            "haemolysis", "cohort", "miR-451a over miR-23a-3p", None, "info", message,
            "record haemolysis (A414 or by eye) in the sheet",
        )  # fmt: skip
    area, p_value = _difference(cohort, index)
    scale = "Cq(miR-23a-3p) − Cq(miR-451a)" if cohort.cargo.unit == "ct" else "log2 miR-451a over miR-23a-3p"
    medians = ", ".join(f"{np.nanmedian(index[cohort.y == state]):.1f} in {state}" for state in cohort.states)
    message = (
        f"Haemolysis index ({scale}): median {medians}; AUC {area:.2f} between states, p = {p_value:.2g}."
    )
    severity: Severity = "warning" if p_value < _ALPHA else "info"
    if cohort.cargo.unit == "ct":
        likely = float(np.nanmean(index > _HAEMOLYSED))
        message += f" {likely:.0%} of the samples lie above {_HAEMOLYSED:g}, where haemolysis is likely."
        severity = "warning" if likely > 0.1 else severity
    mend = "exclude haemolysed samples, or show that the model holds without erythroid miRNA (miR-451a, -486-5p, -16-5p, -144-3p)"
    return Finding(
        "haemolysis",
        "cohort",
        "AUC of the index",
        area,
        severity,
        message,
        mend if severity == "warning" else "",
    )


def _panel_score(table: CargoTable, panel: ContaminationPanel) -> Floats | None:
    """Mean standardised log abundance of the panel's molecules; None when fewer than half, or none, were measured."""
    where = {name.lower(): i for i, name in enumerate(table.molecules)}
    columns = [
        next((where[name.lower()] for name in names if name.lower() in where), None)
        for names in panel.molecules
    ]
    present = [column for column in columns if column is not None]
    if not present or 2 * len(present) < len(panel.molecules):
        return None
    normaliser = normaliser_for(table.unit, "auto", table.not_detected)
    log = imputer_for(table.unit).fit_transform(normaliser.fit_transform(table.values))[:, present]
    spread = log.std(axis=0)
    score: Floats = ((log - log.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).mean(axis=1)
    return score


def _of_panel(cohort: Cohort, panel: ContaminationPanel, score: Floats) -> Finding:
    area, p_value = _difference(cohort, score)
    severity: Severity = "warning" if p_value < _ALPHA else "info"
    counted = f"AUC {area:.2f} between states, p = {p_value:.2g}; {panel.source}"
    if severity == "warning":
        message = (
            f"Marks of {panel.name} go with the state ({counted}): part of the model may be contamination."
        )
        mend = "compare handling of the states (needle, spins, tube, time to processing); show the model without these molecules"
        return Finding("contamination", panel.name, "AUC of the panel", area, severity, message, mend)
    message = f"Marks of {panel.name} do not differ between states ({counted})."
    return Finding("contamination", panel.name, "AUC of the panel", area, severity, message, "")


def _difference(cohort: Cohort, score: Floats) -> tuple[float, float]:
    """Largest AUC of one state against the rest, either way, and the p-value that no state differs; by subject."""
    known = np.isfinite(score)
    subjects = [f"{g}\0{s}" for g, s in zip(cohort.groups[known], cohort.y[known], strict=True)]
    _, first, code = np.unique(subjects, return_index=True, return_inverse=True)
    means = np.bincount(code, score[known]) / np.bincount(code)
    y = cohort.y[known][first]
    parts = [means[y == state] for state in cohort.states if (y == state).any()]
    if len(parts) < 2 or np.ptp(means) == 0:
        return 0.5, 1.0
    areas = [auc(means, y == state).value for state in cohort.states if (y == state).any()]
    test = mannwhitneyu(*parts) if len(parts) == 2 else kruskal(*parts)
    return max(max(area, 1 - area) for area in areas), float(test.pvalue)
