"""A model in use: what `exoclassify monitor` says of its records."""

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from exoclassify.cli.main import app
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.lifecycle.fit import fit
from exoclassify.model.prediction import Use
from exoclassify.model.registry import Registry
from exoclassify.monitoring.database import opened, upgrade
from exoclassify.monitoring.outcomes import Outcome, add_outcomes
from exoclassify.monitoring.records import RecordWriter
from exoclassify.monitoring.tallies import tallied
from test_drift import COHORT, FAST, SUBJECTS
from test_records import put

pytestmark = pytest.mark.slow

HOME = COHORT.take(np.isin(COHORT.groups, SUBJECTS[: len(SUBJECTS) // 2]))
LATER = COHORT.take(~np.isin(COHORT.groups, SUBJECTS[: len(SUBJECTS) // 2]))


@cache
def model_of_home():
    return fit(HOME, FAST, name="pain", n_jobs=1)


def moved(cohort: Cohort, sds: float) -> CargoTable:
    rng = np.random.default_rng(0)
    factors = np.exp2(rng.normal(0, sds, cohort.cargo.n_molecules))
    frame = np.round(cohort.cargo.to_frame() * factors)
    return CargoTable.from_frame(frame, kind="mirna", unit="counts")


def served(url: str, spool: Path, table: CargoTable, key: str = "lab") -> None:
    """Answer sample by sample, as a service does."""
    writer = RecordWriter(url, spool)
    X = model_of_home().panel.values(table)
    for i in range(table.n_samples):
        answers = model_of_home().predict(table.take(np.array([i])), Use(same_batch=True))
        put(writer, answers, request_id=f"r-{i}", input_sha256="0" * 64, key_name=key)
        writer.tally(model_of_home(), X[i : i + 1])
    assert writer.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    registry = Registry(tmp_path / "models")
    registry.add(model_of_home())
    registry.promote("pain", "1.0.0", who="ann", why="first")
    return tmp_path


def run(place: Path, *words: object, url: str | None = None) -> Result:
    database = url or f"sqlite:///{place}/records.db"
    given = ("monitor", "pain", "--registry", place / "models", "--database", database, *words)
    return CliRunner().invoke(app, [str(word) for word in given])


def outcomes(url: str, cohort: Cohort) -> None:
    engine = opened(url)
    upgrade(engine)
    add_outcomes(engine, [Outcome(s, str(y)) for s, y in zip(cohort.sheet.sample_ids, cohort.y, strict=True)])
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_use_as_in_training_raises_no_alarm(place: Path, kind: str, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{place}/records.db" if kind == "sqlite" else request.getfixturevalue("server").url
    served(url, place / "spool", LATER.cargo)
    outcomes(url, LATER)
    done = run(place, "--json", "--prometheus", place / "x.prom", url=url)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["n"] == told["input"]["n"] == LATER.n_samples
    assert told["alarms"] == []
    assert told["performance"]["figures"]["auc"]["value"] > 0.8
    gauges = (place / "x.prom").read_text()
    assert f'exoclassify_predictions{{model="pain",version="1.0.0"}} {LATER.n_samples}\n' in gauges
    assert "exoclassify_auc_in_use{" in gauges
    for line in gauges.splitlines():
        assert re.fullmatch(r'# TYPE \w+ gauge|\w+\{model="pain",version="1\.0\.0"\} \S+', line), line


def test_another_laboratory_is_noticed_and_told_what_it_needs(place: Path) -> None:
    url = f"sqlite:///{place}/records.db"
    served(url, place / "spool", moved(LATER, 2.0), key="clinic-b")
    done = run(place, "--out", place / "report.html")
    assert done.exit_code == 3, done.output
    assert re.search(r"ALARM: \d+ of \d+ molecules have moved", done.stdout)
    assert "ALARM: samples became stranger than those of training" in done.stdout
    assert "ALARM: samples of clinic-b are unlike those of training" in done.stdout
    assert "a profile of it from 10 of its samples" in done.stdout
    page = (place / "report.html").read_text()
    assert "clinic-b" in page
    assert "<svg" in page
    again = run(place, "--out", place / "report.html")
    assert again.exit_code == 2
    assert "--force" in again.stderr


def test_a_model_that_fails_in_use_is_noticed_by_outcomes(place: Path) -> None:
    url = f"sqlite:///{place}/records.db"
    served(url, place / "spool", LATER.cargo)
    frame = LATER.sheet.frame.copy()
    frame["label"] = np.random.default_rng(0).permutation(frame["label"].to_numpy())
    outcomes(url, Cohort.from_layers(LATER.layers, type(LATER.sheet)(frame, "label")))
    done = run(place)
    assert done.exit_code == 3
    assert "ALARM: AUC in use is 0." in done.stdout
    assert "ALARM: it is overconfident in use: calibration slope" in done.stdout


def test_without_records_or_outcomes_it_says_what_is_lacking(place: Path) -> None:
    done = run(place)
    assert done.exit_code == 0, done.output
    assert "0 predictions" in done.stdout
    assert "molecules: not counted" in done.stdout
    assert "outcomes: 5 more of control, 5 more of inflammatory" in done.stdout


def test_a_table_can_be_looked_at_without_records(place: Path) -> None:
    LATER.cargo.write(place / "same.csv")
    moved(LATER, 2.0).write(place / "moved.csv")
    assert run(place, "--cargo", place / "same.csv").exit_code == 0
    done = run(place, "--cargo", place / "moved.csv")
    assert done.exit_code == 3
    assert "molecules have moved" in done.stdout


def test_only_the_period_asked_for_is_looked_at(place: Path) -> None:
    served(f"sqlite:///{place}/records.db", place / "spool", LATER.cargo.take(np.arange(5)))
    assert json.loads(run(place, "--since", "1h", "--json").stdout)["n"] == 5
    assert json.loads(run(place, "--since", "2999-01-01", "--json").stdout)["n"] == 0
    wrong = run(place, "--since", "yesterday")
    assert wrong.exit_code == 2
    assert "neither a date" in wrong.stderr


def test_tallies_of_several_writers_add_up(place: Path) -> None:
    url = f"sqlite:///{place}/records.db"
    for part in (np.arange(10), np.arange(10, 25)):
        served(url, place / "spool", LATER.cargo.take(part))
    engine = opened(url)
    import datetime

    total = tallied(engine, model_of_home(), datetime.date(2020, 1, 1))
    engine.dispose()
    assert (total.sum(axis=1) == 25).all()
