"""What is known of a condition, as a page, a drawing, or Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from exoclassify.evidence.catalogue import VERSION
from exoclassify.evidence.condition import ConditionView
from exoclassify.evidence.evidence import Evidence
from exoclassify.report.html import Cell, Figure, Section, Table, page
from exoclassify.report.plots import Axis, Bar, intervals

__all__ = ["condition_drawing", "condition_markdown", "condition_page"]

_REACH = 6.0
"""log2 fold change at which the forest plot ends at most; longer intervals run to the edge."""

_STYLE = """<style>text{font:12px sans-serif;fill:#222}.grid{stroke:#ddd}.ref{stroke:#888;stroke-dasharray:4 3}
.whisker{stroke-width:2;stroke:#1b6ca8}.dot{fill:#1b6ca8}.s2.whisker{stroke:#b8500f}.s2.dot{fill:#b8500f}
.s3.whisker{stroke:#5b7f1f}.s3.dot{fill:#5b7f1f}.s4.whisker{stroke:#7a3e9d}.s4.dot{fill:#7a3e9d}
.s5.whisker{stroke:#333}.s5.dot{fill:#333}</style>"""


def condition_page(view: ConditionView) -> str:
    """Write the page of a condition."""
    sections = [
        Section(
            "What is known",
            "\n\n".join(view.in_words()),
            notes=[
                "Replication is counted over independent studies (by PMID or DOI), within one condition, kind of contrast and "
                "fluid. Most contrasts are of patients against others, not of pain against its absence."
            ],
        ),
        *([_claims("Claims on people", view.people)] if view.people else []),
        *(
            [Section("Where claims contradict each other", "\n\n".join(f"{line}." for line in view.contradictions))]
            if view.contradictions
            else []
        ),
        *([_tables(view)] if view.tables else []),
        *([_claims("Animals and cells, apart", view.others)] if view.others else []),
        Section(
            "What is missing", "\n\n".join(f"{line[0].upper()}{line[1:]}." for line in view.missing) or "Nothing named."
        ),
    ]
    return page(
        _title(view),
        sections,
        subtitle="What vesicles carry: published claims, and what public tables say",
        footer=f"exoclassify evidence catalogue {VERSION}",
    )


def condition_drawing(view: ConditionView) -> str:
    """Draw the forest plot of a condition as a whole SVG file."""
    if not view.effects:
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 40" width="640" height="40">'
            '<rect width="640" height="40" fill="#ffffff"/><text x="10" y="25" font-family="sans-serif" font-size="12">'
            "No public table of this condition holds any molecule to draw.</text></svg>\n"
        )
    svg = _forest(view).svg
    start = svg.index(">") + 1
    width, height = (float(part) for part in svg.split('viewBox="0 0 ')[1].split('"')[0].split())
    head = svg[:start].replace(
        "<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" ', 1
    )
    return f'{head}{_STYLE}<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>{svg[start:]}\n'


def condition_markdown(view: ConditionView) -> str:
    """Write what is known of a condition as Markdown."""
    lines = [f"# {_title(view)}", "", *(f"{line}\n" for line in view.in_words())]
    for title, rows in (("Claims on people", view.people), ("Animals and cells", view.others)):
        if rows:
            lines += [f"## {title}", "", *_markdown(_claim_table(rows)), ""]
    if view.contradictions:
        lines += ["## Contradictions", "", *(f"- {line}" for line in view.contradictions), ""]
    if view.tables:
        lines += ["## Public tables, reanalysed", "", *_markdown(_table_table(view)), ""]
        lines += [
            *_markdown(_effect_table(view)),
            "",
            *(f"- {name}: {value.in_words}" for name, value in view.pooled),
            "",
        ]
        lines += (
            []
            if view.pooled
            else ["No meta-analysis: fewer than two independent tables of people hold a molecule.", ""]
        )
    lines += ["## What is missing", "", *(f"- {line}" for line in view.missing), ""]
    lines.append(f"exoclassify evidence catalogue {VERSION}.")
    return "\n".join(lines) + "\n"


def _title(view: ConditionView) -> str:
    return " and ".join(view.conditions)


def _claims(title: str, rows: Sequence[Evidence]) -> Section:
    counted = [row for row in rows if row.measured != "cargo"]
    apart = f" {len(counted)} of them tell how many vesicles carry it, not what these contain." if counted else ""
    return Section(title, f"{len(rows)} claims.{apart}", tables=[_claim_table(rows)])


def _claim_table(rows: Sequence[Evidence]) -> Table:
    return Table(
        ["molecule", "", "contrast", "fluid", "n", "of pain", "study, and what to know"],
        [
            (
                row.molecule or row.written,
                row.direction,
                row.contrast,
                row.biofluid.replace("-", " ") + ("" if row.system == "patients" else f" ({row.species})"),
                row.n,
                "yes" if row.pain_stratified else "no",
                _known_of(row),
            )
            for row in rows
        ],
    )


def _known_of(row: Evidence) -> str:
    parts = [f"{row.study} ({row.reference})"]
    parts += [] if row.independent else ["not counted as a study"]
    parts += ["amount of vesicles"] if row.measured != "cargo" else []
    return "; ".join([*parts, row.note] if row.note else parts)


def _tables(view: ConditionView) -> Section:
    pooled = [f"{name}: {value.in_words}." for name, value in view.pooled]
    figures = [_forest(view)] if view.effects else []
    return Section(
        "Public tables, reanalysed",
        view.support_in_words,
        figures,
        [_table_table(view), _effect_table(view)],
        notes=[
            "Effects by one script for all tables: TMM, voom, moderated t; batch in the design, depth and detection as "
            "covariates where they separate the states. Shown are the molecules claimed, then the clearest of the table: a "
            "molecule picked because it is clear will be less so elsewhere.",
            *(pooled or ["No meta-analysis: fewer than two independent tables of people hold a molecule."]),
        ],
    )


def _forest(view: ConditionView) -> Figure:
    claimed = {row.molecule: row.direction for row in view.people if row.direction in ("up", "down")}
    marks = {"up": " ▲", "down": " ▼"}
    accessions = [table.accession for table in view.tables]
    pooled, bars = dict(view.pooled), []
    for i, effect in enumerate(view.effects):
        short = effect.molecule.removeprefix("hsa-")
        bars.append(
            Bar(
                f"{short}{marks.get(claimed.get(effect.molecule, ''), '')} {effect.table.accession.removeprefix('PRJNA')}",
                effect.log2_fold_change,
                effect.low,
                effect.high,
                style=accessions.index(effect.table.accession) % 4 + 1,
            )
        )
        last = i + 1 == len(view.effects) or view.effects[i + 1].molecule != effect.molecule
        if last and effect.molecule in pooled:
            one = pooled[effect.molecule]
            bars.append(Bar(f"{short} pooled", one.value, one.low, one.high, style=5))
    reach = min(_REACH, max(1.0, *(max(abs(bar.low), abs(bar.high)) for bar in bars)))
    return intervals(
        "Effects in public tables",
        bars,
        Axis("log2 fold change", -reach, reach),
        reference=0.0,
        caption="▲ ▼ the direction published of people. Each line is one table's effect and its 95 % interval, one colour a "
        "table. Lines that reach the edge go on beyond it.",
    )


def _table_table(view: ConditionView) -> Table:
    return Table(
        ["accession", "contrast", "fluid", "n", "adjusted for", "confounded by", "the audit's verdict", "note"],
        [
            (
                table.accession,
                f"{table.state} against {table.reference}",
                table.biofluid.replace("-", " "),
                f"{table.n_state} + {table.n_reference}",
                table.adjusted_for or "nothing",
                table.confounded_by or "nothing found",
                table.verdict,
                table.note,
            )
            for table in view.tables
        ],
    )


def _effect_table(view: ConditionView) -> Table:
    said = {one.claim.molecule: one.claim.direction for one in view.supported}
    return Table(
        ["molecule", "published", "table", "log2 fold change", "low", "high", "q"],
        [
            (
                effect.molecule,
                said.get(effect.molecule),
                effect.table.accession,
                effect.log2_fold_change,
                effect.low,
                effect.high,
                effect.q,
            )
            for effect in view.effects
        ],
    )


def _markdown(table: Table) -> list[str]:
    def cell(value: Cell) -> str:
        text = "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
        return text.replace("|", "\\|")

    return [
        f"| {' | '.join(table.columns)} |",
        f"|{' --- |' * len(table.columns)}",
        *(f"| {' | '.join(cell(value) for value in row)} |" for row in table.rows),
    ]
