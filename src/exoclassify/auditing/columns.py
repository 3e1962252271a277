"""Columns of the sheet, and parts of its ids and codes, that are the state under another name or predict it like one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.auditing.baselines import Baseline, Levels, Number
from exoclassify.data.cohort import Cohort
from exoclassify.errors import first_three
from exoclassify.typing import Codes, Floats

__all__ = [
    "column_baselines",
    "described_by",
    "describes_the_state",
    "given_for_one_state",
    "names_persons",
    "numbers_of",
    "parts_of",
    "restates",
]

_OF_PERSONS = re.compile(
    r"(?:subject|patient|donor|participant|person|individual|proband|volunteer)s?(?:[_ .-]?(?:id|no|nr|code))?"
)

_OF_THE_STATE = re.compile(
    r"diagnos|diseas|stage|grade|severity|subtype|pain|score|vas\b|nrs\b|treatment|phenotype|condition|symptom|onset|duration"
)

_NUMBER = re.compile(r"[<>≤≥~≈]?\s*([-+−]?\d+(?:[.,]\d+)?)\s*([^\W\d_%][^\d]*|%)?")
_PART = re.compile(r"[^\W\d_]+|\d+")
_MOSTLY, _FEW_LEVELS = 0.8, 5


def numbers_of(cells: pd.Series) -> Floats:
    """Read cells as numbers, NaN for others; decimal commas and one unit behind the numbers are understood."""
    plain = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
    filled = cells.notna().to_numpy()
    if np.isfinite(plain).sum() > _MOSTLY * filled.sum():
        return plain
    found = [_NUMBER.fullmatch(str(cell).strip()) for cell in cells]
    if len({one[2].strip() for one in found if one is not None and one[2]}) > 1:  # hours among minutes
        return plain
    return np.array([np.nan if one is None else float(one[1].replace(",", ".").replace("−", "-")) for one in found])


def described_by(cells: pd.Series) -> NDArray[Any]:
    """Give a column as numbers where it holds more than five different ones, else as texts; blanks are NaN or empty."""
    numbers = numbers_of(cells)
    known = np.isfinite(numbers)
    if known.sum() > _MOSTLY * cells.notna().sum() and len(np.unique(numbers[known])) > _FEW_LEVELS:
        return numbers
    return cells.fillna("").to_numpy(dtype=np.str_)


def parts_of(cells: pd.Series) -> Iterator[tuple[str, list[str]]]:
    """Give the letters and numbers that all cells hold at one place, counted from the front, and their name."""
    split = [_PART.findall(str(cell)) for cell in cells]
    for place in range(min((len(one) for one in split), default=0)):
        parts = [one[place] for one in split]
        digits = all(part.isdigit() for part in parts)
        yield ("numbers" if digits else "letters"), parts


def column_baselines(cohort: Cohort) -> list[Baseline]:
    """Give every column of the sheet that could predict the state by itself: not ids, not constants."""
    sheet, found = cohort.sheet, []
    for column in sheet.frame.columns:
        # Batches are compared within, see `exoclassify.auditing.batches`; a person has one state, and is no handling.
        if column in (sheet.label_column, sheet.subject_column, sheet.batch_column) or names_persons(str(column)):
            continue
        cells = sheet.frame[column]
        values, name = described_by(cells), f"column {column}"
        if values.dtype.kind == "f":
            found.append(Baseline(name, Number(values), "column", str(column), values))
        elif 1 < cells.nunique(dropna=False) <= max(len(cells) / 2, 2):
            found.append(Baseline(name, Levels(_coded(values)), "column", str(column), values))
        else:
            found += _of_parts(name, cells, cohort)
    found += _of_parts("sample ids", pd.Series(sheet.sample_ids), cohort)
    if sheet.subject_column is not None:
        found += _of_parts(f"column {sheet.subject_column}", sheet.frame[sheet.subject_column], cohort)
    return found


def _of_parts(name: str, cells: pd.Series, cohort: Cohort) -> list[Baseline]:
    """Give letters or numbers at one place of ids or codes: a clinic, a lot, but not the name of state or batch."""
    found: list[Baseline] = []
    for what, parts in parts_of(cells):
        levels, codes = np.array(parts), _coded(np.array(parts))
        same = [one for one in found if one.values is not None and np.array_equal(_coded(one.values), codes)]
        if same or not 1 < len(set(parts)) <= len(parts) / 3 or restates(pd.Series(parts), cohort.y):
            continue
        if cohort.batches is not None and restates(pd.Series(parts), cohort.batches):
            continue
        shown = f"{what} {first_three(sorted(set(parts)))} inside {name}"
        found.append(Baseline(shown, Levels(codes), "column", None, levels, mild=True))
    return found


def _coded(levels: NDArray[np.str_]) -> Codes:
    return np.asarray(np.unique(levels, return_inverse=True)[1], dtype=np.intp)


def names_persons(column: str) -> bool:
    """Say whether a column's name is of persons, such as subject or patient_id."""
    return _OF_PERSONS.fullmatch(column.lower()) is not None


def describes_the_state(column: str) -> bool:
    """Say whether a column's name is of the disease and not of the handling, such as stage or pain_score."""
    return _OF_THE_STATE.search(column.lower()) is not None


def given_for_one_state(cells: pd.Series, y: NDArray[np.str_]) -> bool:
    """Say whether a column is filled in for samples of one state and blank for all others."""
    filled = cells.notna().to_numpy()
    return bool(filled.any()) and len(set(y[filled])) == 1 and not set(y[filled]) & set(y[~filled])


def restates(cells: pd.Series, y: NDArray[np.str_]) -> bool:
    """Say whether every level of a column holds one state only, with two samples a level on average at least."""
    levels = pd.DataFrame({"level": cells.to_numpy(), "state": y}).dropna()
    if levels.empty or levels["level"].nunique() > len(levels) / 2 or levels["state"].nunique() < 2:
        return False
    return bool((levels.groupby("level")["state"].nunique() == 1).all())
