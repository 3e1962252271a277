"""What could fool a reader of a model's figures: every check in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from exoclassify.audit.batches import (
    REFERENCE,
    audit_batches,
    audit_covariates,
    audit_unseen,
)
from exoclassify.audit.contamination import audit_contamination
from exoclassify.audit.findings import Audit, Finding, by_severity
from exoclassify.audit.handling import audit_missingness, audit_order
from exoclassify.audit.metadata import audit_metadata
from exoclassify.audit.public_libraries import audit_public
from exoclassify.audit.samples import audit_alike, audit_outliers, audit_subjects
from exoclassify.audit.size import audit_size, learning_curve
from exoclassify.audit.technical import Technical, audit_technical
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError, InputError
from exoclassify.learning.evaluate import judge
from exoclassify.learning.judgement import Judgement
from exoclassify.learning.learn import Samples
from exoclassify.learning.metrics import Figure, macro_auc, mean_figure
from exoclassify.learning.recipe import Recipe

__all__ = ["audit"]

_FEWEST = 3
"""Subjects of a state without which nothing is judged at all."""


def audit(
    cohort: Cohort,
    *,
    judgement: Judgement | None = None,
    covariates: Sequence[str] = (),
    against: CargoTable | None = None,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Look at a cohort for everything that makes a classifier look better than it is.

    Parameters
    ----------
    cohort : Cohort
        With one layer.
    judgement : Judgement, optional
        Of the model in question; a plain ridge regression is judged when not given.
    covariates : sequence of str
        Columns to hold against the label, beside those called sex, age or BMI.
    against : CargoTable, optional
        Another file, to be searched for the same libraries.
    seed : int
        Of folds and draws.
    n_jobs : int
        Parallel processes.
    progress : callable, optional
        Called with checks done and checks in all.

    Returns
    -------
    Audit

    Raises
    ------
    DesignError
        If there is one state only, or a state has fewer than two subjects.
    InputError
        If a covariate is not a column of the sheet, or a sample has no values.
    """
    cohort.check_for_learning()
    _check_columns(cohort, covariates)
    named = cohort.sheet.covariates(covariates)
    samples = Samples.of(cohort)
    run = _Run(cohort, samples, judgement, seed, n_jobs)
    steps: list[Callable[[], list[Finding]]] = [
        lambda: run.technical([*named, *_batch_of(cohort)]),
        lambda: audit_batches(cohort, samples, n_jobs),
        lambda: audit_covariates(cohort, named),
        lambda: audit_alike(cohort, against),
        lambda: audit_public(cohort),
        lambda: audit_subjects(cohort),
        lambda: audit_missingness(cohort),
        lambda: audit_order(cohort),
        lambda: audit_outliers(cohort),
        lambda: audit_contamination(cohort),
        run.size,
        lambda: audit_metadata(cohort),
    ]
    findings: list[Finding] = []
    for done, step in enumerate(steps, start=1):
        findings += step()
        if progress is not None:
            progress(done, len(steps))
    ordered = by_severity(findings)
    return Audit(ordered, _verdict(ordered, run.found), run.drawn)


def _check_columns(cohort: Cohort, covariates: Sequence[str]) -> None:
    for column in covariates:
        if column not in cohort.sheet.frame.columns:
            columns = ", ".join(map(str, cohort.sheet.frame.columns))
            raise InputError(
                f"{cohort.sheet.source}: there is no covariate column {column}; its columns are {columns}"
            )


def _batch_of(cohort: Cohort) -> list[str]:
    return [] if cohort.sheet.batch_column is None else [cohort.sheet.batch_column]


@dataclass(eq=False)
class _Run:
    """What the checks share: the folds, the model's AUC in them, and what is drawn."""

    cohort: Cohort
    samples: Samples
    judgement: Judgement | None
    seed: int
    n_jobs: int

    def __post_init__(self) -> None:
        self.name = "model" if self.judgement is not None else "reference model (plain ridge)"
        self.found: Technical | None = None
        self.model: Figure | None = None
        self.drawn: dict[str, Any] = {}

    def technical(self, declared: Sequence[str]) -> list[Finding]:
        subjects = [
            len(np.unique(self.samples.groups[self.samples.y == k])) for k in range(len(self.samples.states))
        ]
        try:
            if min(subjects) < _FEWEST:
                raise DesignError("too few")
            if self.judgement is None:
                recipe = _reference(self.seed)
                self.judgement = judge(self.samples, self.cohort.sheet.sample_ids, recipe, n_jobs=self.n_jobs)
        except DesignError:
            message = (
                "The states are too small for folds: neither a model nor the technique alone could be judged."
            )
            return [Finding("technical-baseline", "cohort", "AUC", None, "warning", message, "add samples")]
        self.model = _auc_of(self.judgement)
        self.found = audit_technical(
            self.cohort, self.judgement, self.model, model_name=self.name, declared=declared
        )
        self.drawn["baselines"] = list(self.found.rows)
        self.drawn["best_baseline"] = self.found.best
        self.drawn["beats_best_baseline"] = self.found.beaten
        return [*self.found.findings, *audit_unseen(self.judgement)]

    def size(self) -> list[Finding]:
        curve = None
        if self.model is not None:
            curve = learning_curve(self.samples, seed=self.seed, n_jobs=self.n_jobs)
        self.drawn["learning_curve"] = curve
        return audit_size(self.samples, 0.75 if self.model is None else self.model.value, curve)


def _reference(seed: int) -> Recipe:
    return REFERENCE.model_copy(
        update={"seed": seed, "folds": REFERENCE.folds.model_copy(update={"repeats": 3})}
    )


def _auc_of(judgement: Judgement) -> Figure:
    """Macro AUC within the folds of cross-validation, averaged over repeats, by sample of the cohort."""
    y = judgement.samples.y
    return mean_figure([macro_auc(kept.log_odds, y[kept.rows], kept.fold) for kept in judgement.passes])


def _verdict(findings: Sequence[Finding], technical: Technical | None) -> str:
    """Say in a sentence or two whether the cohort can carry a claim about biology."""
    critical = [finding for finding in findings if finding.severity == "critical"]
    sentences = []
    if technical is not None and technical.beaten is False:
        best = next(row for row in technical.rows if row["name"] == technical.best)
        model = technical.rows[0]
        sentences.append(
            f"The {model['name']} (AUC {model['auc']:.2f}) does not beat {technical.best} alone ({best['auc']:.2f}; paired test "
            f"on the same folds, p = {best['p_model_better']:.2g}): this is not evidence of biology."
        )
    if critical:
        checks = ", ".join(dict.fromkeys(finding.check for finding in critical))
        found = f"are {len(critical)} critical findings" if len(critical) > 1 else "is one critical finding"
        sentences.append(
            f"There {found} ({checks}): no claim about the states should rest on this cohort before that is mended."
        )
    if not sentences:
        warnings = sum(finding.severity == "warning" for finding in findings)
        sentences.append(
            f"Nothing critical was found; {warnings} warnings are to be mended or stated."
            if warnings
            else "Nothing critical was found."
        )
    return " ".join(sentences)
