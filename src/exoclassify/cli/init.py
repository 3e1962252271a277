"""exoclassify init: a study file from a table and a sheet."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.options import reading_of
from exoclassify.cli.outputs import check_file

if TYPE_CHECKING:
    from exoclassify.data.study import Study

__all__ = ["init"]


def init(
    cargo: Annotated[Path, typer.Option(help="Table of samples and molecules, as for train.")],
    samples: opt.Samples,
    out: Annotated[Path, typer.Option(help="Study file to write.")] = Path("cohort.toml"),
    kind: Annotated[str | None, typer.Option(help="What was measured.  [default: by the names]")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the values.  [default: by their look]")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the states.  [default: by name]")] = None,
    subject: Annotated[str | None, typer.Option(help="Column of the persons.  [default: by name]")] = None,
    batch: Annotated[str | None, typer.Option(help="Column of the batches.  [default: by name]")] = None,
    time: Annotated[str | None, typer.Option(help="Column of the visits.  [default: by name]")] = None,
    reference: Annotated[str | None, typer.Option(help="State to compare with.  [default: by name]")] = None,
    form: opt.Format = None,
    columns: opt.Columns = None,
    sheet: opt.Sheet = None,
    id_column: opt.IdColumn = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take the guesses; ask nothing, also on a terminal.")] = False,
    force: opt.Force = False,
) -> None:
    """Look at a table and a sample sheet, and write a study file.

    What is not given is guessed; on a terminal each guess is asked about, and the reason is written beside it. Every command
    then takes the file, as in `exoclassify train cohort.toml --out model`, and its options override what the file says.
    """
    check_file(out, force=force, inputs=(cargo, samples))
    from exoclassify.data.cohort import Cohort
    from exoclassify.data.guessing import guessed
    from exoclassify.data.units import known_kind, known_unit
    from exoclassify.tables.writing import write_text_atomically

    reading = reading_of(form, columns, sheet, id_column)
    given = {
        "kind": kind and known_kind(kind), "unit": unit and known_unit(unit), "label": label, "subject": subject, "batch": batch,
        "time": time, "reference": reference, "format": form, "columns": columns, "sheet": sheet, "id_column": id_column,
    }  # fmt: skip
    study, reasons = guessed(cargo, samples, given, reading)
    if sys.stdin.isatty() and not yes:
        said = {key: value for key, value in given.items() if value is not None}
        study, reasons = _asked(
            study, reasons, said, lambda label: guessed(cargo, samples, {**given, "label": label}, reading)
        )
    cohort = Cohort.of_study(study)
    here = out.resolve().parent
    relative = replace(study, cargo=os.path.relpath(cargo, here), samples=os.path.relpath(samples, here))
    text = relative.write_text(reasons)
    write_text_atomically(out, text, force=force)
    print(text, end="")
    for line in cohort.notes:
        print(f"note: {line}")
    print(f"{cohort.n_samples} samples of {len(cohort.states)} states; written to {out}")


_NONE = "-"
"""Typed where there is no such column."""


def _asked(
    study: Study, reasons: dict[str, str], said: Mapping[str, str], again: Callable[[str], tuple[Study, dict[str, str]]]
) -> tuple[Study, dict[str, str]]:
    """Ask about each guess; another label gives another reference."""
    from exoclassify.data.samples import SampleSheet
    from exoclassify.data.units import KINDS, UNITS, known_kind, known_unit

    frame = SampleSheet.read(study.samples, sample_id=study.id_column or "sample_id").frame
    print(f"What is not so can be typed; {_NONE} means none.")
    for key in ("kind", "unit", "label", "subject", "batch", "time", "reference", "covariates"):
        if key in said:
            continue
        known: dict[str, tuple[Sequence[str], Callable[[str], str]]] = {
            "kind": (KINDS, known_kind), "unit": (UNITS, known_unit),
            "reference": (sorted(set(frame[study.label].dropna().astype(str))), str),
        }  # fmt: skip
        guess, why = getattr(study, key), reasons.get(key, "by name" if key == "covariates" else "none was found")
        shown = ",".join(guess) if key == "covariates" else guess
        answer = typer.prompt(
            f"{key} ({why})",
            default=shown or _NONE,
            value_proc=_choice(key, *known.get(key, (list(frame.columns), str))),
        )
        if answer == shown or (answer == _NONE and not shown):
            continue
        if key == "label":
            other, told = again(answer)
            study = replace(other, kind=study.kind, unit=study.unit)
            reasons = {**told, **{kept: reasons[kept] for kept in ("kind", "unit")}, "label": "asked"}
            continue
        chosen = () if answer == _NONE else tuple(answer.split(","))
        value = chosen if key == "covariates" else (chosen[0] if chosen else None)
        study, reasons = replace(study, **{key: value}), {**reasons, key: "asked"}  # type: ignore[arg-type]
    return study, reasons


def _choice(key: str, known: Sequence[str], usual: Callable[[str], str]) -> Callable[[str], str]:
    """Check an answer, which is asked for again when it is none of those known."""
    needed = key in ("kind", "unit", "label")

    def checked(text: str) -> str:
        if text.strip() == _NONE and not needed:
            return _NONE
        words = [usual(word.strip()) for word in (text.split(",") if key == "covariates" else [text])]
        unknown = [word for word in words if word not in known]
        if unknown:
            raise typer.BadParameter(f"there is no {unknown[0]}; expected one of {', '.join(map(str, known))}")
        return ",".join(words)

    return checked
