import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sqlalchemy import Engine, event, func, inspect, select

from cohorts import FAST
from databases import Postgres
from exoclassify.errors import FileError
from exoclassify.lifecycle.fit import fit
from exoclassify.model.prediction import Predictions
from exoclassify.monitoring.database import opened, upgrade
from exoclassify.monitoring.records import RecordWriter
from exoclassify.monitoring.rows import Source
from exoclassify.monitoring.tables import METADATA, PREDICTIONS
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate
from waiting import gone, until

pytestmark = pytest.mark.slow

COHORT = simulate(SimulationDesign(seed=3, n_samples=40, n_molecules=60)).cohort
BUNDLE = fit(COHORT, FAST, judge=False, name="pain")
ANSWERS = BUNDLE.predict(COHORT.cargo)
SHA = "0" * 64


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    server: Postgres = request.getfixturevalue("server")
    return server.url


def put(writer: RecordWriter, answers: Predictions, **source: Any) -> None:
    writer.put(answers, [Source(len(answers.sample_ids), **source)])


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(PREDICTIONS)).scalar_one())


def stored(url: str) -> int:
    engine = opened(url)
    try:
        return count(engine)
    finally:
        engine.dispose()


def test_every_answer_is_kept_as_it_was_given(url: str, tmp_path: Path) -> None:
    writer = RecordWriter(url, tmp_path / "spool")
    subjects = [str(subject) for subject in COHORT.groups]
    put(writer, ANSWERS, request_id="r-1", input_sha256=SHA, key_name="lab", subjects=subjects)
    assert writer.close()
    engine = opened(url)
    with engine.connect() as connection:
        rows = connection.execute(select(PREDICTIONS).order_by(PREDICTIONS.c.id)).mappings().all()
    engine.dispose()
    assert [row["sample_id"] for row in rows] == list(ANSWERS.sample_ids)
    assert [row["call"] for row in rows] == list(ANSWERS.calls)
    assert [tuple(row["flags"]) for row in rows] == list(ANSWERS.flags)
    assert [row["subject"] for row in rows] == subjects
    for row, p, held in zip(rows, ANSWERS.probabilities, ANSWERS.sets, strict=True):
        assert list(row["probabilities"]) == list(ANSWERS.states)
        assert list(row["probabilities"].values()) == p.tolist()
        assert row["prediction_set"] == [s for s, h in zip(ANSWERS.states, held, strict=True) if h]
    np.testing.assert_array_equal([row["novelty_p"] for row in rows], ANSWERS.novelty_p)
    assert {(row["model"], row["version"], row["request_id"], row["key_name"]) for row in rows} == {
        ("pain", "1.0.0", "r-1", "lab")
    }
    assert {row["cargo"] for row in rows} == {None}
    assert rows[0]["at"].utcoffset().total_seconds() == 0
    assert not [path for path in (tmp_path / "spool").iterdir() if path.suffix == ".jsonl"]


def test_cargo_is_kept_only_where_it_is_given(url: str, tmp_path: Path) -> None:
    writer = RecordWriter(url, tmp_path / "spool")
    one = BUNDLE.predict_one({"hsa-miR-21-5p": 3.0})
    put(writer, one, request_id="r", input_sha256=SHA, cargo=[{"hsa-miR-21-5p": 3.0, "x": float("nan"), "y": None}])
    assert writer.close()
    engine = opened(url)
    with engine.connect() as connection:
        assert connection.execute(select(PREDICTIONS.c.cargo)).scalar_one() == {
            "hsa-miR-21-5p": 3.0, "x": None, "y": None,
        }  # fmt: skip
    engine.dispose()


def test_the_migrations_make_the_tables_that_the_code_uses(url: str) -> None:
    engine = opened(url)
    upgrade(engine)
    upgrade(engine)
    found = inspect(engine)
    for table in METADATA.sorted_tables:
        assert {column["name"]: column["nullable"] for column in found.get_columns(table.name)} == {
            column.name: bool(column.nullable) for column in table.columns
        }
        assert set(found.get_pk_constraint(table.name)["constrained_columns"]) == set(table.primary_key.columns.keys())
        assert {index["name"] for index in found.get_indexes(table.name)} >= {str(i.name) for i in table.indexes}
    engine.dispose()


def test_an_upgrade_that_is_cut_off_leaves_nothing_half_made(url: str) -> None:
    engine = opened(url)

    def cut(*of: object) -> None:
        if "alembic_version" in str(of[2]) and "INSERT" in str(of[2]).upper():
            raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", cut)
    with pytest.raises(KeyboardInterrupt):
        upgrade(engine)
    event.remove(engine, "before_cursor_execute", cut)
    assert inspect(engine).get_table_names() == []
    upgrade(engine)
    assert PREDICTIONS.name in inspect(engine).get_table_names()
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    engine = opened(url)
    upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    with pytest.raises(FileError, match="has layout 9999, which this version of exoclassify does not know"):
        upgrade(engine)
    engine.dispose()


def test_writers_that_start_at_once_make_one_database(url: str, tmp_path: Path) -> None:
    writers = [RecordWriter(url, tmp_path / "spool") for _ in range(4)]
    for i, writer in enumerate(writers):
        put(writer, ANSWERS, request_id=f"r-{i}", input_sha256=SHA)
    assert [writer.close() for writer in writers] == [True] * 4
    assert stored(url) == 4 * len(ANSWERS.sample_ids)


def test_many_threads_lose_nothing(url: str, tmp_path: Path) -> None:
    writer = RecordWriter(url, tmp_path / "spool", interval=0.01)

    def ask() -> None:
        for i in range(50):
            put(writer, ANSWERS, request_id=f"r-{i}", input_sha256=SHA)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.close()
    assert stored(url) == 4 * 50 * len(ANSWERS.sample_ids)
    assert writer.lost == 0


def test_records_wait_on_disk_while_the_database_is_away(server: Postgres, tmp_path: Path) -> None:
    writer = RecordWriter(server.url, tmp_path / "spool", interval=0.05)
    put(writer, ANSWERS, request_id="before", input_sha256=SHA)
    assert writer.flush()
    before = stored(server.url)
    server.kill()
    put(writer, ANSWERS, request_id="while", input_sha256=SHA)
    assert not writer.flush()
    assert writer.away
    put(writer, ANSWERS, request_id="still", input_sha256=SHA)
    server.start()
    until(lambda: not writer.away)
    assert writer.close()
    assert stored(server.url) == before + 2 * len(ANSWERS.sample_ids)


def test_a_database_that_is_away_from_the_start_stops_nobody(tmp_path: Path) -> None:
    writer = RecordWriter("postgresql://nobody@127.0.0.1:1/none", tmp_path / "spool", interval=0.05)
    put(writer, ANSWERS, request_id="r", input_sha256=SHA)
    assert not writer.close()
    later = RecordWriter(f"sqlite:///{tmp_path}/records.db", tmp_path / "spool")
    assert later.close()
    assert stored(f"sqlite:///{tmp_path}/records.db") == len(ANSWERS.sample_ids)
    assert not list((tmp_path / "spool").glob("*.lost"))


def test_records_of_a_killed_process_are_delivered_by_the_next(url: str, tmp_path: Path) -> None:
    code = (
        "import sys, test_records as t, time\n"
        "w = t.RecordWriter(sys.argv[1], sys.argv[2], interval=0.01)\n"
        "for i in range(10**6):\n"
        "    t.put(w, t.ANSWERS, request_id=f'r-{i}', input_sha256=t.SHA)\n"
        "    print(i, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, url, str(tmp_path / "spool")],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent,
    )  # fmt: skip
    assert process.stdout is not None
    answered = -1
    while answered < 60:
        answered = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split("\n")
    answered = max([answered, *(int(line) for line in rest[:-1])])
    process.stdout.close()
    process.wait()
    writer = RecordWriter(url, tmp_path / "spool")
    assert writer.close()
    engine = opened(url)
    with engine.connect() as connection:
        kept = set(connection.execute(select(PREDICTIONS.c.request_id).distinct()).scalars())
        total = count(engine)
    engine.dispose()
    assert {f"r-{i}" for i in range(answered + 1)} <= kept
    assert total == len(kept) * len(ANSWERS.sample_ids)


def in_spool(folder: Path, entry: bytes) -> None:
    with sqlite3.connect(folder / "spool.db") as connection:
        connection.execute("insert into entries (at, n, entry) values (0, 1, ?)", (entry,))
    connection.close()


def test_an_entry_that_nobody_understands_is_set_aside_and_holds_nothing_up(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/records.db"
    writer = RecordWriter("postgresql://nobody@127.0.0.1:1/none", tmp_path / "spool")
    for strange in (b"\0\0\0", b'["of another version", 1]'):
        in_spool(tmp_path / "spool", strange)
    put(writer, ANSWERS, request_id="r", input_sha256=SHA)
    writer.close()
    later = RecordWriter(url, tmp_path / "spool")
    assert later.flush()
    ledger = later.ledger()
    later.close()
    assert later.delivered == stored(url) == len(ANSWERS.sample_ids)
    assert (ledger.delivered, ledger.refused, ledger.waiting, ledger.lost) == (later.delivered, 2, 0, 0)
    assert refused(tmp_path / "spool") == [b"\0\0\0", b'["of another version", 1]']


def refused(folder: Path) -> list[bytes]:
    connection = sqlite3.connect(folder / "spool.db")
    found = [bytes(row) for (row,) in connection.execute("select row from refused")]
    connection.close()
    return found


def test_records_delivered_twice_are_kept_once(url: str, tmp_path: Path) -> None:
    writer = RecordWriter("postgresql://nobody@127.0.0.1:1/none", tmp_path / "spool")
    put(writer, ANSWERS, request_id="r", input_sha256=SHA)
    writer.close()
    connection = sqlite3.connect(tmp_path / "spool/spool.db")
    [(again,)] = connection.execute("select entry from entries").fetchall()
    connection.close()
    for _ in "ab":
        in_spool(tmp_path / "spool", again)
        assert RecordWriter(url, tmp_path / "spool").close()
    assert stored(url) == len(ANSWERS.sample_ids)


def test_a_record_the_database_refuses_stops_no_other(server: Postgres, tmp_path: Path) -> None:
    engine = opened(server.url)
    upgrade(engine)
    before = count(engine)
    bad = replace(ANSWERS, sample_ids=("a\0b", "x" * 999, *ANSWERS.sample_ids[2:]))
    writer = RecordWriter(server.url, tmp_path / "spool")
    put(writer, bad, request_id="r", input_sha256=SHA)
    assert writer.close()
    assert count(engine) == before + len(ANSWERS.sample_ids) - 2
    engine.dispose()
    assert [json.loads(row)[3] for row in refused(tmp_path / "spool")] == ["a\0b", "x" * 999]


def deliverers(parent: int) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(parent).children():
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if not gone(child) and "exoclassify.monitoring.delivery" in child.cmdline():
                found.append(child)
    return found


def test_answers_to_several_requests_are_kept_apart(url: str, tmp_path: Path) -> None:
    writer = RecordWriter(url, tmp_path / "spool")
    n = len(ANSWERS.sample_ids)
    people = [f"P{i}" for i in range(n - 3)]
    writer.put(ANSWERS, [Source(3, "first", SHA), Source(n - 3, "second", "1" * 64, "lab", people)])
    assert writer.close()
    engine = opened(url)
    with engine.connect() as connection:
        rows = connection.execute(select(PREDICTIONS).order_by(PREDICTIONS.c.id)).all()
    engine.dispose()
    assert [row.sample_id for row in rows] == list(ANSWERS.sample_ids)
    assert [row.request_id for row in rows] == ["first"] * 3 + ["second"] * (n - 3)
    assert [row.subject for row in rows] == [None] * 3 + people
    assert {(row.request_id, row.input_sha256, row.key_name) for row in rows} == {
        ("first", SHA, None),
        ("second", "1" * 64, "lab"),
    }


def test_a_delivering_process_that_is_killed_is_replaced(url: str, tmp_path: Path) -> None:
    others = deliverers(os.getpid())
    writer = RecordWriter(url, tmp_path / "spool", interval=0.01)
    for i in range(30):
        put(writer, ANSWERS, request_id=f"r-{i}", input_sha256=SHA)
        if i % 10 == 0:
            assert writer.flush()
            (process,) = (each for each in deliverers(os.getpid()) if each not in others)
            process.send_signal(signal.SIGTERM)  # as process managers do; it has work to finish
            process.kill()
    assert writer.close()
    assert stored(url) == 30 * len(ANSWERS.sample_ids)
    assert set(deliverers(os.getpid())) <= set(others)


def test_the_delivering_process_ends_with_its_parent_and_hears_no_signal_of_a_manager(tmp_path: Path) -> None:
    code = (
        "import sys, test_records as t\n"
        "w = t.RecordWriter(sys.argv[1], sys.argv[2])\n"
        "t.put(w, t.ANSWERS, request_id='r', input_sha256=t.SHA)\n"
        "print(w.flush(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    url = f"sqlite:///{tmp_path}/records.db"
    parent = subprocess.Popen(
        [sys.executable, "-c", code, url, str(tmp_path / "spool")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent,
    )  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdout.readline() == "True\n"
    (process,) = deliverers(parent.pid)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.is_running()
    assert url not in " ".join(process.cmdline())
    parent.kill()
    parent.communicate()
    until(lambda: gone(process))


def test_the_delivering_process_loads_no_model_library() -> None:
    code = "import sys, exoclassify.monitoring.delivery as _; print(sorted({'sklearn', 'pandas', 'xgboost'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


AWAY = "postgresql://nobody@127.0.0.1:1/none"


def test_the_ledger_adds_up_when_disk_and_memory_are_full(tmp_path: Path) -> None:
    writer = RecordWriter(AWAY, tmp_path / "spool", limit=100_000, interval=60)
    n, times = len(ANSWERS.sample_ids), 10_000 // len(ANSWERS.sample_ids) + 50
    for _ in range(times):
        put(writer, ANSWERS, request_id="r", input_sha256=SHA)
    ledger = writer.ledger()
    assert ledger.waiting > 0
    assert ledger.lost > 0
    assert ledger.waiting + ledger.lost == times * n
    writer.close()
    later = RecordWriter(f"sqlite:///{tmp_path}/records.db", tmp_path / "spool")
    assert later.flush()
    again = later.ledger()
    assert (again.delivered, again.waiting, again.lost) == (ledger.waiting, 0, ledger.lost)
    assert stored(f"sqlite:///{tmp_path}/records.db") == ledger.waiting
    later.close()


def test_memory_is_delivered_when_the_disk_is_full(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/records.db"
    writer = RecordWriter(url, tmp_path / "spool", limit=60_000, interval=60)
    times = 40
    for i in range(times):
        put(writer, ANSWERS, request_id=f"r-{i}", input_sha256=SHA)
    n = times * len(ANSWERS.sample_ids)
    before = writer.ledger()
    assert before.lost > 0
    assert before.lost + before.waiting == n
    assert writer.flush()
    after = writer.ledger()
    assert (after.delivered, after.waiting, after.lost) == (n, 0, 0)
    assert writer.close()
    assert stored(url) == n


def test_where_records_are_required_a_full_disk_is_an_error_and_nothing_is_lost(tmp_path: Path) -> None:
    writer = RecordWriter(AWAY, tmp_path / "spool", limit=60_000, interval=60, required=True)
    kept: list[int] = []

    def fill() -> None:
        for i in range(1000):
            put(writer, ANSWERS, request_id="r", input_sha256=SHA)
            kept.append(i)

    with pytest.raises(FileError, match="records are required, and records cannot be written"):
        fill()
    ledger = writer.ledger()
    assert (ledger.waiting, ledger.lost) == (len(kept) * len(ANSWERS.sample_ids), 0)
    writer.close()


def test_the_ledger_adds_up_after_kill_9_on_a_full_disk(tmp_path: Path) -> None:
    """The disk is full for real: the system refuses to let any file of the process grow."""
    code = (
        "import resource, sys, test_records as t\n"
        "w = t.RecordWriter(t.AWAY, sys.argv[1], interval=60)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "for i in range(10**6):\n"
        "    t.put(w, t.ANSWERS, request_id=f'r-{i}', input_sha256=t.SHA)\n"
        "    print(i, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "spool")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=Path(__file__).parent,
    )  # fmt: skip
    assert process.stdout is not None
    answered = -1
    while answered < 600:
        answered = int(process.stdout.readline())
    process.kill()
    answered = max([answered, *(int(line) for line in process.stdout.read().split("\n")[:-1])]) + 1
    process.stdout.close()
    process.wait()
    writer = RecordWriter(f"sqlite:///{tmp_path}/records.db", tmp_path / "spool")
    assert writer.flush()
    ledger = writer.ledger()
    writer.close()
    n = len(ANSWERS.sample_ids)
    assert ledger.lost > 0
    assert ledger.delivered == stored(f"sqlite:///{tmp_path}/records.db")
    # Killed between the record and the line: one answer more may be kept than was given.
    assert ledger.delivered + ledger.lost - answered * n in (0, n)


def test_what_is_kept_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    writer = RecordWriter(f"sqlite:///{tmp_path}/records.db", tmp_path / "spool")
    put(writer, ANSWERS, request_id="r", input_sha256=SHA)
    assert writer.flush()
    for path in [*(tmp_path / "spool").iterdir(), *tmp_path.glob("records.db*")]:
        if not path.name.endswith(".lock"):
            assert path.stat().st_mode & 0o077 == 0, path
    writer.close()


def test_a_spool_of_the_earlier_layout_is_refused_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool/1-ab-000001.jsonl").write_text("[]\n")
    with pytest.raises(FileError, match="holds records of an earlier version"):
        RecordWriter(AWAY, tmp_path / "spool")


@pytest.mark.parametrize("url", ["mysql://x", "records.db", "", "postgres:/x"])
def test_what_is_no_database_is_refused_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="give such a URL"):
        RecordWriter(url, tmp_path / "spool")


def test_a_password_is_never_said(tmp_path: Path) -> None:
    engine = opened("postgresql://user:s3cret@127.0.0.1:1/none")
    with pytest.raises(FileError, match=r"user:\*\*\*@127") as caught:
        upgrade(engine)
    assert "s3cret" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where it is read-only")
def test_a_spool_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(FileError, match="records cannot be kept there"):
        RecordWriter(f"sqlite:///{tmp_path}/r.db", tmp_path / "shut/spool")


def test_answers_of_no_sample_are_no_record(url: str, tmp_path: Path) -> None:
    none = Predictions(
        (),
        ANSWERS.states,
        np.zeros((0, 3)),
        np.zeros((0, 3), dtype=bool),
        np.zeros(0),
        np.zeros(0),
        (),
        (),
        "pain",
        "1.0.0",
    )
    writer = RecordWriter(url, tmp_path / "spool")
    put(writer, none, request_id="r", input_sha256=SHA)
    assert writer.close()
    assert stored(url) == 0
