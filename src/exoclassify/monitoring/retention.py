"""How long records are kept, and how what is known of one person is removed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, Table, delete, func, select

from exoclassify.errors import InputError
from exoclassify.monitoring.database import reached
from exoclassify.monitoring.tables import OUTCOMES, PREDICTIONS, TALLIES

__all__ = ["Removed", "forget", "remove_before"]


@dataclass(frozen=True)
class Removed:
    """How much was removed.

    Parameters
    ----------
    predictions, outcomes, tallies : int
        Rows of each table.
    """

    predictions: int
    outcomes: int
    tallies: int


def forget(engine: Engine, *, sample: str | None = None, subject: str | None = None, dry_run: bool = False) -> Removed:
    """Remove all records of a sample or a person, outcomes too.

    Parameters
    ----------
    sample, subject : str, optional
        One of them. A person's samples are those that were scored under this subject.
    """
    if (sample is None) == (subject is None):
        raise InputError("say either the sample or the subject whose records are to go")
    if sample is not None:
        theirs: ColumnElement[bool] = PREDICTIONS.c.sample_id == sample
        outcomes: ColumnElement[bool] = OUTCOMES.c.sample_id == sample
    else:
        samples = select(PREDICTIONS.c.sample_id).where(PREDICTIONS.c.subject == subject)
        theirs = PREDICTIONS.c.sample_id.in_(samples)
        outcomes = OUTCOMES.c.sample_id.in_(samples)
    # Outcomes first: they are found by the predictions.
    return _removed(engine, ((OUTCOMES, outcomes), (PREDICTIONS, theirs)), dry_run)


def remove_before(engine: Engine, day: datetime.date, *, dry_run: bool = False) -> Removed:
    """Remove all that is older than a day."""
    start = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    old = (
        (OUTCOMES, OUTCOMES.c.recorded < start),
        (PREDICTIONS, PREDICTIONS.c.at < start),
        (TALLIES, TALLIES.c.day < day),
    )
    return _removed(engine, old, dry_run)


def _removed(engine: Engine, what: tuple[tuple[Table, ColumnElement[bool]], ...], dry_run: bool) -> Removed:
    counts = {table.name: 0 for table in (PREDICTIONS, OUTCOMES, TALLIES)}
    with reached(engine), engine.begin() as connection:
        for table, which in what:
            if dry_run:
                counted = select(func.count()).select_from(table).where(which)
                counts[table.name] = int(connection.execute(counted).scalar_one())
            else:
                counts[table.name] = connection.execute(delete(table).where(which)).rowcount
    return Removed(**counts)
