"""What samples turned out to be: the later diagnosis, by sample id."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from exoclassify.data.samples import SampleSheet
from exoclassify.errors import InputError, first_three
from exoclassify.monitoring.database import reached
from exoclassify.monitoring.tables import OUTCOMES, PREDICTIONS

__all__ = ["Added", "Outcome", "add_outcomes", "read_outcomes"]

_AT_ONCE = 500
"""Ids in one question; SQLite takes 32,766 values at most."""


@dataclass(frozen=True)
class Outcome:
    """One diagnosis.

    Parameters
    ----------
    sample_id : str
        As it was scored.
    state : str
        What it turned out to be.
    diagnosed : date or None
        When.
    source : str or None
        From where it is known.
    """

    sample_id: str
    state: str
    diagnosed: datetime.date | None = None
    source: str | None = None


@dataclass(frozen=True)
class Added:
    """What became of outcomes that were added.

    Parameters
    ----------
    new, same, replaced : tuple of str
        Sample ids that were not known, were known with this state, or got another state.
    contradicted : tuple of str
        Known with another state, and left as they were.
    never_scored : tuple of str
        Kept; no prediction is there for them (yet).
    strange_states : tuple of str
        States that no model answered with for these samples.
    """

    new: tuple[str, ...]
    same: tuple[str, ...]
    replaced: tuple[str, ...]
    contradicted: tuple[str, ...]
    never_scored: tuple[str, ...]
    strange_states: tuple[str, ...]


def read_outcomes(
    path: str | Path, *, state: str, diagnosed: str | None = None, source: str | None = None
) -> list[Outcome]:
    """Read outcomes from a sheet.

    Parameters
    ----------
    path : path
        CSV, TSV, Parquet, Arrow or XLSX with a column ``sample_id``, or ids in the first column.
    """
    sheet = SampleSheet.read(path, label=state)
    dates: Sequence[datetime.date | None] = [None] * sheet.n_samples
    if diagnosed is not None:
        if diagnosed not in sheet.frame.columns:
            raise InputError(
                f"{sheet.source}: there is no column {diagnosed}; its columns are {', '.join(sheet.frame.columns)}"
            )
        dates = [_date(sheet, i, value) for i, value in enumerate(sheet.frame[diagnosed])]
    return [
        Outcome(sample, str(label), date, source)
        for sample, label, date in zip(sheet.sample_ids, sheet.label, dates, strict=True)
        if label is not None
    ]


def add_outcomes(engine: Engine, outcomes: Sequence[Outcome], *, replace: bool = False) -> Added:
    """Keep outcomes, all or none; adding the same again changes nothing."""
    wanted = {outcome.sample_id: outcome for outcome in outcomes}
    if len(wanted) < len(outcomes):
        ids = [outcome.sample_id for outcome in outcomes]
        twice = sorted({sample for sample in ids if ids.count(sample) > 1})
        raise InputError(f"outcomes: {len(twice)} samples come twice ({first_three(twice)}); give each once")
    with reached(engine), engine.begin() as connection:
        known, scored = _known(connection, wanted), _scored(connection, wanted)
        new = [o for o in outcomes if o.sample_id not in known]
        other = [o for o in outcomes if known.get(o.sample_id, o.state) != o.state]
        if new:
            connection.execute(insert(OUTCOMES), [_row(outcome) for outcome in new])
        if other and replace:
            change = update(OUTCOMES).where(OUTCOMES.c.sample_id == bindparam("key"))
            names = ("state", "diagnosed", "source", "recorded")
            change = change.values({name: bindparam(name) for name in names})
            connection.execute(change, [{"key": o.sample_id, **{n: _row(o)[n] for n in names}} for o in other])
    changed = tuple(outcome.sample_id for outcome in other)
    return Added(
        new=tuple(outcome.sample_id for outcome in new),
        same=tuple(o.sample_id for o in outcomes if known.get(o.sample_id) == o.state),
        replaced=changed if replace else (),
        contradicted=() if replace else changed,
        never_scored=tuple(sample for sample in wanted if sample not in scored),
        strange_states=_strange(outcomes, scored),
    )


def _row(outcome: Outcome) -> dict[str, Any]:
    return {**vars(outcome), "recorded": datetime.datetime.now(datetime.UTC)}


def _strange(outcomes: Sequence[Outcome], scored: dict[str, set[str]]) -> tuple[str, ...]:
    strange = {o.state for o in outcomes if o.sample_id in scored and o.state not in scored[o.sample_id]}
    return tuple(sorted(strange))


def _known(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in _parts(ids):
        asked = select(OUTCOMES.c.sample_id, OUTCOMES.c.state).where(OUTCOMES.c.sample_id.in_(some))
        found |= {row.sample_id: row.state for row in connection.execute(asked)}
    return found


def _scored(connection: Connection, ids: Iterable[str]) -> dict[str, set[str]]:
    """Give the states that models answered with, by sample."""
    found: dict[str, set[str]] = {}
    for some in _parts(ids):
        asked = select(PREDICTIONS.c.sample_id, PREDICTIONS.c.probabilities).where(PREDICTIONS.c.sample_id.in_(some))
        for row in connection.execute(asked):
            found.setdefault(row.sample_id, set()).update(row.probabilities)
    return found


def _parts(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def _date(sheet: SampleSheet, i: int, value: object) -> datetime.date | None:
    if pd.isna(value):  # type: ignore[call-overload]
        return None
    try:
        return datetime.date.fromisoformat(str(value)[:10])
    except ValueError as error:
        raise InputError(
            f"{sheet.source}: the date of {sheet.sample_ids[i]} is {value}; write dates as 2026-03-01"
        ) from error
