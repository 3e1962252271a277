"""exoclassify train: a cargo table and a sample sheet in, a judged model out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.cohorts import cohort_of
from exoclassify.cli.doors import note
from exoclassify.cli.options import columns_of, reading_of
from exoclassify.cli.outputs import check_file, check_folder, check_report
from exoclassify.cli.progress import progress_bar
from exoclassify.cli.visits import Baseline, Pair, Response, Visit, trained_over

if TYPE_CHECKING:
    from exoclassify.data.cohort import Cohort
    from exoclassify.learning.recipe import Recipe
    from exoclassify.lifecycle.finish import Finished
    from exoclassify.model.bundle import ModelBundle

__all__ = ["fitted", "train"]


def train(
    samples: opt.Samples,
    label: opt.Label,
    out: Annotated[Path, typer.Option(help="Folder to write the model to.")],
    cargo: opt.Cargo = None,
    kind: opt.Kind = None,
    unit: opt.Unit = None,
    layer: opt.Layers = None,
    subject: opt.Subject = None,
    batch: opt.Batch = None,
    visit: Visit = None,
    baseline: Baseline = None,
    paired: Pair = None,
    response: Response = None,
    covariates: Annotated[
        str | None,
        typer.Option(
            help="Columns to compare with the state and to report apart, as in age,sex. A model of them alone, and one with "
            "the cargo, are judged too, which takes as long again.  [default: those called sex, age, bmi, not judged]"
        ),
    ] = None,
    add_covariates: Annotated[
        bool,
        typer.Option("--with-covariates", help="Ship the covariates too, as a layer of the model called covariates."),
    ] = False,
    not_detected: opt.NotDetected = None,
    recipe: Annotated[
        Path | None,
        typer.Option(help="Choices of this run in TOML, see training/recipes; the default blend if omitted."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model.  [default: the name of the folder]")] = None,
    version: Annotated[str, typer.Option(help="Version of the model, three numbers.")] = "1.0.0",
    jobs: opt.Jobs = -1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Address of a Dask cluster that judges, as tcp://host:8786; the result is the same. Replaces --jobs."
        ),
    ] = None,
    no_judge: Annotated[
        bool, typer.Option("--no-judge", help="Fit only, in seconds; the card then says that it was not judged.")
    ] = False,
    permutations: Annotated[
        int,
        typer.Option(
            min=0,
            help="Run the judgement again this often on labels permuted at random, for a p-value: 99 take about as long as 33 "
            "judgements.",
        ),
    ] = 0,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Table for every out-of-fold answer, with your sample ids: .csv, .tsv, .parquet, .jsonl or .arrow."
        ),
    ] = None,
    report: opt.ReportPage = None,
    force: opt.Force = False,
    form: opt.Format = None,
    columns: opt.Columns = None,
    sheet: opt.Sheet = None,
    id_column: opt.IdColumn = None,
) -> None:
    """Train a classifier, and judge it on held-out samples.

    The headline is the AUC within batches that were left out, where batches are given, else of cross-validation.
    Nothing is written to --out before everything is done. Folds that are finished are kept in the cache folder
    (EXOCLASSIFY_CACHE, empty for none), so that the same command goes on after Ctrl-C; no cargo and no names are kept there.
    """
    from exoclassify.model.folder import MODEL_FILES

    check_folder(out, force=force, own=MODEL_FILES)
    _check_asked(jobs, no_judge, predictions, report, [*([] if cargo is None else [cargo]), samples], force)
    from exoclassify.learning.recipe import Recipe
    from exoclassify.lifecycle.own import write_own

    choices = Recipe() if recipe is None else Recipe.read(recipe)
    cohort = cohort_of(
        cargo, layer, kind=kind, unit=unit, samples=samples, label=label, subject=subject, batch=batch,
        not_detected=not_detected, reading=reading_of(form, columns, sheet, id_column), time=None if visit == label else visit,
    )  # fmt: skip
    if add_covariates:
        from exoclassify.data.covariates import with_covariates

        cohort = with_covariates(cohort, columns_of(covariates))
    _say_notes(cohort)
    finishing = partial(
        fitted, recipe=choices, name=name or _name_from(out), version=version, judge=not no_judge,
        jobs=jobs if scheduler is None else -1, covariates=columns_of(covariates), permutations=permutations,
    )  # fmt: skip
    with nullcontext() if scheduler is None else _on_cluster(scheduler):
        cohort, finished = trained_over(cohort, baseline, paired, response, finishing)
    bundle = finished.bundle
    bundle.save(out, force=force)
    write_own(finished, cohort, predictions=predictions, report=report, force=force)
    for text in bundle.about.training.notes[len(cohort.notes) :]:  # what the recipe added
        note(text)
    for line in _found(bundle):
        print(line)
    print(f"written to {out}")
    print(f"all figures, to read: {report or out / 'report.html'}")


def _check_asked(
    jobs: int, no_judge: bool, predictions: Path | None, report: Path | None, inputs: list[Path], force: bool
) -> None:
    if jobs == 0:
        raise typer.BadParameter("0 processes do no work; give 1 or more, or -1 for all cores", param_hint="--jobs")
    if predictions is not None:
        if no_judge:
            raise typer.BadParameter(
                "there are no out-of-fold answers without judging; drop --no-judge", param_hint="--predictions"
            )
        from exoclassify.tables.encoding import check_ending

        check_file(predictions, force=force, inputs=inputs)
        check_ending(predictions.name)
    if report is not None:
        check_report(report, force=force, inputs=inputs)


@contextmanager
def _on_cluster(scheduler: str) -> Iterator[None]:
    from joblib import parallel_config

    from exoclassify.scoring.runners import client_of

    with client_of(scheduler, None), parallel_config(backend="dask"):
        yield


def fitted(
    cohort: Cohort,
    recipe: Recipe,
    *,
    name: str,
    version: str,
    judge: bool = True,
    jobs: int = -1,
    covariates: tuple[str, ...] = (),
    permutations: int = 0,
) -> Finished:
    """Fit, judge and audit with a bar on stderr."""
    from exoclassify.judging.kept import default_folder
    from exoclassify.lifecycle.finish import finish

    cache = default_folder()
    try:
        with progress_bar("judging" if judge else "fitting") as progress:
            return finish(
                cohort,
                recipe,
                judge=judge,
                covariates=covariates,
                permutations=permutations,
                cache=cache,
                name=name,
                version=version,
                n_jobs=jobs,
                progress=progress,
            )
    except KeyboardInterrupt:
        if judge and cache is not None:
            note("folds that were finished are kept; the same command goes on from there")
        raise


def _say_notes(cohort: Cohort) -> None:
    for text in cohort.notes:
        note(text)
    if not cohort.has_subjects:
        note(
            "no subject column is given: if a person gave several samples, every figure is optimistic, for that person is "
            "then both trained on and tested on; name the column with --subject"
        )
    if cohort.batches is None:
        note(
            "no batch column is given: whether the model holds in another batch cannot be tested, so it will call no state "
            "unless score is told --same-batch; name the column with --batch"
        )


def _found(bundle: ModelBundle) -> list[str]:
    """Say in plain words what the card says first."""
    from exoclassify.model.card import headline
    from exoclassify.model.told import carries_over, layers_add, used_in, visits_add

    training = bundle.training
    simulated = ", simulated: not for use on patients" if training.simulated else ""
    lines = [
        f"{bundle.name} {bundle.version}: trained on {training.n_samples} samples ({training.mix}{simulated}), "
        f"reads {len(bundle.panel.molecules)} molecules",
        headline(bundle.about).replace("**", ""),
    ]
    lines += [*layers_add(bundle.about), *visits_add(bundle.about)]
    lines += used_in(bundle.about)
    if carried := carries_over(bundle.about):
        lines.append(carried)
    if bundle.about.audit is not None:
        lines.append(bundle.about.audit["verdict"])
    return lines


def _name_from(out: Path) -> str:
    """Name a model by its folder; in models/NAME/1.0.0 that is NAME."""
    folder = out.resolve()
    return folder.parent.name if re.fullmatch(r"\d+\.\d+\.\d+", folder.name) else folder.name
