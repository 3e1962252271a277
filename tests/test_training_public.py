"""The scripts that read public tables: what they refuse, and that they give what is shipped."""

import csv
import gzip
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exoclassify.evidence.reanalysis import Reanalysis

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
LISTED = tomllib.loads((ROOT / "training/evidence/tables.toml").read_text())["table"]


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "training" / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def tables(folder: Path, prefix: str = "hsa") -> Path:
    """Made-up counts under every accession that is listed."""
    rng = np.random.default_rng(0)
    for entry in LISTED:
        place = folder / entry.get("folder", entry["accession"])
        if place.exists():
            continue
        place.mkdir(parents=True)
        n = 12
        names = [f"{prefix}-miR-{i}-5p" for i in range(400, 460)]
        counts = rng.negative_binomial(5, 0.01, size=(n, len(names)))
        ids = [f"S{i}" for i in range(n)]
        pd.DataFrame(counts, ids, names).to_csv(place / "X.csv", index_label="sample_id")
        sheet = pd.DataFrame({entry["label"]: [entry["state"], entry["reference"]] * 6}, ids)
        sheet["batch"] = ["A", "A", "B", "B"] * 3
        sheet.to_csv(place / "y.csv", index_label="sample_id")
    return folder


def test_what_is_shipped_is_what_is_listed() -> None:
    shipped = {table.accession: table for table in Reanalysis.read().tables}
    assert list(shipped) == [entry["accession"] for entry in LISTED]
    for entry in LISTED:
        assert shipped[entry["accession"]].condition == entry["condition"]
        assert shipped[entry["accession"]].address == entry["address"]


def test_the_reanalysis_runs_from_a_folder_by_accession(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = run("evidence/reanalyse.py", tables(tmp_path / "data"), "--out", out)
    assert done.returncode == 0, done.stderr
    with (out / "reanalysis_tables.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(LISTED)
    assert {row["molecules"] for row in rows} == {"60"}
    text = gzip.decompress((out / "reanalysis.csv.gz").read_bytes()).decode()
    found = list(csv.DictReader(text.splitlines()))
    assert len(found) == 60 * len(LISTED)
    assert np.mean([float(row["q"]) <= 0.1 for row in found]) < 0.1, "there is nothing to be found"


@pytest.mark.parametrize("script", ["evidence/reanalyse.py", "public/study.py"])
def test_a_folder_without_the_table_is_refused_in_one_line(tmp_path: Path, script: str) -> None:
    done = run(script, tmp_path)
    assert done.returncode == 2
    assert "holds neither X.csv nor X.csv.gz; fetch the counts of PRJNA878604" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_table_of_another_species_is_refused(tmp_path: Path) -> None:
    done = run("evidence/reanalyse.py", tables(tmp_path, "mmu"), "--out", tmp_path)
    assert done.returncode == 2
    assert "60 molecules are not of people (mmu-miR-400-5p, …); the reanalysis holds human tables" in done.stderr


def test_another_version_of_a_public_table_is_refused(tmp_path: Path) -> None:
    done = run("public/study.py", tables(tmp_path))
    assert done.returncode == 2
    assert "expected 48aed8b604bb" in done.stderr
