"""Columns of the sheet that are the state under another name, or predict it like one."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.auditing.baselines import Baseline, Levels, Number
from exoclassify.data.cohort import Cohort

__all__ = ["column_baselines", "describes_the_state", "given_for_one_state", "names_persons", "restates"]

_OF_PERSONS = re.compile(
    r"(?:subject|patient|donor|participant|person|individual|proband|volunteer)s?(?:[_ .-]?(?:id|no|nr|code))?"
)

_OF_THE_STATE = re.compile(
    r"diagnos|diseas|stage|grade|severity|subtype|pain|score|vas\b|nrs\b|treatment|phenotype|condition|symptom|onset|duration"
)


def column_baselines(cohort: Cohort) -> list[Baseline]:
    """Give every column of the sheet that could predict the state by itself: not ids, not constants."""
    sheet, found = cohort.sheet, []
    for column in sheet.frame.columns:
        # Batches are compared within, see `exoclassify.auditing.batches`; a person has one state, and is no handling.
        if column in (sheet.label_column, sheet.subject_column, sheet.batch_column) or names_persons(str(column)):
            continue
        cells = sheet.frame[column]
        numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
        name = f"column {column}"
        if np.isfinite(numbers).mean() > 0.8 and len(np.unique(numbers[np.isfinite(numbers)])) > 5:
            found.append(Baseline(name, Number(numbers), "column", str(column), numbers))
        elif 1 < cells.nunique(dropna=False) <= max(len(cells) / 2, 2):
            codes = pd.factorize(cells, use_na_sentinel=False)[0].astype(np.intp)
            levels = cells.fillna("").to_numpy(dtype=np.str_)
            found.append(Baseline(name, Levels(codes), "column", str(column), levels))
    return found


def names_persons(column: str) -> bool:
    """Say whether a column's name is of persons, such as subject or patient_id."""
    return _OF_PERSONS.fullmatch(column.lower()) is not None


def describes_the_state(column: str) -> bool:
    """Say whether a column's name is of the disease and not of the handling, such as stage or pain_score."""
    return _OF_THE_STATE.search(column.lower()) is not None


def given_for_one_state(cells: pd.Series, y: NDArray[np.str_]) -> bool:
    """Say whether a column is filled in for samples of one state and blank for all others.

    Parameters
    ----------
    y : ndarray of str, shape (n_samples,)
        States.
    """
    filled = cells.notna().to_numpy()
    return bool(filled.any()) and len(set(y[filled])) == 1 and not set(y[filled]) & set(y[~filled])


def restates(cells: pd.Series, y: NDArray[np.str_]) -> bool:
    """Say whether every level of a column holds one state only, with two samples a level on average at least.

    Parameters
    ----------
    y : ndarray of str, shape (n_samples,)
        States.
    """
    levels = pd.DataFrame({"level": cells.to_numpy(), "state": y}).dropna()
    if levels.empty or levels["level"].nunique() > len(levels) / 2 or levels["state"].nunique() < 2:
        return False
    return bool((levels.groupby("level")["state"].nunique() == 1).all())
