"""A sample as a change against another of the same person: what a model with a baseline reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.data.visits import check_dates, check_one_each, named_visits, visit_column
from exoclassify.errors import InputError, first_three
from exoclassify.typing import Codes, Floats

__all__ = ["VisitTables", "against_baseline", "against_each_other", "beside", "of_response", "over"]

_FOUND = 10.0
"""Reads: in one of the two samples, or the molecule says nothing; in both, or it says nothing of how deep they were sequenced."""


def changes(table: CargoTable, rows: Codes, against: Codes) -> CargoTable:
    """Give samples as log2 changes against others, in unit ``value`` and under their own ids.

    Parameters
    ----------
    rows, against : ndarray of int
        Positions of the samples, and of the one that each is compared with.

    Notes
    -----
    NaN where either of the two was not measured, or not found where that means too little to be found; of counts, where
    neither has 10 reads, which say nothing of a change. Each pair is centred on
    the median change of its molecules (of counts: of those with 10 reads in both), so that depth, input and loading cancel.
    """
    logs = _logs(table)
    change = logs[rows] - logs[against]
    known = ~np.isnan(change)
    if table.unit == "counts":
        fewer, more = (side(table.values[rows], table.values[against]) for side in (np.fmin, np.fmax))
        change[more < _FOUND] = np.nan
        known = known & (fewer >= _FOUND)
    centre = [np.median(row[held]) if held.any() else 0.0 for row, held in zip(change, known, strict=True)]
    ids = tuple(table.sample_ids[i] for i in rows)
    source = f"{table.source}, as changes"
    return CargoTable(change - np.array(centre)[:, None], ids, table.molecules, table.kind, "value", source)


def beside(table: CargoTable, baselines: CargoTable) -> CargoTable:
    """Give samples as changes against baselines that stand in another table under the same ids."""
    lacking = [sample for sample in table.sample_ids if sample not in set(baselines.sample_ids)]
    if lacking:
        raise InputError(
            f"{baselines.source}: {len(lacking)} of {table.n_samples} samples have no baseline ({first_three(lacking)}); give it "
            "under the id of its sample"
        )
    molecules = tuple(name for name in table.molecules if name in set(baselines.molecules))
    n, ids = table.n_samples, table.sample_ids
    base = baselines.for_samples(ids)
    values = np.concatenate([table.aligned(molecules), base.aligned(molecules)])
    both = CargoTable(
        values, (*ids, *(f"{sample}, baseline" for sample in ids)), molecules, table.kind, table.unit, table.source,
        table.not_detected,
    )  # fmt: skip
    return changes(both, np.arange(n), np.arange(n, 2 * n))


def _logs(table: CargoTable) -> Floats:
    X: Floats = table.values
    if table.unit == "counts":
        logged: Floats = np.log2((X + 0.5) / (np.nansum(X, axis=1, keepdims=True) + 1.0) * 1e6)
        return logged
    if table.unit == "cpm":
        return np.log2(X + 1.0)
    if table.unit == "intensity":
        return np.log2(np.where(X > 0, X, np.nan))
    if table.unit == "ct":
        return np.where(table.not_detected is not None and table.not_detected <= X, np.nan, -X)
    return X


def baseline_rows(sheet: SampleSheet, baseline: str) -> tuple[Codes, Codes]:
    """Find the baseline sample of every other sample.

    Returns
    -------
    rows, against : ndarray of int
        Positions of the samples of other visits whose person has a baseline, and of that.
    """
    visits, persons = named_visits(sheet), np.asarray(sheet.subject)
    where = f"{sheet.source}, column {visit_column(sheet)}"
    if baseline not in visits:
        raise InputError(
            f"{where}: there is no visit {baseline}; it has {first_three(v for v in dict.fromkeys(visits) if v)}"
        )
    first = visits == baseline
    check_one_each(sheet.take(first), persons[first].tolist(), visits[first].tolist())
    of_person = dict(zip(persons[first].tolist(), np.flatnonzero(first).tolist(), strict=True))
    rows = np.array([i for i in np.flatnonzero(~first & (visits != "")) if persons[i] in of_person], dtype=np.intp)
    if not len(rows):
        raise InputError(f"{where}: nobody has visit {baseline} and another; a change needs both")
    return rows, np.array([of_person[persons[i]] for i in rows], dtype=np.intp)


def other_rows(sheet: SampleSheet) -> tuple[Codes, Codes]:
    """Find the other sample of everyone with two; arguments and results as for `baseline_rows`."""
    persons = np.asarray(sheet.subject)
    names, of, n = np.unique(persons, return_inverse=True, return_counts=True)
    if (n != 2).any():
        wrong = names[n != 2]
        raise InputError(
            f"{sheet.source}: {len(wrong)} persons have not exactly two samples ({first_three(wrong)}); this model compares a "
            "person's two samples with each other: leave the others out"
        )
    order = np.argsort(of, kind="stable").reshape(-1, 2)
    rows, against = order.ravel(), order[:, ::-1].ravel()
    back = np.argsort(rows)
    return rows[back], against[back]


@dataclass(frozen=True)
class VisitTables:
    """What a model reads of a person's visits; kept in the bundle, and used alike in training and in answering.

    Parameters
    ----------
    reads : str
        ``baseline``: every sample as its change against the person's baseline; ``pair``: each of a person's two samples as its
        change against the other; ``response``: the first visit, and the change to the second, as two layers.
    visits : tuple of str
        The baseline; or the earlier visit and the later one.
    kind, unit : str
        Of the samples as they are measured.
    not_detected : float or None
        For Ct.
    """

    reads: str
    visits: tuple[str, ...]
    kind: str
    unit: str
    not_detected: float | None

    def since_baseline(self, table: CargoTable | Mapping[str, CargoTable], sheet: SampleSheet) -> CargoTable:
        """Give the samples of all visits but the baseline as changes against it, of persons who have both."""
        if not isinstance(table, CargoTable) or (table.kind, table.unit) != (self.kind, self.unit):
            raise InputError(
                f"{sheet.source}: samples as they were measured are needed ({self.kind}, {self.unit}), that of visit "
                f"{self.visits[0]} among them; the changes are made of them"
            )
        return self.tables(table, sheet)[table.kind]

    def tables(self, table: CargoTable, sheet: SampleSheet) -> dict[str, CargoTable]:
        """Make what the model reads, by layer; of one layer under the kind's name.

        Parameters
        ----------
        sheet : SampleSheet
            Their persons and visits; samples that the table lacks are left out.
        """
        there = np.isin(sheet.sample_ids, table.sample_ids)
        sheet = sheet.take(there)
        own = table.for_samples(sheet.sample_ids)
        if self.reads == "response":
            return _response_tables(own, sheet, *self.visits)
        rows, against = baseline_rows(sheet, self.visits[0]) if self.reads == "baseline" else other_rows(sheet)
        return {table.kind: changes(own, rows, against)}


def against_baseline(cohort: Cohort, baseline: str) -> Cohort:
    """Give the samples of all other visits as changes against the person's baseline; states and persons stay."""
    visits = named_visits(cohort.sheet)
    for visit in dict.fromkeys(visits[(visits != "") & (visits != baseline)].tolist()):
        check_dates(cohort.sheet, (baseline, visit))
    made = _made("baseline", (baseline,), cohort)
    lacking = cohort.n_samples - made.n_samples - int((visits == baseline).sum())
    note = f"left out, for their person has no sample at visit {baseline}: {lacking} samples"
    return dataclasses.replace(made, notes=(*made.notes, note)) if lacking else made


def against_each_other(pairs: Cohort, visits: tuple[str, str]) -> Cohort:
    """Give the two samples of every person as changes against each other; the states are the visits."""
    return _made("pair", visits, pairs)


def of_response(cohort: Cohort, visits: tuple[str, str]) -> Cohort:
    """Give persons, under the id of their first sample, with layers ``first`` and ``change``.

    Parameters
    ----------
    cohort : Cohort
        Of one layer, with columns of persons and visits, labelled by what became of each person.
    visits : (str, str)
        The earlier and the later one; a person may lack the later.
    """
    sheet = cohort.sheet
    check_dates(sheet, visits)
    at = np.isin(named_visits(sheet), visits)
    labels = pd.Series(cohort.y[at]).groupby(cohort.groups[at]).nunique()
    if (labels > 1).any():
        wrong = labels.index[labels > 1]
        raise InputError(
            f"{sheet.source}, column {sheet.label_column}: {len(wrong)} persons have another label at each visit "
            f"({first_three(wrong)}); a response is one for each person"
        )
    return _made("response", visits, cohort)


def over(cohort: Cohort, reads: str, visits: Sequence[str]) -> Cohort:
    """Give what a model reads of a cohort's visits, see `VisitTables`; of pairs the samples of both visits are given."""
    if reads == "baseline":
        return against_baseline(cohort, visits[0])
    return {"pair": against_each_other, "response": of_response}[reads](cohort, (visits[0], visits[1]))


def _made(reads: str, visits: tuple[str, ...], cohort: Cohort) -> Cohort:
    table = cohort.cargo
    plan = VisitTables(reads, visits, table.kind, table.unit, table.not_detected)
    tables = plan.tables(table, cohort.sheet)
    within = set(next(iter(tables.values())).sample_ids)
    sheet = cohort.sheet.take(np.array([sample in within for sample in cohort.sheet.sample_ids]))
    if reads == "response":
        return dataclasses.replace(Cohort.from_layers(tables, sheet), notes=cohort.notes)
    return dataclasses.replace(cohort, layers=tables, sheet=sheet)


def _response_tables(table: CargoTable, sheet: SampleSheet, earlier: str, later: str) -> dict[str, CargoTable]:
    visits, persons = named_visits(sheet), np.asarray(sheet.subject)
    at = np.isin(visits, (earlier, later))
    check_one_each(sheet.take(at), persons[at].tolist(), visits[at].tolist())
    first = np.flatnonzero(visits == earlier)
    if not len(first):
        raise InputError(
            f"{sheet.source}, column {visit_column(sheet)}: nobody has visit {earlier}, which this model reads"
        )
    of_person = dict(zip(persons[first].tolist(), first.tolist(), strict=True))
    second = np.array([i for i in np.flatnonzero(visits == later) if persons[i] in of_person], dtype=np.intp)
    tables = {"first": table.take(first)}
    if len(second):
        against = np.array([of_person[persons[i]] for i in second], dtype=np.intp)
        change = changes(table, second, against)
        tables["change"] = dataclasses.replace(change, sample_ids=tuple(table.sample_ids[i] for i in against))
    return tables
