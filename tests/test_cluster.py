"""A Dask cluster of separate processes gives the same bytes, also when a worker is killed in the middle."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

import dask.config
from distributed import Client, LocalCluster
from typer.testing import CliRunner

from exoclassify.cli.main import app
from exoclassify.errors import FileError, InputError
from exoclassify.model.prediction import Use
from exoclassify.scoring.finishing import rejected_path
from exoclassify.scoring.job import Job
from exoclassify.scoring.parts import Parts
from exoclassify.scoring.planning import planned
from exoclassify.scoring.runners import Cluster, Watcher
from exoclassify.scoring.stream import Asked, score_files
from exoclassify.tables.sources import find_sources
from scored import model, samples, small_pieces, write

BUNDLE = model()
FRAME = samples(BUNDLE, 230)

# dask and its event loops leave sockets to the garbage collector when a worker dies.
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def address():
    preload = [str(Path(__file__).with_name("cut_finely.py"))]
    late = {f"distributed.comm.timeouts.{what}": "300s" for what in ("connect", "tcp")}
    with (
        dask.config.set(late),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", preload=preload, silence_logs=50
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(autouse=True)
def _cut_finely(monkeypatch):
    small_pieces(monkeypatch)


def both(path, out):
    return out.read_bytes(), rejected_path(out).read_bytes() if rejected_path(out).exists() else b""


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.parquet", "x.arrow", "x.xlsx"])
def test_a_cluster_gives_the_bytes_that_this_process_gives(address, tmp_path, name):
    frame = FRAME.copy()
    frame.loc[[3, 120], BUNDLE.panel.molecules[0]] = -1
    path = write(frame, tmp_path / name)
    here = score_files(BUNDLE, [str(path)], tmp_path / "here.csv")
    there = score_files(BUNDLE, [str(path)], tmp_path / "there.csv", runner=Cluster(address, None))
    assert both(path, tmp_path / "there.csv") == both(path, tmp_path / "here.csv")
    assert here.n_rejected == there.n_rejected == 2
    assert here.tally.calls == there.tally.calls


def test_a_worker_killed_in_the_middle_loses_nothing(address, tmp_path):
    path = write(FRAME, tmp_path / "x.csv")
    score_files(BUNDLE, [str(path)], tmp_path / "here.csv")
    with Client(address) as client:
        workers = client.run(os.getpid)
    killed = []

    def kill(_done, _total, rows):
        if not killed:
            killed.append(rows)
            with suppress(ProcessLookupError):
                os.kill(next(iter(workers.values())), signal.SIGKILL)

    score_files(BUNDLE, [str(path)], tmp_path / "there.csv", runner=Cluster(address, None), progress=kill)
    assert 0 < killed[0] < 230
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()


def test_what_one_runner_began_another_ends(address, tmp_path):
    path = write(FRAME, tmp_path / "x.parquet")
    score_files(BUNDLE, [str(path)], tmp_path / "here.parquet")

    def stop(_done, _total, rows):
        if rows > 100:
            raise KeyboardInterrupt

    for runner, rest in ((Cluster(address, None), None), (None, Cluster(address, None))):
        out = tmp_path / "there.parquet"
        with pytest.raises(KeyboardInterrupt):
            score_files(BUNDLE, [str(path)], out, Asked(force=True), runner=runner, progress=stop)
        score_files(BUNDLE, [str(path)], out, Asked(resume=True, force=True), runner=rest)
        assert out.read_bytes() == (tmp_path / "here.parquet").read_bytes()


def test_a_strict_run_stops_a_cluster_too(address, tmp_path):
    frame = FRAME.copy()
    frame.loc[120, BUNDLE.panel.molecules[0]] = -1
    path = write(frame, tmp_path / "x.csv")
    with pytest.raises(InputError, match=r"x\.csv: sample S-00120, .* is negative"):
        score_files(BUNDLE, [str(path)], tmp_path / "o.csv", Asked(strict=True), runner=Cluster(address, None))
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.csv"]


def test_no_scheduler_and_an_unseen_file_are_told(address, tmp_path):
    path = write(FRAME, tmp_path / "x.csv")
    with pytest.raises(FileError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers there"):
        score_files(BUNDLE, [str(path)], tmp_path / "o.csv", runner=Cluster("tcp://127.0.0.1:9", None, wait=0.3))
    plans, _ = planned(find_sources([str(path)])[0], BUNDLE.panel, (), None)
    stretch = next(plans[0].cut())
    moved = replace(stretch.source, url=str(tmp_path / "lost.csv"))
    lost = replace(stretch, stretch=replace(stretch.stretch, source=moved))
    job, parts = (
        Job(BUNDLE, Use(), None, None, (), ".csv"),
        Parts.begin(tmp_path / "o.csv", {}, resume=False, force=False),
    )
    with pytest.raises(FileError, match=r"lost\.csv: a worker does not see this file; put it where all workers do"):
        Cluster(address, None).run(job, iter([(0, lost)]), parts, Watcher(1.0, None, strict=False))
    parts.leave(keep=False)


def test_the_command_scores_and_trains_on_a_cluster(address, tmp_path):
    BUNDLE.save(tmp_path / "m")
    path = write(FRAME, tmp_path / "x.csv")
    for extra in (["--scheduler", address], ["--workers", "1"], []):
        done = run("score", tmp_path / "m", "--cargo", path, "--out", tmp_path / f"{len(extra)}{extra[:1]}.csv", *extra)
        assert done.exit_code == 0, done.output
    assert len({(tmp_path / f"{n}.csv").read_bytes() for n in ("2['--scheduler']", "0[]")}) == 1
    done = run("simulate", "--out", tmp_path / "c", "--samples", 60, "--seed", 7)
    (tmp_path / "r.toml").write_text('[folds]\nouter = 2\nrepeats = 1\ninner = 2\n[[voices]]\nlearner = "ridge"\n')
    judged = []
    for name, extra in (("a", ["--jobs", 1]), ("b", ["--scheduler", address])):
        done = run(
            "train", "--cargo", tmp_path / "c/cargo.csv", "--kind", "mirna", "--unit", "counts", "--samples",
            tmp_path / "c/samples.csv", "--label", "label", "--recipe", tmp_path / "r.toml", "--out", tmp_path / name, *extra,
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        judged.append(json.loads((tmp_path / name / "bundle.json").read_text())["evaluation"])
    assert judged[0] == judged[1]


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])
