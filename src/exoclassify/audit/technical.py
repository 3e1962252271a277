"""Whether the technique alone does as well as the model: then the model is no evidence of biology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from exoclassify.audit.association import association
from exoclassify.audit.baselines import Baseline, baselines, judged
from exoclassify.audit.findings import Finding, Severity
from exoclassify.data.cohort import Cohort
from exoclassify.learning.folds import Fold
from exoclassify.learning.judgement import Judgement
from exoclassify.learning.metrics import Figure

__all__ = ["Technical", "audit_technical", "better"]

Codes = NDArray[np.intp]

_ALPHA = 0.05
_DIRECT, _USEFUL = 0.02, 0.6
"""A figure that differs between the states this surely, and tells them apart this well in folds, is no chance."""
_STRONG = 0.75
"""A technical figure that tells the states apart this well is confounded with them, whatever else a model finds."""


@dataclass(frozen=True, eq=False)
class Technical:
    """What the baselines gave.

    Parameters
    ----------
    findings : tuple of Finding
        One for each baseline.
    rows : tuple of dict
        Name, AUC with interval, p-value that the model is better; the model first.
    best : str or None
        The best baseline.
    beaten : bool or None
        The model is better than the best one (paired test, one-sided 5 %); None without baselines.
    """

    findings: tuple[Finding, ...]
    rows: tuple[dict[str, Any], ...]
    best: str | None
    beaten: bool | None


def audit_technical(
    cohort: Cohort, judgement: Judgement, model: Figure, *, model_name: str, declared: Sequence[str] = ()
) -> Technical:
    """Judge every technical figure in the folds of the model, and test whether the model is better.

    Parameters
    ----------
    cohort : Cohort
        With one layer.
    judgement : Judgement
        Of the model on it.
    model : Figure
        Macro AUC of the model in cross-validation.
    model_name : str
        What messages call it.
    declared : sequence of str
        Columns named as batch or covariates: when one of them says the same as the label, no claim can be made.

    Returns
    -------
    Technical
    """
    samples = judgement.samples
    repeats = _repeats(judgement)
    groups = samples.groups
    findings: list[Finding] = []
    n_folds = len(repeats[0])
    rows = [_row(model_name, model.over_folds(n_folds), groups, None)]
    found: dict[str, tuple[Figure, float]] = {}
    for baseline in baselines(cohort):
        if baseline.column is not None and _restates(cohort, baseline.column):
            findings.append(_restating(cohort, baseline, baseline.column in declared))
            continue
        figure = judged(baseline, repeats, samples.y, len(samples.states))
        p_value = better(model, figure, groups)
        found[baseline.name] = (figure, p_value)
        rows.append(_row(baseline.name, figure.over_folds(n_folds), groups, p_value))
        directly = _directly(baseline, samples.y, groups)
        findings.append(_finding(baseline, figure, model, p_value, directly, groups, n_folds, model_name))
    best = max(found, key=lambda name: found[name][0].value) if found else None
    beaten = None if best is None else found[best][1] < _ALPHA
    return Technical(tuple(findings), tuple(rows), best, beaten)


def _repeats(judgement: Judgement) -> list[tuple[Fold, ...]]:
    repeats, at = [], 0
    for kept in judgement.passes:
        count = int(kept.fold.max()) + 1
        repeats.append(judgement.plan[at : at + count])
        at += count
    return repeats


def better(model: Figure, baseline: Figure, groups: Codes) -> float:
    """Give the one-sided p-value that the model's AUC is higher.

    Parameters
    ----------
    model, baseline : Figure
        AUCs on the same samples.
    groups : ndarray of shape (n_samples,)
        Subject codes.

    Returns
    -------
    float

    Notes
    -----
    DeLong's paired test with variances by subject; pROC's but for the correction of small samples, which is by subjects here
    and by state there.
    """
    sums = np.bincount(groups, weights=model.influence - baseline.influence)
    clusters = len(np.unique(groups))
    error = float(np.sqrt((sums**2).sum() * clusters / max(clusters - 1, 1)))
    difference = model.value - baseline.value
    return float(norm.sf(difference / error)) if error > 0 else float(difference <= 0)


def _row(name: str, figure: Figure, groups: Codes, p_value: float | None) -> dict[str, Any]:
    low, high = figure.interval(groups)
    return {"name": name, "auc": figure.value, "low": low, "high": high, "p_model_better": p_value}


def _directly(baseline: Baseline, y: Codes, groups: Codes) -> float:
    """P-value that the figure itself does not differ between states: surer than an AUC over folds when samples are few."""
    if baseline.values is None:
        return 1.0
    first = np.unique(groups, return_index=True)[1]
    return association(baseline.values[first], y[first])[1]


def _finding(
    baseline: Baseline,
    figure: Figure,
    model: Figure,
    p_value: float,
    directly: float,
    groups: Codes,
    n_folds: int,
    model_name: str,
) -> Finding:
    low, high = figure.over_folds(n_folds).interval(groups)
    severity: Severity = "info"
    differs = directly < _DIRECT and figure.value > _USEFUL
    surely = f"differs between them beyond chance (p = {directly:.2g}), " if differs else ""
    # By DeLong's narrower interval: to overlook what fools the model is worse than to name one thing too many.
    if figure.interval(groups)[0] > 0.5 or differs:
        severity = "warning" if p_value < _ALPHA and figure.value < _STRONG else "critical"
    beaten = (
        f"less than the {model_name} ({model.value:.2f}, p = {p_value:.2g}), but so much that the model may rest on it"
        if p_value < _ALPHA
        else f"and the {model_name} ({model.value:.2f}) is not better (p = {p_value:.2g})"
    )
    verdicts = {
        "critical": beaten,
        "warning": f"less than the {model_name} ({model.value:.2f}, p = {p_value:.2g}), but not nothing",
        "info": "which may be chance",
    }
    mends = {
        "critical": "balance it between the states (re-sequence, downsample, match) or take it into the model as a covariate "
        "before anything is said of biology",
        "warning": "state it beside the model's figure, and balance it in the next run",
        "info": "",
    }
    return Finding(
        "technical-baseline", baseline.name, "AUC", figure.value, severity,
        f"{baseline.name} alone tells the states apart with AUC {figure.value:.2f} ({low:.2f} to {high:.2f}) in the same folds, "
        f"{surely}{verdicts[severity]}.",
        mends[severity],
    )  # fmt: skip


def _restates(cohort: Cohort, column: str) -> bool:
    """Whether every level of a column holds one state only, with two samples a level on average at least."""
    cells = cohort.sheet.frame[column]
    levels = pd.DataFrame({"level": cells.to_numpy(), "state": cohort.y}).dropna()
    if levels.empty or levels["level"].nunique() > len(levels) / 2 or levels["state"].nunique() < 2:
        return False
    return bool((levels.groupby("level")["state"].nunique() == 1).all())


def _restating(cohort: Cohort, baseline: Baseline, declared: bool) -> Finding:
    column = baseline.column
    if declared:
        message = (
            f"column {column} and the label are the same thing: every level of it holds one state only, so a difference between "
            "states cannot be told from one of this column. No claim about the states can be made from this cohort."
        )
        return Finding(
            "technical-baseline", f"column {column}", "AUC", 1.0, "critical", message,
            "measure samples of every state at every level",
        )  # fmt: skip
    message = (
        f"every level of column {column} holds one state only: harmless if it describes the diagnosis, fatal if it says where, "
        "when or how the samples were handled."
    )
    return Finding(
        "technical-baseline", f"column {column}", "AUC", 1.0, "warning", message,
        "check what it means; if it is technical, name it with --batch or --covariates, and expect the claim to fall",
    )  # fmt: skip
