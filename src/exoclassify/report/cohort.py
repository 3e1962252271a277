"""Who the samples are, how they lie, and whether the result stands without some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from exoclassify.report.html import Cell, Figure, Section, Table
from exoclassify.report.plots import Axis, Bar, Series, curves, intervals

__all__ = ["cohort_section", "samples_section", "sensitivity_section"]

_MOST_GROUPS = 5
_JUDGED = {"model": "The recipe of this model"}


def cohort_section(audit: Mapping[str, Any]) -> Section | None:
    """Show Table 1 and the main directions of the cargo, by state and by batch."""
    rows, found = audit["drawn"].get("table_one"), audit["drawn"].get("components")
    if not rows or not found:
        return None
    states = list(rows[0]["states"])
    cells: list[list[Cell]] = [
        [row["what"], *(row["states"][state] for state in states), row["difference"], row["missing"]] for row in rows
    ]
    table = Table(["", *states, "standardised difference", "missing"], cells, "Table 1. Samples by state")
    uneven = [row["what"] for row in rows if (row["difference"] or 0) > 0.25]
    figures = [_components(found, found["state"], "state")]
    if found["batch"] is not None and len(set(found["batch"])) > 1:
        figures.append(_components(found, found["batch"], "batch"))
    shown = ", ".join(what.partition(",")[0] for what in uneven[:4])
    told = (
        f"The states differ by more than a quarter of a standard deviation in {len(uneven)} "
        f"row{'s' * (len(uneven) > 1)} of Table 1 ({shown})."
    )
    return Section(
        "Who the samples are",
        told
        if uneven
        else "No row of Table 1 differs between the states by more than a quarter of a standard deviation.",
        figures=figures,
        tables=[table],
        notes=[
            "Standardised differences: Austin 2009, doi 10.1002/sim.3697; the largest between two states. Above 0.1 is commonly "
            "called an imbalance.",
            "Principal components of the normalised cargo of all samples: to look at, never used by the model.",
        ],
    )


def _components(found: Mapping[str, Any], groups: Sequence[str], by: str) -> Figure:
    x, y, codes = np.array(found["x"]), np.array(found["y"]), np.array(groups)
    names, counts = np.unique(codes, return_counts=True)
    largest = names[np.argsort(-counts, kind="stable")][:_MOST_GROUPS]
    series = [Series(str(name), x[codes == name], y[codes == name], dots=True) for name in sorted(largest)]
    rest = ~np.isin(codes, largest)
    caption = f"Each dot a sample, coloured by {by}." + (
        f" {int(rest.sum())} samples of other groups are left out." if rest.any() else ""
    )
    reach_x, reach_y = (float(np.ceil(np.abs(axis).max() * 1.05)) for axis in (x, y))
    explained = [f"component {i} ({share:.0%} of the variance)" for i, share in enumerate(found["explained"], start=1)]
    return curves(
        f"Principal components by {by}", series, Axis(explained[0], -reach_x, reach_x), Axis(explained[1], -reach_y, reach_y),
        caption,
    )  # fmt: skip


def sensitivity_section(audit: Mapping[str, Any]) -> Section | None:
    """Draw how the model does without molecules of blood cells, and without failed libraries."""
    rows = audit["drawn"].get("sensitivity")
    if not rows:
        return None
    bars = [
        Bar(
            f"without {row['without']}" if i else "all samples and molecules",
            row["auc"],
            row["low"],
            row["high"],
            1 if i else 2,
        )
        for i, row in enumerate(rows)
    ]
    low = min(0.4, *(bar.low for bar in bars))
    model = _JUDGED.get(rows[0].get("model", ""), "A plain ridge regression")
    figure = intervals(
        "AUC with and without", bars, Axis("AUC, 95 % interval by subject", max(0.0, low // 0.1 / 10)), reference=0.5,
        caption=f"{model}, learned again in one repeat of the folds each time. Dashed: guessing.",
    )  # fmt: skip
    told = "; ".join(f"{row['auc']:.2f} without {row['without']} ({row['left_out']})" for row in rows[1:])
    return Section(
        "Sensitivity analysis",
        f"{model} reaches AUC {rows[0]['auc']:.2f} in these folds with everything; {told}.",
        figures=[figure],
        notes=[
            "Molecules of blood cells: the published panels that the audit names. Libraries: failed, or far from all others.",
            "One repeat of cross-validation, so these figures differ a little from those averaged over all repeats.",
        ],
    )


def samples_section(rows: Sequence[Mapping[str, Any]]) -> Section | None:
    """List the samples that were called wrongly or contradict their label, by the reader's own ids."""
    if not rows:
        return None
    columns = list(rows[0])
    cells = [[row[column] for column in columns] for row in rows]
    wrong = sum(row["called wrongly"] > 0 for row in rows)
    return Section(
        "Samples to look at",
        f"For {len(rows)} samples the held-out answer leans to another state than the label; {wrong} of them were "
        "called wrongly. "
        "The label or the tube may have been swapped, or the person is hard to classify. Check the records, and do not change a "
        "label only because the model disagrees.",
        tables=[Table(columns, cells)],
        notes=[
            "This list has your own sample ids. The report in the model's folder, which you may share, does not have it."
        ],
    )
