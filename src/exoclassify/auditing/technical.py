"""Whether the technique alone does as well as the model: then the model is no evidence of biology."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from exoclassify.auditing.association import association, association_of_many
from exoclassify.auditing.baselines import Baseline, Mask, input_baselines, judged
from exoclassify.auditing.columns import column_baselines, describes_the_state, given_for_one_state, restates
from exoclassify.auditing.contamination import contamination_baselines
from exoclassify.auditing.detection import detection_baselines
from exoclassify.auditing.drift import drifts
from exoclassify.auditing.findings import Finding, Severity
from exoclassify.auditing.judged import Judged
from exoclassify.auditing.order import order_baselines
from exoclassify.data.cohort import Cohort
from exoclassify.judging.metrics import Estimate, against_rest, auc_within, mean_figure
from exoclassify.typing import Codes

__all__ = ["SAME", "Technical", "audit_technical", "better", "technical_baselines", "within_levels"]


_ALPHA = 0.05
_USEFUL = 0.6
"""A technical figure that predicts the state no better than this is left in peace, however surely it does."""
_WARNED, _CRITICAL = 0.02, 0.004
"""Chances, for one family of figures, of a warning and of a critical finding where nothing is wrong."""
SAME = 0.9
"""AUC of a column or batch alone from which on so few samples differ from it that nothing within it is evidence."""
_STRONG = 0.75
"""A technical figure that surely predicts the state, and this well, is confounded with it, whatever else a model finds."""
_CHECKS = {"order": "run-order", "contamination": "contamination"}


@dataclass(frozen=True, eq=False)
class Technical:
    """What the baselines gave.

    Parameters
    ----------
    findings : tuple of Finding
        One for each baseline.
    rows : tuple of dict
        Name, AUC with interval, p-value that the model is better; the model first.
    best : str or None
        The best baseline.
    beaten : bool or None
        The model is better than every one that predicts the state at all; None without baselines.
    confounders : dict
        Names and values of those that are critical and are one value a sample.
    """

    findings: tuple[Finding, ...]
    rows: tuple[dict[str, Any], ...]
    best: str | None
    beaten: bool | None
    confounders: dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class _Weighed:
    """A baseline, its AUC, and what speaks for and against it."""

    baseline: Baseline
    figure: Estimate
    chance: float
    p_better: float
    n_family: int
    within: Estimate | None


def technical_baselines(cohort: Cohort) -> list[Baseline]:
    """Give every technical figure of a cohort that varies."""
    ordered = order_baselines(cohort)
    taken = {one.column for one in ordered} - {None}
    columns = [
        one
        for one in column_baselines(cohort)
        if one.column not in taken or (one.values is not None and one.values.dtype.kind in "US")
    ]
    return [
        *input_baselines(cohort.cargo),
        *detection_baselines(cohort),
        *ordered,
        *contamination_baselines(cohort),
        *columns,
    ]


def audit_technical(cohort: Cohort, model: Judged) -> Technical:
    """Judge every technical figure in the folds of the model, and test whether the model is better."""
    findings: list[Finding] = []
    weighed: list[_Weighed] = []
    candidates = technical_baselines(cohort)
    families = [one.family for one in candidates]
    for baseline in candidates:
        named = None if baseline.column is None or baseline.family != "column" else _of_column(cohort, baseline.column)
        if named is not None:
            findings.append(named)
        else:
            weighed.append(_weigh(cohort, baseline, model, families.count(baseline.family)))
    rows = [_row(model.name, model.figure, model, None)]
    rows += [_row(one.baseline.name, one.figure, model, one.p_better) for one in weighed]
    findings += [_finding(one, model) for one in weighed]
    best = max(weighed, key=lambda one: one.figure.value, default=None)
    critical = {finding.subject for finding in findings if finding.severity == "critical"}
    rivals = [one for one in weighed if one.baseline.name in critical]
    beaten = None if best is None else not any(one.p_better >= _ALPHA for one in rivals)
    confounders = {one.baseline.name: values for one in rivals if (values := _values(one.baseline)) is not None}
    shown = max(rivals, key=lambda one: one.figure.value, default=best)
    return Technical(tuple(findings), tuple(rows), None if shown is None else shown.baseline.name, beaten, confounders)


def _values(baseline: Baseline) -> NDArray[Any] | None:
    """One value a sample: of a mask, how much of it is set."""
    return baseline.guess.mask.sum(axis=1) if isinstance(baseline.guess, Mask) else baseline.values


def better(model: Estimate, baseline: Estimate, groups: Codes) -> float:
    """Give the one-sided p-value that the model's AUC is higher.

    Notes
    -----
    DeLong's paired test with variances by subject; pROC's but for the correction of small samples, which is by subjects here
    and by state there.
    """
    sums = np.bincount(groups, weights=model.influence - baseline.influence)
    clusters = len(np.unique(groups))
    error = float(np.sqrt((sums**2).sum() * clusters / max(clusters - 1, 1)))
    difference = model.value - baseline.value
    return float(norm.sf(difference / error)) if error > 0 else float(difference <= 0)


def within_levels(model: Judged, levels: NDArray[Any]) -> Estimate | None:
    """AUC of the model over pairs of samples of one fold and one level, such as one batch.

    None where some state shares no level with another in any fold.
    """
    codes = np.unique(levels, return_inverse=True)[1]
    y = model.samples.y
    found = []
    for scores, fold in model.passes:
        cells = fold * (int(codes.max()) + 1) + codes
        each = [auc_within(against_rest(scores, k), y == k, cells) for k in range(scores.shape[1])]
        known = [one for one in each if one is not None]
        found += [mean_figure(known)] if len(known) == len(each) else []
    return mean_figure(found) if found else None


def _weigh(cohort: Cohort, baseline: Baseline, model: Judged, n_family: int) -> _Weighed:
    samples = model.samples
    figure = judged(baseline, model.repeats, samples.y, len(samples.states))
    levels = None
    if baseline.family == "column" and baseline.values is not None and baseline.values.dtype.kind in "US":
        levels = baseline.values
    within = None if levels is None else within_levels(model, levels)
    chance = _chance(baseline, model)
    asked = baseline.mild and baseline.family != "contamination" and chance < _ALPHA
    # Sorting a sheet does not explain that the cargo follows.
    if asked and baseline.values is not None and drifts(baseline.values, cohort):
        seen = f"{baseline.seen}, and the cargo follows it within each state".removeprefix(", ")
        baseline = replace(baseline, mild=False, seen=seen)
    return _Weighed(baseline, figure, chance, better(model.figure, figure, samples.groups), n_family, within)


def _chance(baseline: Baseline, model: Judged) -> float:
    """P-value that the figure has nothing to do with the state."""
    y, groups = model.samples.y, model.samples.groups
    if baseline.p_value is not None:
        return baseline.p_value
    first = np.unique(groups * (int(y.max()) + 1) + y, return_index=True)[1]
    if isinstance(baseline.guess, Mask):
        return association_of_many(baseline.guess.mask[first], y[first])
    assert baseline.values is not None
    values = baseline.values[first]
    p_value = association(values, y[first])[1]
    if values.dtype.kind in "US":
        return p_value
    apart = np.abs(values - np.nanmedian(values))  # one state's values may spread more, or not at all
    return min(1.0, p_value / 0.9, association(apart, y[first])[1] / 0.1)  # Bonferroni, nine tenths for the level


def _interval(figure: Estimate, model: Judged) -> tuple[float, float]:
    return figure.over_folds(len(model.repeats[0])).interval(model.samples.groups)


def _row(name: str, figure: Estimate, model: Judged, p_value: float | None) -> dict[str, Any]:
    low, high = _interval(figure, model)
    return {"name": name, "auc": figure.value, "low": low, "high": high, "p_model_better": p_value}


def _severity(one: _Weighed, model: Judged) -> Severity:
    chance = one.chance * one.n_family
    if one.figure.value < _USEFUL or chance >= _WARNED:
        return "info"
    if one.baseline.mild or chance >= _CRITICAL:
        return "warning"
    if one.within is not None and one.figure.value < SAME:
        return "warning" if model.above_chance(one.within) else "critical"
    sure = one.figure.value >= _STRONG and _interval(one.figure, model)[0] >= _USEFUL
    strong = sure and one.baseline.family != "contamination"  # whose molecules may be markers too
    return "warning" if one.p_better < _ALPHA and not strong else "critical"


_MENDS = {
    "critical": "balance it between the states (measure again, downsample, match) before anything is said of biology",
    "warning": "state it beside the model's figure, and balance it in the next run",
}
_MILD = {
    "order": "harmless if samples were sorted at the desk, fatal if they were measured in that order",
    "column": "harmless if ids were only given so, fatal if they say where or when samples were measured",
    "contamination": "a contaminant, or a marker that goes with one",
}


def _finding(one: _Weighed, model: Judged) -> Finding:
    severity, name = _severity(one, model), one.baseline.name
    low, high = _interval(one.figure, model)
    seen = f" ({one.baseline.seen})" if one.baseline.seen else ""
    message = (
        f"{name} alone predicts the state with AUC {one.figure.value:.2f} ({low:.2f} to {high:.2f}){seen}: "
        f"{_why(one, model, severity)}."
    )
    mend = _MENDS.get(severity, "")
    check = _CHECKS.get(one.baseline.family, "technical-baseline")
    return Finding(check, name, "AUC", one.figure.value, severity, message, mend)


def _why(one: _Weighed, model: Judged, severity: Severity) -> str:
    mine = f"the {model.name} ({model.figure.value:.2f})"
    if severity == "info":
        return "that may be chance"
    if one.baseline.mild:
        return _MILD[one.baseline.family]
    if one.within is not None and one.figure.value < SAME:
        inside = f"within its levels the {model.name} reaches {one.within.value:.2f}"
        if model.above_chance(one.within):
            return f"{inside}, so part of its figure may be the column's"
        return f"{inside}, no better than guessing, so what it found may be the column"
    if one.p_better >= _ALPHA:
        return f"{mine} is not better (p = {one.p_better:.2g}), and may be nothing else"
    return f"{mine} is better (p = {one.p_better:.2g}), but may rest on it" + (
        " in good part" if severity == "critical" else ""
    )


def _of_column(cohort: Cohort, column: str) -> Finding | None:
    """Say of a column that it is the state under another name, or that it describes the state; else None."""
    cells, y = cohort.sheet.frame[column], cohort.y
    name = f"column {column}"
    if given_for_one_state(cells, y):
        message = f"{name} is filled in for one state only, so it describes that state and cannot be compared."
        return Finding("technical-baseline", name, "AUC", None, "info", message)
    if not restates(cells, y):
        return None
    if describes_the_state(column):
        message = f"{name} goes with the label level by level, as a description of the disease does."
        return Finding("technical-baseline", name, "AUC", 1.0, "info", message)
    message = f"{name} and the label are the same thing: each level of it holds one state, so the states may differ by it alone."
    mend = "measure samples of every state at every level of it, or take it out of the sheet if it only repeats the diagnosis"
    return Finding("technical-baseline", name, "AUC", 1.0, "critical", message, mend)
