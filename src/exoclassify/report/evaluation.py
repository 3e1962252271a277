"""The judgement as sections of a report: discrimination, calibration, use, calls, subgroups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exoclassify.report.html import Cell, Figure, Section, Table
from exoclassify.report.plots import Axis, Series, curves, matrix

__all__ = ["abstaining", "calibration", "discrimination", "subgroups", "usefulness"]

Judged = Sequence[tuple[str, Mapping[str, Any]]]
"""Name and figures of each way of judging, such as cross-validation; the headline's first."""

_NAMES = {
    "auc": "AUC",
    "auc_within_folds": "AUC within batches",
    "auc_pooled": "AUC, folds pooled",
    "balanced_accuracy": "balanced accuracy",
    "brier": "Brier score",
    "log_loss": "log-loss",
    "calibration_slope": "calibration slope",
    "calibration_intercept": "calibration intercept",
}


def _states(judged: Judged) -> list[str]:
    return list(judged[0][1]["examined"]["states"])


def discrimination(judged: Judged) -> Section:
    """Show how well the states are distinguished."""
    name, first = judged[0]
    auc = first["figures"]["auc"]
    figures = []
    for state in _states(judged):
        figures += [_roc(judged, state), _precision_recall(judged, state)]
    figures += [_confusion(name, found) for name, found in judged if "confusion" in found["examined"]]
    summary = (
        f"Of two people, one with the state and one without, the model ranks the one with it higher {auc['value']:.0%} of the "
        f"time ({name}; 95 % interval {auc['low']:.0%} to {auc['high']:.0%}). Guessing gives 50%."
    )
    return Section(
        "Discrimination",
        summary,
        figures=figures,
        tables=[_figures_table(judged), _intervals_table(judged)],
        notes=[
            "The AUC and both curves rank a sample only among those that the same model answered for: its fold, or its left-out "
            "batch.",
            "Intervals by subject: samples of one person count as one. Curves are averaged over repeats of the folds.",
            "Interval of the AUC: DeLong on the logit scale. The models of cross-validation share training samples, so their "
            "errors go together, and the quoted standard error is multiplied by 1.22; in simulated cohorts at least 95 % of such "
            "intervals held the true AUC.",
        ],
    )


def _figures_table(judged: Judged) -> Table:
    rows: list[list[Cell]] = []
    for key in dict.fromkeys(key for _, figures in judged for key in figures["figures"]):
        name, _, state = key.partition(":")
        row: list[Cell] = [_NAMES.get(name, name) + (f", {state}" if state else "")]
        row += [_interval(figures["figures"].get(key)) for _, figures in judged]
        rows.append(row)
    if any(figures.get("permutation") for _, figures in judged):
        rows.append(["p by permuted labels", *(_permuted(figures.get("permutation")) for _, figures in judged)])
    return Table(["measure", *(name for name, _ in judged)], rows, "Measures with 95 % intervals")


def _permuted(found: Mapping[str, Any] | None) -> Cell:
    if not found:
        return None
    return f"{found['p_value']:.3g} ({found['n_permutations']} permutations, mean AUC {found['mean']:.3f})"


def _interval(found: Mapping[str, float] | None, digits: int = 3) -> Cell:
    if found is None:
        return None
    return f"{found['value']:.{digits}f} ({found['low']:.{digits}f} to {found['high']:.{digits}f})"


def _intervals_table(judged: Judged) -> Table:
    rows: list[list[Cell]] = []
    for name, figures in judged:
        found = figures["examined"]["auc_intervals"]
        rows += [
            [name, label, found["value"], *found[key]]
            for key, label in (
                ("quoted", "by subject, widened for cross-validation (quoted)"),
                ("delong_by_subject", "DeLong, by subject"),
                ("bootstrap_by_subject", "bootstrap, by subject"),
                ("delong_by_sample", "DeLong, as if every sample were another person"),
            )
        ]
    return Table(["judged by", "interval", "AUC", "low", "high"], rows, "The AUC's interval, four ways", folded=True)


def _roc(judged: Judged, state: str) -> Figure:
    lines = []
    for name, figures in judged:
        of_state = figures["examined"]["states"][state]
        found, quoted = of_state["roc"], figures["figures"].get(f"auc:{state}", figures["figures"]["auc"])
        if len(figures["examined"]["states"]) > 1 and f"auc:{state}" not in figures["figures"]:
            quoted = of_state["auc"]
        lines.append(
            Series(
                f"{name}, AUC {quoted['value']:.2f}", found["false_positive_rate"], found["sensitivity"], found.get("low"),
                found.get("high"),
            )
        )  # fmt: skip
    lines.append(Series("guessing", [0, 1], [0, 1], reference=True))
    caption = "Sensitivity and share of false alarms at every threshold. Bands: 95 % intervals by subject (bootstrap)."
    return curves(f"ROC curve, {state}", lines, Axis("1 − specificity"), Axis("sensitivity"), caption)


def _confusion(name: str, found: Mapping[str, Any]) -> Figure:
    counts = found["examined"]["confusion"]
    calls = list(next(iter(counts.values())))
    caption = (
        "Rows: the state in the sheet. Columns: the call. Number of samples (mean over repeats) and share of the row."
    )
    return matrix(
        f"Calls, {name}", list(counts), calls, [[row[call] for call in calls] for row in counts.values()], caption
    )


def _precision_recall(judged: Judged, state: str) -> Figure:
    lines = []
    for name, figures in judged:
        found = figures["examined"]["states"][state]
        lines.append(
            Series(
                f"{name}, AP {found['average_precision']:.2f}",
                found["precision_recall"]["recall"],
                found["precision_recall"]["precision"],
            )
        )
    rate = judged[0][1]["examined"]["states"][state]["share"]
    lines.append(Series("guessing", [0, 1], [rate, rate], reference=True))
    caption = (
        f"Recall: share of the people with the state who are found. Precision: share of those found who have it, at the mix of "
        f"these samples ({rate:.0%} {state}). AP: average precision."
    )
    return curves(f"Precision and recall, {state}", lines, Axis("recall"), Axis("precision"), caption)


def calibration(judged: Judged, carried: str = "") -> Section:
    """Show whether the probabilities can be taken at their word."""
    figures, rows = [], []
    for state in _states(judged):
        lines = []
        for name, found in judged:
            bins = found["examined"]["states"][state]["calibration"]
            seen = bins["seen"]
            lines.append(
                Series(
                    name, bins["said"], [s["value"] for s in seen], [s["low"] for s in seen], [s["high"] for s in seen],
                    dots=True,
                )
            )  # fmt: skip
            parts = bins["brier_parts"]
            rows.append(
                [name, state, bins["ece"], bins["ece_if_calibrated"], parts["brier"], parts["reliability"],
                 parts["resolution"], parts["uncertainty"], parts["within_bins"]]
            )  # fmt: skip
        lines.append(Series("ideal", [0, 1], [0, 1], reference=True))
        caption = "Each dot: held-out answers of about the same probability, and the share of them that had the state."
        figures.append(
            curves(f"Calibration, {state}", lines, Axis("probability answered"), Axis("share with the state"), caption)
        )
    name, first = judged[0]
    slope = first["figures"].get("calibration_slope")
    columns = [
        "judged by", "state", "ECE", "ECE of a perfect model with as many samples", "Brier", "reliability",
        "resolution", "uncertainty", "within bins",
    ]  # fmt: skip
    return Section(
        "Calibration of the model as shipped",
        f"{_slope_words(name, slope)}\n\n{carried}",
        figures=figures,
        tables=[Table(columns, rows, "Expected calibration error, and the parts of the Brier score", folded=True)],
        notes=[
            "Brier = reliability − resolution + uncertainty + what binning hides. Low reliability and high resolution are good."
        ],
    )


def _slope_words(name: str, slope: Mapping[str, float] | None) -> str:
    if slope is None:
        return "The states are separated completely, so a calibration slope cannot be estimated; judge by the figure."
    words = f"Calibration slope {slope['value']:.2f} ({slope['low']:.2f} to {slope['high']:.2f}; {name}; 1 is ideal). "
    if slope["high"] < 1:
        return (
            words + "The model is overconfident: probabilities near 0 and 1 should be read as less sure than they look."
        )
    if slope["low"] > 1:
        return words + "The model is underconfident: its probabilities could be nearer to 0 and 1."
    return words + "Neither over- nor underconfidence was shown; with few samples this is weak evidence."


def usefulness(judged: Judged) -> Section:
    """Show what acting on it would gain, and what a threshold does."""
    figures, rows = [], []
    for state in _states(judged):
        figures.append(_decision(judged, state))
        for name, found in judged:
            of_state = found["examined"]["states"][state]
            for point in of_state["thresholds"]:
                rows.append(
                    [name, state, point["chosen"], point["threshold"]]
                    + [_interval(point[key], 2) for key in ("sensitivity", "specificity", "ppv", "npv")]
                )
    rate = judged[0][1]["examined"]["states"][_states(judged)[0]]["prevalence"]
    columns = ["judged by", "state", "chosen for", "threshold", "sensitivity", "specificity", "PPV", "NPV"]
    return Section(
        "Clinical usefulness",
        "Net benefit counts the people treated rightly, less those treated for nothing. Where the model's line is above both "
        "dashed lines, it is better to act on the model than on everyone or on no one.",
        figures=figures,
        tables=[
            Table(
                columns,
                rows,
                f"Thresholds; predictive values at a prevalence of {rate:.0%} {_states(judged)[0]}",
                folded=True,
            )
        ],
        notes=[
            "Thresholds that reach 90 % were chosen on these same samples, so their figures are optimistic.",
            "Decision curves: Vickers & Elkin 2006. The mix of a case-control cohort is not the prevalence in a "
            "clinic: state that "
            "with `exoclassify evaluate --prevalence`.",
        ],
    )


def _decision(judged: Judged, state: str) -> Figure:
    lines = [
        Series(name, found["examined"]["states"][state]["net_benefit"]["threshold"],
               found["examined"]["states"][state]["net_benefit"]["model"])
        for name, found in judged
    ]  # fmt: skip
    benefit = judged[0][1]["examined"]["states"][state]["net_benefit"]
    rate = judged[0][1]["examined"]["states"][state]["prevalence"]
    lines.append(Series("everyone", benefit["threshold"], benefit["everyone"], reference=True))
    lines.append(Series("no one", [0.0, 1.0], [0.0, 0.0], reference=True))
    return curves(
        f"Net benefit, {state}", lines, Axis("threshold probability"),
        Axis("net benefit", -0.1 * rate, rate * 1.05), "In true positives per person. Dashed: acting on everyone, and on no one.",
    )  # fmt: skip


def abstaining(judged: Judged, places: Sequence[str] = ()) -> Section:
    """Show what it does when it is not sure.

    Parameters
    ----------
    places : sequence of str
        From which probability on the shipped model calls in each kind of batch; of other cohorts what it called is told.
    """
    lines, rows = [], []
    for name, found in judged:
        risk = found["examined"]["risk_coverage"]
        lines.append(Series(f"{name} (area {risk['area']:.3f})", risk["coverage"], risk["risk"]))
        for group in found["examined"]["sets"]:
            rows.append(
                [name, f"{group['by']} {group['of']}", group["n_samples"], group["promised"],
                 _interval(group["coverage"], 2), group["mean_size"]]
            )  # fmt: skip
    top = max(0.1, *(max(line.y) for line in lines)) * 1.1
    figure = curves(
        "Errors when only the surest answers are given", lines, Axis("share answered"), Axis("share wrong", 0, min(top, 1.0)),
        "From left to right: the surest answers alone, then more of them. There should be few errors on the left.",
    )  # fmt: skip
    name, first = judged[0]
    risk = first["examined"]["risk_coverage"]
    summary = f"The model made a call for {risk['called']:.0%} of the samples ({name}); the others are uncertain."
    if risk["wrong_among_called"] is not None:
        summary += f" {risk['wrong_among_called']:.0%} of its calls were wrong."
    summary = " ".join(places) or summary
    columns = ["judged by", "group", "samples", "promised", "sets that hold the truth", "states in a set"]
    return Section(
        "Uncertain answers and prediction sets",
        summary,
        figures=[figure],
        tables=[Table(columns, rows, "Prediction sets, by state and by group", folded=True)],
        notes=[
            "The level of the prediction sets holds for each state, not for each batch: in a new batch they may miss "
            "the truth more often."
        ],
    )


def subgroups(judged: Judged) -> Section | None:
    """Give figures for batch, sex, age and other groups."""
    rows: list[list[Cell]] = []
    for name, found in judged:
        for group in found["examined"]["subgroups"]:
            mix = ", ".join(f"{n} {state}" for state, n in group["samples"].items())
            rows.append(
                [name, f"{group['by']} {group['of']}", group["n_subjects"], mix, _interval(group["auc"], 2),
                 _interval(group["brier"]), group["called"]]
            )  # fmt: skip
    if not rows:
        return None
    columns = ["judged by", "group", "subjects", "samples", "AUC", "Brier score", "share called"]
    return Section(
        "Subgroups",
        "Groups are small and their intervals wide, so a difference between two groups seldom proves anything. A dash: fewer "
        "than two samples of a state in the group.",
        tables=[Table(columns, rows)],
    )
