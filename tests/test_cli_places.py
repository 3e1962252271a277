"""`exoclassify score` is told the batch, the site and the error that is allowed, in every way there is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from cohorts import FAST
from exoclassify.cli.main import app
from exoclassify.lifecycle.fit import fit
from exoclassify.lifecycle.recalibrate import LocalSamples, recalibrate
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Use
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

COHORT = simulate(SimulationDesign(seed=4, n_samples=90, n_molecules=50, effect=1.5, n_batches=3)).cohort
MODEL = fit(COHORT, FAST, judge=False, name="pain")
TABLE = COHORT.cargo
NAMES = [("B1", "B2", "B9", "")[i % 4] for i in range(TABLE.n_samples)]

IN_SHEET = [name or "B9" for name in NAMES]
"""A sheet must say the batch of every sample."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("places")
    MODEL.save(root / "M")
    mix = {"control": 0.4, "inflammatory": 0.3}
    local = LocalSamples(TABLE.take(np.arange(12)), mix=mix)
    remembering_nothing = ModelBundle.load(root / "M")
    object.__setattr__(remembering_nothing, "trained_on", None)
    recalibrate(remembering_nothing, local, site="clinic-b").bundle.save(root / "S")
    TABLE.write(root / "cargo.csv")
    frame = pd.read_csv(root / "cargo.csv")
    frame.insert(1, "run", NAMES)
    frame.to_csv(root / "with_batch.csv", index=False)
    sheet = pd.DataFrame({"sample_id": TABLE.sample_ids, "run": IN_SHEET}).iloc[::-1]
    sheet.to_csv(root / "samples.csv", index=False)
    return root


def score(folder: Path, out: Path, *words: object, model: str = "M", cargo: str = "cargo.csv") -> Result:
    given = ("score", folder / model, "--cargo", folder / cargo, "--out", out)
    return CliRunner().invoke(app, [str(word) for word in (*given, *words)])


def same(out: Path, wanted: pd.DataFrame) -> pd.DataFrame:
    found = pd.read_csv(out, keep_default_na=False)
    for column in ("sample_id", "call", "best_guess", "prediction_set", "flags", "reason", "place"):
        assert list(found[column]) == list(wanted[column]), column
    numbers = [column for column in wanted if column.startswith("p_")]
    np.testing.assert_allclose(found[numbers].astype(float), wanted[numbers], rtol=0, atol=1e-12)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "use"),
    [
        ((), Use()),
        (("--batch-is", "B2"), Use(batch="B2")),
        (("--batch-is", "nobody-knows"), Use(batch="nobody-knows")),
        (("--same-batch",), Use(same_batch=True)),
        (("--max-wrong", ".3", "--level", ".8"), Use(max_wrong=0.3, level=0.8)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_said_of_all_samples_is_heeded_as_by_the_library(
    folder: Path, tmp_path: Path, words: tuple[str, ...], use: Use
) -> None:
    done = score(folder, tmp_path / "p.csv", *words)
    assert done.exit_code == 0, done.output
    same(tmp_path / "p.csv", MODEL.predict(TABLE, use).to_frame())


def test_the_sheet_says_the_batch_of_each_sample_in_any_order(folder: Path, tmp_path: Path) -> None:
    done = score(folder, tmp_path / "p.csv", "--samples", folder / "samples.csv", "--batch", "run")
    assert done.exit_code == 0, done.output
    found = same(tmp_path / "p.csv", MODEL.predict(TABLE, batches=IN_SHEET).to_frame())
    assert set(found["place"]) == {"batch B1", "batch B2", "unknown batch"}
    assert "B9" in done.output  # a batch that training did not know is said


def test_a_column_of_the_table_says_the_batch_and_is_kept(folder: Path, tmp_path: Path) -> None:
    done = score(folder, tmp_path / "p.csv", "--batch", "run", cargo="with_batch.csv")
    assert done.exit_code == 0, done.output
    found = same(tmp_path / "p.csv", MODEL.predict(TABLE, batches=NAMES).to_frame())
    assert list(found["run"]) == NAMES


def test_a_model_of_a_site_answers_for_it_with_and_without_its_name(folder: Path, tmp_path: Path) -> None:
    there = ModelBundle.load(folder / "S")
    for name, words in (("a.csv", ()), ("b.csv", ("--site", "clinic-b"))):
        done = score(folder, tmp_path / name, *words, model="S")
        assert done.exit_code == 0, done.output
        found = same(tmp_path / name, there.predict(TABLE).to_frame())
        assert set(found["place"]) == {"site clinic-b"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--batch-is", "B1", "--same-batch"), "say one of them"),
        (("--site", "clinic-b", "--batch-is", "B1"), "say one of them"),
        (("--site", "clinic-b"), "this model does not know it"),
        (("--batch", "run", "--same-batch"), "--batch"),
        (("--batch", "nowhere"), "nowhere"),
        (("--max-wrong", "0"), "max-wrong"),
        (("--max-wrong", ".7"), "max-wrong"),
        (("--level", "1"), "level"),
        (("--samples", "nowhere.csv", "--batch", "run"), "nowhere.csv"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_writes_nothing(
    folder: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    done = score(folder, tmp_path / "p.csv", *words)
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert "Traceback" not in done.output
    assert not list(tmp_path.iterdir())
