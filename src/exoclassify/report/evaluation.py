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
        f"Of two people, one with a state and one without, the model ranks the right one higher {auc['value']:.0%} of the time "
        f"({name}; 95 % interval {auc['low']:.0%} to {auc['high']:.0%}). One half is guessing."
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
            "AUC by DeLong on the logit scale, and by 2,000 bootstrap draws of subjects within states; both as if one model had "
            "answered. The models of five folds share training samples, and their errors go together: quoted standard errors are "
            "1.22 times as large then, which held the true AUC in 95 % or more of simulated cohorts.",
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
    return Table(["figure", *(name for name, _ in judged)], rows, "Figures with 95 % intervals")


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
                ("quoted", "by subject, wider where folds' models answered (the one quoted)"),
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
    caption = "Sensitivity against false alarms at every threshold; bands: 95 % over bootstrap draws of subjects."
    return curves(f"ROC curve, {state}", lines, Axis("1 − specificity"), Axis("sensitivity"), caption)


def _confusion(name: str, found: Mapping[str, Any]) -> Figure:
    counts = found["examined"]["confusion"]
    calls = list(next(iter(counts.values())))
    caption = "Rows: the true state. Columns: what the model said. Samples, averaged over repeats, and their share of the row."
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
        f"Share of right calls among calls (AP: average precision), at the mix of these samples ({rate:.0%} {state})."
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
        lines.append(Series("as it should be", [0, 1], [0, 1], reference=True))
        caption = "Each dot: held-out answers with about the same probability, and how many of them had the state."
        figures.append(curves(f"Calibration, {state}", lines, Axis("probability said"), Axis("share seen"), caption))
    name, first = judged[0]
    slope = first["figures"].get("calibration_slope")
    columns = [
        "judged by", "state", "ECE", "ECE of a perfect model at this n", "Brier", "reliability", "resolution", "uncertainty",
        "within bins",
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
        return "The states are separated so well that no calibration slope exists; the bins below are all there is to judge by."
    words = f"Calibration slope {slope['value']:.2f} ({slope['low']:.2f} to {slope['high']:.2f}; {name}; 1 is ideal). "
    if slope["high"] < 1:
        return (
            words + "The model is overconfident: probabilities near 0 and 1 should be read as less sure than they look."
        )
    if slope["low"] > 1:
        return words + "The model is underconfident: it could be surer than it says."
    return words + "No over- or underconfidence could be shown; with few samples that is weak evidence."


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
        "Net benefit weighs people rightly acted on against people acted on for nothing. Where the model's line lies above both "
        "others, it is better to act on the model than on everyone or on no one.",
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
            "Thresholds that reach 90 % were chosen on these very samples, and are optimistic.",
            "Decision curves: Vickers & Elkin 2006. A case-control cohort has not the prevalence of a clinic: state the clinic's "
            "with evaluate --prevalence.",
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
        f"Net benefit, {state}", lines, Axis("probability from which one would act"),
        Axis("net benefit", -0.1 * rate, rate * 1.05), "In true positives a person; dashed: acting on everyone, and on no one.",
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
        "A model that knows what it does not know has few errors on the left.",
    )  # fmt: skip
    name, first = judged[0]
    risk = first["examined"]["risk_coverage"]
    summary = f"It called {risk['called']:.0%} of the samples ({name}); the rest are uncertain."
    if risk["wrong_among_called"] is not None:
        summary += f" Of its calls {risk['wrong_among_called']:.0%} were wrong."
    summary = " ".join(places) or summary
    columns = ["judged by", "group", "samples", "promised", "sets that hold the truth", "states in a set"]
    return Section(
        "Uncertain answers and prediction sets",
        summary,
        figures=[figure],
        tables=[Table(columns, rows, "Prediction sets, by state and by group", folded=True)],
        notes=[
            "Sets promise their coverage for each state, not for each batch: an unseen batch may break the promise."
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
        "Groups are small and their intervals wide: a difference between two groups is seldom one that this cohort can show. A "
        "dash means that a state has fewer than two samples in the group.",
        tables=[Table(columns, rows)],
    )
