"""Haemolysis and other contamination: how much, and whether it alone predicts the state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ranksums

from exoclassify.auditing.baselines import Baseline, Number
from exoclassify.auditing.contamination_panels import PANELS, ContaminationPanel
from exoclassify.auditing.findings import Finding, Severity
from exoclassify.auditing.reference import log_view
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.errors import first_three
from exoclassify.typing import Floats

__all__ = ["audit_haemolysis", "contaminants", "contamination_baselines", "haemolysis_index"]


_HAEMOLYSED = 7.0  # Cq(miR-23a-3p) - Cq(miR-451a) above this: haemolysis is likely (Blondal et al. 2013)
_MANY = 0.1
_DIFFERS = 1.64  # standard errors


def contamination_baselines(cohort: Cohort) -> list[Baseline]:
    """Give the haemolysis index, and the score of each published panel of contaminants, where they were measured."""
    table = cohort.cargo
    found: list[Baseline] = []
    red_cells = False
    panels = [(panel, columns) for panel in PANELS if (columns := _columns(table, panel))]
    log = log_view(table) if panels else np.zeros((cohort.n_samples, 0))
    for panel, columns in panels:
        V = log[:, columns]
        spread = V.std(axis=0)
        score = ((V - V.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).mean(axis=1)
        together = len(columns) > 1 and _together(cohort, V)
        red_cells |= together and panel.name == "red blood cells"
        alone = len(columns) == 1  # one molecule of a cell may as well be a marker
        chance = None if alone or together else 1.0
        name = f"contamination by {panel.name} ({panel.source})"
        found.append(Baseline(name, Number(score), "contamination", values=score, p_value=chance, mild=alone))
    index = haemolysis_index(table) if table.kind == "mirna" else None
    if index is not None and np.isfinite(index).sum() >= 3:
        name = "haemolysis index (miR-451a over miR-23a-3p)"
        found.append(Baseline(name, Number(index), "contamination", values=index, mild=not red_cells))
    return [one for one in found if one.values is not None and np.nanstd(one.values) > 1e-9]


def contaminants(table: CargoTable) -> NDArray[np.intp]:
    """Give the positions of molecules that published panels name as contaminants, such as those of red cells."""
    return np.array(sorted({column for panel in PANELS for column in _columns(table, panel)}), dtype=np.intp)


def _together(cohort: Cohort, V: Floats) -> bool:
    """Whether most molecules of a panel differ between the states, all in one direction: a single one may be a marker."""
    for state in cohort.states:
        here = cohort.y == state
        z = np.array([ranksums(column[here], column[~here]).statistic for column in V.T])
        if max((z > _DIFFERS).mean(), (z < -_DIFFERS).mean()) > 0.5:
            return True
    return False


def haemolysis_index(table: CargoTable) -> Floats | None:
    """Log2 of miR-451a over miR-23a-3p in each sample.

    For Ct the difference Cq(miR-23a-3p) − Cq(miR-451a) itself; NaN where one is missing or not detected. None when the table
    lacks one of the two.

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


def audit_haemolysis(cohort: Cohort) -> list[Finding]:
    """Say how many samples are likely to be haemolysed, among those that can be judged."""
    table = cohort.cargo
    if table.kind != "mirna":
        return []
    index = haemolysis_index(table)
    known = np.zeros(0) if index is None else index[np.isfinite(index)]
    if index is None or len(known) < 3:
        message = "Haemolysis cannot be judged from the cargo: miR-451a or miR-23a-3p was not measured."
        mend = "record haemolysis (A414 or by eye) in the sheet"
        return [Finding("haemolysis", "cohort", "miR-451a over miR-23a-3p", None, "info", message, mend)]
    medians = ", ".join(_median(index[cohort.y == state], state) for state in cohort.states)
    if table.unit != "ct":
        message = f"Haemolysis index (log2 miR-451a over miR-23a-3p): median {medians}."
        return [Finding("haemolysis", "cohort", "share likely haemolysed", None, "info", message)]
    high = np.flatnonzero(np.nan_to_num(index, nan=-np.inf) > _HAEMOLYSED)
    likely = len(high) / len(known)
    named = f" ({first_three(cohort.sheet.sample_ids[i] for i in high)})" if len(high) else ""
    message = (
        f"{len(high)} of the {len(known)} samples that can be judged are likely haemolysed{named}: "
        f"Cq(miR-23a-3p) − Cq(miR-451a) above {_HAEMOLYSED:g}; median {medians}."
    )
    mend = "exclude them, or show that the model holds without miRNA of red cells (miR-451a, -486-5p, -16-5p, -144-3p)"
    severity: Severity = "warning" if likely > _MANY else "info"
    return [Finding.of("haemolysis", "cohort", "share likely haemolysed", likely, severity, message, mend)]


def _median(index: Floats, state: str) -> str:
    known = index[np.isfinite(index)]
    return f"{np.median(known):.1f} in {state}" if len(known) else f"not known in {state}"


def _columns(table: CargoTable, panel: ContaminationPanel) -> list[int]:
    """Columns of a panel's molecules; empty when fewer than half were measured, or the panel is of other cargo."""
    if panel.kind != table.kind:
        return []
    where = {name.lower(): i for i, name in enumerate(table.molecules)}
    found = [next((where[name.lower()] for name in names if name.lower() in where), None) for names in panel.molecules]
    present = [column for column in found if column is not None]
    return present if 2 * len(present) >= len(panel.molecules) else []
