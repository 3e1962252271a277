"""exoclassify recalibrate: a model made to fit a new site."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.cohorts import tables_for
from exoclassify.cli.doors import note
from exoclassify.cli.options import reading_of, shares_of
from exoclassify.cli.registry import Key, Place, SignWith, Who, asker, check_signing, opened, say

if TYPE_CHECKING:
    from exoclassify.data.samples import SampleSheet
    from exoclassify.lifecycle.recalibrate import LocalSamples
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.registry import Registry

__all__ = ["recalibrate"]

_NOT_PASSED = 3


class Promote(StrEnum):
    """What follows when it passes."""

    auto = "auto"
    never = "never"


def recalibrate(
    name: opt.ModelName,
    site: Annotated[str, typer.Option(help="Name of the site; the new model is called NAME-SITE.")],
    cargo: Annotated[
        Path | None, typer.Option(help="Table of local samples, of the model's kind and unit; 10 or more.")
    ] = None,
    layer: opt.LayersOfModel = None,
    mix: Annotated[
        str | None,
        typer.Option(
            help="Shares of the states among the local samples, such as control=.5,pain=.5; enough without labels."
        ),
    ] = None,
    samples: Annotated[Path | None, typer.Option(help="Their sheet, where some or all are labelled.")] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Column of the sheet that holds the state; blank = not known. Controls only is enough."),
    ] = None,
    version: Annotated[str | None, typer.Option(help="Version of the model.  [default: the one in use]")] = None,
    subject: opt.Subject = None,
    promote: Annotated[Promote, typer.Option(help="Put it into use for the site when it passes.")] = Promote.auto,
    who: Who = None,
    why: opt.Why = "recalibrated",
    dry_run: opt.DryRun = False,
    require_signature: Key = None,
    sign_with: SignWith = None,
    registry: Place = "models",
    as_json: opt.AsJson = False,
    form: opt.Format = None,
    columns: opt.Columns = None,
    sheet: opt.Sheet = None,
    id_column: opt.IdColumn = None,
) -> None:
    """Make a profile of a new site from 10 or more local samples.

    They are unlabelled with their mix, controls only, or labelled. Says how far the site lies from the training batches,
    what may be called there and at what error, and what more samples would add. The new model is called NAME-SITE. It
    passes when the scores were shown to carry over: by training batches that were left out, or by the local labels. Exit
    codes: 0 passed; 3 not passed; 2 a mistake that the message says how to correct.
    """
    check_signing(require_signature, sign_with, promoting=promote is not Promote.never and not dry_run)
    if (samples is None) != (label is None):
        raise typer.BadParameter("give both --samples and --label, or neither")
    from exoclassify.data.samples import SampleSheet
    from exoclassify.lifecycle.recalibrate import LocalSamples
    from exoclassify.lifecycle.recalibrate import recalibrate as refit

    place = opened(registry, change=True)
    model = place.load(name, version, verify=True, require_signature=require_signature)
    reading = reading_of(form, columns, sheet, id_column)
    known = None
    if samples is not None:
        known = SampleSheet.read(samples, subject=subject, sample_id=id_column or "sample_id")
    tables = tables_for(model, cargo, layer, reading, known)
    local = LocalSamples(tables, mix=None if mix is None else shares_of(mix, "--mix"))
    if known is not None and label is not None:
        whose = () if subject is None else _cells(known, subject, local)
        local = replace(local, labels=_cells(known, label, local), subjects=whose)
    done = refit(model, local, site=site)
    made = done.bundle.about.recalibration
    assert made is not None
    for n, why in (
        (made.left_out_as_trained_on, "for the model was trained on them"),
        (made.left_out_as_not_measured, "for too little of their panel was measured, or in layers that tell nothing"),
        (made.left_out_for_missing_layers, "for they lack a layer, or it is unlike training"),
    ):
        if n:
            note(f"left out, {why}: {n} samples")
    told: dict[str, Any] = {**done.decision, "name": done.bundle.name, "kept": None, "promoted": False}
    lines = [*done.decision["lines"], done.decision["sentence"]]
    if not dry_run:
        from exoclassify.lifecycle.finish import numbered

        bundle = _numbered(place, done.bundle)
        folder = place.add(bundle, decision=done.decision, renumber=numbered)
        if sign_with is not None:
            from exoclassify.model.signature import sign

            sign(folder, sign_with)
        told["kept"] = str(folder)
        lines.append(f"kept as {folder}")
        if done.decision["passed"] and promote is Promote.auto:
            source = f"{model.name} {model.version}, data {made.data_sha256[:12]}"
            place.promote(
                bundle.name, folder.name, who=asker(who), why=why, source=source, require_signature=require_signature
            )
            told["promoted"] = True
            lines.append(f"in use: {bundle.name} {folder.name}")
    say(told, lines, as_json=as_json)
    if not done.decision["passed"]:
        raise typer.Exit(_NOT_PASSED)


def _cells(sheet: SampleSheet, column: str, local: LocalSamples) -> tuple[str, ...]:
    """Give a column of the sheet in the order of the samples; empty where a sample or a cell is missing."""
    from exoclassify.errors import InputError, first_three

    if column not in sheet.frame.columns:
        raise InputError(f"{sheet.source}: has no column {column}; its columns are {', '.join(sheet.frame.columns)}")
    cells = sheet.frame[column].fillna("").astype(str).str.strip()
    lacking = [sample for sample in local.sample_ids if sample not in cells.index]
    if lacking:
        raise InputError(
            f"{sheet.source}: lacks {len(lacking)} samples of {local.source} ({first_three(lacking)}); add a row for each, blank "
            "where the state is not known"
        )
    return tuple(cells.loc[list(local.sample_ids)])


def _numbered(place: Registry, bundle: ModelBundle) -> ModelBundle:
    from exoclassify.lifecycle.finish import numbered
    from exoclassify.model.version import next_version

    if not place.history(bundle.name):
        return bundle
    return numbered(bundle, next_version(place.load(bundle.name), bundle)[0])
