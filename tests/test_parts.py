"""A run that is stopped at any moment goes on where it was, and gives the same bytes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exoclassify.errors import FileError
from exoclassify.model.prediction import Use
from exoclassify.scoring import parts
from exoclassify.scoring.parts import Parts
from exoclassify.scoring.runners import Threads
from exoclassify.scoring.stream import Asked, score_files
from scored import expected, model, read, same, samples, small_pieces, write
from waiting import until

pytestmark = pytest.mark.slow

BUNDLE = model()
FRAME = samples(BUNDLE, 230)
HERE = Path(__file__).parent


@pytest.fixture
def bad(tmp_path):
    """A model and a table with some rows that are rejected, on disk."""
    BUNDLE.save(tmp_path / "m")
    frame = FRAME.copy()
    frame.loc[[3, 120], BUNDLE.panel.molecules[0]] = -1
    return frame


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
@pytest.mark.parametrize(
    ("name", "ending", "stride"), [("x.csv", ".csv", 1), ("x.csv.gz", ".jsonl", 5), ("x.parquet", ".parquet", 5)]
)
def test_kill_9_at_any_step_and_resume_gives_the_same_bytes(bad, tmp_path, name, ending, stride):
    table = write(bad.iloc[:75], tmp_path / name)
    command = [sys.executable, HERE / "killed_at_every_step.py", tmp_path / "m", table]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*map(str, command), str(tmp_path / f"out{ending}"), str(stride)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 15


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills")
def test_the_command_killed_in_the_middle_is_resumed(bad, tmp_path):
    write(pd.concat([bad.assign(sample_id=bad["sample_id"] + f"-{i}") for i in range(8)]), tmp_path / "x.csv")
    code = (
        "import pytest, sys; sys.path.insert(0, sys.argv.pop(1))\n"
        "from scored import small_pieces; small_pieces(pytest.MonkeyPatch())\n"
        "from exoclassify.cli.main import main\n"
    )
    waits = (
        "import time; from exoclassify.scoring.parts import Parts\n"
        "store = Parts.write\n"
        "def write(self, *args, **kwargs):\n"
        "    store(self, *args, **kwargs)\n"
        "    if self.n_stored >= 3: time.sleep(3600)\n"
        "Parts.write = write\n"
    )
    options = ["score", tmp_path / "m", "--cargo", tmp_path / "x.csv", "--out", tmp_path / "out.csv"]
    began, command = (
        [sys.executable, "-c", f"{text}main()", str(HERE), *map(str, options)] for text in (code + waits, code)
    )
    with subprocess.Popen(began, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until(lambda: len(list(tmp_path.glob("out.csv.parts/*.part"))) >= 3)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "out.csv").exists()
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 2
    assert "out.csv.parts: an earlier run left its parts there; --resume goes on with them, --force" in again.stderr
    resumed = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    assert resumed.returncode == 3, resumed.stderr
    assert "1824 samples scored" in resumed.stdout
    assert "16 rows have no answer" in resumed.stdout
    score_files(BUNDLE, [str(tmp_path / "x.csv")], tmp_path / "whole.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not (tmp_path / "out.csv.parts").exists()


def stopped(tmp_path, monkeypatch, after=3, **asked):
    """Start a run whose disk is full after some parts."""
    stored = Parts.write

    def full(self, *args, **kwargs):
        if self.n_stored == after:
            with parts.system_refusals(self._out):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        stored(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "write", full)
        with pytest.raises(FileError, match=r"o\.csv: cannot be written: No space left on device; free some space"):
            score_files(BUNDLE, [str(tmp_path / "x.csv")], tmp_path / "o.csv", Asked(**asked), runner=Threads(1))


@pytest.fixture
def table(tmp_path, monkeypatch):
    small_pieces(monkeypatch)
    return write(FRAME, tmp_path / "x.csv")


def test_a_full_disk_is_one_error_that_keeps_what_is_done(table, tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch)
    assert len(list((tmp_path / "o.csv.parts").glob("*.part"))) == 3
    asked = Asked(resume=True)
    seen = []
    score_files(BUNDLE, [str(table)], tmp_path / "o.csv", asked, progress=lambda *at: seen.append(at))
    same(read(tmp_path / "o.csv"), expected(BUNDLE, FRAME))
    assert seen[-1][2] < 230  # what was there was not done again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.csv", "x.csv"]


def test_a_disk_full_from_the_start_leaves_nothing(table, tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch, after=0)
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_a_full_disk_under_the_final_file_keeps_the_parts(table, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(FileError, match=r"o\.csv: cannot be written: No space left"):
            score_files(BUNDLE, [str(table)], tmp_path / "o.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.csv.parts", "x.csv"]
    score_files(BUNDLE, [str(table)], tmp_path / "o.csv", Asked(resume=True))
    same(read(tmp_path / "o.csv"), expected(BUNDLE, FRAME))


def test_parts_of_another_call_are_not_mixed_in(table, tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch)
    with pytest.raises(
        FileError, match=r"o\.csv\.parts: these parts were made with another prevalence, place or limits; .*--force"
    ):
        score_files(
            BUNDLE, [str(table)], tmp_path / "o.csv", Asked(resume=True, use=Use(prevalence={"neuropathic": 0.1}))
        )
    FRAME.iloc[:200].to_csv(table, index=False)
    with pytest.raises(FileError, match="made with another files"):
        score_files(BUNDLE, [str(table)], tmp_path / "o.csv", Asked(resume=True))
    with pytest.raises(FileError, match="made with another files, model"):
        score_files(model(seed=4), [str(table)], tmp_path / "o.csv", Asked(resume=True))
    score_files(BUNDLE, [str(table)], tmp_path / "o.csv", Asked(force=True))
    assert len(read(tmp_path / "o.csv")) == 200


def test_a_part_that_never_reached_the_disk_is_made_again(table, tmp_path, monkeypatch):
    stopped(tmp_path, monkeypatch)
    first = sorted((tmp_path / "o.csv.parts").glob("*.part"))[0]
    first.write_bytes(np.zeros(first.stat().st_size, dtype=np.uint8).tobytes())  # as after a power cut
    score_files(BUNDLE, [str(table)], tmp_path / "o.csv", Asked(resume=True))
    same(read(tmp_path / "o.csv"), expected(BUNDLE, FRAME))


def test_two_processes_do_not_write_one_output(table, tmp_path):
    held = Parts.begin(tmp_path / "o.csv", {}, resume=False, force=False)
    with pytest.raises(FileError, match=r"o\.csv: another process is writing it"):
        score_files(BUNDLE, [str(table)], tmp_path / "o.csv", Asked(force=True))
    held.leave(keep=False)
    score_files(BUNDLE, [str(table)], tmp_path / "o.csv")


def test_ctrl_c_keeps_the_parts(table, tmp_path):
    def interrupt(_done, _total, rows):
        if rows > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_files(BUNDLE, [str(table)], tmp_path / "o.csv", progress=interrupt)
    assert not (tmp_path / "o.csv").exists()
    score_files(BUNDLE, [str(table)], tmp_path / "o.csv", Asked(resume=True))
    same(read(tmp_path / "o.csv"), expected(BUNDLE, FRAME))
