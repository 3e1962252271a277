"""exoclassify retrain: a challenger for the model in use, and a gate between it and its use."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.cohorts import cohort_for
from exoclassify.cli.doors import note
from exoclassify.cli.options import columns_of, reading_of
from exoclassify.cli.outputs import check_folder
from exoclassify.cli.progress import progress_bar
from exoclassify.cli.registry import Key, Place, SignWith, Who, asker, check_signing, opened, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exoclassify.data.cohort import Cohort
    from exoclassify.lifecycle.retrain import Decision, Retrained
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.registry import Registry
    from exoclassify.tables.asked import Reading

__all__ = ["retrain"]

_NOT_PASSED = 3

_Columns = tuple[str, str | None, str | None]
"""Of states, of persons, of batches."""


class Promote(StrEnum):
    """What follows when the gate lets the challenger pass."""

    auto = "auto"
    never = "never"
    ask = "ask"


def retrain(
    name: opt.ModelName,
    samples: opt.Samples,
    label: opt.Label,
    cargo: Annotated[
        Path | None, typer.Option(help="Table of samples and molecules, of the model's kind and unit.")
    ] = None,
    layer: opt.LayersOfModel = None,
    subject: opt.Subject = None,
    batch: opt.Batch = None,
    covariates: Annotated[
        str | None,
        typer.Option(
            help="Columns to compare with the state and to report apart, with commas between.  "
            "[default: those called sex, age, bmi]"
        ),
    ] = None,
    add_to: Annotated[
        Path | None,
        typer.Option(
            help="Folder with cargo.* (of several layers NAME.*) and samples.* of earlier samples to add these to; they "
            "must be those that the model in use was trained on (by sha256)."
        ),
    ] = None,
    keep_data: Annotated[
        Path | None,
        typer.Option(help="Folder to write all samples to, for the next --add-to; a place for patient data."),
    ] = None,
    external_cargo: Annotated[
        Path | None, typer.Option(help="Table of samples that neither model was trained on.")
    ] = None,
    external_layer: Annotated[
        list[str] | None,
        typer.Option(help="For a model of several layers, instead of --external-cargo: NAME=TABLE; again for each."),
    ] = None,
    external_samples: Annotated[Path | None, typer.Option(help="Their sheet, with the same columns.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Choices in TOML, [gate] among them.  [default: those of the model in use]")
    ] = None,
    allow_one_batch: Annotated[
        bool,
        typer.Option(
            "--allow-one-batch",
            help="Let a challenger that could not be tested across batches replace a model that was.",
        ),
    ] = False,
    promote: Annotated[Promote, typer.Option(help="What to do when the gate lets it pass.")] = Promote.auto,
    why: opt.Why = "retrained",
    who: Who = None,
    jobs: opt.Jobs = -1,
    dry_run: opt.DryRun = False,
    require_signature: Key = None,
    sign_with: SignWith = None,
    registry: Place = "models",
    as_json: opt.AsJson = False,
    form: opt.Format = None,
    columns_of_table: opt.Columns = None,
    sheet: opt.Sheet = None,
    id_column: opt.IdColumn = None,
) -> None:
    """Train a challenger, and let it into use through a gate.

    Both are judged on samples that the model in use was not trained on, in the same folds; where too few are new, its recipe
    is trained again in the same folds. The version is kept with the gate's decision either way. Exit codes: 0 passed;
    3 not passed, or nothing new; 2 a mistake that the message says how to correct.
    """
    if (external_cargo is None and not external_layer) != (external_samples is None):
        raise typer.BadParameter("give both --external-cargo and --external-samples, or neither")
    check_signing(require_signature, sign_with, promoting=promote is not Promote.never and not dry_run)
    if keep_data is not None:
        check_folder(keep_data, force=False, own=())
    from exoclassify.errors import ModelError
    from exoclassify.judging.kept import default_folder
    from exoclassify.learning.recipe import Recipe
    from exoclassify.lifecycle.known import nothing_new, recipe_of
    from exoclassify.lifecycle.retrain import retrain as challenge

    place = opened(registry, change=True)
    champion = place.load(name, verify=True, require_signature=require_signature)
    if champion.about.visits is not None:
        raise ModelError(
            f"{name} compares samples of one person, and is not retrained; train it anew with exoclassify train, and judge both "
            "with exoclassify evaluate"
        )
    choices = recipe_of(champion) if recipe is None else Recipe.read(recipe)
    columns = (label, subject, batch)
    reading = reading_of(form, columns_of_table, sheet, id_column)
    cohort = _added(champion, add_to, _read(champion, cargo, layer, samples, columns, reading), columns)
    external = None
    if external_samples is not None:
        external = _read(champion, external_cargo, external_layer, external_samples, columns, reading)
    reason = nothing_new(champion, cohort, choices)
    if reason:
        sentence = f"nothing new: {reason}"
        say({"passed": False, "sentence": sentence}, [sentence], as_json=as_json)
        raise typer.Exit(_NOT_PASSED)
    with progress_bar("judging") as progress:
        done = challenge(
            champion, cohort, choices, external=external, allow_one_batch=allow_one_batch,
            covariates=columns_of(covariates), cache=default_folder(),
            n_jobs=jobs, progress=progress,
        )  # fmt: skip
    told: dict[str, Any] = {**done.decision.to_json(), "kept": None, "promoted": False}
    lines = _lines(done.decision)
    if not dry_run:
        folder = _kept(place, done, sign_with)
        told["kept"] = str(folder)
        lines.append(f"kept as {folder}")
        if keep_data is not None:
            _write_data(champion, cohort, keep_data)
        if done.decision.passed and _wanted(promote, name, folder.name):
            _promote(place, champion, folder.name, asker(who), why, done.decision, require_signature)
            told["promoted"] = True
            lines.append(f"in use: {name} {folder.name}")
    say(told, lines, as_json=as_json)
    if not done.decision.passed:
        raise typer.Exit(_NOT_PASSED)


def _kept(place: Registry, done: Retrained, sign_with: Path | None) -> Path:
    from exoclassify.lifecycle.finish import numbered
    from exoclassify.model.signature import sign

    folder = place.add(done.bundle, decision=done.decision.to_json(), renumber=numbered)
    if sign_with is not None:
        sign(folder, sign_with)
    return folder


def _promote(
    place: Registry, champion: ModelBundle, version: str, who: str, why: str, decision: Decision, key: Path | None
) -> None:
    source = f"gate against {champion.version}, data {decision.data_sha256[:12]}"
    place.promote(
        champion.name, version, who=who, why=why, source=source, instead_of=champion.version, require_signature=key
    )


def _read(
    champion: ModelBundle,
    cargo: Path | None,
    layers: list[str] | None,
    samples: Path,
    columns: _Columns,
    reading: Reading,
) -> Cohort:
    label, subject, batch = columns
    return cohort_for(
        champion, cargo, layers, samples=samples, label=label, subject=subject, batch=batch, reading=reading
    )


def _added(champion: ModelBundle, folder: Path | None, new: Cohort, columns: _Columns) -> Cohort:
    from exoclassify.learning.joined import joined
    from exoclassify.lifecycle.known import as_trained

    whole = as_trained(champion, new if folder is None else joined(_earlier(champion, folder, columns), new))
    for text in whole.notes:
        note(text)
    return whole


def _earlier(champion: ModelBundle, folder: Path, columns: _Columns) -> Cohort:
    """Read the samples of a folder that `_write_data` wrote, and hold them to be those of training."""
    from exoclassify.errors import FileError, InputError
    from exoclassify.lifecycle.known import as_trained, same_data
    from exoclassify.tables.asked import AS_WRITTEN

    own = _tables_of(champion.layers)
    files = {}
    for what in (*own.values(), "samples"):
        found = sorted(folder.glob(f"{what}.*"))
        if len(found) != 1:
            raise FileError(f"{folder}: holds {len(found)} files {what}.*; it must hold one, with the earlier samples")
        files[what] = found[0]
    layers = [f"{name}={files[what]}" for name, what in own.items() if name]
    cargo = files["cargo"] if not layers else None
    earlier = _read(champion, cargo, layers, files["samples"], columns, AS_WRITTEN)
    if not same_data(champion, as_trained(champion, earlier)):
        trained = champion.training.data_sha256
        raise InputError(
            f"{folder}: its sha256 is {earlier.digest()[:12]}…, and {champion.name} {champion.version} was trained on data of "
            f"sha256 {trained[:12]}…; give the data it was trained on, or all samples by --cargo and --samples"
        )
    return earlier


def _tables_of(layers: Sequence[str]) -> dict[str, str]:
    """Name the file of each layer, without its ending, after the layer; covariates stand in the sheet."""
    from exoclassify.data.covariates import COVARIATES

    return {name: name for name in layers if name != COVARIATES} or {"": "cargo"}


def _write_data(champion: ModelBundle, cohort: Cohort, folder: Path) -> None:
    from exoclassify.tables.writing import write_folder_atomically

    def write(partial: Path) -> None:
        for name, what in _tables_of(champion.layers).items():
            (cohort.layers[name] if name else cohort.cargo).write(partial / f"{what}.parquet")
        cohort.sheet.frame.to_csv(partial / "samples.csv")

    write_folder_atomically(folder, write)


def _wanted(promote: Promote, name: str, version: str) -> bool:
    if promote is not Promote.ask:
        return promote is Promote.auto
    if not sys.stdin.isatty():
        note(f"nobody is there to be asked; promote it by `exoclassify models promote {name} {version} --why …`")
        return False
    return typer.confirm(f"the gate lets it pass; put {name} {version} into use?")


def _lines(decision: Decision) -> list[str]:
    left_out = ", ".join(f"{count} by {way}" for way, count in decision.left_out.items() if count)
    return [
        *decision.lines,
        f"the samples: {decision.audit['verdict']}",
        f"known to have been trained on, and not counted: {left_out or 'none'}",
        f"numbered {decision.challenger}: {decision.numbering}",
        decision.sentence,
    ]
