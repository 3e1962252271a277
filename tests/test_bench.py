from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cohorts import FAST, counts
from exoclassify.cli.bench import report
from exoclassify.cli.main import app
from exoclassify.errors import FileError, InputError
from exoclassify.judging.bench import Bench, Cost, benched, cost_of
from exoclassify.judging.bench_tables import Columns, table_in, tables_in, tasks_of
from exoclassify.learning.learn import learn, learn_each
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.model.compiled import CompiledBlend

RIDGE = FAST.model_copy(update={"voices": FAST.voices[:1]})
# More ridge than the default has, and a forest of one tree: clearly worse than either of the others.
STUMP = Recipe.of({"folds": FAST.folds.model_dump(), "voices": [{"learner": "forest", "n_trees": 1}]})
COLUMNS = Columns("mirna", "counts")


def write(folder: Path, samples: Samples, *, batch: bool = False, cargo: str = "X.csv", sheet: str = "y.csv") -> None:
    folder.mkdir(parents=True)
    ids = pd.Index([f"S{i}" for i in range(len(samples.y))], name="sample_id")
    names = [f"hsa-miR-{i + 1}-5p" for i in range(samples.X.shape[1])]
    pd.DataFrame(samples.X.astype(int), ids, names).to_csv(folder / cargo)
    frame = pd.DataFrame({"label": [samples.states[k] for k in samples.y]}, ids)
    if batch and samples.batches is not None:
        frame["batch"] = [f"B{b}" for b in samples.batches]
    frame.to_csv(folder / sheet)


@pytest.mark.parametrize("n_batches", [0, 2])
def test_recipes_learned_together_are_what_each_is_alone(n_batches: int) -> None:
    samples = counts(n=48, p=30, n_batches=n_batches)
    other = FAST.model_copy(update={"seed": 5})
    tmm = Recipe.of({**RIDGE.model_dump(), "normalise": {"method": "tmm"}})
    recipes = [FAST, tmm, RIDGE, other, STUMP]
    for recipe, found in zip(recipes, learn_each(samples, recipes), strict=True):
        alone = learn(samples, recipe)
        X = samples.X[:, alone.support]
        expected = CompiledBlend.of(alone.blend).evaluate(X)
        got = CompiledBlend.of(found.blend).evaluate(X)
        assert (got[0] == expected[0]).all()
        assert (got[1] == expected[1]).all()


def test_a_table_with_two_batches_is_judged_from_each_to_the_other() -> None:
    samples = counts(n=48, p=20, n_batches=2)
    random, *left_out = tasks_of("mine", samples, repeats=2)
    assert [len(folds) for folds in random.passes] == [5, 5]
    assert [task.table for task in left_out] == ["mine", "mine"]
    for task in left_out:
        ((train, test),) = task.passes[0]
        assert samples.batches is not None
        assert len(np.unique(samples.batches[test])) == 1
        assert not np.isin(samples.batches[train], samples.batches[test]).any()


@pytest.mark.slow
def test_a_clearly_worse_recipe_is_seen_to_be_worse() -> None:
    tasks = [task for seed in range(4) for task in tasks_of(f"t{seed}", counts(n=40, p=30, seed=seed), repeats=1)]
    found = benched(tasks, {"ridge": RIDGE, "stump": STUMP})
    worse = found.against_reference(found.log_loss, 1)
    assert 0 < worse.low < worse.mean < worse.high
    assert found.against_reference(found.auc, 1).high < 0
    # The reference is one learner: it is its own best.
    assert (found.deficit[0] == 0).all()
    chosen, price = found.chosen_elsewhere()
    assert (chosen == 0).all()
    assert price.mean == 0


def by_hand(log_loss: list[list[float]], tables: list[str]) -> Bench:
    losses = np.array(log_loss)
    names = tuple(f"task {i}" for i in range(len(tables)))
    return Bench(("a", "b"), names, tuple(tables), losses, 1 - losses, losses, losses.min(axis=0))


def test_a_table_has_no_say_in_what_is_chosen_for_it() -> None:
    # Each table alone likes b; on the other two tables together a is better.
    found = by_hand([[0.5, 0.5, 0.9], [0.6, 0.6, 0.1]], ["x", "y", "z"])
    chosen, price = found.chosen_elsewhere()
    assert chosen.tolist() == [1, 1, 0]
    assert price.mean == pytest.approx((0.1 + 0.1 + 0.0) / 3)


def test_tasks_of_one_table_count_as_one_draw() -> None:
    apart = by_hand([[0.5] * 4, [0.4, 0.6, 0.4, 0.6]], ["w", "x", "y", "z"])
    joined = by_hand([[0.5] * 4, [0.4, 0.6, 0.4, 0.6]], ["w", "w", "y", "y"])
    loose, tight = (bench.against_reference(bench.log_loss, 1) for bench in (apart, joined))
    assert loose.mean == pytest.approx(0)
    assert loose.high - loose.low > 0.1
    assert tight.high - tight.low == pytest.approx(0)


def test_a_recipe_has_a_price() -> None:
    cost = cost_of(counts(n=40, p=20), RIDGE)
    assert 0 < cost.scoring / 1e6 < cost.fitting


def test_tables_are_found_under_either_name(tmp_path: Path) -> None:
    write(tmp_path / "one", counts(n=24, p=12))
    write(tmp_path / "two", counts(n=30, p=12, n_batches=2), batch=True, cargo="cargo.csv", sheet="samples.csv")
    (tmp_path / "notes").mkdir()
    found = tables_in(tmp_path, COLUMNS)
    assert list(found) == ["one", "two"]
    assert found["one"].batches is None
    assert found["two"].batches is not None
    assert len(found["two"].y) == 30


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match=r"holds no tables; give each a folder of its own"):
        tables_in(tmp_path, COLUMNS)
    write(tmp_path / "one", counts(n=24, p=12))
    (tmp_path / "one" / "y.csv").rename(tmp_path / "one" / "sheet.csv")
    with pytest.raises(FileError, match=r"one: lacks its sample sheet; name it y.csv or samples.csv"):
        table_in(tmp_path / "one", COLUMNS)
    (tmp_path / "one" / "sheet.csv").rename(tmp_path / "one" / "y.csv")
    with pytest.raises(InputError, match=r"one/y.csv: .*state"):
        table_in(tmp_path / "one", Columns("mirna", "counts", label="state"))
    (tmp_path / "one" / "cargo.csv").write_text("")
    with pytest.raises(FileError, match=r"X.csv and cargo.csv are two of a kind"):
        table_in(tmp_path / "one", COLUMNS)


@pytest.mark.slow
def test_the_command_compares_recipes_and_writes_every_figure(tmp_path: Path) -> None:
    for seed in range(2):
        write(tmp_path / "tables" / f"t{seed}", counts(n=24, p=15, seed=seed))
    (tmp_path / "mine.toml").write_text('[[learners]]\nlearner = "ridge"\n')
    done = CliRunner().invoke(
        app,
        ["bench", str(tmp_path / "tables"), "--kind", "mirna", "--unit", "counts", "--recipe", str(tmp_path / "mine.toml"),
         "--repeats", "1", "--jobs", "1", "--out", str(tmp_path / "figures.csv")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("2 tasks from 2 tables")
    assert any(line.startswith("mine ") for line in lines)
    figures = pd.read_csv(tmp_path / "figures.csv")
    assert set(figures["task"]) == {"t0", "t1"}
    assert len(figures) == 2 * (len(Recipe().voices) + 2)
    assert figures["log_loss"].between(0, 3).all()


def test_an_output_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    for out, message in (("nowhere/figures.csv", "there is no folder"), ("old.csv", "give --force to replace it")):
        (tmp_path / "old.csv").write_text("kept")
        asked = ["bench", str(tmp_path), "--kind", "mirna", "--unit", "counts", "--out", str(tmp_path / out)]
        done = CliRunner().invoke(app, asked)
        assert done.exit_code == 2
        assert message in done.output
        assert (tmp_path / "old.csv").read_text() == "kept"


def test_one_table_gives_no_interval() -> None:
    alone = by_hand([[0.5, 0.4], [0.6, 0.6]], ["x", "x"])
    first, _, _, other, *rest = report(alone, [Cost(1.0, 2.0)] * 2)
    assert first == "2 tasks from 1 table; differences from a, of one table, which gives no interval"
    assert "+0.150" in other
    assert " to " not in other
    assert not any(line.startswith("Chosen") for line in rest)
