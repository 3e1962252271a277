"""The judgement as sections of a report: discrimination, calibration, use, calls, subgroups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from exoclassify.model.card import label_of
from exoclassify.model.evaluation import Judged as Figured
from exoclassify.model.evaluation import Permutation
from exoclassify.model.figures import Examined, Figures
from exoclassify.model.figures import Figure as Value
from exoclassify.report.html import Cell, Figure, Section, Table
from exoclassify.report.plots import Axis, Series, curves, matrix

__all__ = ["Way", "abstaining", "calibration", "discrimination", "subgroups", "usefulness"]


class Way(NamedTuple):
    """A way of judging that was examined in detail.

    Parameters
    ----------
    name : str
        Such as cross-validation.
    figures, examined, permutation
        As in `CrossValidation`.
    """

    name: str
    figures: Figures
    examined: Examined
    permutation: Permutation | None

    @classmethod
    def of(cls, name: str, found: Figured | None) -> list[Way]:
        """Give the way as a list of one; empty where it was not done, or only its figures were kept."""
        if found is None or found.examined is None:
            return []
        return [cls(name, found.figures, found.examined, found.permutation)]


Judged = Sequence[Way]
"""The headline's first."""


def _states(judged: Judged) -> list[str]:
    return list(judged[0].examined.states)


def discrimination(judged: Judged) -> Section:
    """Show how well the states are distinguished."""
    first = judged[0]
    auc = first.figures.auc
    figures = []
    for state in _states(judged):
        figures += [_roc(judged, state), _precision_recall(judged, state)]
    figures += [_confusion(way) for way in judged if way.examined.confusion is not None]
    summary = (
        f"Of two people, one with the state and one without, the model ranks the one with it higher {auc.value:.0%} of the "
        f"time ({first.name}; 95 % interval {auc.low:.0%} to {auc.high:.0%}). Guessing gives 50%."
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
    rows: list[list[Cell]] = [
        [label_of(key), *(_interval(way.figures.get(key)) for way in judged)]
        for key in dict.fromkeys(key for way in judged for key, _ in way.figures.items())
    ]
    if any(way.permutation for way in judged):
        rows.append(["p by permuted labels", *(_permuted(way.permutation) for way in judged)])
    return Table(["measure", *(way.name for way in judged)], rows, "Measures with 95 % intervals")


def _permuted(found: Permutation | None) -> Cell:
    if not found:
        return None
    return f"{found.p_value:.3g} ({found.n_permutations} permutations, mean AUC {found.mean:.3f})"


def _interval(found: Value | None, digits: int = 3) -> Cell:
    return None if found is None else found.told(digits)


def _intervals_table(judged: Judged) -> Table:
    rows: list[list[Cell]] = []
    for way in judged:
        found = way.examined.auc_intervals
        rows += [
            [way.name, label, found.value, *interval]
            for interval, label in (
                (found.quoted, "by subject, widened for cross-validation (quoted)"),
                (found.delong_by_subject, "DeLong, by subject"),
                (found.bootstrap_by_subject, "bootstrap, by subject"),
                (found.delong_by_sample, "DeLong, as if every sample were another person"),
            )
        ]
    return Table(["judged by", "interval", "AUC", "low", "high"], rows, "The AUC's interval, four ways", folded=True)


def _roc(judged: Judged, state: str) -> Figure:
    lines = []
    for way in judged:
        of_state = way.examined.states[state]
        quoted = way.figures.get(f"auc:{state}")
        if quoted is None:
            quoted = of_state.auc if len(way.examined.states) > 1 else way.figures.auc
        roc = of_state.roc
        lines.append(
            Series(f"{way.name}, AUC {quoted.value:.2f}", roc.false_positive_rate, roc.sensitivity, roc.low, roc.high)
        )
    lines.append(Series("guessing", [0, 1], [0, 1], reference=True))
    caption = "Sensitivity and share of false alarms at every threshold. Bands: 95 % intervals by subject (bootstrap)."
    return curves(f"ROC curve, {state}", lines, Axis("1 − specificity"), Axis("sensitivity"), caption)


def _confusion(way: Way) -> Figure:
    counts = way.examined.confusion or {}
    calls = list(next(iter(counts.values())))
    caption = (
        "Rows: the state in the sheet. Columns: the call. Number of samples (mean over repeats) and share of the row."
    )
    values = [[row[call] for call in calls] for row in counts.values()]
    return matrix(f"Calls, {way.name}", list(counts), calls, values, caption)


def _precision_recall(judged: Judged, state: str) -> Figure:
    lines = []
    for way in judged:
        found = way.examined.states[state]
        curve = found.precision_recall
        lines.append(Series(f"{way.name}, AP {found.average_precision:.2f}", curve.recall, curve.precision))
    rate = judged[0].examined.states[state].share
    lines.append(Series("guessing", [0, 1], [rate, rate], reference=True))
    caption = (
        f"Recall: share of the people with the state who are found. Precision: share of those found who have it, at the mix of "
        f"these samples ({rate:.0%} {state}). AP: average precision."
    )
    return curves(f"Precision and recall, {state}", lines, Axis("recall"), Axis("precision"), caption)


def calibration(judged: Judged, carried: str = "") -> Section:
    """Show whether the probabilities can be taken at their word."""
    figures: list[Figure] = []
    rows: list[list[Cell]] = []
    for state in _states(judged):
        lines = []
        for way in judged:
            bins = way.examined.states[state].calibration
            seen = bins.seen
            lines.append(
                Series(
                    way.name, bins.said, [s.value for s in seen], [s.low for s in seen], [s.high for s in seen],
                    dots=True,
                )
            )  # fmt: skip
            parts = bins.brier_parts
            rows.append(
                [way.name, state, bins.ece, bins.ece_if_calibrated, parts.brier, parts.reliability,
                 parts.resolution, parts.uncertainty, parts.within_bins]
            )  # fmt: skip
        lines.append(Series("ideal", [0, 1], [0, 1], reference=True))
        caption = "Each dot: held-out answers of about the same probability, and the share of them that had the state."
        figures.append(
            curves(f"Calibration, {state}", lines, Axis("probability answered"), Axis("share with the state"), caption)
        )
    columns = [
        "judged by", "state", "ECE", "ECE of a perfect model with as many samples", "Brier", "reliability",
        "resolution", "uncertainty", "within bins",
    ]  # fmt: skip
    return Section(
        "Calibration of the model as shipped",
        f"{_slope_words(judged[0].name, judged[0].figures.calibration_slope)}\n\n{carried}",
        figures=figures,
        tables=[Table(columns, rows, "Expected calibration error, and the parts of the Brier score", folded=True)],
        notes=[
            "Brier = reliability − resolution + uncertainty + what binning hides. Low reliability and high resolution are good."
        ],
    )


def _slope_words(name: str, slope: Value | None) -> str:
    if slope is None:
        return "The states are separated completely, so a calibration slope cannot be estimated; judge by the figure."
    words = f"Calibration slope {slope.value:.2f} ({slope.low:.2f} to {slope.high:.2f}; {name}; 1 is ideal). "
    if slope.high < 1:
        return (
            words + "The model is overconfident: probabilities near 0 and 1 should be read as less sure than they look."
        )
    if slope.low > 1:
        return words + "The model is underconfident: its probabilities could be nearer to 0 and 1."
    return words + "Neither over- nor underconfidence was shown; with few samples this is weak evidence."


def usefulness(judged: Judged) -> Section:
    """Show what acting on it would gain, and what a threshold does."""
    figures: list[Figure] = []
    rows: list[list[Cell]] = []
    for state in _states(judged):
        figures.append(_decision(judged, state))
        for way in judged:
            for point in way.examined.states[state].thresholds:
                shares = (point.sensitivity, point.specificity, point.ppv, point.npv)
                rows.append(
                    [way.name, state, point.chosen, point.threshold, *(_interval(share, 2) for share in shares)]
                )
    rate = judged[0].examined.states[_states(judged)[0]].prevalence
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
    found = [(way.name, way.examined.states[state].net_benefit) for way in judged]
    lines = [Series(name, benefit.threshold, benefit.model) for name, benefit in found]
    benefit = found[0][1]
    rate = judged[0].examined.states[state].prevalence
    lines.append(Series("everyone", benefit.threshold, benefit.everyone, reference=True))
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
    lines: list[Series] = []
    rows: list[list[Cell]] = []
    for way in judged:
        risk = way.examined.risk_coverage
        lines.append(Series(f"{way.name} (area {risk.area:.3f})", risk.coverage, risk.risk))
        for group in way.examined.sets:
            rows.append(
                [way.name, f"{group.by} {group.of}", group.n_samples, group.promised,
                 _interval(group.coverage, 2), group.mean_size]
            )  # fmt: skip
    top = max(0.1, *(max(line.y) for line in lines)) * 1.1
    figure = curves(
        "Errors when only the surest answers are given", lines, Axis("share answered"), Axis("share wrong", 0, min(top, 1.0)),
        "From left to right: the surest answers alone, then more of them. There should be few errors on the left.",
    )  # fmt: skip
    risk = judged[0].examined.risk_coverage
    summary = (
        f"The model made a call for {risk.called:.0%} of the samples ({judged[0].name}); the others are uncertain."
    )
    if risk.wrong_among_called is not None:
        summary += f" {risk.wrong_among_called:.0%} of its calls were wrong."
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
    for way in judged:
        for group in way.examined.subgroups:
            mix = ", ".join(f"{n} {state}" for state, n in group.samples.items())
            rows.append(
                [way.name, f"{group.by} {group.of}", group.n_subjects, mix, _interval(group.auc, 2),
                 _interval(group.brier), group.called]
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
