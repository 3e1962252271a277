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
        caption="How far a molecule moves the answer between two states, on held-out samples; 95 % interval over folds.",
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
        f"Of the {len(rows)} molecules that move the answers most, {steady} have an interval over folds that leaves 0 out. A "
        "molecule that moves answers need not cause pain, nor follow it; those that move together share the credit.",
        [figure],
        [table],
        notes=[
            "Exact contributions of every base learner, in log-odds, adding up to the score (TreeSHAP for trees), on samples "
            "that the fold's model had not seen. `exoclassify score --explain` gives them sample by sample."
        ],
    )
