"""Answers to held-out samples: as a table to compare models by, and ready to be examined."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from exoclassify.data.cohort import Cohort
from exoclassify.learning.examine import Answered
from exoclassify.learning.judgement import Judgement, KeptAside

__all__ = ["answered", "short_name", "strata_of", "to_frame"]

_AGE_EDGES = (30, 45, 60, 75)


def short_name(name: str) -> str:
    """Give the first 12 digits of a name's sha256: who has the names finds them again, nobody else reads them.

    Parameters
    ----------
    name : str
        Of a sample or a person.
    """
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def to_frame(judgement: Judgement, cohort: Cohort) -> pd.DataFrame:
    """Give every answer as a row.

    Parameters
    ----------
    judgement : Judgement
        Of a recipe on the cohort.
    cohort : Cohort
        That was judged.

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


def answered(
    judgement: Judgement,
    passes: Sequence[KeptAside],
    *,
    level: float,
    strata: Mapping[str, NDArray[np.str_]],
    across: bool = False,
) -> Answered:
    """Bring passes over the same samples into the form that is examined.

    Parameters
    ----------
    judgement : Judgement
        Where they are from.
    passes : sequence of KeptAside
        Over the same rows.
    level : float
        Of the prediction sets.
    strata : mapping of str to ndarray of str
        Of all samples of the cohort.
    across : bool
        Each fold was a batch.
    """
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
        fold=None if across else np.stack([kept.fold for kept in passes]),
        strata={name: values[rows] for name, values in strata.items()},
        n_folds=len(np.unique(passes[0].fold)),
    )


def strata_of(cohort: Cohort, covariates: Sequence[str] = ()) -> dict[str, NDArray[np.str_]]:
    """Give the groups to report apart: batch, sex, age bands and named covariates.

    Parameters
    ----------
    cohort : Cohort
        With its sheet.
    covariates : sequence of str
        Columns, beside those called sex, age or BMI.

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
