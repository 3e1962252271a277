"""exoclassify evaluate: a finished model on another cohort whose states are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.cohorts import cohort_for, tables_in
from exoclassify.cli.doors import note
from exoclassify.cli.options import columns_of, reading_of, thresholds_of, used
from exoclassify.cli.outputs import check_report
from exoclassify.cli.progress import progress_bar
from exoclassify.cli.score import INCOMPLETE
from exoclassify.cli.visits import Visit

if TYPE_CHECKING:
    from exoclassify.model.about import About
    from exoclassify.model.evaluation import Validation

__all__ = ["evaluate"]


def evaluate(
    model: opt.ModelFolder,
    samples: opt.Samples,
    cargo: Annotated[Path | None, typer.Option(help="Table of samples the model was not trained on.")] = None,
    layer: opt.LayersOfModel = None,
    label: opt.Label = "label",
    subject: opt.Subject = None,
    batch: opt.Batch = None,
    visit: Visit = None,
    covariates: Annotated[
        str | None,
        typer.Option(help="Columns to report apart, with commas between.  [default: those called sex, age, bmi]"),
    ] = None,
    prevalence: opt.Prevalence = None,
    thresholds: Annotated[
        str, typer.Option(help="Probabilities from which one would call a state, with commas between.")
    ] = "0.5",
    same_batch: opt.SameBatch = False,
    batch_is: opt.BatchIs = None,
    site: opt.Site = None,
    max_wrong: opt.MaxWrong = None,
    level: opt.Level = None,
    report: opt.ReportPage = None,
    no_audit: Annotated[bool, typer.Option("--no-audit", help="Leave out the audit of the cohort.")] = False,
    as_json: opt.AsJson = False,
    jobs: opt.Jobs = -1,
    force: opt.Force = False,
    form: opt.Format = None,
    columns: opt.Columns = None,
    sheet: opt.Sheet = None,
    id_column: opt.IdColumn = None,
) -> None:
    """Judge a model on another cohort: external validation.

    Every sample is answered alone, as in use. Discrimination, calibration, net benefit, thresholds, prediction sets and
    subgroups are given with intervals by subject; the cohort is audited too. Samples that the model was trained on, by their
    id, person or near-duplicate cargo, are left out of every figure; the exit code is then 3.
    """
    import json

    if report is not None:
        check_report(report, force=force, inputs=[*tables_in(cargo, layer), samples])
    from exoclassify.lifecycle.external import evaluate as judged_on
    from exoclassify.lifecycle.known import unseen
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.report.external import seen_before

    use = used(prevalence, same_batch, batch_is, site, max_wrong, level)
    chosen = thresholds_of(thresholds)
    bundle = ModelBundle.load(model)
    cohort = cohort_for(
        bundle, cargo, layer, samples=samples, label=label, subject=subject, batch=batch, visit=visit,
        reading=reading_of(form, columns, sheet, id_column),
    )  # fmt: skip
    for text in cohort.notes:
        note(text)
    found = judged_on(bundle, cohort, use=use, thresholds=chosen, covariates=columns_of(covariates))
    seen = seen_before(found.trained_on, bundle.about)
    if seen:
        note(seen)
    audit = None if no_audit else _audited(unseen(bundle, cohort)[0], columns_of(covariates), jobs)
    if report is not None:
        _write(report, found, audit, bundle.about, cohort.source, force)
    if as_json:
        heard: dict[str, Any] = {"verdict": None, "findings": None} if audit is None else audit
        told = {"model": bundle.name, "version": bundle.version, "evaluation": found.to_json()}
        print(json.dumps(told | {key: heard[key] for key in ("verdict", "findings")}, indent=1))
    else:
        for line in _told(found, audit, f"{bundle.name} {bundle.version}"):
            print(line)
        if report is not None:
            print(f"written to {report}")
    if found.trained_on:
        raise typer.Exit(INCOMPLETE)


def _audited(cohort: Any, covariates: tuple[str, ...], jobs: int) -> dict[str, Any]:
    from exoclassify.auditing.audit import audit

    with progress_bar("auditing") as progress:
        return audit(cohort, covariates=covariates, n_jobs=jobs, progress=progress).to_dict()


def _write(report: Path, found: Validation, audit: Any, about: About, source: str, force: bool) -> None:
    from exoclassify.report.external import validation_report
    from exoclassify.report.saving import save

    save(validation_report(found, audit, source=source, about=about), report, force=force)


def _told(found: Validation, audit: dict[str, Any] | None, model: str) -> list[str]:
    import textwrap

    calls = found.calls
    lines = [
        f"{model} on {found.n_samples} samples: AUC {found.figures.auc.told()}, p = {found.permutation.p_value:.2g} against "
        "permuted labels"
    ]
    for name in ("brier", "log_loss", "calibration_slope"):
        figure = found.figures.get(name)
        if figure is not None:
            words = name.replace("_", " ").replace("log loss", "log-loss")
            lines.append(f"{words} {figure.told()}")
    lines.append(
        f"It called {calls.called:.0%} of the samples"
        + (f"; {calls.wrong_among_called:.0%} of the calls were wrong." if calls.called else ".")
    )
    if audit is not None:
        lines += textwrap.wrap(f"The cohort itself: {audit['verdict']}", 100)
    return lines
