from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from exoclassify.cli.explained import explained_path
from exoclassify.cli.main import app
from exoclassify.data.cargo import CargoTable
from exoclassify.errors import InputError, ModelError
from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.fit import fit
from exoclassify.model import explanations as module
from exoclassify.model.explain import against_rest, contributions
from exoclassify.model.explanations import explanations
from exoclassify.simulation.simulate import SimulationDesign, simulate

MADE = simulate(
    SimulationDesign(seed=3, n_samples=60, states=("control", "pain"), n_molecules=80, n_markers=6, effect=2.0)
)
RECIPE = Recipe.of(
    {
        "folds": {"inner": 2},
        "voices": [{"learner": "ridge"}, {"learner": "extra-trees", "view": "ranks", "n_trees": 10}],
    }
)
BUNDLE = fit(MADE.cohort, RECIPE, judge=False)
TABLE = MADE.layers["mirna"].take(np.arange(5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explained")
    BUNDLE.save(path / "model")
    TABLE.write(path / "cargo.csv")
    return path


def scored(folder: Path, *arguments: object) -> Result:
    given = ["score", folder / "model", "--cargo", folder / "cargo.csv", *arguments]
    return CliRunner().invoke(app, [str(part) for part in given])


def test_each_sample_has_its_movers_with_what_is_published() -> None:
    table = explanations(BUNDLE, TABLE, 80)
    assert list(table.columns)[:5] == ["sample_id", "state", "rank", "molecule", "log_odds"]
    X = BUNDLE.panel.values(TABLE)
    parts, base = contributions(BUNDLE, X)
    for i, sample in enumerate(TABLE.sample_ids):
        rows = table[table["sample_id"] == sample]
        state = BUNDLE.states.index(rows["state"].iloc[0])
        whole = rows["log_odds"].sum() + against_rest(base, state)
        assert whole == pytest.approx(against_rest(base + parts[i].sum(axis=0), state), abs=1e-9)
        assert list(rows["rank"]) == list(range(1, len(rows) + 1))
    assert table["published"].astype(bool).any()
    told = table[table["published"] != ""]
    assert told["references"].astype(bool).all()


def test_what_cannot_be_explained_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="0 molecules explain nothing"):
        explanations(BUNDLE, TABLE, 0)
    ct = CargoTable(TABLE.values.clip(1, 40), TABLE.sample_ids, TABLE.molecules, "mirna", "ct")
    with pytest.raises(ModelError, match="its unit is ct"):
        explanations(BUNDLE, ct, 3)
    monkeypatch.setattr(module, "MOST_SAMPLES", 4)
    with pytest.raises(InputError, match=r"5 samples are more than can be explained at once \(4\)"):
        explanations(BUNDLE, TABLE, 3)


def test_score_writes_explanations_beside_the_predictions(folder: Path) -> None:
    done = scored(folder, "--out", folder / "p.csv", "--explain", 3)
    assert done.exit_code == 0, done.output
    found = pd.read_csv(folder / "p.explained.csv")
    assert found.groupby("sample_id").size().tolist() == [3] * 5
    np.testing.assert_allclose(found["log_odds"], explanations(BUNDLE, TABLE, 3)["log_odds"], rtol=1e-9)
    assert "what moved SIM-0001 towards" in done.output
    plain = pd.read_csv(folder / "p.csv")
    again = scored(folder, "--out", folder / "q.csv")
    assert again.exit_code == 0
    pd.testing.assert_frame_equal(pd.read_csv(folder / "q.csv"), plain)
    assert not (folder / "q.explained.csv").exists()


def test_what_got_no_answer_gets_no_explanation(folder: Path) -> None:
    lines = (folder / "cargo.csv").read_text().splitlines()
    (folder / "twice.csv").write_text("\n".join([*lines, lines[1]]) + "\n")
    given = ["score", folder / "model", "--cargo", folder / "twice.csv", "--out", folder / "t.csv", "--explain", 2]
    done = CliRunner().invoke(app, [str(part) for part in given])
    assert done.exit_code == 3, done.output
    answered = list(pd.read_csv(folder / "t.csv")["sample_id"])
    assert len(answered) == 4
    assert list(pd.read_csv(folder / "t.explained.csv")["sample_id"].unique()) == answered


def test_score_refuses_before_it_writes_anything(folder: Path) -> None:
    (folder / "r.explained.csv").write_text("mine")
    done = scored(folder, "--out", folder / "r.csv", "--explain", 3)
    assert done.exit_code == 2
    assert "r.explained.csv: is there already; give --force" in done.stderr
    done = scored(folder, "--out", folder / "s.csv", "--explain", 0)
    assert (done.exit_code, "ask for 1 or more" in done.stderr) == (2, True)
    assert not (folder / "r.csv").exists()
    assert not (folder / "s.csv").exists()


@pytest.mark.parametrize("name", ["p.csv", "p.parquet", "p.jsonl", "p.csv.gz"])
def test_the_file_is_named_after_the_predictions(name: str) -> None:
    assert explained_path(Path("x") / name) == Path("x") / "p.explained.csv"
