"""exoclassify bench: which recipe suits tables like one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.outputs import check_file
from exoclassify.cli.progress import progress_bar

if TYPE_CHECKING:
    from exoclassify.judging.bench import Bench, Cost
    from exoclassify.judging.bench_tables import Task
    from exoclassify.learning.recipe import Recipe

__all__ = ["bench", "costs_on_largest", "report", "write_figures"]


def bench(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Holds a folder for each table, and in it X.csv and y.csv (or cargo and samples; any format of train)."
        ),
    ],
    kind: Annotated[str, typer.Option(help="What was measured: mirna, mrna, lncrna, protein or other.")],
    unit: Annotated[
        str,
        typer.Option(help="Unit of the values: counts, ct, intensity, log2_intensity or cpm, the same in all tables."),
    ],
    label: Annotated[str, typer.Option(help="Column of the sheets that holds the state.")] = "label",
    subject: Annotated[str, typer.Option(help="Column of the person, in each sheet that has it.")] = "subject",
    batch: Annotated[
        str, typer.Option(help="Column of the centre, run or plate, in each sheet that has it.")
    ] = "batch",
    not_detected: Annotated[
        float | None, typer.Option(help="For ct: this many cycles or more mean none found.  [default: 40]")
    ] = None,
    recipe: Annotated[
        list[Path] | None,
        typer.Option(help="A recipe to compare with the default, in TOML; may be given several times."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How often the random folds are drawn.")] = 3,
    jobs: opt.Jobs = -1,
    out: Annotated[
        Path | None, typer.Option(help="Also write the figures of every recipe on every task, as CSV.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --out.")] = False,
) -> None:
    """Compare recipes over many tables, on held-out samples.

    The first line is the default recipe; each of its base learners stands beside it alone, then the recipes given. Figures of
    one table are noise: look at the differences and their intervals over tables.
    """
    if jobs == 0:
        raise typer.BadParameter("0 processes do no work; give 1 or more, or -1 for all cores", param_hint="--jobs")
    if out is not None:
        check_file(out, force=force, inputs=recipe or [])
    from exoclassify.judging.bench import benched
    from exoclassify.judging.bench_tables import Columns, tables_in, tasks_of

    recipes = _recipes(recipe or [])
    tables = tables_in(folder, Columns(kind, unit, label, subject, batch, not_detected))
    tasks = [task for name, samples in tables.items() for task in tasks_of(name, samples, repeats=repeats)]
    with progress_bar("comparing recipes") as progress:
        found = benched(tasks, recipes, n_jobs=jobs, progress=progress)
    for line in report(found, costs_on_largest(tasks, recipes)):
        print(line)
    if out is not None:
        write_figures(out, found)


def _recipes(paths: list[Path]) -> dict[str, Recipe]:
    from exoclassify.errors import RecipeError
    from exoclassify.learning.recipe import Recipe

    default = Recipe()
    recipes = {"default": default}
    for voice in default.voices:
        recipes[f"{voice.name} alone"] = default.model_copy(update={"voices": (voice,)})
    for path in paths:
        if path.stem in recipes:
            raise RecipeError(f"{path.name}: a recipe called {path.stem} is there already; give the file another name")
        recipes[path.stem] = Recipe.read(path)
    return recipes


def costs_on_largest(tasks: list[Task], recipes: dict[str, Recipe]) -> list[Cost]:
    """Time each recipe on the table with the most samples."""
    from exoclassify.judging.bench import cost_of

    largest = max(tasks, key=lambda task: len(task.samples.y)).samples
    return [cost_of(largest, recipe) for recipe in recipes.values()]


def report(bench: Bench, costs: list[Cost]) -> list[str]:
    """Lines of a table, one recipe each, and what they rest on."""
    import numpy as np

    width, several = max(len(name) for name in bench.recipes) + 2, len(set(bench.tables)) > 1
    tables = f"{len(set(bench.tables))} tables" if several else "1 table"
    intervals = "with 95 % intervals over tables" if several else "of one table, which gives no interval"
    lines = [
        f"{len(bench.tasks)} tasks from {tables}; differences from {bench.recipes[0]}, {intervals}",
        f"{'':{width}}{'log-loss':>9}{'difference':>27}{'AUC':>7}{'difference':>27}{'slope':>7}{'better':>8}{'deficit':>9}"
        f"{'worst':>7}  {'on':<28}{'fit s':>6}{'us/row':>8}",
    ]
    for i, (name, cost) in enumerate(zip(bench.recipes, costs, strict=True)):
        deficit = bench.deficit[i]
        worst = int(deficit.argmax())
        loss, auc = (bench.against_reference(figures, i) for figures in (bench.log_loss, bench.auc))
        spans = [f"{d.mean:+.3f}" + f" ({d.low:+.3f} to {d.high:+.3f})" * several for d in (loss, auc)]
        slope = float(np.nanmedian(bench.slope[i])) if np.isfinite(bench.slope[i]).any() else float("nan")
        better = int((bench.log_loss[i] < bench.log_loss[0]).sum())
        lines.append(
            f"{name:{width}}{bench.log_loss[i].mean():>9.3f}{spans[0] if i else '':>27}{bench.auc[i].mean():>7.3f}"
            f"{spans[1] if i else '':>27}{slope:>7.2f}{better if i else '':>8}{deficit.mean():>9.3f}{deficit[worst]:>7.3f}"
            f"  {bench.tasks[worst]:<28.28}{cost.fitting:>6.2f}{cost.scoring:>8.1f}"
        )
    if several:
        chosen, gain = bench.chosen_elsewhere()
        mostly = bench.recipes[int(np.bincount(chosen).argmax())]
        lines.append(
            f"Chosen for each table on the other tables (mostly {mostly}): {gain.mean:+.3f} "
            f"({gain.low:+.3f} to {gain.high:+.3f})."
        )
    lines += [
        "AUC within folds; slope: median over tasks, 1 is ideal; better: tasks with a lower log-loss; deficit: log-loss above "
        f"the best base learner of {bench.recipes[0]} alone on each task, mean and worst; fit and row: on the largest table."
    ]
    return lines


def write_figures(out: Path, bench: Bench) -> None:
    """Write the figures of every recipe on every task as CSV."""
    import csv

    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["task", "table", "recipe", "log_loss", "auc", "calibration_slope", "best_single_log_loss"])
        for t, (task, table) in enumerate(zip(bench.tasks, bench.tables, strict=True)):
            for r, name in enumerate(bench.recipes):
                figures = (bench.log_loss[r, t], bench.auc[r, t], bench.slope[r, t], bench.best[t])
                writer.writerow([task, table, name, *(f"{figure:.6f}" for figure in figures)])
