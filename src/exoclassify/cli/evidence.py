"""exoclassify evidence: what is published of a molecule, a condition or a mechanism."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.outputs import check_file, check_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exoclassify.evidence.catalogue import Catalogue
    from exoclassify.evidence.condition import ConditionView
    from exoclassify.evidence.evidence import Evidence
    from exoclassify.evidence.links import Link
    from exoclassify.evidence.reanalysis import Effect, Reanalysis

__all__ = ["EXPORT_FILES", "evidence"]

EXPORT_FILES = (
    "evidence.csv", "reanalysis.csv", "reanalysis_tables.csv", "changes.csv", "datapackage.json", "evidence.jsonld",
    "CITATION.cff", "README.md",
)  # fmt: skip
"""What is in an exported folder."""

_PAGES = (".html", ".svg", ".json", ".md")


def evidence(
    molecule: Annotated[
        str | None, typer.Argument(help="miRNA in any spelling, gene symbol, UniProt accession, or a name as printed.")
    ] = None,
    condition: Annotated[
        str | None, typer.Option(help="Disease or model, as in CRPS, RA, migraine, endometriosis, SNI.")
    ] = None,
    mechanism: Annotated[
        str | None, typer.Option(help="nociceptive, inflammatory, neuropathic, nociplastic, mixed or unclassified.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(help="visceral, headache, musculoskeletal, cancer, post-trauma, widespread or other.")
    ] = None,
    add: Annotated[
        list[Path] | None,
        typer.Option(help="CSV of your own rows with the catalogue's columns; may be given several times."),
    ] = None,
    as_json: opt.AsJson = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Draw which molecule was reported in which condition.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="With --condition, write its page to this .html, .svg, .json or .md file; with --summary, the drawing to .svg."
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Write the whole catalogue to this folder as it can be cited: CSV, JSON-LD, data package."),
    ] = None,
    force: opt.Force = False,
) -> None:
    """Show what is published of a condition or a molecule.

    Published claims, and what public tables say; people and animals apart.

    Each claim was read at the address it gives. Most compare a painful disease with controls, not pain with its absence.
    """
    if out is not None:
        _check_out(out, summary=summary, condition=condition, force=force, inputs=add or [])
    if export is not None:
        check_folder(export, force=force, own=EXPORT_FILES)
    from exoclassify.evidence.catalogue import Catalogue
    from exoclassify.evidence.reanalysis import Reanalysis

    whole, tables = Catalogue.read(*(add or [])), Reanalysis.read()
    if export is not None:
        _export(whole, tables, export, force=force)
        return
    catalogue = whole.where(mechanism=mechanism, site=site)
    view = None
    if condition is not None:
        from exoclassify.evidence.condition import ConditionView

        view = ConditionView.of(catalogue, tables, condition)
        catalogue = type(catalogue)((*view.people, *view.others))
    if molecule is not None:
        _molecule(molecule, catalogue, tables, as_json=as_json, summary=summary, out=out, force=force)
    elif summary:
        _draw(catalogue, out, force)
    elif view is not None:
        _condition(view, catalogue, out, as_json=as_json, force=force)
    elif as_json:
        _print_json([row.model_dump() for row in catalogue.rows])
    else:
        _show_rows(catalogue)


def _check_out(out: Path, *, summary: bool, condition: str | None, force: bool, inputs: list[Path]) -> None:
    if summary and out.suffix != ".svg":
        raise typer.BadParameter(f"{out}: the drawing is SVG; end the name in .svg", param_hint="--out")
    if not summary and condition is None:
        raise typer.BadParameter(
            "a page is written of one condition, or a drawing of all; give --condition or --summary too",
            param_hint="--out",
        )
    if out.suffix not in _PAGES:
        raise typer.BadParameter(f"{out}: end the name in {', '.join(_PAGES)}", param_hint="--out")
    check_file(out, force=force, inputs=inputs)


def _export(catalogue: Catalogue, tables: Reanalysis, folder: Path, *, force: bool) -> None:
    from exoclassify.evidence.export import export_files
    from exoclassify.tables.writing import write_folder_atomically

    def write(partial: Path) -> None:
        for name, text in export_files(catalogue, tables).items():
            (partial / name).write_text(text, encoding="utf-8")

    write_folder_atomically(folder, write, force=force)
    print(f"written to {folder}")


def _molecule(
    molecule: str,
    catalogue: Catalogue,
    tables: Reanalysis,
    *,
    as_json: bool,
    summary: bool,
    out: Path | None,
    force: bool,
) -> None:
    effects = tables.of(molecule)
    links = catalogue.of(molecule) if effects else catalogue.demand(molecule)
    if as_json:
        _print_json(
            {
                "molecule": molecule,
                "claims": [{"relation": at.relation, **at.evidence.model_dump()} for at in links],
                "public_tables": [_effect(effect) for effect in effects],
            }
        )
    elif summary:
        _draw(type(catalogue)(tuple(at.evidence for at in links)), out, force)
    else:
        _show_molecule(molecule, links)
        _show_effects(molecule, effects)


def _effect(effect: Effect) -> dict[str, Any]:
    table = effect.table
    return {
        "accession": table.accession, "condition": table.condition, "biofluid": table.biofluid, "n_state": table.n_state,
        "n_reference": table.n_reference, "confounded_by": table.confounded_by, "verdict": table.verdict,
        "direction": effect.direction, **{name: value for name, value in vars(effect).items() if name != "table"},
    }  # fmt: skip


def _show_effects(molecule: str, effects: Sequence[Effect]) -> None:
    from exoclassify.evidence.pooling import pooled
    from exoclassify.evidence.reanalysis import told_in_tables

    if not effects:
        print(f"public tables: none that was reanalysed holds {molecule}")
        return
    print(told_in_tables(effects))
    for effect in effects:
        table = effect.table
        beware = f"; confounded by {table.confounded_by}" if table.confounded_by else ""
        print(
            f"    {effect.direction:<10} {table.condition} ({table.accession}; {table.biofluid.replace('-', ' ')}; "
            f"{table.n_state} against {table.n_reference}{beware})"
        )
        print(
            f"    {'':<10} {effect.molecule}: log2 {effect.log2_fold_change:+.2f} ({effect.low:+.2f} to {effect.high:+.2f}), "
            f"q {effect.q:.2g}"
        )
    for name in dict.fromkeys(effect.molecule for effect in effects):
        blood = [e for e in effects if e.molecule == name and e.table.biofluid in ("serum", "plasma")]
        value = pooled([e.log2_fold_change for e in blood], [e.error for e in blood])
        if value is None:
            print(f"{name}: no meta-analysis, fewer than two tables of serum or plasma hold it")
        else:
            print(f"{name}, patients against healthy people in serum and plasma, {value.in_words}")


def _condition(view: ConditionView, catalogue: Catalogue, out: Path | None, *, as_json: bool, force: bool) -> None:
    if as_json:
        _print_json(view.as_dict())
    elif out is None:
        _show_rows(catalogue)
        for line in (*view.in_words(), *(f"Contradicted: {line}." for line in view.contradictions)):
            print(line)
        print(f"Missing: {'; '.join(view.missing)}." if view.missing else "")
    if out is None:
        return
    import json

    from exoclassify.report.condition import condition_drawing, condition_markdown, condition_page
    from exoclassify.tables.writing import write_text_atomically

    writers: dict[str, Callable[[ConditionView], str]] = {
        ".html": condition_page,
        ".svg": condition_drawing,
        ".md": condition_markdown,
        ".json": lambda view: json.dumps(view.as_dict(), indent=1, ensure_ascii=False) + "\n",
    }
    write_text_atomically(out, writers[out.suffix](view), force=force)
    print(f"written to {out}")


def _print_json(values: object) -> None:
    import json

    print(json.dumps(values, indent=1, ensure_ascii=False))


def _draw(catalogue: Catalogue, out: Path | None, force: bool) -> None:
    from exoclassify.evidence.matrix import EvidenceMatrix

    matrix = EvidenceMatrix.of(catalogue)
    print(matrix.text())
    if out is not None:
        from exoclassify.tables.writing import write_text_atomically

        write_text_atomically(out, matrix.svg(), force=force)
        print(f"written to {out}")


def _show_molecule(molecule: str, links: Sequence[Link]) -> None:
    from exoclassify.evidence.agreement import in_short
    from exoclassify.evidence.links import RELATIONS

    for relation, meaning in RELATIONS.items():
        rows = [at.evidence for at in links if at.relation == relation]
        if not rows:
            continue
        names = ", ".join(dict.fromkeys(row.molecule for row in rows))
        print(names if relation == "same" else f"{names}: linked to {molecule}, {meaning}")
        for title, part in _apart(rows):
            if part:
                print(f"  {title}: {in_short(part)}")
                _table(part)
        print()


def _show_rows(catalogue: Catalogue) -> None:
    from exoclassify.evidence.agreement import in_short

    if not catalogue.rows:
        print("the catalogue holds nothing on this")
    for title, part in _apart(catalogue.rows):
        if not part:
            continue
        print(f"{title} ({len(part)} claims)")
        names = dict.fromkeys(row.molecule for row in part if row.scope != "set")
        for name in names:
            rows = [row for row in part if row.molecule == name]
            print(f"  {name:<18} {in_short(rows)}")
            print(f"  {'':<18} {'; '.join(dict.fromkeys(_source(row) for row in rows))}")
        for row in part:
            if row.scope == "set":
                print(f"  {row.written}: {in_short([row])}; {_source(row)}")
        print()


def _apart(rows: Sequence[Evidence]) -> tuple[tuple[str, list[Evidence]], ...]:
    return (
        ("people", [row for row in rows if row.system == "patients"]),
        ("animals and cells", [row for row in rows if row.system != "patients"]),
    )


def _table(rows: Sequence[Evidence]) -> None:
    for row in rows:
        n = "" if row.n is None else f", n={row.n}"
        axes = " / ".join(part for part in (row.mechanism, row.site, row.icd11) if part)
        print(f"    {row.direction:<10} {row.condition} ({axes})")
        print(f"    {'':<10} {row.contrast}{n}; {row.vesicles}; {row.method}")
        print(f"    {'':<10} {_source(row)}")
        note = [] if row.pain_stratified else ["not stratified by pain"]
        note += [] if row.independent else ["restates another study"]
        note += [row.note] if row.note else []
        if note:
            print(f"    {'':<10} {'; '.join(note)}")


def _source(row: Evidence) -> str:
    read = "" if row.read_in == "primary" else f", read in a {row.read_in}"
    own = "" if row.origin == "evidence.csv" else f", from {row.origin}"
    return f"{row.study} ({row.reference}{read}{own})"
