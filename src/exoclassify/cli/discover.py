"""exoclassify discover: which molecules mark a state, with an error bound, and what is published of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.cohorts import cohort_of
from exoclassify.cli.doors import note
from exoclassify.cli.options import columns_of, reading_of
from exoclassify.cli.outputs import check_folder
from exoclassify.cli.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exoclassify.data.cohort import Cohort
    from exoclassify.discovery.signature import Signature
    from exoclassify.evidence.catalogue import Catalogue
    from exoclassify.evidence.priors import Prior

__all__ = ["SIGNATURE_FILES", "discover"]

SIGNATURE_FILES = ("signature.csv", "molecules.csv", "recipe.toml", "report.html", "report-files")
"""What is in the folder; recipe.toml only when there is a panel."""

_SHOWN = 15


def discover(
    samples: opt.Samples,
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    cargo: opt.Cargo = None,
    kind: opt.Kind = None,
    unit: opt.Unit = None,
    layer: opt.Layers = None,
    label: Annotated[
        str | None, typer.Option(help="Column of the sheet that holds the state; needed but for --paired.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            help="State whose markers are sought.  [default: of two states the one that is not control, healthy or none]"
        ),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="State, or states with commas between, to compare with.  [default: all others]")
    ] = None,
    subject: opt.Subject = None,
    paired: Annotated[
        str | None,
        typer.Option(
            help="Column of visits: seek what changes within a person between two of them. With --state, in the persons of that "
            "state alone."
        ),
    ] = None,
    between: Annotated[
        str | None, typer.Option(help="With --paired, the earlier visit and the later one, as in before,after.")
    ] = None,
    batch: opt.Batch = None,
    covariates: Annotated[
        str | None, typer.Option(help="Columns to adjust for, with commas between, as in age,sex.")
    ] = None,
    not_detected: opt.NotDetected = None,
    condition: Annotated[
        str | None,
        typer.Option(help="The condition studied, to tell what is known of each marker in it, as in migraine."),
    ] = None,
    add: Annotated[list[Path] | None, typer.Option(help="CSV of your own evidence, see exoclassify evidence.")] = None,
    informed: Annotated[
        bool, typer.Option("--informed", help="Weigh the tests by claims and public tables, the cohort's own left out.")
    ] = False,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="Accession that --informed is to leave out; may be given several times.")
    ] = None,
    level: Annotated[float, typer.Option(help="Largest share of false markers, above 0 to 0.5.")] = 0.1,
    min_prevalence: Annotated[
        float, typer.Option(help="Least share of the samples in which a molecule is found.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of all random draws.")] = 0,
    no_panel: Annotated[
        bool, typer.Option("--no-panel", help="Leave out the smallest panel, which takes most of the time.")
    ] = False,
    force: opt.Force = False,
    form: opt.Format = None,
    columns: opt.Columns = None,
    sheet: opt.Sheet = None,
    id_column: opt.IdColumn = None,
) -> None:
    """Find the molecules that mark a state, and the smallest panel.

    The error of the list is controlled, and the panel keeps the performance of all molecules. Writes signature.csv (one row
    a marker), molecules.csv (every test), report.html, and recipe.toml, which trains on exactly the panel. A marker of one
    cohort is a hypothesis until another cohort confirms it. With --paired VISITS --subject ID it finds what changes within
    a person between two visits; no panel is then sought.
    """
    check_folder(out, force=force, own=SIGNATURE_FILES)
    _check_shares(level, min_prevalence, seed)
    from exoclassify.discovery.discover import discover as find
    from exoclassify.discovery.discover import discover_layers
    from exoclassify.evidence.catalogue import Catalogue
    from exoclassify.tables.writing import write_folder_atomically

    catalogue = Catalogue.read(*(add or []))
    if condition is not None:
        catalogue.condition(condition)
    column, compared = _column_compared(label, paired, between, reference), list(columns_of(reference))
    cohort = cohort_of(
        cargo, layer, kind=kind, unit=unit, samples=samples, label=column, subject=subject, batch=batch,
        not_detected=not_detected, reading=reading_of(form, columns, sheet, id_column),
    )  # fmt: skip
    several = len(cohort.layers) > 1
    if several and (paired is not None or informed):
        raise typer.BadParameter("--paired and --informed are of one table; give it with --cargo")
    if paired is not None:
        cohort, (earlier, state) = _pairs(cohort, label, state, between)
        compared = [earlier]
    _say_notes(cohort.notes, subject, batch)
    prior = _prior(cohort, catalogue, condition, leave_out or []) if informed else None
    asked: dict[str, Any] = {
        "state": state, "reference": compared, "covariates": columns_of(covariates), "catalogue": catalogue,
        "condition": condition, "level": level, "min_prevalence": min_prevalence, "seed": seed,
    }  # fmt: skip
    with progress_bar("judging panels") as progress:
        found = discover_layers(cohort, **asked) if several else {
            "": find(
                cohort, prior=prior, panel=not no_panel, paired=paired is not None, progress=progress, **asked
            )
        }  # fmt: skip

    def write(folder: Path) -> None:
        _write(found, folder, simulated=cohort.simulated)

    write_folder_atomically(out, write, force=force)
    if cohort.simulated:
        note("these samples are simulated: their markers are no markers of anything")
    for name, signature in found.items():
        for line in (*([f"layer {name}"] if name else []), *signature.in_words(), *_rows(signature)):
            print(line)
    print(f"written to {out}")


def _prior(cohort: Cohort, catalogue: Catalogue, condition: str | None, leave_out: list[str]) -> Prior:
    from exoclassify.discovery.discover import tables_of_others
    from exoclassify.evidence.priors import Prior
    from exoclassify.evidence.reanalysis import Reanalysis

    tables = tables_of_others(cohort, leave_out)
    own = {table.accession for table in Reanalysis.read().tables} - {table.accession for table in tables.tables}
    if own:
        note(f"left out of what is known beforehand, as the cohort's own: {', '.join(sorted(own))}")
    if condition is None:
        note("no --condition is given: what is known of every condition counts alike, and less")
    return Prior(catalogue, tables, () if condition is None else catalogue.condition(condition))


def _check_shares(level: float, min_prevalence: float, seed: int) -> None:
    if not 0 < level <= 0.5:
        raise typer.BadParameter(f"{level}; give a share above 0 and at most 0.5", param_hint="--level")
    if not 0 <= min_prevalence <= 1:
        raise typer.BadParameter(f"{min_prevalence}; give a share from 0 to 1", param_hint="--min-prevalence")
    if seed < 0:
        raise typer.BadParameter(f"{seed}; give 0 or more", param_hint="--seed")


def _column_compared(label: str | None, paired: str | None, between: str | None, reference: str | None) -> str:
    """Give the column whose groups are compared: the visits of pairs, else the states."""
    if paired is None:
        if label is None or between is not None:
            raise typer.BadParameter(
                "name the column of states with --label, or that of visits with --paired (and two of them with --between)"
            )
        return label
    if reference is not None:
        raise typer.BadParameter(
            "pairs are compared with the earlier visit; name the two with --between", param_hint="--reference"
        )
    return paired


def _pairs(cohort: Cohort, label: str | None, state: str | None, between: str | None) -> tuple[Cohort, tuple[str, str]]:
    """Keep the pairs of all persons, or of those of one state."""
    from exoclassify.data.visits import before_and_after
    from exoclassify.errors import InputError

    if state is not None:
        sheet = cohort.sheet
        if label not in sheet.frame.columns or state not in set(sheet.frame[label]):
            raise InputError(f"{sheet.source}: there is no {state} in column {label or '(none)'}; name it with --label")
        cohort = cohort.take((sheet.frame[label] == state).to_numpy())
    return before_and_after(cohort, columns_of(between))


def _say_notes(notes: tuple[str, ...], subject: str | None, batch: str | None) -> None:
    for text in notes:
        note(text)
    if subject is None:
        note(
            "no subject column is given: if a person gave several samples, markers of that person look like markers of the "
            "state; name the column with --subject"
        )
    if batch is None:
        note(
            "no batch column is given: a difference between runs or centres that goes with the state is told as markers; name "
            "the column with --batch"
        )


def _write(found: Mapping[str, Signature], folder: Path, *, simulated: bool) -> None:
    """Write tables and page; of several layers, by name, with the layer in a first column and before each section's title."""
    import dataclasses
    import importlib.metadata

    import pandas as pd

    from exoclassify.discovery.signature_page import discovery_lead, discovery_sections
    from exoclassify.report.html import Report
    from exoclassify.report.saving import save

    for file, frames in (
        ("signature.csv", {name: one.frame() for name, one in found.items()}),
        ("molecules.csv", {name: one.everything() for name, one in found.items()}),
    ):
        if len(frames) > 1:
            for name, frame in frames.items():
                frame.insert(0, "layer", name)
        pd.concat(frames.values()).to_csv(folder / file, index=False)
    first = min(
        found.values(), key=lambda one: (not one.critical, not one.markers)
    )  # the gravest, else one with markers
    if first.panel:
        (folder / "recipe.toml").write_text(first.recipe(), encoding="utf-8")
    sections = [
        dataclasses.replace(section, title=f"{name}: {section.title}") if name else section
        for name, one in found.items()
        for section in discovery_sections(one)
    ]
    report = Report(
        f"Markers of {first.contrast.state} against {' and '.join(first.contrast.reference)}",
        discovery_lead(first),
        sections,
        subtitle="Simulated samples: not for use on patients" if simulated else "Support for research, not a diagnosis",
        footer=f"exoclassify {importlib.metadata.version('exoclassify')}; cohort {first.chosen_on[:16]}",
    )
    save(report, folder / "report.html")


def _rows(signature: Signature) -> list[str]:
    if not signature.markers:
        return []
    table = signature.frame()
    width = max(len(name) for name in table["molecule"][:_SHOWN])
    lines = [f"{'marker':<{width}}       log2 (95 % interval)      q        stability  batches  published"]
    for row in table.head(_SHOWN).to_dict("records"):
        effect = f"{row['log2_fold_change']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})"
        if row["low"] != row["low"]:  # no values on one side
            effect = f"found in {row['found_in_state']:.0%}, not {row['found_in_reference']:.0%}"
        beware = [row["blood_cells"], "direction differs between batches" if row["direction_differs"] else ""]
        beware += [f"follows {row['follows']}"] if row["follows"] else []
        told = "; ".join(part for part in (row["evidence"], *beware, row["public_tables"]) if part)
        lines.append(
            f"{row['molecule']:<{width}}  {row['direction']:<4} {effect:<24}  {row['q']:<8.2g} {row['stability']:<10.2f} "
            f"{row['batches_agreeing']:<8} {told}"
        )
    if len(table) > _SHOWN:
        lines.append(f"and {len(table) - _SHOWN} more in signature.csv")
    if signature.panel:
        lines.append(f"panel: {', '.join(signature.panel)}; references: {', '.join(signature.references)}")
    return lines
