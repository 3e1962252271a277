"""No text of a stranger's table comes back as a cell that a spreadsheet runs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cohorts import FAST
from exoclassify.data.cargo import CargoTable
from exoclassify.lifecycle.fit import fit
from exoclassify.scoring.stream import Asked, score_files
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate
from exoclassify.tables.encoding import guarded, guarded_cells, guarded_frame

COHORT = simulate(SimulationDesign(seed=3, n_samples=40, n_molecules=60)).cohort
BUNDLE = fit(COHORT, FAST, judge=False, name="pain")
LIVE = ['=HYPERLINK("http://x","y")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "-cmd"]


@pytest.mark.parametrize("text", LIVE)
def test_a_text_that_a_spreadsheet_runs_gets_an_apostrophe(text: str) -> None:
    assert guarded(text) == f"'{text}"
    assert guarded_cells(pa.array(["a", None, text])).to_pylist() == ["a", None, f"'{text}"]
    frame = guarded_frame(pd.DataFrame({text: [text, "a", None], "n": [-1.0, 2.0, 3.0]}))
    assert list(frame.columns) == [f"'{text}", "n"]
    assert frame.iloc[0, 0] == f"'{text}"
    assert frame["n"].tolist() == [-1.0, 2.0, 3.0]


@pytest.mark.parametrize("text", ["", "S-001", "a=b", "-1.5", "+3e4", "-inf", "'=1"])
def test_other_texts_and_numbers_stay(text: str) -> None:
    assert guarded(text) == text


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_answers_files_and_rejected_rows_hold_no_live_cell(tmp_path: Path, ending: str) -> None:
    frame = COHORT.cargo.take(np.arange(len(LIVE))).to_frame()
    frame.index = pd.Index([text.strip("\t") for text in LIVE], name="sample_id")
    frame.insert(0, "note", LIVE)
    frame["hsa-miR-21-5p"] = frame["hsa-miR-21-5p"].astype(float)
    frame.loc[LIVE[1], "hsa-miR-21-5p"] = -5.0  # no count: rejected
    frame.to_csv(tmp_path / "in.csv")
    report = score_files(BUNDLE, [str(tmp_path / "in.csv")], tmp_path / f"out{ending}", Asked(keep=("note",)))
    assert report.n_rejected == 1
    assert report.rejected is not None
    for path in (tmp_path / f"out{ending}", report.rejected):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","):
                assert not [cell for cell in row if guarded(cell) != cell], row


def test_the_librarys_own_answers_hold_no_live_cell(tmp_path: Path) -> None:
    table = COHORT.cargo.take(np.arange(3))
    frame = table.to_frame()
    frame.index = pd.Index(LIVE[:3], name="sample_id")
    found = BUNDLE.predict(CargoTable.from_frame(frame, kind="mirna", unit="counts"))
    found.write(tmp_path / "answers.csv")
    found.write(tmp_path / "answers.jsonl")
    assert pd.read_csv(tmp_path / "answers.csv")["sample_id"].tolist() == [f"'{text}" for text in LIVE[:3]]
    assert pd.read_json(tmp_path / "answers.jsonl", lines=True)["sample_id"].tolist() == LIVE[:3]
