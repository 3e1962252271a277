"""Answers to held-out samples: as a table to compare models by, and ready to be examined."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from exoclassify.data.cohort import Cohort
from exoclassify.judging.examine import Answered
from exoclassify.judging.judgement import Judgement, KeptAside

__all__ = ["answered", "contradicted", "out_of_fold", "short_name", "strata_of", "to_frame"]

_AGE_EDGES = (30, 45, 60, 75)


def short_name(name: str) -> str:
    """Give the first 12 digits of a name's sha256: who has the names finds them again, nobody else reads them."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def to_frame(judgement: Judgement, cohort: Cohort) -> pd.DataFrame:
    """Give every answer as a row.

    Returns
    -------
    DataFrame
        judged (``cv-1``, ``cv-2``, … or ``batch``), fold, sample and subject (`short_name`), label, p_<state>.
    """
    passes = [(f"cv-{i}", kept) for i, kept in enumerate(judgement.passes, start=1)]
    if judgement.batched is not None:
        passes.append(("batch", judgement.batched))
    samples = np.array([short_name(sample) for sample in cohort.sheet.sample_ids])
    subjects = np.array([short_name(subject) for subject in cohort.groups])
    frames = []
    for name, kept in passes:
        frame = pd.DataFrame(
            {
                "judged": name,
                "fold": kept.fold,
                "sample": samples[kept.rows],
                "subject": subjects[kept.rows],
                "label": cohort.y[kept.rows],
            }
        )
        p = softmax(kept.log_odds, axis=1)
        for k, state in enumerate(judgement.samples.states):
            frame[f"p_{state}"] = np.round(p[:, k], 9)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def out_of_fold(judgement: Judgement, cohort: Cohort) -> pd.DataFrame:
    """Give every out-of-fold answer under the user's own sample ids: for the user's disk, never for the model's folder.

    Returns
    -------
    DataFrame
        sample_id, subject, batch, label, judged (``cross-validation 1``, … or ``batch left out``), fold (its number, or the
        name of the batch that was left out), call, best_guess, p_best_guess, p_<state>, prediction_set, novelty_p.
    """
    passes = [(f"cross-validation {i}", kept) for i, kept in enumerate(judgement.passes, start=1)]
    if judgement.batched is not None:
        passes.append(("batch left out", judgement.batched))
    states = np.array([*judgement.samples.states, "uncertain"])
    ids, nothing = np.array(cohort.sheet.sample_ids), np.full(cohort.n_samples, "")
    batches = nothing if cohort.batches is None else cohort.batches
    frames = []
    for name, kept in passes:
        rows, p = kept.rows, np.round(softmax(kept.log_odds, axis=1), 9)
        best = p.argmax(axis=1)
        frames.append(
            pd.DataFrame(
                {
                    "sample_id": ids[rows],
                    "subject": (cohort.groups if cohort.has_subjects else nothing)[rows],
                    "batch": batches[rows],
                    "label": cohort.y[rows],
                    "judged": name,
                    "fold": batches[rows] if name == "batch left out" else (kept.fold + 1).astype(str),
                    "call": states[kept.calls],
                    "best_guess": states[best],
                    "p_best_guess": p.max(axis=1),
                    **{f"p_{state}": p[:, k] for k, state in enumerate(judgement.samples.states)},
                    "prediction_set": [";".join(states[:-1][held]) for held in kept.sets],
                    "novelty_p": np.round(kept.novelty_p, 6),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def contradicted(answers: pd.DataFrame) -> list[dict[str, Any]]:
    """Give the samples whose cross-validated answers lean to another state than their label, the strongest first.

    Returns
    -------
    list of dict
        sample, label, batch, looks like, probability of its label (mean over repeats), called wrongly, of repeats.
    """
    crossed = answers[answers["judged"] != "batch left out"]
    found: list[dict[str, Any]] = []
    for sample, rows in crossed.groupby("sample_id", sort=False):
        label = str(rows["label"].iloc[0])
        mean = {
            column.removeprefix("p_"): float(rows[column].mean())
            for column in map(str, rows)
            if column.startswith("p_")
        }
        del mean["best_guess"]
        best = max(mean, key=lambda state: mean[state])
        if best != label:
            wrong = int(((rows["call"] != label) & (rows["call"] != "uncertain")).sum())
            found.append(
                {
                    "sample": str(sample), "label": label, "batch": str(rows["batch"].iloc[0]), "looks like": best,
                    "probability of its label": mean[label], "called wrongly": wrong, "of repeats": len(rows),
                }
            )  # fmt: skip
    return sorted(found, key=lambda row: float(row["probability of its label"]))


def answered(
    judgement: Judgement, passes: Sequence[KeptAside], *, level: float, strata: Mapping[str, NDArray[np.str_]]
) -> Answered:
    """Bring passes over the same samples into the form that is examined."""
    rows = passes[0].rows
    called = [kept.calls >= 0 for kept in passes]
    return Answered(
        log_odds=np.stack([kept.log_odds for kept in passes]),
        sets=np.stack([kept.sets for kept in passes]),
        called=np.stack(called),
        y=judgement.samples.y[rows],
        groups=np.unique(judgement.samples.groups[rows], return_inverse=True)[1],
        states=judgement.samples.states,
        level=level,
        fold=np.stack([kept.fold for kept in passes]),
        strata={name: values[rows] for name, values in strata.items()},
        n_folds=len(np.unique(passes[0].fold)),
    )


def strata_of(cohort: Cohort, covariates: Sequence[str] = ()) -> dict[str, NDArray[np.str_]]:
    """Give the groups to report apart: batch, sex, age bands and named covariates.

    Returns
    -------
    dict of str to ndarray of str of shape (n_samples,)
        Blank = not known. Numbers are cut into bands: age at 30, 45, 60 and 75, others into thirds.
    """
    found: dict[str, NDArray[np.str_]] = {}
    if cohort.batches is not None:
        found[str(cohort.sheet.batch_column)] = cohort.batches
    for column in cohort.sheet.covariates(covariates):
        cells = cohort.sheet.frame[column]
        numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
        known = numbers[np.isfinite(numbers)]
        if len(known) > 0.8 * len(cells) and len(np.unique(known)) > 5:
            edges = _AGE_EDGES if "age" in column.lower() else tuple(np.quantile(known, [1 / 3, 2 / 3]))
            found[column] = _bands(numbers, edges)
        else:
            found[column] = cells.fillna("").to_numpy(dtype=np.str_)
    return found


def _bands(numbers: NDArray[np.float64], edges: Sequence[float]) -> NDArray[np.str_]:
    shown = [f"{edge:.3g}" for edge in edges]
    names = [f"below {shown[0]}", *(f"{a} to below {b}" for a, b in pairwise(shown)), f"{shown[-1]} or more"]
    bands = np.array(names)[np.searchsorted(np.asarray(edges), numbers, side="right")]
    return np.where(np.isfinite(numbers), bands, "").astype(np.str_)
