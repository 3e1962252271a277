"""exoclassify evidence: what is published of a molecule, a condition or a mechanism."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli.outputs import check_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exoclassify.evidence.catalogue import Catalogue
    from exoclassify.evidence.evidence import Evidence
    from exoclassify.evidence.links import Link

__all__ = ["evidence"]


def evidence(
    molecule: Annotated[
        str | None,
        typer.Argument(help="miRNA in any spelling, gene symbol, UniProt accession, or a name as printed."),
    ] = None,
    condition: Annotated[
        str | None, typer.Option(help="Disease or model, as in CRPS, RA, migraine, endometriosis, SNI.")
    ] = None,
    mechanism: Annotated[
        str | None,
        typer.Option(help="nociceptive, inflammatory, neuropathic, nociplastic, mixed or unclassified."),
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(help="visceral, headache, musculoskeletal, cancer, post-trauma, widespread or other."),
    ] = None,
    add: Annotated[
        list[Path] | None,
        typer.Option(help="CSV of your own rows with the catalogue's columns; may be given several times."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON instead.")] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Draw which molecule was reported in which condition.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="With --summary, also write the drawing to this .svg file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Show what is published of the cargo of vesicles in pain: findings, agreements and contradictions, people apart.

    Each row was read at the address it gives. Most compare a painful disease with controls, not pain with its absence.
    """
    if out is not None:
        _check_drawing(out, summary=summary, force=force, inputs=add or [])
    from exoclassify.evidence.catalogue import Catalogue

    catalogue = Catalogue.read(*(add or [])).where(condition=condition, mechanism=mechanism, site=site)
    links = None if molecule is None else catalogue.demand(molecule)
    if as_json:
        _print_json(catalogue, links)
    elif summary:
        _draw(catalogue if links is None else type(catalogue)(tuple(at.evidence for at in links)), out, force)
    elif links is not None:
        _show_molecule(str(molecule), links)
    else:
        _show_rows(catalogue)


def _check_drawing(out: Path, *, summary: bool, force: bool, inputs: list[Path]) -> None:
    if not summary:
        raise typer.BadParameter("only a drawing is written; give --summary too", param_hint="--out")
    if out.suffix != ".svg":
        raise typer.BadParameter(f"{out}: the drawing is SVG; end the name in .svg", param_hint="--out")
    check_file(out, force=force, inputs=inputs)


def _print_json(catalogue: Catalogue, links: Sequence[Link] | None) -> None:
    import json

    if links is None:
        rows = [row.model_dump() for row in catalogue.rows]
    else:
        rows = [{"relation": at.relation, **at.evidence.model_dump()} for at in links]
    print(json.dumps(rows, indent=1, ensure_ascii=False))


def _draw(catalogue: Catalogue, out: Path | None, force: bool) -> None:
    from exoclassify.evidence.matrix import EvidenceMatrix

    matrix = EvidenceMatrix.of(catalogue)
    print(matrix.text())
    if out is not None:
        from exoclassify.tables.writing import write_atomically

        def write(partial: Path) -> None:
            partial.write_text(matrix.svg(), encoding="utf-8")

        write_atomically(out, write, force=force)
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
    replicated = _replicated(catalogue)
    print(f"Replicated in people, in independent studies of one condition: {replicated or 'nothing'}.")


def _replicated(catalogue: Catalogue) -> str:
    from exoclassify.evidence.agreement import counts

    people = [row for row in catalogue.rows if row.system == "patients" and row.scope != "set"]
    found = []
    for name in dict.fromkeys(row.molecule for row in people):
        for count in counts([row for row in people if row.molecule == name]):
            if count.studies > 1 and count.direction in ("up", "down"):
                found.append(f"{name} {count.direction} in {count.condition} ({count.studies} studies)")
    return ", ".join(found)


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
