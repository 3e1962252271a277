"""What a reader wants to see of a cohort before any model: who the samples are, by state, and how they lie."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.auditing.baselines import library_sizes, n_detected
from exoclassify.auditing.columns import described_by, names_persons
from exoclassify.auditing.reference import log_view
from exoclassify.data.cohort import Cohort
from exoclassify.typing import Floats

__all__ = ["principal_components", "table_one"]

_MOST_LEVELS = 6
_MOST_COLUMNS = 20


def table_one(cohort: Cohort) -> list[dict[str, Any]]:
    """Describe the samples of each state: the sheet's columns, and what was measured of each library.

    ``what``, ``states`` (a text for each state: mean (SD), or count (percent)), ``difference``: the largest standardised
    difference between two states, None where a state has fewer than two values; ``missing``: samples without a value.

    Notes
    -----
    Standardised differences as Austin 2009 (doi 10.1002/sim.3697): for numbers in pooled standard deviations, for a level in
    pooled standard deviations of its share. Above 0.1 is commonly called an imbalance.
    """
    rows = [{"what": "samples", "states": {s: str(int((cohort.y == s).sum())) for s in cohort.states}}]
    if cohort.has_subjects:
        people = {s: str(len(np.unique(cohort.groups[cohort.y == s]))) for s in cohort.states}
        rows.append({"what": "people", "states": people})
    found = [{"difference": None, "missing": 0, **row} for row in rows]
    sheet = cohort.sheet
    skipped = (sheet.label_column, sheet.subject_column)
    columns = [c for c in sheet.frame.columns if c not in skipped and not names_persons(str(c))]
    for column in columns[:_MOST_COLUMNS]:
        found += _of_column(str(column), sheet.frame[column], cohort)
    name, sizes = library_sizes(cohort.cargo)
    name += ", log2" * name.startswith(("library", "sum"))
    for what, values in ((name, sizes), ("molecules detected", n_detected(cohort.cargo))):
        found.append(_of_numbers(what, values, cohort))
    return found


def _of_column(column: str, cells: pd.Series, cohort: Cohort) -> list[dict[str, Any]]:
    values = described_by(cells)
    if values.dtype.kind == "f":
        return [_of_numbers(column, values, cohort)]
    levels = cells.dropna().unique()
    if not 1 < len(levels) <= _MOST_LEVELS:
        return []
    known = cells.notna().to_numpy()
    rows = []
    for level in sorted(map(str, levels)):
        here = (cells == level).to_numpy()
        shares = {
            s: here[(cohort.y == s) & known].mean() if (known & (cohort.y == s)).any() else np.nan
            for s in cohort.states
        }
        texts = {
            s: f"{int(here[cohort.y == s].sum())} ({shares[s]:.0%})" if shares[s] == shares[s] else "–" for s in shares
        }
        difference = _largest([(p, p * (1 - p)) for p in shares.values()])
        rows.append(
            {"what": f"{column}: {level}", "states": texts, "difference": difference, "missing": int((~known).sum())}
        )
    return rows


def _of_numbers(what: str, values: Floats, cohort: Cohort) -> dict[str, Any]:
    texts, parts = {}, []
    for state in cohort.states:
        known = values[(cohort.y == state) & np.isfinite(values)]
        enough = len(known) > 1
        spread = float(known.std(ddof=1)) if enough else np.nan
        form = ",.0f" if enough and known.mean() >= 1000 else ".4g"
        texts[state] = f"{known.mean():{form}} ({spread:{form}})" if enough else "–"
        parts.append((float(known.mean()) if enough else np.nan, spread**2))
    missing = int((~np.isfinite(values)).sum())
    return {"what": f"{what}, mean (SD)", "states": texts, "difference": _largest(parts), "missing": missing}


def _largest(parts: list[tuple[float, float]]) -> float | None:
    """Give the largest difference of two means in units of their pooled standard deviation."""
    found = []
    for (a, va), (b, vb) in combinations(parts, 2):
        pooled = np.sqrt((va + vb) / 2)
        if pooled > 0:
            found.append(abs(a - b) / pooled)
    known = [one for one in found if np.isfinite(one)]
    return round(float(max(known)), 3) if known else None


def principal_components(cohort: Cohort) -> dict[str, Any]:
    """Place each sample on the two main directions of the normalised cargo.

    ``x``, ``y`` (in standard deviations of the direction), ``state``, ``batch`` (None where no batches are known), and
    ``explained``: the shares of variance of both.
    """
    V = log_view(cohort.cargo)
    centred = V - V.mean(axis=0)
    values, vectors = np.linalg.eigh(centred @ centred.T)  # samples are fewer than molecules
    order = np.argsort(values)[::-1][:2]
    scores: NDArray[np.float64] = vectors[:, order] * np.sqrt(len(V))
    scores = scores * np.where(scores[np.abs(scores).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    total = float(np.maximum(values, 0).sum()) or 1.0
    return {
        "x": [round(float(v), 3) for v in scores[:, 0]],
        "y": [round(float(v), 3) for v in scores[:, 1]],
        "state": [str(s) for s in cohort.y],
        "batch": None if cohort.batches is None else [str(b) for b in cohort.batches],
        "explained": [round(float(max(values[i], 0.0)) / total, 4) for i in order],
    }
