"""Candidate default recipes over a folder of real tables: what `exoclassify bench` does, with the tables of this project.

Run as ``python tests/benchmarks/choose_default.py DATA [--repeats 3] [--seed 0] [--jobs 1] [--recipe FILE ...] [--out FILE]``.
DATA holds ``pool/`` (a folder a table) and the tables named below. The first recipe given is the reference; without any it is
training/recipes/v1.toml against the default. Tables with two batches are judged from each batch to the other; random folds of
the migraine table are left out, for its people come twice and no one says who is who.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

from exoclassify.cli.bench import costs_on_largest, report, write_figures
from exoclassify.judging.bench import benched
from exoclassify.judging.bench_tables import Columns, Task, table_in, tables_in, tasks_of
from exoclassify.learning.recipe import Recipe

RECIPES = Path(__file__).parents[2] / "training" / "recipes"
# Some libraries name a precursor and its product alike: as kind "other" names stay as they are.
COUNTS = Columns("other", "counts")
PROTEINS = Columns("other", "intensity")
OTHERS = {
    "migraine": COUNTS,
    "parkinson-sites": COUNTS,
    "parkinson-trap": COUNTS,
    "osteoarthritis": COUNTS,
    "colorectal": COUNTS,
    "ibd-peptide": PROTEINS,
    "exercise-protein": PROTEINS,
}
BATCHES_ONLY = ("migraine", "parkinson-sites")


def tasks(data: Path, repeats: int, seed: int) -> list[Task]:
    """All tasks."""
    tables = tables_in(data / "pool", COUNTS)
    for name, columns in OTHERS.items():
        tables[name] = table_in(data / name, columns)
    found = [task for name, samples in tables.items() for task in tasks_of(name, samples, repeats=repeats, seed=seed)]
    return [task for task in found if task.name not in BATCHES_ONLY]


def main() -> None:
    """Print the table of all recipes, and each task's log-loss and AUC."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="Of the random folds.")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--recipe", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    paths = options.recipe or [RECIPES / "v1.toml", RECIPES / "default.toml"]
    recipes = {path.stem: Recipe.read(path) for path in paths}
    todo = tasks(options.data, options.repeats, options.seed)
    found = benched(
        todo, recipes, n_jobs=options.jobs, progress=lambda done, n: print(f"\r{done}/{n}", end="", flush=True)
    )
    print()
    for line in report(found, costs_on_largest(todo, recipes)):
        print(line)
    print(f"\n{'log-loss | AUC':<36}" + "".join(f"{name:>16}" for name in found.recipes) + f"{'best one':>10}")
    for t, task in enumerate(found.tasks):
        each = (f"{loss:>10.3f}|{auc:.3f}" for loss, auc in zip(found.log_loss[:, t], found.auc[:, t], strict=True))
        print(f"{task:<36}" + " ".join(each) + f"{found.best[t]:>10.3f}")
    if options.out is not None:
        write_figures(options.out, found)


if __name__ == "__main__":
    main()
