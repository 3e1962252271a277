"""What the tests of scoring share: small models, tables in every format, and pieces small enough that a small file has many."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exoclassify.data.cargo import CargoTable
from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.fit import fit
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Use
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate
from exoclassify.tables import sizes

SMALL = Recipe.of(
    {
        "folds": {"outer": 3, "repeats": 1, "inner": 3},
        "voices": [
            {"learner": "ridge", "view": "log"},
            {"learner": "ridge", "view": "ranks"},
            {"learner": "xgboost", "view": "damped", "n_trees": 12},
        ],
    }
)


def model(seed: int = 3, n_molecules: int = 60) -> ModelBundle:
    cohort = simulate(SimulationDesign(seed=seed, n_samples=60, n_molecules=n_molecules, effect=2.0)).cohort
    return fit(cohort, SMALL, judge=False, name="toy", n_jobs=1)


def samples(bundle: ModelBundle, n: int, seed: int = 0) -> pd.DataFrame:
    """New samples of the panel, in another order and with a molecule that no panel has; some cells are not measured."""
    rng = np.random.default_rng(seed)
    X = rng.poisson(bundle.golden[rng.integers(0, len(bundle.golden), n)]).astype(float)
    X[rng.random(X.shape) < 0.02] = np.nan
    frame = pd.DataFrame(X, columns=list(bundle.panel.molecules)).iloc[:, ::-1]
    frame.insert(2, "hsa-miR-99999", 7.0)
    frame.insert(0, "sample_id", [f"S-{i:05d}" for i in range(n)])
    return frame


def expected(bundle: ModelBundle, frame: pd.DataFrame, use: Use | None = None) -> pd.DataFrame:
    table = CargoTable.from_frame(frame.set_index("sample_id"), kind="mirna", unit="counts")
    return bundle.predict(table, use).to_frame()


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Write a table in the format that its ending names."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, row_group_size=37)
    elif path.suffix in (".arrow", ".arrows"):
        table = pa.Table.from_pandas(frame, preserve_index=False)
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=23)
    elif path.name.endswith(".zst"):
        with pa.CompressedOutputStream(str(path), "zstd") as file:
            file.write(frame.to_csv(index=False, sep="\t" if ".tsv" in path.name else ",").encode())
    elif path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".jsonl":
        return pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
    frame = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",", keep_default_na=False)
    return frame


def same(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    """Every answer the same to the last bit."""
    pd.testing.assert_frame_equal(found, wanted, check_exact=True, check_dtype=False)


_SMALL_SIZES = {
    "PIECE_BYTES": 3_000,
    "STRETCH_BYTES": 9_000,
    "LONG_ROWS": 500,
    "STRETCH_ROWS": 80,
    "PIECES_IN_PART": 2,
    "PIECE_ROWS": (11, 11),
    "BLOCK_CELLS": 1,
}


def small_pieces(patch: pytest.MonkeyPatch) -> None:
    """Cut so finely that a table of some hundred rows has many stretches, parts and pieces."""
    for name, size in _SMALL_SIZES.items():
        patch.setattr(sizes, name, size)
