"""The tables of a database of records, as the newest migration leaves them."""

from __future__ import annotations

import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

__all__ = ["METADATA", "OUTCOMES", "PREDICTIONS", "TALLIES"]

METADATA = MetaData()


class Instant(TypeDecorator[datetime.datetime]):
    """A moment in UTC, whatever the database makes of time zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> Any:
        """Store it without a zone, in UTC; a moment without a zone is UTC already."""
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(datetime.UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime.datetime | None:
        """Read it with its zone."""
        return None if value is None else value.replace(tzinfo=datetime.UTC)


PREDICTIONS = Table(
    "predictions",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("request_id", String(128), nullable=False, index=True),
    Column("sample_id", String(256), nullable=False, index=True),
    Column("subject", String(256), index=True),
    Column("model", String(128), nullable=False),
    Column("version", String(32), nullable=False),
    Column("input_sha256", String(64), nullable=False),
    Column("call", String(128), nullable=False),
    Column("probabilities", JSON, nullable=False),
    Column("prediction_set", JSON, nullable=False),
    Column("novelty_p", Float, nullable=False),
    Column("coverage", Float, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("key_name", String(128)),
    Column("cargo", JSON(none_as_null=True)),
)
"""One answer for one sample; cargo is empty unless its recording was switched on."""

OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("sample_id", String(256), primary_key=True),
    Column("state", String(128), nullable=False),
    Column("diagnosed", Date),
    Column("source", String(256)),
    Column("recorded", Instant, nullable=False),
)
"""What a sample turned out to be; one for each sample."""

TALLIES = Table(
    "tallies",
    METADATA,
    Column("model", String(128), primary_key=True),
    Column("version", String(32), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("writer", String(64), primary_key=True),
    Column("n_samples", Integer, nullable=False),
    Column("counts", LargeBinary, nullable=False),
)
"""How many samples of a day lay between which training quantiles, molecule by molecule; no sample can be told from it."""
