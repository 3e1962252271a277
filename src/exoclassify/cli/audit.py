"""exoclassify audit: what could fool a reader of a model of this cohort."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.cohorts import cohort_of
from exoclassify.cli.doors import note
from exoclassify.cli.options import columns_of, reading_of
from exoclassify.cli.outputs import check_report
from exoclassify.cli.progress import progress_bar

if TYPE_CHECKING:
    from exoclassify.auditing.findings import Audit

__all__ = ["audit"]


def audit(
    samples: opt.Samples,
    label: opt.Label,
    cargo: opt.Cargo = None,
    kind: opt.Kind = None,
    unit: opt.Unit = None,
    layer: opt.Layers = None,
    subject: opt.Subject = None,
    batch: opt.Batch = None,
    covariates: Annotated[
        str | None,
        typer.Option(
            help="Columns to compare with the state, with commas between, such as age,sex.  [default: those called sex, age, bmi]"
        ),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Another table of the same kind, to be searched for the same libraries.")
    ] = None,
    not_detected: opt.NotDetected = None,
    report: opt.ReportPage = None,
    as_json: opt.AsJson = False,
    jobs: opt.Jobs = -1,
    force: opt.Force = False,
    form: opt.Format = None,
    columns: opt.Columns = None,
    sheet: opt.Sheet = None,
    id_column: opt.IdColumn = None,
) -> None:
    """Find what could fool a classifier of this cohort.

    Depth, zeros, order and time, contamination and every column of the sheet are judged like a model, in the same folds; so is
    each molecule alone. Batch, sex and age are compared with the state, samples with each other, and values with their unit;
    and it is said what this many samples can carry.
    """
    import json

    inputs = [path for path in (cargo, samples, against) if path is not None]
    if report is not None:
        check_report(report, force=force, inputs=inputs)
    from exoclassify.auditing.audit import audit as audit_cohort
    from exoclassify.data.cargo import CargoTable

    cohort = cohort_of(
        cargo, layer, kind=kind, unit=unit, samples=samples, label=label, subject=subject, batch=batch,
        not_detected=not_detected, reading=reading_of(form, columns, sheet, id_column),
    )  # fmt: skip
    for text in cohort.notes:
        note(text)
    if against is not None and len(cohort.layers) > 1:
        raise typer.BadParameter(
            "another table can be searched for the libraries of one table only; give it with --cargo"
        )
    mine = next(iter(cohort.layers.values()))
    other = None if against is None else CargoTable.read(
        against, kind=mine.kind, unit=mine.unit, not_detected=not_detected
    )  # fmt: skip
    with progress_bar("auditing") as progress:
        found = audit_cohort(cohort, covariates=columns_of(covariates), against=other, n_jobs=jobs, progress=progress)
    if report is not None:
        _write(
            report,
            found,
            " and ".join(one.source for one in cohort.layers.values()),
            {state: int((cohort.y == state).sum()) for state in cohort.states},
            force,
        )
    if as_json:
        print(json.dumps(found.told(), indent=1, allow_nan=False))
        return
    print("\n".join(_told(found)))
    if report is not None:
        print(f"\nwritten to {report}")


def _write(report: Path, found: Audit, source: str, samples: dict[str, int], force: bool) -> None:
    from exoclassify.report.external import audit_report
    from exoclassify.report.saving import save

    save(audit_report(found.to_dict(), source=source, samples=samples), report, force=force)


def _told(found: Audit) -> list[str]:
    import textwrap

    lines = [*textwrap.wrap(found.verdict, 100)]
    for finding in found.findings:
        lines.append("")
        lines.append(f"{finding.severity.upper()}  {finding.check}: {finding.subject}")
        lines += textwrap.wrap(finding.message, 100, initial_indent="  ", subsequent_indent="  ")
        if finding.mend:
            lines += textwrap.wrap(f"To do: {finding.mend}.", 100, initial_indent="  ", subsequent_indent="  ")
    return lines
