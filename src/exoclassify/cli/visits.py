"""Options of models that read a person's visits, and the tables that they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli.options import columns_of

if TYPE_CHECKING:
    from exoclassify.data.cargo import CargoTable
    from exoclassify.data.changes import VisitTables
    from exoclassify.data.cohort import Cohort
    from exoclassify.data.layers import LayerFile
    from exoclassify.lifecycle.finish import Finished
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.scoring.stream import Asked
    from exoclassify.tables.asked import Reading

__all__ = ["Baseline", "Pair", "Response", "Visit", "Who", "one_table", "trained_over"]

Visit = Annotated[str | None, typer.Option("--visit", "--time", help="Column of the sheet that holds the visit.")]
Baseline = Annotated[
    str | None,
    typer.Option(
        help="A visit: train on the change of every other sample against that of its person, beside the samples as they are."
    ),
]
Pair = Annotated[
    str | None,
    typer.Option(
        "--paired",
        help="Two visits, as in before,after: train on which of a person's two samples is the later. --label is then the column "
        "of visits.",
    ),
]
Response = Annotated[
    str | None,
    typer.Option(
        help="Two visits, as in before,after: who responds (--label, one for each person), from the first, from the change, and "
        "from both."
    ),
]


def trained_over(
    cohort: Cohort,
    baseline: str | None,
    pair: str | None,
    response: str | None,
    finishing: Callable[[Cohort], Finished],
) -> tuple[Cohort, Finished]:
    """Train as the options ask, on samples as they are or on what changes within persons."""
    from exoclassify.errors import InputError
    from exoclassify.lifecycle.over_visits import over_visits

    asked = {"baseline": baseline, "pair": pair, "response": response}
    given = {reads: text for reads, text in asked.items() if text is not None}
    if not given:
        return cohort, finishing(cohort)
    if len(given) > 1:
        raise typer.BadParameter("say one of --baseline, --paired and --response")
    [(reads, text)] = given.items()
    visits = (text.strip(),) if reads == "baseline" else columns_of(text)
    if reads != "baseline" and len(set(visits)) != 2:
        option = "--paired" if reads == "pair" else "--response"
        raise InputError(f"{option} {text}: name two visits, the earlier one first, as in {option} before,after")
    return over_visits(cohort, reads, visits, finishing)


Who = tuple[Path | None, str | None, str | None, Path | None]
"""Sheet, its columns of persons and of visits, and the table of baselines that may stand instead."""


@contextmanager
def one_table(
    bundle: ModelBundle, given: list[str], files: list[LayerFile], asked: Asked, who: Who
) -> Iterator[tuple[list[str], Asked]]:
    """Give the one table that is scored: as it was given, of several layers joined, or of changes within persons."""
    from dataclasses import replace

    from exoclassify.model.layered_panel import LayeredPanel
    from exoclassify.scoring.layers import joined_layers
    from exoclassify.tables.asked import AS_WRITTEN

    with ExitStack() as made:
        visited = made.enter_context(_visit_files(bundle, given, who, asked.reading))
        if visited and not isinstance(bundle.panel, LayeredPanel):
            yield [visited[0].cargo], replace(asked, kind=None, unit="value", reading=AS_WRITTEN)
        elif visited or files:
            joined = made.enter_context(joined_layers(bundle.panel, visited or files))
            yield [str(joined)], replace(asked, reading=AS_WRITTEN) if visited else asked
        else:
            yield given, asked


@contextmanager
def _visit_files(bundle: ModelBundle, given: list[str], who: Who, reading: Reading) -> Iterator[list[LayerFile]]:
    """Write what a model reads of visits as one file a layer, and remove them afterwards; none for other models."""
    from tempfile import TemporaryDirectory

    from exoclassify.data.layers import LayerFile
    from exoclassify.errors import ModelError

    plan, (samples, subject, visit, baseline) = bundle.about.visit_tables, who
    if plan is None:
        if visit is not None or baseline is not None:
            raise ModelError(f"{bundle.name} reads each sample by itself; leave out --visit and --baseline")
        yield []
        return
    if len(given) != 1 or (baseline is None) == (samples is None or subject is None or visit is None):
        raise ModelError(
            f"{bundle.name} compares samples of one person ({plan.reads}: {', '.join(plan.visits)}); give one --cargo with "
            "--samples SHEET --subject COLUMN --visit COLUMN"
            + (
                ", or with --baseline TABLE, which has the baseline of each sample under its id"
                if plan.reads != "response"
                else ""
            )
        )
    tables = _tables(plan, Path(given[0]), who, reading)
    with TemporaryDirectory(prefix="exoclassify-") as folder:
        files = []
        for name, table in tables.items():
            path = Path(folder) / f"{name}.parquet"
            table.to_frame().rename_axis("sample_id").reset_index().to_parquet(path, index=False)
            files.append(LayerFile(name, str(path), table.kind, table.unit, table.not_detected))
        yield files


def _tables(plan: VisitTables, cargo: Path, who: Who, reading: Reading) -> dict[str, CargoTable]:
    from dataclasses import replace

    from exoclassify.data.cargo import CargoTable
    from exoclassify.data.changes import beside
    from exoclassify.data.samples import SampleSheet

    said, (samples, subject, visit, baseline) = replace(reading, id_if_there=True), who
    if baseline is not None:
        own, base = (
            CargoTable.read(path, kind=plan.kind, unit=plan.unit, not_detected=plan.not_detected, reading=said)
            for path in (cargo, baseline)
        )
        return {own.kind: beside(own, base)}
    assert samples is not None
    sheet = SampleSheet.read(samples, subject=subject, time=visit, sample_id=reading.id_column or "sample_id")
    table = CargoTable.read(
        cargo, kind=plan.kind, unit=plan.unit, not_detected=plan.not_detected, sample_ids=sheet.sample_ids, reading=said
    )
    return plan.tables(table, sheet)
