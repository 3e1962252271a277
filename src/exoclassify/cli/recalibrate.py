"""exoclassify recalibrate: a model made to fit a new site."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli.doors import note
from exoclassify.cli.options import Columns, Format, IdColumn, Sheet, reading_of
from exoclassify.cli.registry import (
    Json,
    Key,
    Place,
    SignWith,
    Who,
    asker,
    check_signing,
    opened,
    say,
)

if TYPE_CHECKING:
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.registry import Registry

__all__ = ["recalibrate"]

_NOT_PASSED = 3


class Promote(StrEnum):
    """What follows when it passes."""

    auto = "auto"
    never = "never"


def recalibrate(
    name: Annotated[str, typer.Argument(help="Of the model in the registry.")],
    cargo: Annotated[Path, typer.Option(help="Table of local samples, of the model's kind and unit.")],
    samples: Annotated[Path, typer.Option(help="Their sheet.")],
    label: Annotated[str, typer.Option(help="Column of the sheet that holds the state.")],
    site: Annotated[str, typer.Option(help="Name of the site; the new model is called NAME-SITE.")],
    version: Annotated[str | None, typer.Option(help="Of the model.  [default: the one in use]")] = None,
    subject: Annotated[str | None, typer.Option(help="Column that says which person a sample is of.")] = None,
    promote: Annotated[
        Promote, typer.Option(help="Put it into use for the site when it passes.")
    ] = Promote.auto,
    who: Who = None,
    why: Annotated[str, typer.Option(help="Kept in the history.")] = "recalibrated",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Find out, and write nothing.")] = False,
    require_signature: Key = None,
    sign_with: SignWith = None,
    registry: Place = "models",
    as_json: Json = False,
    form: Format = None,
    columns: Columns = None,
    sheet: Sheet = None,
    id_column: IdColumn = None,
) -> None:
    """Refit a model's calibration, prediction sets and novelty on samples of a new site, as far as their number supports.

    Says how many more samples the rest needs. It passes when, by cross-validation on the local samples, its log-loss is
    surely below guessing the prevalence (chance would pass one time in ten) and no worse than before. Exit codes: 0 passed;
    3 not passed; 2 a mistake that the message says how to mend.
    """
    check_signing(require_signature, sign_with, promoting=promote is not Promote.never and not dry_run)
    from exoclassify.data.cohort import Cohort
    from exoclassify.learning.recalibrate import recalibrate as refit

    place = opened(registry, change=True)
    model = place.load(name, version, verify=True, require_signature=require_signature)
    panel = model.panel
    local = Cohort.read(
        cargo, kind=panel.kind, unit=panel.unit, samples=samples, label=label, subject=subject,
        not_detected=panel.not_detected,
        reading=reading_of(form, columns, sheet, id_column),
    )  # fmt: skip
    for text in local.notes:
        note(text)
    done = refit(model, local, site=site)
    left_out = done.bundle.about["recalibration"]["left_out_as_trained_on"]
    if left_out:
        note(f"left out, for the model was trained on them: {left_out} samples")
    told: dict[str, Any] = {**done.decision, "name": done.bundle.name, "kept": None, "promoted": False}
    lines = [*done.decision["lines"], done.decision["sentence"]]
    if not dry_run:
        from exoclassify.learning.finish import numbered

        bundle = _numbered(place, done.bundle)
        folder = place.add(bundle, decision=done.decision, renumber=numbered)
        if sign_with is not None:
            from exoclassify.model.signature import sign

            sign(folder, sign_with)
        told["kept"] = str(folder)
        lines.append(f"kept as {folder}")
        if done.decision["passed"] and promote is Promote.auto:
            source = (
                f"{model.name} {model.version}, data {done.bundle.about['recalibration']['data_sha256'][:12]}"
            )
            place.promote(
                bundle.name,
                folder.name,
                who=asker(who),
                why=why,
                source=source,
                require_signature=require_signature,
            )
            told["promoted"] = True
            lines.append(f"in use: {bundle.name} {folder.name}")
    say(told, lines, as_json=as_json)
    if not done.decision["passed"]:
        raise typer.Exit(_NOT_PASSED)


def _numbered(place: Registry, bundle: ModelBundle) -> ModelBundle:
    from exoclassify.learning.finish import numbered
    from exoclassify.model.version import next_version

    if not place.history(bundle.name):
        return bundle
    return numbered(bundle, next_version(place.load(bundle.name), bundle)[0])
