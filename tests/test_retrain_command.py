"""`exoclassify retrain` through its door."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from exoclassify.cli.main import app
from exoclassify.model.registry import Registry

pytestmark = pytest.mark.slow

FAST = '[folds]\nouter = 3\nrepeats = 1\ninner = 5\n[gate]\naudit = false\n[[voices]]\nlearner = "ridge"\n'
COLUMNS = ("--label", "label", "--subject", "subject", "--batch", "batch")


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def tables(folder: Path) -> tuple[object, ...]:
    return ("--cargo", *folder.glob("cargo.*"), "--samples", *folder.glob("samples.*"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cohorts of other people, a recipe, and a registry whose model was trained on the first."""
    folder = tmp_path_factory.mktemp("retrain")
    (folder / "fast.toml").write_text(FAST)
    options = ("--samples", 130, "--seed", 3, "--effect", 2)
    assert run("simulate", "--out", folder / "all", *options).exit_code == 0
    sheet = pd.read_csv(folder / "all/samples.csv", index_col=0)
    cargo = pd.read_csv(folder / "all/cargo.csv", index_col=0)
    first = sheet["subject"].rank(method="dense") <= sheet["subject"].nunique() / 2
    for name, rows in (("first", first), ("later", ~first)):
        (folder / name).mkdir()
        sheet[rows].to_csv(folder / name / "samples.csv")
        cargo[rows.to_numpy()].to_csv(folder / name / "cargo.csv")
    done = run(
        "train", *tables(folder / "first"), *COLUMNS, "--kind", "mirna", "--unit", "counts", "--recipe",
        folder / "fast.toml", "--name", "pain", "--no-judge", "--out", folder / "M",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert run("models", "import", folder / "M", "--registry", folder / "models").exit_code == 0
    Registry(folder / "models").promote("pain", "1.0.0", who="ann", why="first")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "models", tmp_path / "models"))


def retrain(made: Path, place: Path, *words: object) -> Result:
    return run("retrain", "pain", *tables(made / "later"), *COLUMNS, "--jobs", 1, "--registry", place, *words)


def lenient(made: Path, tmp_path: Path, **rules: object) -> Path:
    path = tmp_path / "lenient.toml"
    given = {"margin": 1, "group_margin": 1, **rules}
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items())
    path.write_text(FAST.replace("audit = false\n", f"audit = false\n{lines}"))
    return path


def test_a_challenger_that_passes_is_kept_promoted_and_told(made: Path, place: Path, tmp_path: Path) -> None:
    recipe = lenient(made, tmp_path)
    done = retrain(made, place, "--add-to", made / "first", "--recipe", recipe, "--json", "--who", "cron")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["passed"]
    assert told["promoted"]
    registry = Registry(place)
    assert registry.champion("pain") == Path(told["kept"]).name != "1.0.0"
    assert registry.promotion("pain").who == "cron"
    assert str(registry.promotion("pain").source).startswith("gate against 1.0.0, data ")
    assert registry.decision("pain", registry.champion("pain"))["sentence"] == told["sentence"]  # type: ignore[index]
    compared = run("models", "compare", "pain@1.0.0", "pain", "--registry", place).stdout
    assert "pass  new samples, log-loss" in compared


def test_a_challenger_that_fails_is_kept_and_not_promoted(made: Path, place: Path, tmp_path: Path) -> None:
    sheet = pd.read_csv(made / "later/samples.csv", index_col=0)
    sheet["dealt"] = sheet["label"].sample(frac=1, random_state=0).to_numpy()
    sheet.to_csv(tmp_path / "samples.csv")
    words = ("--cargo", made / "later/cargo.csv", "--samples", tmp_path / "samples.csv", "--label", "dealt")
    done = run("retrain", "pain", *words, *COLUMNS[2:], "--jobs", 1, "--registry", place)
    assert done.exit_code == 3, done.output
    assert "FAIL  new samples, log-loss" in done.stdout
    assert Registry(place).champion("pain") == "1.0.0"
    assert len(Registry(place).versions("pain")) == 2
    assert "failed" in run("models", "list", "--registry", place).stdout


def disguised(made: Path, to: Path, rows: slice = slice(None)) -> tuple[object, ...]:
    """The training table under other ids and persons, in another order."""
    order = np.random.default_rng(1).permutation(len(pd.read_csv(made / "first/samples.csv")))[rows]
    to.mkdir()
    ids = [f"NEW-{i}" for i in range(len(order))]
    for name in ("samples", "cargo"):
        frame = pd.read_csv(made / f"first/{name}.csv", index_col=0).iloc[order]
        frame.index = pd.Index(ids, name="sample_id")
        if name == "samples":
            frame["subject"] = [f"other-{person}" for person in frame["subject"]]
            frame["batch"] = frame["batch"].map({"B1": "north", "B2": "south"})
        frame.to_csv(to / f"{name}.csv")
    return ("--cargo", to / "cargo.csv", "--samples", to / "samples.csv")


@pytest.mark.parametrize("rows", [slice(None), slice(0, 40)], ids=["all of it", "a part of it"])
def test_the_training_table_under_other_names_is_nothing_new(
    made: Path, place: Path, tmp_path: Path, rows: slice
) -> None:
    given = disguised(made, tmp_path / "copy", rows)
    done = run("retrain", "pain", *given, *COLUMNS, "--jobs", 1, "--registry", place)
    assert done.exit_code == 3
    assert done.stdout.startswith("nothing new: pain 1.0.0 was trained on the cargo of all ")
    assert "0 of them under the same id" in done.stdout
    assert Registry(place).versions("pain") == ("1.0.0",)


def test_a_copy_added_to_the_training_table_is_nothing_new(made: Path, place: Path, tmp_path: Path) -> None:
    given = disguised(made, tmp_path / "copy")
    done = run("retrain", "pain", *given, "--add-to", made / "first", *COLUMNS, "--registry", place)
    assert (done.exit_code, "nothing new" in done.stdout) == (3, True)


def test_one_batch_does_not_replace_several_unless_asked_by_name(made: Path, place: Path, tmp_path: Path) -> None:
    sheet = pd.read_csv(made / "later/samples.csv", index_col=0)
    sheet["batch"] = "B9"
    sheet.to_csv(tmp_path / "samples.csv")
    given = ("--cargo", made / "later/cargo.csv", "--samples", tmp_path / "samples.csv", *COLUMNS, "--jobs", 1)
    recipe = lenient(made, tmp_path)
    for more, passed in (((), False), (("--allow-one-batch",), True)):
        done = run("retrain", "pain", *given, "--recipe", recipe, "--registry", place, "--dry-run", "--json", *more)
        told = json.loads(done.stdout)
        check = next(each for each in told["checks"] if each["setting"] == "batches")
        assert check["what"].startswith("tested across batches: 1.0.0 was, on 2; this one could not be, on 1")
        assert check["passed"] is passed
        assert passed or done.exit_code == 3


def test_a_dry_run_writes_nothing(made: Path, place: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    recipe = lenient(made, tmp_path)
    done = retrain(made, place, "--recipe", recipe, "--dry-run", "--keep-data", tmp_path / "data")
    assert done.exit_code == 0, done.output
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before
    assert not (tmp_path / "data").exists()


def test_never_and_ask_without_a_person_keep_and_do_not_promote(made: Path, place: Path, tmp_path: Path) -> None:
    recipe = lenient(made, tmp_path)
    for word in ("never", "ask"):
        done = retrain(made, place, "--recipe", recipe, "--promote", word)
        assert done.exit_code == 0, done.output
        assert Registry(place).champion("pain") == "1.0.0"
    assert "nobody is there to be asked" in done.stderr
    assert len(Registry(place).versions("pain")) == 3


def test_data_kept_for_the_next_time_are_those_the_model_was_trained_on(
    made: Path, place: Path, tmp_path: Path
) -> None:
    recipe = lenient(made, tmp_path)
    done = retrain(made, place, "--add-to", made / "first", "--recipe", recipe, "--keep-data", tmp_path / "data")
    assert done.exit_code == 0, done.output
    same = run("retrain", "pain", *tables(tmp_path / "data"), *COLUMNS, "--registry", place, "--recipe", recipe)
    assert same.exit_code == 3
    assert "nothing new" in same.stdout
    wrong = retrain(made, place, "--add-to", made / "first")
    assert wrong.exit_code == 2
    assert "was trained on data of sha256" in wrong.stderr


def test_two_retrains_at_once_keep_two_versions_and_promote_one(made: Path, place: Path, tmp_path: Path) -> None:
    recipe = lenient(made, tmp_path)
    words = ("retrain", "pain", *tables(made / "later"), *COLUMNS, "--jobs", 1, "--registry", place, "--recipe", recipe)
    command = [sys.executable, "-c", "from exoclassify.cli.main import main; main()", *map(str, words)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "ab"]
    said = [process.communicate()[1] for process in running]
    registry = Registry(place)
    codes = sorted(process.returncode for process in running)
    # One may have finished before the other began; then the second found nothing new.
    assert codes in ([0, 2], [0, 3]), said
    assert len(registry.versions("pain")) == (3 if codes == [0, 2] else 2)
    if codes == [0, 2]:
        assert any("was compared with 1.0.0" in text for text in said)
    assert len(registry.history("pain")) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--external-cargo", "x.csv"), "give both --external-cargo and --external-samples"),
        (("--require-signature", "no.pub"), "give --sign-with, or --promote never"),
        (("--require-signature", "no.pub", "--promote", "never"), "is no public key that can be read"),
        (("--add-to", "nowhere"), "holds 0 files cargo"),
        (("--label", "batch"), "its states are B1, B2, and pain distinguishes control"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(
    made: Path, place: Path, words: tuple[str, ...], message: str
) -> None:
    before = sorted(place.rglob("*"))
    given = [word for word in COLUMNS if "--label" not in words or word not in ("--batch", "batch")]
    done = run("retrain", "pain", *tables(made / "later"), *given, "--jobs", 1, "--registry", place, *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert sorted(place.rglob("*")) == before


def test_a_model_nobody_put_into_use_is_not_retrained(made: Path, tmp_path: Path) -> None:
    assert run("models", "import", made / "M", "--registry", tmp_path).exit_code == 0
    done = retrain(made, tmp_path)
    assert done.exit_code == 2
    assert "no version is in use; promote one of 1.0.0" in done.stderr
