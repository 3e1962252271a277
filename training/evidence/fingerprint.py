"""Make the fingerprints of the libraries of public projects, by which `audit` knows them again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from exoclassify.cli.doors import doors
from exoclassify.data.cargo import CargoTable
from exoclassify.data.sketches import sketches
from exoclassify.errors import FileError, InputError
from exoclassify.evidence.fingerprints import profiles, standardised

SHIPPED = Path(__file__).resolve().parents[2] / "src/exoclassify/evidence"
N_MOLECULES = 100
"""The most abundant: they are left in by every filter, and counted in shallow libraries too."""


def main(
    data: Annotated[Path, typer.Argument(help="Folder with one folder an accession: X.csv or X.csv.gz.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = SHIPPED,
) -> None:
    """Write fingerprints.npz."""
    with doors():
        tables = _read(data)
        human = {name: table for name, table in tables.items() if table.molecules[0].startswith("hsa-")}
        if not human:
            raise FileError(f"{data}: no folder holds X.csv or X.csv.gz of human miRNA; give one folder an accession")
        molecules = _abundant(list(human.values()))
        held = {name: _columns(table, molecules) for name, table in human.items()}
        L = np.concatenate([profiles(X, present) for X, present in held.values()])
        mean, scale = np.nanmean(L, axis=0), np.nanstd(L, axis=0)
        Z = [standardised(X, present, mean, scale) for X, present in held.values()]
        np.savez_compressed(
            out / "fingerprints.npz",
            molecules=np.array(molecules),
            mean=mean,
            scale=scale,
            accessions=np.array([name for name, table in human.items() for _ in table.sample_ids]),
            runs=np.array([run for table in human.values() for run in table.sample_ids]),
            sketches=np.concatenate([sketches(molecules, one) for one in Z]),
        )
        print(f"{len(L)} libraries of {len(human)} projects")


def _read(data: Path) -> dict[str, CargoTable]:
    tables = {}
    for folder in sorted(data.iterdir()):
        for path in (folder / "X.csv", folder / "X.csv.gz"):
            if path.is_file():
                try:
                    tables[folder.name] = CargoTable.read(path, kind="mirna", unit="counts")
                except InputError as error:
                    print(f"{folder.name} is left out: {error}")
    return tables


def _abundant(tables: list[CargoTable]) -> list[str]:
    """Molecules by their rank in every table, so that no large project decides alone."""
    weight: dict[str, float] = {}
    for table in tables:
        shares = table.values / np.maximum(table.values.sum(axis=1, keepdims=True), 1)
        order = np.argsort(-np.median(shares, axis=0), kind="stable")
        for rank, i in enumerate(order):
            weight[table.molecules[i]] = weight.get(table.molecules[i], 0.0) + 1 / (rank + 10)
    return sorted(sorted(weight, key=lambda name: -weight[name])[:N_MOLECULES])


def _columns(table: CargoTable, molecules: list[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    at = {name: i for i, name in enumerate(table.molecules)}
    present = np.array([name in at for name in molecules])
    X = np.zeros((table.n_samples, len(molecules)))
    X[:, present] = table.values[:, [at[name] for name in molecules if name in at]]
    return X, present


if __name__ == "__main__":
    typer.run(main)
