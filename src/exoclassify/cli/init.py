"""exoclassify init: a study file from a table and a sheet."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from exoclassify.cli.options import Columns, Format, IdColumn, Sheet, reading_of
from exoclassify.cli.outputs import check_file

__all__ = ["init"]


def init(
    cargo: Annotated[Path, typer.Option(help="Table of samples and molecules, as for train.")],
    samples: Annotated[Path, typer.Option(help="Sample sheet, one row a sample.")],
    out: Annotated[Path, typer.Option(help="Study file to write.")] = Path("cohort.toml"),
    kind: Annotated[str | None, typer.Option(help="What was measured.  [default: by the names]")] = None,
    unit: Annotated[str | None, typer.Option(help="Of the values.  [default: by their look]")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the states.  [default: by name]")] = None,
    subject: Annotated[str | None, typer.Option(help="Column of the persons.  [default: by name]")] = None,
    batch: Annotated[str | None, typer.Option(help="Column of the batches.  [default: by name]")] = None,
    time: Annotated[str | None, typer.Option(help="Column of the visits.  [default: by name]")] = None,
    reference: Annotated[str | None, typer.Option(help="State to compare with.  [default: by name]")] = None,
    form: Format = None,
    columns: Columns = None,
    sheet: Sheet = None,
    id_column: IdColumn = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Look at a table and a sample sheet, and write what they are to a study file that every command reads.

    What is not given is guessed, and the reason is written beside it; read it before anything is trained. Every command then
    takes the file, as in `exoclassify train cohort.toml --out model`, and its options override what the file says.
    """
    check_file(out, force=force, inputs=(cargo, samples))
    from exoclassify.data.cohort import Cohort
    from exoclassify.data.guessing import guessed
    from exoclassify.data.units import known_kind, known_unit
    from exoclassify.tables.writing import write_atomically

    reading = reading_of(form, columns, sheet, id_column)
    given = {
        "kind": kind and known_kind(kind), "unit": unit and known_unit(unit), "label": label, "subject": subject, "batch": batch,
        "time": time, "reference": reference, "format": form, "columns": columns, "sheet": sheet, "id_column": id_column,
    }  # fmt: skip
    study, reasons = guessed(cargo, samples, given, reading)
    cohort = Cohort.of_study(study)
    here = out.resolve().parent
    relative = replace(study, cargo=os.path.relpath(cargo, here), samples=os.path.relpath(samples, here))
    text = relative.write_text(reasons)
    write_atomically(out, lambda to: _put(to, text), force=force)
    print(text, end="")
    for line in cohort.notes:
        print(f"note: {line}")
    print(f"{cohort.n_samples} samples of {len(cohort.states)} states; written to {out}")


def _put(to: Path, text: str) -> None:
    to.write_text(text, encoding="utf-8")
