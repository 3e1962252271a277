"""What could fool a reader of a model's figures: every check in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exoclassify.auditing.adjusted import audit_adjusted
from exoclassify.auditing.batches import audit_answers, audit_batches, audit_covariates, audit_unseen
from exoclassify.auditing.contamination import audit_haemolysis
from exoclassify.auditing.described import principal_components, table_one
from exoclassify.auditing.detection import audit_imputed, audit_missingness
from exoclassify.auditing.duplicates import audit_alike, audit_public
from exoclassify.auditing.findings import Audit, Finding, by_severity, verdict_of
from exoclassify.auditing.judged import Judged
from exoclassify.auditing.labels import audit_labels
from exoclassify.auditing.layers import audit_layers
from exoclassify.auditing.libraries import audit_controls, audit_libraries, audit_outliers
from exoclassify.auditing.metadata import audit_metadata
from exoclassify.auditing.molecules import audit_molecules
from exoclassify.auditing.people import audit_subjects
from exoclassify.auditing.scale import audit_scale
from exoclassify.auditing.sensitivity import sensitivity
from exoclassify.auditing.size import audit_preselection, audit_size, learning_curve
from exoclassify.auditing.technical import Technical, audit_technical
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort, cohort_of
from exoclassify.errors import DesignError, InputError
from exoclassify.judging.judgement import Judgement
from exoclassify.learning.samples import Samples

__all__ = ["audit"]

_FEWEST = 3
"""Subjects of a state without which nothing is judged at all."""


def audit(
    cohort: Cohort | str | Path,
    *,
    judgement: Judgement | None = None,
    covariates: Sequence[str] = (),
    against: CargoTable | None = None,
    curve: bool = True,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Look at a cohort for everything that makes a classifier look better than it is.

    Parameters
    ----------
    cohort : Cohort or path
        Of several layers each is audited with the samples that have it, beside a ridge regression of its own.
        Or the path of its study file, whose covariates hold where none are given.
    judgement : Judgement, optional
        Of the model in question; a plain ridge regression is judged when not given.
    covariates : sequence of str
        Columns to compare with the label, beside those called sex, age or BMI.
    against : CargoTable, optional
        Another file, to be searched for the same libraries.
    curve : bool
        Also draw the learning curve and judge without suspicious molecules and libraries, which is half of the work.
    seed : int
        Of folds and draws.
    n_jobs : int
        Parallel processes.
    progress : callable, optional
        Called with checks done and checks in all.

    Raises
    ------
    DesignError
        If there is one state only, or a state has fewer than two subjects.
    InputError
        If a covariate is not a column of the sheet, or a sample has no values.
    """
    cohort, study = cohort_of(cohort, "audit: cohort")
    covariates = covariates or (study.covariates if study else ())
    cohort.check_for_learning()
    _check_columns(cohort, covariates)
    if len(cohort.layers) > 1:
        return audit_layers(
            cohort,
            lambda one: audit(one, covariates=covariates, curve=curve, seed=seed, n_jobs=n_jobs, progress=progress),
        )
    run = _Run(cohort, Samples.of(cohort), judgement, seed, n_jobs)
    steps: list[Callable[[], list[Finding]]] = [
        run.technical,
        lambda: [*run.batches(), *audit_adjusted(cohort)],
        lambda: audit_molecules(cohort),
        lambda: audit_imputed(cohort),
        lambda: audit_scale(cohort),
        lambda: audit_covariates(cohort, cohort.sheet.covariates(covariates)),
        lambda: audit_alike(cohort, against),
        lambda: audit_public(cohort),
        lambda: audit_subjects(cohort),
        lambda: audit_missingness(cohort),
        lambda: [*audit_libraries(cohort), *audit_outliers(cohort), *audit_controls(cohort)],
        lambda: audit_haemolysis(cohort),
        run.labels,
        lambda: run.size(curve=curve),
        lambda: run.described(curve=curve),
        lambda: audit_preselection(cohort),
        lambda: audit_metadata(cohort),
    ]
    findings: list[Finding] = []
    for done, step in enumerate(steps, start=1):
        findings += step()
        if progress is not None:
            progress(done, len(steps))
    ordered = by_severity(findings)
    confounders = {} if run.found is None else dict(run.found.confounders)
    if any(f.check == "batch-confounded" and f.severity == "critical" for f in ordered) and cohort.batches is not None:
        confounders[f"column {cohort.sheet.batch_column}"] = cohort.batches
    return Audit(ordered, verdict_of(ordered), run.drawn, confounders)


def _check_columns(cohort: Cohort, covariates: Sequence[str]) -> None:
    for column in covariates:
        if column not in cohort.sheet.frame.columns:
            columns = ", ".join(map(str, cohort.sheet.frame.columns))
            raise InputError(f"{cohort.sheet.source}: there is no covariate column {column}; its columns are {columns}")


@dataclass(eq=False)
class _Run:
    """What the checks share: the folds, the model's scores in them, and what is drawn."""

    cohort: Cohort
    samples: Samples
    judgement: Judgement | None
    seed: int
    n_jobs: int

    def __post_init__(self) -> None:
        self.found: Technical | None = None
        self.model: Judged | None = None
        self.drawn: dict[str, Any] = {}

    def technical(self) -> list[Finding]:
        try:
            self.model = self._judged()
        except DesignError:
            message = "The states are too small for folds, so neither a model nor the technique alone could be judged."
            return [Finding("technical-baseline", "cohort", "AUC", None, "warning", message, "add samples")]
        self.found = audit_technical(self.cohort, self.model)
        self.drawn["baselines"] = list(self.found.rows)
        self.drawn["best_baseline"] = self.found.best
        self.drawn["beats_best_baseline"] = self.found.beaten
        return [*self.found.findings, *_failed(self.model)]

    def _judged(self) -> Judged:
        if self.judgement is not None:
            return Judged.of(self.judgement, n_jobs=self.n_jobs)
        y, groups = self.samples.y, self.samples.groups
        if min(len(np.unique(groups[y == k])) for k in range(len(self.samples.states))) < _FEWEST:
            raise DesignError("too few subjects of a state for folds")
        return Judged.reference(self.samples, seed=self.seed, n_jobs=self.n_jobs)

    def batches(self) -> list[Finding]:
        found = audit_batches(self.cohort, self.model, self.n_jobs)
        if self.model is not None:
            found += audit_unseen(self.model, self.n_jobs)
            found += audit_answers(self.cohort, self.model)
        return found

    def labels(self) -> list[Finding]:
        return [] if self.model is None else audit_labels(self.cohort, self.model)

    def size(self, *, curve: bool) -> list[Finding]:
        points = None
        if self.model is not None and curve:
            points = learning_curve(self.samples, seed=self.seed, n_jobs=self.n_jobs)
        self.drawn["learning_curve"] = points
        return audit_size(self.samples, 0.75 if self.model is None else self.model.figure.value, points)

    def described(self, *, curve: bool) -> list[Finding]:
        self.drawn["table_one"] = table_one(self.cohort)
        self.drawn["components"] = principal_components(self.cohort)
        if self.model is not None and curve:
            self.drawn["sensitivity"] = sensitivity(self.cohort, self.model, n_jobs=self.n_jobs)
        return []


def _failed(model: Judged) -> list[Finding]:
    if not model.failed:
        return []
    message = (
        f"The {model.failed} gave all held-out samples the same answer, AUC .50: it learned nothing, whatever the cohort holds"
        + (f"; the {model.name} is compared in its place." if model.name != model.failed else ".")
    )
    mend = "look at how states and batches are spread, and try a simpler recipe"
    return [Finding("model-failed", model.failed, "AUC", 0.5, "info", message, mend)]
