"""Order and time: run orders, dates, clock times, wells, numbers inside ids, and the order of rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import kruskal, norm, rankdata

from exoclassify.auditing.baselines import Baseline, Neighbours, Number
from exoclassify.auditing.columns import numbers_of, parts_of
from exoclassify.auditing.drift import first_of_persons
from exoclassify.data.cohort import Cohort
from exoclassify.typing import Codes, Floats

__all__ = ["Ordering", "order_baselines", "orderings", "runs_of"]


_ORDER_NAMES = (
    "run_order",
    "runorder",
    "injection_order",
    "acquisition_order",
    "processing_order",
    "order",
    "run_number",
)
_DATES = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d", "%Y%m%d", "%Y-%m",
    "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d-%m-%Y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d %Y",
    "%b %d, %Y", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d-%b-%y", "%d %b %y", "%d%b%Y", "%Y.%m.%d", "%b %Y",
    "%B %Y", "%b-%Y", "%b-%y", "%m/%Y", "%m.%Y", "%y%m%d", "%d%m%Y",
)  # fmt: skip
_DATED = re.compile(r".*[-./: ].*|(?:19|20)?\d{6}|\d{8}|\d{1,2}[A-Za-z]{3}\d{4}")
_MONTHS = {"mär": "Mar", "mrz": "Mar", "mai": "May", "okt": "Oct", "dez": "Dec"}
_ZONE = r"(?<=:\d{2})(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})?$"
_CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M%p")
_WELL = re.compile(r"(?:(?:.*?(\d+))?\D*[-_ :/.])?([A-Pa-p])0?([1-9]|1\d|2[0-4])")
_WELL_ROWS = 4
"""Letters that wells of a plate have at least."""
_KNOWN = 0.9  # share of the cells that must be of the form
_TRIES = 499


@dataclass(frozen=True, eq=False)
class Ordering:
    """One way to put the samples in order.

    Parameters
    ----------
    name : str
        In plain words.
    values : ndarray of shape (n_samples,)
        Larger is later; no NaN.
    column : str or None
        The sheet's column that it is read from.
    incidental : bool
        Order of rows or of ids, which need not be that of measurement.
    """

    name: str
    values: Floats
    column: str | None = None
    incidental: bool = False


def orderings(cohort: Cohort) -> list[Ordering]:
    """Find every order of the samples that the sheet and the table hold; each once."""
    found: list[Ordering] = []
    for one in _candidates(cohort):
        ranks = rankdata(one.values)
        known = [rankdata(other.values) for other in found]
        if len(np.unique(ranks)) > 2 and not any(np.array_equal(ranks, other) for other in known):
            found.append(one)
    return found


def _candidates(cohort: Cohort) -> Iterator[Ordering]:
    sheet, n = cohort.sheet, cohort.n_samples
    for column in sheet.frame.columns:
        if column not in (sheet.label_column, sheet.subject_column, sheet.batch_column):
            yield from _of_column(str(column), sheet.frame[column])
    yield Ordering("the order of the sheet's rows", np.arange(n, dtype=np.float64), incidental=True)
    at = {sample: float(i) for i, sample in enumerate(next(iter(cohort.layers.values())).sample_ids)}
    if len(at) == n:
        rows = np.array([at[sample] for sample in sheet.sample_ids])
        yield Ordering("the order of the table's rows", rows, incidental=True)
    yield from _of_ids("sample ids", pd.Series(sheet.sample_ids), None)
    if sheet.subject_column is not None:
        yield from _of_ids(f"column {sheet.subject_column}", sheet.frame[sheet.subject_column], None)


def _of_column(column: str, cells: pd.Series) -> Iterator[Ordering]:
    numbers = numbers_of(cells)
    named = column.lower().replace(" ", "_").replace("-", "_") in _ORDER_NAMES
    whole = np.isfinite(numbers).all() and bool((numbers == np.floor(numbers)).all())
    dates = _parsed(cells, _DATES)
    if dates is not None:
        yield Ordering(f"column {column}, as dates", dates, column)
    elif whole and len(np.unique(numbers)) > len(cells) * (0.5 if named else 0.9) and (named or _is_index(numbers)):
        name = f"run order (column {column})" if named else f"column {column}, as an order"
        yield Ordering(name, numbers, column)
    elif np.isfinite(numbers).mean() > 1 - _KNOWN:
        return
    elif (clock := _parsed(cells, _CLOCKS)) is not None:
        yield Ordering(f"column {column}, as clock times", clock, column)
    elif (wells := _wells(cells)) is not None:
        yield Ordering(f"column {column}, wells along rows", wells[0], column)
        yield Ordering(f"column {column}, wells along columns", wells[1], column)
    elif cells.nunique() > len(cells) / 2:
        yield from _of_ids(f"column {column}", cells, column)


def _is_index(numbers: Floats) -> bool:
    return bool(np.ptp(numbers) < 3 * len(numbers))


def _parsed(cells: pd.Series, formats: tuple[str, ...]) -> Floats | None:
    texts = cells.astype("string").str.strip()
    if not texts.str.fullmatch(_DATED).fillna(False).mean() >= _KNOWN:
        return None
    if formats is _DATES:
        texts = texts.str.replace(_ZONE, "", regex=True)
        for theirs, ours in _MONTHS.items():
            texts = texts.str.replace(theirs, ours, case=False, regex=False)
        if texts.str.fullmatch(r"\d{4}-?W\d{2}").fillna(False).mean() >= _KNOWN:  # weeks, as ISO 8601 writes them
            texts, formats = texts.str.replace("-", "") + "1", ("%GW%V%u",)
    for form in formats:
        times = pd.to_datetime(texts, format=form, errors="coerce")
        if times.notna().mean() >= _KNOWN:
            seconds = times.astype("datetime64[s]").astype("int64").to_numpy().astype(np.float64)
            return _filled(np.where(times.notna().to_numpy(), seconds, np.nan))
    return None


def _filled(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nanmedian(values))


def _wells(cells: pd.Series) -> tuple[Floats, Floats] | None:
    found = [_WELL.fullmatch(str(cell)) for cell in cells]
    if sum(one is not None for one in found) < _KNOWN * len(cells):
        return None
    if len({one[2].upper() for one in found if one is not None}) < _WELL_ROWS:
        return None  # P01, C02: persons, by the first letter of their group
    plate = np.array([np.nan if one is None else float(one[1] or 0) for one in found])
    row = np.array([np.nan if one is None else float(ord(one[2].upper()) - 65) for one in found])
    place = np.array([np.nan if one is None else float(one[3]) for one in found])
    return _filled(plate * 1000 + row * 30 + place), _filled(plate * 1000 + place * 30 + row)


def _of_ids(name: str, ids: pd.Series, column: str | None) -> Iterator[Ordering]:
    """Wells or numbers inside ids, each place where ids hold one, where most of them differ."""
    wells = _wells(ids)
    if wells is not None:
        yield Ordering(f"wells inside {name}, along rows", wells[0], column, incidental=True)
        yield Ordering(f"wells inside {name}, along columns", wells[1], column, incidental=True)
        return
    for what, parts in parts_of(ids):
        if (dates := _parsed(pd.Series(parts), _DATES)) is not None:
            yield Ordering(f"dates inside {name}", dates, column, incidental=True)
        elif what == "numbers" and len(set(parts)) > len(ids) / 2:
            yield Ordering(f"numbers inside {name}", np.array([float(part) for part in parts]), column, incidental=True)


def order_baselines(cohort: Cohort) -> list[Baseline]:
    """Give every order as a technical figure: neighbours along it, and trend.

    One for each order, with the p-value of runs and trend together; orders of rows and ids are what sorting a sheet gives too,
    and are mild.
    """
    found = []
    for one in orderings(cohort):
        runs, expected, p_value = runs_of(one.values, cohort)
        seen = f"labels form {runs} runs along it where mixed ones would form about {expected:.0f}"
        guess = _Along(one.values)
        found.append(Baseline(one.name, guess, "order", one.column, one.values, p_value, seen, mild=one.incidental))
    return found


def runs_of(order: Floats, cohort: Cohort) -> tuple[int, float, float]:
    """Count runs of equal labels along an order, persons once.

    The p-value is that of as few runs, or as strong a trend, by chance: twice the smaller of the two.

    Notes
    -----
    Wald & Wolfowitz 1940, mean and variance by permutation; the trend by Kruskal and Wallis's test.
    """
    first = first_of_persons(cohort)
    y = np.unique(cohort.y[first], return_inverse=True)[1]
    rng = np.random.default_rng(0)
    labels = y[np.lexsort((rng.random(len(first)), order[first]))]
    permuted = np.array([_n_runs(rng.permutation(labels)) for _ in range(_TRIES)])
    spread = max(float(permuted.std()), 1e-9)
    runs = _n_runs(labels)
    few = float(norm.cdf((runs + 0.5 - permuted.mean()) / spread))
    parts = [order[first][y == k] for k in range(int(y.max()) + 1)]
    trend = float(kruskal(*parts).pvalue) if len(np.unique(order[first])) > 1 else 1.0
    return runs, float(permuted.mean()), min(1.0, 2 * min(few, trend))


def _n_runs(labels: Codes) -> int:
    return 1 + int((np.diff(labels) != 0).sum())


class _Along:
    """Neighbours along an order and its trend, together."""

    def __init__(self, order: Floats) -> None:
        spread = float(order.std()) or 1.0
        self.neighbours, self.trend = Neighbours(order), Number((order - order.mean()) / spread)

    def __call__(self, train: Codes, test: Codes, y: Codes, n_states: int) -> Floats:
        return self.neighbours(train, test, y, n_states) + self.trend(train, test, y, n_states)
