"""The life of a model from end to end, with real processes under load: service, PostgreSQL, retraining, swap, rollback, kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from cohorts import FAST
from databases import Postgres
from exoclassify.lifecycle.fit import fit
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Use
from exoclassify.model.registry import Registry
from exoclassify.monitoring.database import opened, upgrade
from exoclassify.monitoring.tables import OUTCOMES, PREDICTIONS
from serving import CSV, JSON, Running, asked, cohort, running
from waiting import until

pytestmark = pytest.mark.slow

COHORT = cohort()
SUBJECTS = np.unique(COHORT.groups)
FIRST = COHORT.take(np.isin(COHORT.groups, SUBJECTS[: len(SUBJECTS) // 2]))
RECIPE = """
[folds]
outer = 3
repeats = 1
inner = 5
[gate]
margin = 1
call_margin = 1
group_margin = 1
audit = false
[[voices]]
learner = "ridge"
"""


@pytest.fixture
def database(server: Postgres) -> str:
    return server.url


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A registry with a champion, and files to retrain it from."""
    made = Registry(tmp_path / "models")
    made.add(fit(FIRST, FAST, judge=False, name="pain"))
    made.promote("pain", "1.0.0", who="test", why="first")
    COHORT.cargo.write(tmp_path / "cargo.csv")
    COHORT.sheet.frame.to_csv(tmp_path / "samples.csv")
    (tmp_path / "fast.toml").write_text(RECIPE)
    return tmp_path


def exoclassify(place: Path, *words: object) -> str:
    command = [str(Path(sys.executable).with_name("exoclassify")), *map(str, words)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EXOCLASSIFY_")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=place, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def recorded(url: str) -> dict[str, str]:
    """Version by request id, of all that is in the database."""
    engine = opened(url)
    upgrade(engine)
    with engine.connect() as connection:
        rows = connection.execute(select(PREDICTIONS.c.request_id, PREDICTIONS.c.version)).all()
    engine.dispose()
    found = {row.request_id: row.version for row in rows}
    assert len(found) == len(rows), "a record is there twice"
    return found


class Load:
    """Callers that ask without pause; what was answered, by request id."""

    def __init__(self, service: Running, bundle: ModelBundle, name: str, n: int = 3) -> None:
        self.answered: dict[str, str] = {}
        self.refused: list[int] = []
        self.unanswered = 0
        self._service, self._bundle, self._name = service, bundle, name
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(n)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def until_version(self, version: str) -> None:
        """Wait until five more answers came from a version."""
        before = self._count(version)
        until(lambda: self._count(version) >= before + 5, lambda: f"{version} never answered")

    def _count(self, version: str) -> int:
        return list(self.answered.values()).count(version)

    def _ask(self, caller: int) -> None:
        table, i = COHORT.cargo, 0
        while not self._stop.is_set():
            i += 1
            row = i % table.n_samples
            cargo = dict(zip(table.molecules, table.values[row].tolist(), strict=True))
            body = json.dumps(asked(self._bundle, (table.sample_ids[row], cargo), same_batch=True)).encode()
            request_id = f"{self._name}-{caller}-{i}"
            try:
                reply = self._service.ask("POST", "/v1/predict", body, {**JSON, "X-Request-ID": request_id})
            except (OSError, HTTPException):
                self.unanswered += 1
                time.sleep(0.05)
                continue
            if reply.status == 200:
                self.answered[request_id] = reply.json["version"]
            else:
                self.refused.append(reply.status)


def test_a_model_lives_through_retraining_swap_rollback_and_kills_and_every_answer_is_recorded(
    place: Path, database: str, server: Postgres
) -> None:
    registry, settings = (
        Registry(place / "models"),
        {"database": database, "spool": place / "spool", "poll_seconds": 0.1},
    )
    bundle = registry.load("pain")
    with running(place / "models", place, **settings) as service:
        with Load(service, bundle, "a") as load:
            load.until_version("1.0.0")
            exoclassify(
                place, "retrain", "pain", "--cargo", "cargo.csv", "--samples", "samples.csv", "--label", "label",
                "--subject", "subject", "--batch", "batch", "--recipe", "fast.toml", "--jobs", 1, "--registry", "models",
            )  # fmt: skip
            new = registry.champion("pain")
            assert new != "1.0.0"
            load.until_version(new)
            server.kill()
            load.until_version(new)
            server.start()
            load.until_version(new)
            assert load.unanswered == 0
            assert load.refused == []
            os.killpg(service.process.pid, signal.SIGKILL)
            service.process.wait()
            until(lambda: load.unanswered >= 3)
        first = load.answered
    with running(place / "models", place, **settings) as service, Load(service, bundle, "b") as load:
        load.until_version(new)
        exoclassify(place, "models", "rollback", "pain", "--why", "test", "--registry", "models")
        load.until_version("1.0.0")
    assert load.refused == []
    answered = first | load.answered
    assert len(answered) >= 25
    kept = recorded(database)
    assert {name: kept.get(name) for name in answered} == answered
    # What is there besides was computed, and its caller was killed away from before the answer came.
    assert len(kept) - len(answered) <= 3
    assert not list((place / "spool").glob("*.jsonl"))
    assert [promotion.back for promotion in registry.history("pain")] == [False, False, True]


def test_every_door_is_recorded_and_outcomes_are_taken(place: Path, database: str) -> None:
    bundle = Registry(place / "models").load("pain")
    table, sheet = COHORT.cargo, COHORT.sheet
    cargo = dict(zip(table.molecules, table.values[0].tolist(), strict=True))
    row = {"name": "cargo", "shape": [1, len(bundle.panel.molecules)], "datatype": "FP64"}
    row["data"] = bundle.panel.values(table)[0].tolist()
    name = {"name": "sample_id", "shape": [1], "datatype": "BYTES", "data": ["by-tensor"]}
    settings = {"database": database, "spool": place / "spool", "record_cargo": 1}
    with running(place / "models", place, **settings) as service:
        body = asked(bundle, ("by-name", cargo))
        body["samples"][0]["subject"] = "P-1"
        assert service.ask("POST", "/v1/predict", json.dumps(body).encode(), JSON).status == 200
        sent = json.dumps({"inputs": [row, name]}).encode()
        assert service.ask("POST", "/v2/models/pain/infer", sent, JSON).status == 200
        named = {**JSON, "X-Request-ID": "by-file"}
        reply = service.ask("POST", "/v1/predict-file?same_batch=true", table.to_frame().to_csv().encode(), named | CSV)
        assert reply.status == 200
        states = [{"sample_id": s, "state": str(y)} for s, y in zip(sheet.sample_ids, COHORT.y, strict=True)]
        states.append({"sample_id": "never", "state": "control", "diagnosed": "2026-03-01"})
        for expected in ("new", "same"):
            reply = service.ask("POST", "/v1/outcomes", json.dumps({"outcomes": states}).encode(), JSON)
            assert reply.status == 200, reply.body
            assert len(reply.json[expected]) == len(states)
            assert reply.json["never_scored"][-1] == "never"
        wrong = json.dumps({"outcomes": [{"sample_id": "x", "state": "y", "diagnosed": "2026-02-31"}]})
        assert service.ask("POST", "/v1/outcomes", wrong.encode(), JSON).status == 409
    engine = opened(database)
    with engine.connect() as connection:
        rows = {row.sample_id: row for row in connection.execute(select(PREDICTIONS))}
        assert connection.execute(select(OUTCOMES.c.sample_id)).scalars().all()
    engine.dispose()
    assert set(rows) == {"by-name", "by-tensor", *table.sample_ids}
    assert rows["by-name"].subject == "P-1"
    assert rows["by-name"].cargo == cargo
    assert list(rows["by-tensor"].cargo) == list(bundle.panel.molecules)
    library = bundle.predict(table, Use(same_batch=True))
    for sample, p in zip(table.sample_ids, library.probabilities, strict=True):
        assert list(rows[sample].probabilities.values()) == p.tolist()
        assert rows[sample].request_id == "by-file"
    told = exoclassify(place, "monitor", "pain", "--registry", "models", "--database", database, "--json")
    assert json.loads(told)["performance"]["figures"]["auc"]["value"] > 0.8


def test_without_a_database_nothing_is_kept_and_there_is_no_door_for_outcomes(place: Path) -> None:
    bundle = Registry(place / "models").load("pain")
    body: Any = json.dumps(asked(bundle, ("S", {bundle.panel.molecules[0]: 3.0}))).encode()
    with running(place / "models", place, spool=place / "spool") as service:
        assert service.ask("POST", "/v1/predict", body, JSON).status == 200
        assert service.ask("POST", "/v1/outcomes", b"{}", JSON).status == 404
    assert not (place / "spool").exists()


def test_a_database_that_is_away_stops_no_answer_and_outcomes_are_asked_for_later(place: Path) -> None:
    bundle = Registry(place / "models").load("pain")
    body = json.dumps(asked(bundle, ("S", {bundle.panel.molecules[0]: 3.0}))).encode()
    away = "postgresql://user:s3cret@127.0.0.1:1/none"
    with running(place / "models", place, database=away, spool=place / "spool") as service:
        assert service.ask("POST", "/v1/predict", body, JSON).status == 200
        outcomes = json.dumps({"outcomes": [{"sample_id": "S", "state": "control"}]}).encode()
        reply = service.ask("POST", "/v1/outcomes", outcomes, JSON)
        assert (reply.status, reply.code) == (503, "no_database")
        log = service.log
    assert "s3cret" not in log.read_text()
    assert "records wait on disk" in log.read_text()
    told = exoclassify(place, "records", "deliver", "--spool", "spool", "--database", f"sqlite:///{place}/r.db")
    assert "1 records delivered" in told
