"""Answers as entries of the journal, and entries as rows of the table of predictions, ready for the database's driver."""

from __future__ import annotations

import datetime
import itertools
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exoclassify.model.prediction import Predictions
from exoclassify.monitoring.journal import LIMIT, Entry, Journal

__all__ = ["Row", "entry_of", "leave_in_spool", "rows_of"]

Row = list[Any]

_prefix = secrets.token_hex(8)
_number = itertools.count()


def entry_of(
    predictions: Predictions,
    *,
    request_id: str,
    input_sha256: str,
    key_name: str | None = None,
    subjects: Sequence[str | None] | None = None,
    cargo: Sequence[Mapping[str, float | None]] | None = None,
) -> Entry:
    """Put the answers to one request together as plain values, with as little work as can be: the answer waits for it.

    Parameters
    ----------
    predictions : Predictions
        The answers of one request.
    request_id : str
        Of the request.
    input_sha256 : str
        Of what was sent.
    key_name : str, optional
        Name of the key that was used.
    subjects : sequence of str or None, optional
        Whose samples they are.
    cargo : sequence of mapping, optional
        The values sent.

    Returns
    -------
    list
        See `rows_of`.
    """
    return [
        f"{_prefix}{next(_number):08x}",
        time.time(),
        request_id,
        input_sha256,
        key_name,
        predictions.model,
        predictions.version,
        predictions.states,
        predictions.sample_ids,
        subjects,
        predictions.calls,
        predictions.probabilities.tolist(),
        predictions.sets.tolist(),
        predictions.novelty_p.tolist(),
        predictions.coverage.tolist(),
        predictions.flags,
        cargo,
    ]


def rows_of(entry: Entry) -> list[Row]:
    """Give one list of values a sample, in the order of the columns; what is JSON in the database is text here already.

    Parameters
    ----------
    entry : list
        As `entry_of` gives it, or as it comes back from the journal.

    Returns
    -------
    list of list
    """
    first, at, request_id, sha256, key, model, version, states, ids, subjects, calls, *columns, cargo = entry
    probabilities, sets, novelty, coverage, flags = columns
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return [
        [
            f"{first}{i:08x}",
            moment,
            request_id,
            sample,
            None if subjects is None else subjects[i],
            model,
            version,
            sha256,
            calls[i],
            _json(dict(zip(states, probabilities[i], strict=True))),
            _json([state for state, held in zip(states, sets[i], strict=True) if held]),
            novelty[i],
            coverage[i],
            _json(flags[i]),
            key,
            None if cargo is None else _json(cargo[i]),
        ]
        for i, sample in enumerate(ids)
    ]


def leave_in_spool(folder: Path, entry: Entry) -> None:
    """Leave an entry on disk for a writer on that folder to deliver; for a process that ends before it could itself.

    Parameters
    ----------
    folder : Path
        Of the writer.
    entry : list
        As `entry_of` gives it.

    Raises
    ------
    FileError
        If the folder cannot be written.
    OSError
        If the disk is full.
    """
    journal = Journal(folder, LIMIT)
    try:
        journal.append(entry)
    finally:
        journal.close()


_json = json.JSONEncoder(allow_nan=False).encode
