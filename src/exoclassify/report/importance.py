"""The section of a report that shows which molecules move the answers."""

from __future__ import annotations

from exoclassify.evidence.agreement import told_shortly
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.evidence.reanalysis import Reanalysis, told_in_tables
from exoclassify.model.evaluation import Evaluation
from exoclassify.report.html import Section, Table
from exoclassify.report.plots import Axis, Bar, intervals

__all__ = ["importance_section"]

_DRAWN = 20


def importance_section(evaluation: Evaluation) -> Section | None:
    """Draw the molecules that move the answers most, with the spread over folds, beside what is published of each."""
    rows = evaluation.importance
    if not rows:
        return None
    shown = rows[:_DRAWN]
    steady = sum(row.low > 0 for row in rows)
    bars = [Bar(row.molecule, row.mean, row.low, row.high) for row in shown]
    figure = intervals(
        "Molecules that move the answers most",
        bars,
        Axis("mean move, in log-odds", 0.0, max(row.high for row in shown)),
        caption="How far a molecule shifts the answer between two states, in held-out samples. Lines: 95 % intervals over folds.",
    )
    catalogue, public = Catalogue.read(), Reanalysis.read()
    table = Table(
        ["molecule", "mean", "low", "high", "share of folds that read it", "published", "public tables"],
        [
            (
                row.molecule,
                row.mean,
                row.low,
                row.high,
                row.read_in,
                told_shortly(catalogue.of(row.molecule))[0] or None,
                told_in_tables(public.of(row.molecule)) or None,
            )
            for row in shown
        ],
        "The molecules, with what is published of each",
        folded=True,
    )
    return Section(
        "What moves the answers",
        f"Of the {len(rows)} molecules that change the answers most, {steady} have an interval over folds that excludes "
        "0. Such a "
        "molecule need not cause pain or result from it, and molecules that vary together share their effect.",
        [figure],
        [table],
        notes=[
            "Exact contributions of every base learner in log-odds, which add up to the score (TreeSHAP for trees). "
            "`exoclassify score --explain` gives them for each sample."
        ],
    )
