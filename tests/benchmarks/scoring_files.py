"""Scoring files against just reading them, and against the usual way. Prints medians and ratios of one run.

Run as ``python tests/benchmarks/scoring_files.py [--rows 100000] [--repeats 3] [--models blend,logistic,xgboost,v1]
[--formats parquet,csv] [--only reading,exoclassify] [--workers]``.
*Reading* is what pyarrow and polars (where it is installed) take for the same file and nothing else: the physical limit. It is
measured twice: in a process that has read it before and holds the memory for it, and in a new one, as whoever reads a file once
does; for a large table most of the time of the second goes into getting memory from the system. *Usual*
is pandas and scikit-learn or XGBoost on the whole table: log2, standardise, `predict_proba`, write; without conformal sets,
novelty, coverage and flags, which exoclassify's time includes, and so does the output on disk. Processor seconds stand beside
wall seconds, for they mean something on a shared machine too. Memory is the peak of a process of its own, at a tenth of the
rows and at all of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from xgboost import XGBClassifier

from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.fit import fit
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.compiled import Measured
from exoclassify.model.prediction import Use
from exoclassify.scoring.job import Job
from exoclassify.scoring.planning import planned
from exoclassify.scoring.rows import checked
from exoclassify.scoring.runners import Cluster, client_of
from exoclassify.scoring.stream import Asked, score_files
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate
from exoclassify.tables.sources import find_sources

RECIPES = {
    "blend": Recipe(),
    "v1": Recipe.read(Path(__file__).parents[2] / "training" / "recipes" / "v1.toml"),
    "logistic": Recipe.of({"learners": [{"learner": "ridge", "view": "log"}]}),
    "xgboost": Recipe.of({"learners": [{"learner": "xgboost", "view": "log"}]}),
}
GROUP = 25_000


def make(folder: Path, rows: int, names: list[str]) -> None:
    """Train the models, and write the tables in both formats at a tenth of the rows and at all of them."""
    cohort = simulate(SimulationDesign(seed=1, n_samples=150, n_molecules=480)).cohort
    for name in names:
        bundle = fit(cohort, RECIPES[name], judge=False, name=name)
        bundle.save(folder / name)
    molecules, rng = bundle.panel.molecules, np.random.default_rng(0)
    profiles = cohort.cargo.aligned(molecules)
    np.savez(folder / "training.npz", X=profiles, y=np.unique(cohort.y, return_inverse=True)[1])
    for n in (rows // 10, rows):
        writers: list[pq.ParquetWriter | pacsv.CSVWriter] = []
        for at in range(0, n, GROUP):
            size = min(GROUP, n - at)
            X = rng.poisson(profiles[rng.integers(0, len(profiles), size)] * rng.uniform(0.7, 1.3, (size, 1)))
            columns = [pa.array([f"S-{i:09d}" for i in range(at, at + size)]), *(pa.array(column) for column in X.T)]
            table = pa.table(columns, names=["sample_id", *molecules])
            if not writers:
                options = pacsv.WriteOptions(quoting_style="none")
                writers = [
                    pq.ParquetWriter(folder / f"{n}.parquet", table.schema),
                    pacsv.CSVWriter(folder / f"{n}.csv", table.schema, write_options=options),
                ]
            for writer in writers:
                writer.write_table(table)
        for writer in writers:
            writer.close()


def _cpu() -> float:
    """Processor seconds of this process and of those it waited for."""
    return time.process_time() + sum(os.times()[2:4])


def medians(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of each, its processes counted, called in turn so that a busy minute hits all alike."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), _cpu()
            call()
            taken[name].append((time.perf_counter() - wall, _cpu() - cpu))
    return {
        name: (statistics.median(t[0] for t in times), statistics.median(t[1] for t in times))
        for name, times in taken.items()
    }


def usual(folder: Path, name: str, table: Path) -> Callable[[], object]:
    """The usual way: the whole table in pandas, and `predict_proba`."""
    kept = np.load(folder / "training.npz")
    if name == "xgboost":
        model = make_pipeline(FunctionTransformer(np.log1p), XGBClassifier(n_estimators=150, max_depth=3))
    else:
        model = make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(kept["X"], kept["y"])
    read = pd.read_csv if table.suffix == ".csv" else pd.read_parquet

    def call() -> None:
        frame = read(table)
        answers = pd.DataFrame(model.predict_proba(frame.iloc[:, 1:].to_numpy()), frame["sample_id"])
        answers.to_csv(folder / "usual.csv")

    return call


def reading(table: Path) -> dict[str, Callable[[], object]]:
    """Nothing but reading the table."""
    arrow = pacsv.read_csv if table.suffix == ".csv" else pq.read_table
    calls: dict[str, Callable[[], object]] = {"reading, pyarrow": lambda: arrow(table)}
    code = f"import pyarrow.{'csv' if table.suffix == '.csv' else 'parquet'} as f; f.{arrow.__name__}({str(table)!r})"
    calls["reading, new process"] = lambda: subprocess.run([sys.executable, "-c", code], check=True)
    try:
        import polars
    except ImportError:
        return calls
    read = polars.read_csv if table.suffix == ".csv" else polars.read_parquet
    return {**calls, "reading, polars": lambda: read(table)}


def command(folder: Path, name: str, table: Path) -> list[str]:
    """The arguments of the command that scores."""
    options = ["score", folder / name, "--cargo", table, "--out", folder / "command.csv", "--force"]
    return [str(option) for option in options]


def peak(folder: Path, name: str, table: Path) -> float:
    """Peak memory in MB of a process that scores."""
    code = (
        "import atexit, re, sys\n"
        "seen = lambda: re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"
        "atexit.register(lambda: print(seen(), file=sys.stderr))\n"
        "from exoclassify.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command(folder, name, table)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(done.stderr.split()[-1]) / 1024


def shares(bundle: ModelBundle, table: Path) -> dict[str, float]:
    """Processor microseconds a row of each step, on one piece."""
    plan = planned(find_sources([str(table)])[0], bundle.panel, (), None)[0][0]
    piece = next(next(plan.cut()).pieces())
    job = Job(bundle, Use(), None, None, (), ".csv")
    blocks = [*piece.rows().blocks]
    rows, each = checked(piece.rows(), bundle.panel, "", bundle.measure)
    measured = Measured(*map(np.concatenate, zip(*each, strict=True)))
    answers = bundle.judge(measured, Use())
    steps: dict[str, Callable[[], object]] = {
        "understand": lambda: [len(X) for X in piece.rows().blocks],
        "check the unit": lambda: checked(replace(rows, blocks=blocks), bundle.panel, "", len),
        "normalise to log": lambda: [len(bundle.compiled.views.log(X)) for X in blocks],
        "evaluate, all": lambda: [bundle.measure(X) for X in blocks],
        "sets, novelty, flags": lambda: bundle.judge(measured, Use()),
        "encode": lambda: job._batch(rows, answers, measured.residuals),
    }
    return {name: cpu / len(rows.ids) * 1e6 for name, (_, cpu) in medians(steps, 15).items()}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", default="blend,logistic,xgboost")
    parser.add_argument("--formats", default="parquet,csv")
    parser.add_argument(
        "--only", default="", help="Words, with commas between: what has none of them in its name is left out."
    )
    parser.add_argument("--workers", action="store_true", help="Also compare two Dask workers with one.")
    options = parser.parse_args()
    names = options.models.split(",")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make(folder, options.rows, names)
        for name in names:
            bundle = ModelBundle.load(folder / name)
            print(
                f"\n{name}: panel of {len(bundle.panel.molecules)} molecules, {options.rows:,} rows, {os.cpu_count()} cores"
            )
            for ending in options.formats.split(","):
                compare(folder, bundle, folder / f"{options.rows}.{ending}", options.repeats, options.only)
        if options.workers:
            two_workers(folder, names[-1], folder / f"{options.rows}.parquet", options.repeats)


def compare(folder: Path, bundle: ModelBundle, table: Path, repeats: int, only: str) -> None:
    """Print one format of one model."""
    calls = {
        **reading(table),
        "exoclassify": lambda: score_files(bundle, [str(table)], folder / "out.csv", Asked(force=True)),
        "exoclassify, new process": lambda: subprocess.run(
            [Path(sys.executable).parent / "exoclassify", *command(folder, bundle.name, table)],
            check=True,
            capture_output=True,
        ),
    }
    # It holds the table about six times over: as Arrow, as pandas, as an array, and once a step of the pipeline.
    if int(table.stem) * len(bundle.panel.molecules) * 8 * 6 < psutil.virtual_memory().available:
        calls["usual way"] = usual(folder, bundle.name, table)
    else:
        print(f"  usual way, {table.suffix[1:]}: not run, the memory of this machine does not hold it")
    words = only.split(",")
    taken = medians({name: call for name, call in calls.items() if any(word in name for word in words)}, repeats)
    limits = [taken[name] for name in taken if name.startswith("reading")]
    print(f"  {table.suffix[1:]:<26}{'wall s':>8}{'cpu s':>8}{'rows/s':>11}   ratio to reading, wall (cpu)")
    n = int(table.stem)
    for name, (wall, cpu) in taken.items():
        ratios = ", ".join(f"{wall / limit[0]:.2f} ({cpu / limit[1]:.2f})" for limit in limits)
        print(f"  {name:<26}{wall:>8.2f}{cpu:>8.2f}{n / wall:>11,.0f}   {ratios}")
    small = peak(folder, bundle.name, folder / f"{n // 10}{table.suffix}")
    print(f"  peak memory: {small:.0f} MB at {n // 10:,} rows, {peak(folder, bundle.name, table):.0f} MB at {n:,}")
    steps = ", ".join(f"{step} {us:.1f}" for step, us in shares(bundle, table).items())
    print(f"  processor µs a row: {steps}", flush=True)


def two_workers(folder: Path, name: str, table: Path, repeats: int) -> None:
    """Print what a second worker of a Dask cluster is worth."""
    bundle = ModelBundle.load(folder / name)
    taken = {}
    for n in (1, 2):
        with client_of(None, n) as client:
            runner = Cluster(client.scheduler.address, None)
            call = {
                "": lambda runner=runner: score_files(
                    bundle, [str(table)], folder / "o.csv", Asked(force=True), runner=runner
                )
            }
            taken[n] = medians(call, repeats)[""][0]
    print(
        f"\n{name} on Dask: 1 worker {taken[1]:.2f} s, 2 workers {taken[2]:.2f} s, {taken[1] / taken[2]:.2f} times as fast"
    )


if __name__ == "__main__":
    main()
