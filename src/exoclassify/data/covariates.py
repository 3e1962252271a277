"""Columns of the sample sheet as a layer of their own: age, sex, BMI, scores of questionnaires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import InputError
from exoclassify.typing import Floats

__all__ = ["COVARIATES", "covariate_table", "covariates_there", "with_covariates"]

COVARIATES = "covariates"
"""Name of the layer."""

_NUMERIC = 0.8
"""Share of the known cells of a column that are numbers, from which it counts as one of numbers."""

_MOST_LEVELS = 8
"""Different texts of a column; with more it is no covariate but a name."""


def with_covariates(cohort: Cohort, columns: Sequence[str]) -> Cohort:
    """Give a cohort whose covariates are a layer beside its others.

    Parameters
    ----------
    columns : sequence of str
        Numbers, or texts of up to 8 levels; those called sex, age or BMI where none is named.
    """
    sheet = cohort.sheet
    names = list(columns) or sheet.covariates()
    lacking = [name for name in names if name not in sheet.frame.columns]
    if lacking or not names:
        what = f"there is no covariate column {lacking[0]}" if lacking else "it has no column called sex, age or bmi"
        raise InputError(f"{sheet.source}: {what}; name covariates by their columns, as in --covariates age,sex")
    wanted = [encoded for name in names for encoded in _encoded(sheet.frame[name], name)]
    if not wanted:
        raise InputError(
            f"{sheet.source}: {', '.join(names)} cannot be used as covariates: give numbers, or texts of 2 to {_MOST_LEVELS} "
            "levels"
        )
    return replace(cohort, layers={**cohort.layers, COVARIATES: covariate_table(sheet.frame, wanted, sheet.source)})


def covariate_table(frame: pd.DataFrame, wanted: Sequence[str], source: str) -> CargoTable:
    """Read covariates from the columns of a sheet.

    Parameters
    ----------
    wanted : sequence of str
        ``age`` for a column of numbers, ``sex=F`` for whether a column holds a text.
    """
    there = [name for name in wanted if name.partition("=")[0] in frame.columns]
    if not there:
        columns = ", ".join(dict.fromkeys(name.partition("=")[0] for name in wanted))
        raise InputError(f"{source}: has none of the covariates that are read ({columns}); name its columns so")
    values = np.column_stack([_values(frame, name) for name in there])
    known = np.asarray(~np.isnan(values).all(axis=1), dtype=bool)
    ids = tuple(str(name) for name, has in zip(frame.index, known, strict=True) if has)
    return CargoTable(values[known], ids, tuple(there), "other", "value", source)


def covariates_there(sheet: SampleSheet, wanted: Sequence[str]) -> dict[str, CargoTable]:
    """Give the layer of the covariates that a sheet has; none where it has no such column, or no cell is known."""
    if not any(name.partition("=")[0] in sheet.frame.columns for name in wanted):
        return {}
    table = covariate_table(sheet.frame, wanted, sheet.source)
    return {COVARIATES: table} if table.n_samples else {}


def _values(frame: pd.DataFrame, name: str) -> Floats:
    column, found, level = name.partition("=")
    cells = frame[column]
    if not found:
        return pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
    texts = cells.fillna("").astype(str).str.strip()
    return np.where(texts == "", np.nan, (texts == level).astype(np.float64))


def _encoded(cells: pd.Series, name: str) -> list[str]:
    """Say which columns of numbers a covariate becomes: of two levels one, of more one each; none where nothing differs."""
    texts = cells.fillna("").astype(str).str.strip()
    known = texts[texts != ""]
    numbers = pd.to_numeric(known, errors="coerce")
    if len(known) and numbers.notna().mean() >= _NUMERIC:
        return [name] if numbers.nunique() > 1 else []
    levels = sorted(known.unique())
    if not 2 <= len(levels) <= _MOST_LEVELS:
        return []
    return [f"{name}={level}" for level in (levels[1:] if len(levels) == 2 else levels)]
