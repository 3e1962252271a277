"""Answers as entries of the spool, and entries as rows of the table of predictions, ready for the database's driver."""

from __future__ import annotations

import datetime
import itertools
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from exoclassify.monitoring.spool import Entry, Spool

if TYPE_CHECKING:
    from exoclassify.model.prediction import Predictions

__all__ = ["Row", "Source", "entry_of", "leave_in_spool", "rows_of"]

Row = list[Any]

_prefix = secrets.token_hex(8)
_number = itertools.count()
_encode = msgspec.json.Encoder().encode


class Source(NamedTuple):
    """Where samples that stand together come from.

    Parameters
    ----------
    n : int
        Samples.
    request_id : str
        Of the request.
    input_sha256 : str
        Of what was sent.
    key_name : str, optional
        Name of the key that was used, never the key.
    subjects : sequence of str or None, optional
        Whose samples they are, where known; needed to delete what is kept of a person.
    cargo : sequence of mapping, optional
        The values sent, for those who switched that on.
    """

    n: int
    request_id: str
    input_sha256: str
    key_name: str | None = None
    subjects: Sequence[str | None] | None = None
    cargo: Sequence[Mapping[str, float | None]] | None = None


def entry_of(predictions: Predictions, sources: Sequence[Source]) -> Entry:
    """Put answers together as plain values, with as little work as can be: those who asked wait for it."""
    return [
        f"{_prefix}{next(_number):08x}",
        time.time(),
        sources,
        predictions.model,
        predictions.version,
        predictions.states,
        predictions.sample_ids,
        predictions.calls,
        predictions.probabilities.tolist(),
        predictions.sets.tolist(),
        predictions.novelty_p.tolist(),
        predictions.coverage.tolist(),
        predictions.flags,
    ]


def rows_of(entry: Entry) -> list[Row]:
    """Give one list of values a sample, in the order of the columns; what is JSON in the database is text here already.

    Parameters
    ----------
    entry : list
        As `entry_of` gives it, or as it comes back from the spool.
    """
    first, at, sources, model, version, states, *columns = entry
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    samples = zip(*columns, strict=True)
    rows: list[Row] = []
    for source in sources:
        _, request_id, sha256, key, subjects, cargo = source
        for i in range(source[0]):
            sample, call, probabilities, held, novelty, coverage, flags = next(samples)
            rows.append([
                f"{first}{len(rows):08x}",
                moment,
                request_id,
                sample,
                None if subjects is None else subjects[i],
                model,
                version,
                sha256,
                call,
                _json(dict(zip(states, probabilities, strict=True))),
                _json([state for state, inside in zip(states, held, strict=True) if inside]),
                novelty,
                coverage,
                _json(flags),
                key,
                None if cargo is None else _json(cargo[i]),
            ])  # fmt: skip
    return rows


def _json(value: Any) -> str:
    return _encode(value).decode()


def leave_in_spool(folder: Path, entry: Entry) -> None:
    """Leave an entry on disk for a writer on that folder to deliver; for a process that ends before it could itself."""
    spool = Spool(folder)
    try:
        spool.append(entry, sum(source[0] for source in entry[2]))
    finally:
        spool.close()
