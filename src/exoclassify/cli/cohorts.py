"""The tables and cohorts that a command's options name: one table, or several layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from exoclassify.data.cargo import CargoTable
    from exoclassify.data.cohort import Cohort
    from exoclassify.data.samples import SampleSheet
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.tables.asked import Reading

__all__ = ["cohort_for", "cohort_of", "tables_for", "tables_in"]


def cohort_of(
    cargo: Path | None, layers: list[str] | None, *, kind: str | None, unit: str | None, samples: Path, label: str,
    subject: str | None, batch: str | None, not_detected: float | None, reading: Reading, time: str | None = None,
) -> Cohort:  # fmt: skip
    """Read the cohort that options name.

    Parameters
    ----------
    kind, unit, samples, label, subject, batch, not_detected, reading, time
        As in `Cohort.read`; of layers, kind and unit of those that do not say them.
    """
    from exoclassify.data.cohort import Cohort
    from exoclassify.data.layers import LayerFile, check_once

    _check_one(cargo, layers)
    if layers:
        found = [LayerFile.parse(text, reading).stated(kind, unit, not_detected) for text in layers]
        check_once(found)
        return Cohort.read_layers(found, samples=samples, label=label, subject=subject, batch=batch, time=time)
    if cargo is None or kind is None or unit is None:
        raise typer.BadParameter("say what the table holds with --kind and --unit, as in --kind mirna --unit counts")
    return Cohort.read(
        cargo, kind=kind, unit=unit, samples=samples, label=label, subject=subject, batch=batch,
        time=time, not_detected=not_detected, reading=reading,
    )  # fmt: skip


def cohort_for(
    bundle: ModelBundle, cargo: Path | None, layers: list[str] | None, *, samples: Path, label: str,
    subject: str | None, batch: str | None, reading: Reading, visit: str | None = None,
) -> Cohort:  # fmt: skip
    """Read the cohort that options name as a model reads it: of its kinds and units, and as changes where it compares visits."""
    from exoclassify.data.changes import over
    from exoclassify.data.cohort import Cohort
    from exoclassify.data.samples import SampleSheet
    from exoclassify.errors import ModelError

    plan = bundle.about.visit_tables
    if plan is not None and (visit is None or subject is None):
        raise ModelError(
            f"{bundle.name} compares samples of one person ({plan.reads}: {', '.join(plan.visits)}); name the columns of the "
            "sheet with --subject and --visit"
        )
    sheet = SampleSheet.read(
        samples,
        label=label,
        subject=subject,
        batch=batch,
        time=None if visit == label else visit,
        sample_id=reading.id_column or "sample_id",
    )
    found = tables_for(bundle, cargo, layers, reading, sheet, covariates=False)
    cohort = Cohort.from_layers(found if isinstance(found, dict) else {found.kind: found}, sheet)
    return cohort if plan is None else over(cohort, plan.reads, plan.visits)


def tables_for(
    bundle: ModelBundle,
    cargo: Path | None,
    layers: list[str] | None,
    reading: Reading,
    sheet: SampleSheet | None = None,
    *,
    covariates: bool = True,
) -> CargoTable | dict[str, CargoTable]:
    """Read the table that a model reads, or that of each layer by name.

    Parameters
    ----------
    sheet : SampleSheet, optional
        Of the samples that are expected; without it they are told from the panel's molecules.
    covariates : bool
        Take a layer of covariates from the sheet, where the model reads them and they are not given.
    """
    from exoclassify.data.layers import LayerFile
    from exoclassify.errors import ModelError
    from exoclassify.scoring.layers import layer_tables

    _check_one(cargo, layers)
    sample_ids = None if sheet is None else sheet.sample_ids
    if layers:
        found = layer_tables(bundle.panel, [LayerFile.parse(text, reading) for text in layers], sample_ids)
        return found if sheet is None or not covariates else _with_covariates(bundle, found, sheet)
    plan = bundle.about.visit_tables
    if bundle.layers and plan is None:
        raise ModelError(
            f"{bundle.name} reads layers ({bundle.panel.measured_in}); give each with --layer NAME=TABLE, of which some may be "
            "missing"
        )
    assert cargo is not None
    read = bundle.panel if plan is None else plan
    as_one = LayerFile("", str(cargo), read.kind, read.unit, read.not_detected, reading)
    return as_one.read(sample_ids, bundle.panel.canonical)


def _with_covariates(bundle: ModelBundle, found: dict[str, CargoTable], sheet: SampleSheet) -> dict[str, CargoTable]:
    from exoclassify.data.covariates import COVARIATES, covariates_there
    from exoclassify.model.layered_panel import LayeredPanel

    if COVARIATES in found or not isinstance(bundle.panel, LayeredPanel) or COVARIATES not in bundle.layers:
        return found
    measured = {sample for table in found.values() for sample in table.sample_ids}
    rows = [i for i, sample in enumerate(sheet.sample_ids) if sample in measured]
    return found | covariates_there(sheet.take(rows), bundle.panel.layers[COVARIATES].molecules)


def tables_in(cargo: Path | None, layers: list[str] | None) -> list[Path]:
    """Give the paths of the tables that options name."""
    from exoclassify.data.layers import LayerFile

    return [cargo] if cargo is not None else [Path(LayerFile.parse(text).cargo) for text in layers or ()]


def _check_one(cargo: Path | None, layers: list[str] | None) -> None:
    if bool(layers) == (cargo is not None):
        raise typer.BadParameter("give one table with --cargo, or layers with --layer NAME=TABLE:KIND:UNIT")
