"""Recompute the effect of every molecule in public tables, and write the summary statistics that the catalogue is shown with.

One way for all: TMM, voom, moderated t, as `exoclassify discover` has it; batch in the design where it is known; depth and the
number of molecules found as covariates where they tell the states apart (AUC 0.7 or more) and the samples can carry them.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from threadpoolctl import threadpool_limits

from exoclassify.auditing.audit import audit
from exoclassify.auditing.contamination import haemolysis_index
from exoclassify.cli.doors import doors
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.discovery.contrast import Contrast
from exoclassify.discovery.marker_tests import MarkerTests, Measured
from exoclassify.errors import FileError, InputError
from exoclassify.evidence.reanalysis import PublicTable
from exoclassify.judging.metrics import auc

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "src/exoclassify/evidence"
VERSION = "1.0.0"
METHOD = "TMM, voom, moderated t (limma's), state against reference"

_APART = 0.7
"""AUC from which a technical measure is said to tell the states apart, as `discover` warns of it."""

_CARRIES = 12
"""Samples from which a covariate is added: below, the design has too few degrees of freedom left."""


def main(
    data: Annotated[Path, typer.Argument(help="Folder with one folder an accession: X.csv or X.csv.gz, and y.csv.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = SHIPPED,
) -> None:
    """Write reanalysis.csv.gz and reanalysis_tables.csv."""
    with doors(), threadpool_limits(limits=1):
        listed = tomllib.loads((Path(__file__).parent / "tables.toml").read_text(encoding="utf-8"))["table"]
        tables, effects = [], []
        for entry in listed:
            table, rows = reanalysed(entry, data)
            tables.append(table)
            effects += rows
            clear = sum(float(row[6]) <= 0.1 for row in rows)
            print(
                f"{table.accession}: {table.n_state} against {table.n_reference}, {table.molecules} molecules, {clear} at "
                f"q <= .1; adjusted for {table.adjusted_for or 'nothing'}; confounded by {table.confounded_by or 'nothing found'}"
            )
        _write(tables, effects, out)


def reanalysed(entry: Mapping[str, Any], data: Path) -> tuple[PublicTable, list[list[str]]]:
    """Give one table's description and its effects as cells."""
    cohort = _cohort(entry, data)
    plain = Contrast.of(cohort, state=entry["state"], reference=[entry["reference"]], fewest=2)
    apart = _apart(plain)
    covariates = [name for name in ("depth", "detection") if name in apart and len(plain.y) >= _CARRIES]
    contrast = Contrast.of(
        cohort, state=entry["state"], reference=[entry["reference"]], covariates=covariates, fewest=2
    )
    measured = Measured.of(contrast)
    tests = MarkerTests.of(contrast, measured)
    rows = []
    for i, name in enumerate(measured.molecules):
        numbers = [tests.abundance.effect[i], tests.abundance.low[i], tests.abundance.high[i]]
        if np.isfinite(numbers).all():
            shares = [tests.share_state[i], tests.share_reference[i]]
            rows.append(
                [entry["accession"], name, *(f"{x:.3f}" for x in numbers)]
                + [f"{x:.3g}" for x in (tests.p[i], tests.q[i])]
                + [f"{x:.2f}" for x in shares]
            )
    sheet = contrast.cohort.sheet
    plain_sheet = dataclasses.replace(sheet, frame=sheet.frame.drop(columns=["depth", "detection"]))
    verdict = audit(dataclasses.replace(contrast.cohort, sheet=plain_sheet), curve=False).verdict
    batch = [entry["batch"]] if "batch" in entry else []
    table = PublicTable(
        entry["accession"], entry.get("part_of", ""), entry["condition"], entry["biofluid"], entry["state"],
        "trauma" if entry["reference"] == "-" else entry["reference"], int(plain.y.sum()), int((1 - plain.y).sum()),
        ", ".join([*batch, *covariates]), ", ".join(name for name in apart), verdict, len(rows), entry["address"],
        entry["note"], METHOD, VERSION,
    )  # fmt: skip
    return table, rows


def _cohort(entry: Mapping[str, Any], data: Path) -> Cohort:
    folder = data / entry.get("folder", entry["accession"])
    found = [path for path in (folder / "X.csv", folder / "X.csv.gz") if path.is_file()]
    if not found:
        raise FileError(f"{folder}: holds neither X.csv nor X.csv.gz; fetch the counts of {entry['accession']}")
    sheet = pd.read_csv(folder / "y.csv", index_col=0, dtype=str)
    kept = sheet[entry["label"]].isin([entry["state"], entry["reference"]])
    for column, value in entry.get("keep", {}).items():
        kept &= sheet[column] == value
    sheet[entry["label"]] = sheet[entry["label"]].where(kept)  # a blank label leaves a sample out
    table = CargoTable.read(found[0], kind="mirna", unit="counts", sample_ids=list(sheet.index))
    foreign = [name for name in table.molecules if not name.startswith("hsa-")]
    if foreign:
        raise InputError(
            f"{found[0].name}: {len(foreign)} molecules are not of people ({foreign[0]}, …); the reanalysis holds human tables"
        )
    rows = [table.sample_ids.index(name) for name in sheet.index]
    sheet["depth"] = np.log2(table.values[rows].sum(axis=1) + 1).astype(str)
    sheet["detection"] = (table.values[rows] > 0).sum(axis=1).astype(str)
    return Cohort.from_layers(
        {"mirna": table},
        SampleSheet(sheet, label_column=entry["label"], batch_column=entry.get("batch"), source=f"{folder.name}/y.csv"),
    )


def _apart(contrast: Contrast) -> dict[str, float]:
    """Technical measures that tell the states apart, with their AUC."""
    sheet = contrast.cohort.sheet.frame
    measures = {name: sheet[name].to_numpy(dtype=np.float64) for name in ("depth", "detection")}
    index = haemolysis_index(contrast.cohort.cargo)
    if index is not None:
        measures["haemolysis"] = index
    found = {}
    for name, values in measures.items():
        if np.isfinite(values).all():
            value = auc(values, contrast.y == 1).value
            if max(value, 1 - value) >= _APART:
                found[name] = max(value, 1 - value)
    return found


def _write(tables: list[PublicTable], effects: list[list[str]], out: Path) -> None:
    with (out / "reanalysis_tables.csv").open("w", newline="", encoding="utf-8") as file:
        names = list(vars(tables[0]))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([getattr(table, name) for name in names] for table in tables)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["accession", "molecule", "log2_fold_change", "low", "high", "p", "q", "found_in_state", "found_in_reference"]
    )
    writer.writerows(effects)
    (out / "reanalysis.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


if __name__ == "__main__":
    typer.run(main)
