"""A watched folder: each table that arrives complete is scored once, whatever happens in between."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exoclassify.errors import FileError
from exoclassify.scoring.runners import Threads
from exoclassify.scoring.stream import Asked
from exoclassify.scoring.watch import Watch
from scored import expected, model, read, same, samples, write
from waiting import read_until

pytestmark = pytest.mark.slow

BUNDLE = model()
FRAME = samples(BUNDLE, 40)
SCRIPT = Path(sys.executable).with_name("exoclassify")


@pytest.fixture
def watch(tmp_path):
    (tmp_path / "inbox").mkdir()
    watch = Watch(BUNDLE, tmp_path / "inbox", tmp_path / "outbox", ".csv", Asked())
    watch.begin()
    yield watch
    watch.end()


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != ".lock")


def test_what_arrives_is_scored_once_and_moved_with_its_report(watch, tmp_path):
    write(FRAME, tmp_path / "inbox/plate-1.csv")
    (tmp_path / "inbox/notes.docx").write_text("mine")
    assert list(watch.look()) == []  # it could still be growing
    (arrival,) = watch.look()
    assert (arrival.name, arrival.outcome) == ("plate-1.csv", "done")
    assert "40 samples scored, 0 rows without an answer" in arrival.said
    assert list(watch.look()) == []
    same(read(tmp_path / "outbox/plate-1.answers.csv"), expected(BUNDLE, FRAME))
    assert names(tmp_path / "inbox") == ["notes.docx"]
    assert names(tmp_path / "inbox/done") == ["plate-1.csv", "plate-1.csv.report.json"]
    report = json.loads((tmp_path / "inbox/done/plate-1.csv.report.json").read_text())
    assert report["samples"] == 40
    assert sum(report["calls"].values()) == 40
    assert (report["model"], report["version"]) == ("toy", "1.0.0")


def test_a_file_that_still_grows_waits(watch, tmp_path):
    text = FRAME.to_csv(index=False)
    path = tmp_path / "inbox/x.csv"
    for share in (0.3, 0.6, 1.0):
        path.write_text(text[: int(len(text) * share)])
        assert list(watch.look()) == []
    assert [arrival.outcome for arrival in watch.look()] == ["done"]
    same(read(tmp_path / "outbox/x.answers.csv"), expected(BUNDLE, FRAME))


def test_what_cannot_be_scored_goes_to_failed_with_its_reason_and_the_next_is_scored(watch, tmp_path):
    (tmp_path / "inbox/a.csv").write_text("<!doctype html>")
    bad = FRAME.copy()
    bad.loc[3, BUNDLE.panel.molecules[0]] = -1
    write(bad, tmp_path / "inbox/b.parquet")
    list(watch.look())
    outcomes = {arrival.name: arrival for arrival in watch.look()}
    assert outcomes["a.csv"].outcome == "failed"
    assert "looks like a web page" in outcomes["a.csv"].said
    assert names(tmp_path / "inbox/failed") == ["a.csv", "a.csv.report.json"]
    assert "web page" in json.loads((tmp_path / "inbox/failed/a.csv.report.json").read_text())["error"]
    assert "39 samples scored, 1 rows without an answer" in outcomes["b.parquet"].said
    assert names(tmp_path / "outbox") == ["b.answers.csv", "b.answers.csv.rejected.csv"]


def test_a_name_that_comes_again_replaces_nothing(watch, tmp_path):
    for n in (40, 20):
        write(FRAME.iloc[:n], tmp_path / "inbox/week.csv")
        list(watch.look())
        list(watch.look())
    assert names(tmp_path / "outbox") == ["week-2.answers.csv", "week.answers.csv"]
    assert [len(read(tmp_path / "outbox" / name)) for name in names(tmp_path / "outbox")] == [20, 40]
    assert names(tmp_path / "inbox/done")[::2] == ["week-2.csv", "week.csv"]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_stop_between_answer_report_and_move_is_made_good_after_a_restart(watch, tmp_path, monkeypatch, step):
    write(FRAME, tmp_path / "inbox/x.csv")
    list(watch.look())
    left = step
    replace = os.replace

    def stopping(old, new):
        nonlocal left
        if "inbox" in str(new) or str(new).endswith("x.answers.csv"):
            left -= 1
            if not left:
                raise KeyboardInterrupt
        replace(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stopping)
        with pytest.raises(KeyboardInterrupt):
            list(watch.look())
    watch.end()
    again = Watch(BUNDLE, tmp_path / "inbox", tmp_path / "outbox", ".csv", Asked())
    again.begin()
    list(again.look())
    assert [arrival.outcome for arrival in again.look()] == ["done"]
    again.end()
    assert names(tmp_path / "outbox") == ["x.answers.csv"]
    assert names(tmp_path / "inbox/done") == ["x.csv", "x.csv.report.json"]
    same(read(tmp_path / "outbox/x.answers.csv"), expected(BUNDLE, FRAME))


def test_a_full_disk_blames_no_table(watch, tmp_path, monkeypatch):
    write(FRAME, tmp_path / "inbox/x.csv")
    list(watch.look())

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(FileError, match="No space left on device; free some space"):
            list(watch.look())
    assert names(tmp_path / "inbox") == ["x.csv"]
    assert [arrival.outcome for arrival in watch.look()] == ["done"]


def test_two_do_not_watch_one_folder_and_odd_folders_are_refused(watch, tmp_path):
    other = Watch(BUNDLE, tmp_path / "inbox", tmp_path / "o", ".csv", Asked())
    with pytest.raises(FileError, match="another process is watching it; one is enough"):
        other.begin()
    with pytest.raises(FileError, match="lies in the folder that is watched"):
        Watch(BUNDLE, tmp_path / "inbox", tmp_path / "inbox/out", ".csv", Asked()).begin()
    with pytest.raises(FileError, match="no such folder to watch"):
        Watch(BUNDLE, tmp_path / "none", tmp_path / "o", ".csv", Asked()).begin()
    with pytest.raises(FileError, match=r"unknown ending \.docx"):
        Watch(BUNDLE, tmp_path / "inbox", tmp_path / "o", ".docx", Asked()).begin()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills")
def test_the_command_watches_is_killed_and_goes_on(tmp_path):
    BUNDLE.save(tmp_path / "m")
    (tmp_path / "inbox").mkdir()
    command = [SCRIPT, "score", tmp_path / "m", "--watch", tmp_path / "inbox", "--out", tmp_path / "outbox"]
    for i, end in enumerate((signal.SIGKILL, signal.SIGINT)):
        with subprocess.Popen(
            [*command, "--every", "0.1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            write(FRAME, tmp_path / f"{i}.tmp.csv").rename(tmp_path / f"inbox/{i}.csv")
            assert f"{i}.csv: done: 40 samples scored" in read_until(process, "done")
            process.send_signal(end)
            process.communicate()
    assert process.returncode == 130
    write(FRAME, tmp_path / "inbox/2.csv")
    done = subprocess.run([*command, "--once", "--every", "0.1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2.csv: done: 40 samples scored")
    for i in range(3):
        same(read(tmp_path / f"outbox/{i}.answers.csv"), expected(BUNDLE, FRAME))


def test_two_tables_of_one_name_and_other_endings_do_not_share_their_answers(watch, tmp_path):
    write(FRAME, tmp_path / "inbox/p.v1.csv")
    list(watch.look())
    list(watch.look())
    write(FRAME.iloc[:20], tmp_path / "inbox/p.v1.parquet")
    list(watch.look())
    list(watch.look())
    assert names(tmp_path / "outbox") == ["p.v1-2.answers.csv", "p.v1.answers.csv"]
    assert [len(read(tmp_path / "outbox" / name)) for name in names(tmp_path / "outbox")] == [20, 40]


def test_a_table_that_ends_the_program_twice_goes_to_failed_and_the_next_is_scored(tmp_path):
    BUNDLE.save(tmp_path / "m")
    (tmp_path / "inbox").mkdir()
    write(FRAME, tmp_path / "inbox/a.csv")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom exoclassify.model.bundle import ModelBundle\n"
        "from exoclassify.scoring import watch as module\nfrom exoclassify.scoring.stream import Asked\n"
        "module.score_files = lambda *_, **__: os.abort()\n"
        "w = module.Watch(ModelBundle.load(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), '.csv', Asked())\n"
        "w.begin(); list(w.look()); list(w.look())\n"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "m", tmp_path / "inbox", tmp_path / "outbox"], capture_output=True
        )
        assert done.returncode == -signal.SIGABRT, done.stderr
        assert (tmp_path / "inbox/a.csv").exists()
    write(FRAME, tmp_path / "inbox/b.csv")
    watch = Watch(BUNDLE, tmp_path / "inbox", tmp_path / "outbox", ".csv", Asked())
    watch.begin()
    list(watch.look())
    outcomes = {arrival.name: (arrival.outcome, arrival.said) for arrival in watch.look()}
    watch.end()
    assert outcomes["a.csv"][0] == "failed"
    assert "the program ended 2 times while it was scored" in outcomes["a.csv"][1]
    assert outcomes["b.csv"][0] == "done"
    assert not list((tmp_path / "inbox").glob(".*.attempts"))


def test_a_link_is_not_followed(watch, tmp_path):
    write(FRAME, tmp_path / "secret.csv")
    (tmp_path / "inbox/x.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "inbox/nowhere.csv").symlink_to(tmp_path / "none.csv")
    list(watch.look())
    assert {arrival.outcome for arrival in watch.look()} == {"failed"}
    assert (tmp_path / "secret.csv").exists()
    assert not list((tmp_path / "outbox").iterdir())


class Unfolding(Threads):
    """Takes a gigabyte for a table called bomb, and half a minute for one called slow."""

    def run(self, job, stretches, parts, watcher):
        number, stretch = next(stretches)
        if "bomb" in stretch.source.name:
            bytearray(2**30)
        if "slow" in stretch.source.name:
            time.sleep(30)
        super().run(job, iter([(number, stretch), *stretches]), parts, watcher)


def test_a_table_that_takes_too_much_memory_fails_and_the_next_is_scored(watch, tmp_path):
    watch.runner, watch.memory = Unfolding(1), 200 << 20
    for name in ("bomb", "sound"):
        write(FRAME, tmp_path / f"inbox/{name}.csv")
    list(watch.look())
    outcomes = {arrival.name: arrival for arrival in watch.look()}
    assert outcomes["bomb.csv"].outcome == "failed"
    assert "GB of memory to read" in outcomes["bomb.csv"].said
    assert outcomes["sound.csv"].outcome == "done"


def test_a_table_that_takes_too_long_fails(watch, tmp_path):
    watch.runner, watch.seconds = Unfolding(1), 0.05
    write(FRAME, tmp_path / "inbox/slow.csv")
    list(watch.look())
    (arrival,) = watch.look()
    assert arrival.outcome == "failed"
    assert "hours; give it in smaller files" in arrival.said
