"""Answers as rows of the table of predictions, ready for the database's driver."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from exoclassify.model.prediction import Predictions
from exoclassify.monitoring.journal import LIMIT, Journal, Row

__all__ = ["leave_in_spool", "rows_of"]


def rows_of(
    predictions: Predictions,
    *,
    request_id: str,
    input_sha256: str,
    key_name: str | None = None,
    subjects: Sequence[str | None] | None = None,
    cargo: Sequence[Mapping[str, float | None]] | None = None,
) -> list[Row]:
    """Give one list of values a sample, in the order of the columns; what is JSON in the database is text here already.

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
    list of list
    """
    at = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    states, first = predictions.states, uuid.uuid4().hex[:24]
    probabilities, sets = predictions.probabilities.tolist(), predictions.sets.tolist()
    novelty, coverage = predictions.novelty_p.tolist(), predictions.coverage.tolist()
    model, version = predictions.model, predictions.version
    return [
        [
            f"{first}{i:08x}",
            at,
            request_id,
            sample,
            None if subjects is None else subjects[i],
            model,
            version,
            input_sha256,
            predictions.calls[i],
            _json(dict(zip(states, probabilities[i], strict=True))),
            _json([state for state, held in zip(states, sets[i], strict=True) if held]),
            novelty[i],
            coverage[i],
            _json(predictions.flags[i]),
            key_name,
            None if cargo is None else _json({name: _finite(value) for name, value in cargo[i].items()}),
        ]
        for i, sample in enumerate(predictions.sample_ids)
    ]


def leave_in_spool(folder: Path, rows: Sequence[Row]) -> None:
    """Leave rows on disk for a writer on that folder to deliver; for a process that ends before it could itself.

    Parameters
    ----------
    folder : Path
        Of the writer.
    rows : sequence of list
        As `rows_of` gives them.

    Raises
    ------
    FileError
        If the folder cannot be written.
    OSError
        If the disk is full.
    """
    journal = Journal(folder, LIMIT)
    try:
        journal.append(rows)
    finally:
        journal.close()


_json = json.JSONEncoder(allow_nan=False).encode


def _finite(value: float | None) -> float | None:
    return None if value is None or value != value else value
