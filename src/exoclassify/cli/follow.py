"""exoclassify follow: one person over time, with the noise of measurement around every answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.cohorts import tables_for
from exoclassify.cli.doors import note
from exoclassify.cli.options import columns_of, reading_of, used
from exoclassify.cli.outputs import check_folder
from exoclassify.cli.outputs import columns as lined_up

if TYPE_CHECKING:
    from exoclassify.data.cargo import CargoTable
    from exoclassify.data.samples import SampleSheet
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.course import Course
    from exoclassify.tables.asked import Reading

__all__ = ["COURSE_FILES", "follow"]

COURSE_FILES = ("course.csv", "course.json", "course.html")


def follow(
    model: opt.ModelFolder,
    cargo: Annotated[Path | None, typer.Option(help="Table of the samples, one a visit; formats as for score.")] = None,
    layer: opt.LayersOfModel = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            help="Sheet with the person and the visit of each sample.  [default: columns of the table itself]"
        ),
    ] = None,
    subject: Annotated[
        list[str] | None, typer.Option(help="Person to follow; repeat for more.  [default: everyone with two visits]")
    ] = None,
    subject_column: Annotated[str, typer.Option(help="Column of persons.")] = "subject",
    visit: Annotated[str, typer.Option("--visit", "--time", help="Column of visits.")] = "visit",
    order: Annotated[
        str | None,
        typer.Option(help="The visits, first to last, with commas between, where their names do not tell it."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for course.csv, course.json and course.html.")] = None,
    batch: Annotated[str | None, typer.Option(help="Column of the batch each sample was measured in.")] = None,
    batch_is: opt.BatchIs = None,
    same_batch: opt.SameBatch = False,
    site: opt.Site = None,
    prevalence: opt.Prevalence = None,
    level: Annotated[
        float,
        typer.Option(
            help="Level of the intervals. At .9, at most a tenth of the persons who do not change raise an alarm."
        ),
    ] = 0.95,
    repeats: Annotated[
        Path | None,
        typer.Option(
            help="Table of repeated samples of persons in one state, from which the noise is learned.  [default: what training "
            "taught of it]"
        ),
    ] = None,
    repeats_layer: Annotated[
        list[str] | None,
        typer.Option(help="For a model of several layers, instead of --repeats: NAME=TABLE; give it again for each."),
    ] = None,
    repeats_samples: Annotated[
        Path | None,
        typer.Option(help="Sheet with the person of each repeated sample.  [default: columns of the table itself]"),
    ] = None,
    force: opt.Force = False,
    form: opt.Format = None,
    columns: opt.Columns = None,
    sheet: opt.Sheet = None,
    id_column: opt.IdColumn = None,
) -> None:
    """Follow persons over visits, and say which changes exceed noise.

    The noise is how far answers to repeated samples of one person in one state lie apart, learned in training from persons who
    gave several, or from --repeats. A change is compared with the first visit. Visits are best measured in one batch. Support
    for a decision, not a diagnosis.
    """
    if out is not None:
        check_folder(out, force=force, own=COURSE_FILES)
    use = used(prevalence, same_batch, batch_is, site, None, None)
    if batch is not None and (same_batch or batch_is or site):
        raise typer.BadParameter("say one of --batch, --batch-is, --same-batch and --site: they are different places")
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.course import followed
    from exoclassify.model.retest import Retest, retest_in

    bundle, reading = ModelBundle.load(model), reading_of(form, columns, sheet, id_column)
    Retest.check(bundle)
    table, persons = _read(bundle, cargo, layer, samples, (subject_column, visit, batch), reading)
    noise = None
    if repeats is not None or repeats_layer:
        columns_there = (subject_column, None, None)
        again, whose = _read(bundle, repeats, repeats_layer, repeats_samples, columns_there, reading)
        noise = retest_in(bundle, again, dict(zip(whose.sample_ids, whose.frame[subject_column], strict=True)), use)
    found = followed(
        bundle, table, persons, persons=subject or (), order=columns_of(order), use=use, noise=noise, level=level
    )
    _say_notes(bundle, found)
    for line in _told(found):
        print(line)
    if out is not None:
        _write(found, bundle, out, force=force)
        print(f"written to {out}; to look at: {out / 'course.html'}")


def _read(
    bundle: ModelBundle,
    cargo: Path | None,
    layers: list[str] | None,
    samples: Path | None,
    columns: tuple[str, str | None, str | None],
    reading: Reading,
) -> tuple[CargoTable | dict[str, CargoTable], SampleSheet]:
    """Read the samples and who they are of; from one table, where there is no sheet."""
    from exoclassify.data.cargo import CargoTable
    from exoclassify.data.samples import SampleSheet

    read = bundle.about.visit_tables or bundle.panel
    whose = samples or cargo
    if whose is None:
        raise typer.BadParameter(
            "name the sheet of the samples with --samples; without it give one --cargo that holds all"
        )
    subject, visit, batch = columns
    sheet = SampleSheet.read(
        whose, subject=subject, batch=batch, time=visit, sample_id=reading.id_column or "sample_id"
    )
    if samples is not None or cargo is None or bundle.layers:
        return tables_for(bundle, cargo, layers, reading, sheet), sheet
    values = sheet.frame.drop(columns=[name for name in (subject, visit, batch) if name is not None])
    return CargoTable.from_frame(
        values, kind=read.kind, unit=read.unit, not_detected=read.not_detected, source=cargo.name
    ), sheet


def _say_notes(bundle: ModelBundle, found: list[Course]) -> None:
    if bundle.about.training.simulated:
        note("this model was trained on simulated samples: not for use on patients")
    ids = [sample for one in found for sample in one.answers.sample_ids]
    known = bundle.trained_on
    if known is not None and known.named(ids, bundle.about.training.data_sha256).any():
        note(
            "some of these samples were trained on: the model is surer of them than of new ones, and so is their course"
        )
    moved = [one.person for one in found if len(set(one.answers.places)) > 1]
    if moved:
        from exoclassify.errors import first_three

        note(f"visits measured in different batches, so a change may be one between batches: {first_three(moved)}")


def _told(found: list[Course]) -> list[str]:
    from exoclassify.data.states import positive_states

    states = found[0].answers.states
    shown = [states.index(state) for state in positive_states(states)]
    rows = [
        [
            one.person, visit, one.answers.calls[i],
            *(f"{one.answers.probabilities[i, k]:.2f} ({one.low[i, k]:.2f} to {one.high[i, k]:.2f})" for k in shown),
            ", ".join(states[k] for k in shown if one.reliable[i, k]) or "-",
        ]
        for one in found
        for i, visit in enumerate(one.visits)
    ]  # fmt: skip
    lines = lined_up(["subject", "visit", "call", *(states[k] for k in shown), "beyond noise"], rows)
    changed = sum(bool(one.reliable.any()) for one in found)
    noise = found[0].noise
    lines.append(
        f"noise: {noise.freedom:.0f} repeated samples of {noise.persons} persons ({noise.source}); {changed} of {len(found)} "
        "persons changed by more"
    )
    return lines + (found[0].in_words() if len(found) == 1 else [])


def _write(found: list[Course], bundle: ModelBundle, out: Path, *, force: bool) -> None:
    import importlib.metadata
    import json

    import pandas as pd

    from exoclassify.report.course import course_section
    from exoclassify.report.html import page
    from exoclassify.tables.encoding import guarded_frame
    from exoclassify.tables.writing import write_folder_atomically

    def write(folder: Path) -> None:
        guarded_frame(pd.concat([one.to_frame() for one in found])).to_csv(folder / "course.csv", index=False)
        said = [one.to_dict() for one in found]
        (folder / "course.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
        simulated = bundle.about.training.simulated
        text = page(
            f"Over time, by {bundle.name} {bundle.version}",
            [course_section(one) for one in found],
            subtitle="Simulated model: not for use on patients"
            if simulated
            else "Support for a decision, not a diagnosis",
            footer=f"exoclassify {importlib.metadata.version('exoclassify')}",
        )
        (folder / "course.html").write_text(text, encoding="utf-8")

    write_folder_atomically(out, write, force=force)
