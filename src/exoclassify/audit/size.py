"""What this number of samples can support, and whether more would help."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from exoclassify.audit.batches import REFERENCE
from exoclassify.audit.findings import Finding, Severity
from exoclassify.errors import DesignError
from exoclassify.learning.evaluate import cross_validated, workers_started_undisturbed
from exoclassify.learning.folds import stratified_folds, subjects_per_state
from exoclassify.learning.learn import Samples
from exoclassify.learning.metrics import macro_auc
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.sample_size import (
    auc_half_width,
    cox_snell_from_auc,
    riley_binary,
    samples_for_half_width,
    supported_parameters,
)

__all__ = ["audit_size", "learning_curve"]

Codes = NDArray[np.intp]

_FEWEST = 5
_SHARES = (0.4, 0.6, 0.8, 1.0)
_DRAWS = 3
_WANTED = 0.1
_SIGNATURE = 10


def audit_size(samples: Samples, auc_found: float, curve: list[dict[str, Any]] | None) -> list[Finding]:
    """Hold the number of subjects against what a model needs.

    Parameters
    ----------
    samples : Samples
        The cohort.
    auc_found : float
        Of the model or the reference; the criteria rest on it, and it is held to 0.6 to 0.9.
    curve : list of dict or None
        As `learning_curve` gives it.

    Returns
    -------
    list of Finding
    """
    subjects = subjects_per_state(samples.y, samples.groups)
    fewest, n = int(subjects.min()), int(subjects.sum())
    if fewest < _FEWEST:
        message = (
            f"{samples.states[int(subjects.argmin())]} has {fewest} subjects: nothing can be concluded. Three against three "
            "separate perfectly by chance one time in ten for a single molecule, and there are hundreds of molecules."
        )
        mend = f"at least {_FEWEST} subjects of each state to train at all, and some 50 to be believed"
        return [
            Finding("sample-size", "smallest state", "subjects", float(fewest), "critical", message, mend)
        ]
    assumed = float(np.clip(auc_found, 0.6, 0.9))
    share = fewest / n
    return [
        _riley(n, share, assumed, samples.X.shape[1]),
        _precision(fewest, n, assumed),
        *([_of_curve(curve)] if curve else []),
    ]


def _riley(n: int, share: float, assumed: float, n_molecules: int) -> Finding:
    cox_snell = cox_snell_from_auc(round(assumed, 3), round(share, 3))
    carried = supported_parameters(n, share, cox_snell)
    needed = riley_binary(_SIGNATURE, share, cox_snell).needed
    severity: Severity = "info" if n >= needed else "warning"
    message = (
        f"By the criteria of Riley et al. (doi 10.1002/sim.7992), at an AUC of {assumed:.2f}, {n} subjects carry a model of "
        f"{carried} freely estimated parameters; a signature of {_SIGNATURE} molecules named beforehand needs {needed}. The "
        f"table has {n_molecules} molecules: the model lives from shrinkage, and its coefficients are not to be read one by one."
    )
    mend = f"plan for {needed} subjects or more, or name at most {max(carried, 1)} molecules beforehand"
    return Finding(
        "sample-size",
        "parameters carried",
        "parameters",
        float(carried),
        severity,
        message,
        "" if severity == "info" else mend,
    )


def _precision(fewest: int, n: int, assumed: float) -> Finding:
    width = auc_half_width(assumed, fewest, n - fewest)
    enough = samples_for_half_width(assumed, fewest / n, _WANTED)
    severity: Severity = "info" if width <= _WANTED else "warning"
    message = f"With {fewest} against {n - fewest} subjects an AUC of {assumed:.2f} is known to ±{width:.2f} at best."
    mend = f"{enough} subjects in the same mix give ±{_WANTED:g}"
    return Finding(
        "sample-size",
        "precision of the AUC",
        "half width",
        width,
        severity,
        message,
        "" if severity == "info" else mend,
    )


def _of_curve(curve: list[dict[str, Any]]) -> Finding:
    first, before, last = curve[0], curve[-2], curve[-1]
    gain = last["auc"] - before["auc"]
    rises = gain > 0.015 and last["auc"] > first["auc"] + 0.02
    message = (
        f"Learning curve of a plain ridge regression: AUC {first['auc']:.2f} with {first['n_subjects']} subjects, "
        f"{before['auc']:.2f} with {before['n_subjects']}, {last['auc']:.2f} with all {last['n_subjects']}: "
        + (
            "still rising, more samples would help."
            if rises
            else "flat at the end, more samples of the same kind would change little."
        )
    )
    return Finding("learning-curve", "cohort", "gain of the last fifth", gain, "info", message, "")


def learning_curve(samples: Samples, *, seed: int = 0, n_jobs: int = 1) -> list[dict[str, Any]] | None:
    """Judge a plain ridge regression on parts of the cohort.

    Parameters
    ----------
    samples : Samples
        The cohort.
    seed : int
        Of the draws.
    n_jobs : int
        Parallel processes.

    Returns
    -------
    list of dict or None
        n_subjects, auc, low, high (95 % interval by subject; all averaged over draws, or over folds anew for all samples), from
        small to all. None when the cohort is too small.
    """
    rng = np.random.default_rng(seed)
    parts = [(share, _part(samples, share, rng), draw) for share in _SHARES for draw in range(_DRAWS)]
    jobs = (delayed(_auc_of_part)(samples.take(rows), REFERENCE, seed + draw) for _, rows, draw in parts)
    with nullcontext() if n_jobs == 1 else workers_started_undisturbed():
        results = Parallel(n_jobs=n_jobs, return_as="generator", pre_dispatch="all")(jobs)
    found = np.array(list(results), dtype=np.float64)
    points = []
    for share in _SHARES:
        here = [i for i, part in enumerate(parts) if part[0] == share and np.isfinite(found[i, 0])]
        if len(here) == _DRAWS:
            value, low, high = found[here].mean(axis=0)
            count = len(np.unique(samples.groups[parts[here[0]][1]]))
            points.append({"n_subjects": count, "auc": float(value), "low": float(low), "high": float(high)})
    return points if len(points) >= 2 else None


def _part(samples: Samples, share: float, rng: np.random.Generator) -> Codes:
    """Draw this share of the subjects of each state, with all of their samples."""
    subjects, first = np.unique(samples.groups, return_index=True)
    kept = []
    for k in range(len(samples.states)):
        of_state = subjects[samples.y[first] == k]
        kept.append(rng.permutation(of_state)[: max(2, round(share * len(of_state)))])
    return np.flatnonzero(np.isin(samples.groups, np.concatenate(kept)))


def _auc_of_part(part: Samples, recipe: Recipe, seed: int) -> tuple[float, float, float]:
    """Give the AUC with its interval by subject, NaN when the part is too small to be judged."""
    part = dataclasses.replace(part, groups=np.unique(part.groups, return_inverse=True)[1], batches=None)
    try:
        folds = stratified_folds(part.y, part.groups, recipe.folds.outer, seed)
        kept = cross_validated(part, recipe, folds)
    except DesignError:
        return float("nan"), float("nan"), float("nan")
    figure = macro_auc(kept.log_odds, part.y[kept.rows], kept.fold)
    return figure.value, *figure.over_folds(len(folds)).interval(part.groups[kept.rows])
