"""Records of use, where a database is set: every answer is on disk before it goes out, and in the database soon after."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from exoclassify.errors import FileError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Predictions
from service.exchange import Answer, Refusal, Request, encoded
from service.schemas import OutcomesRequest, Sample, decoded
from service.settings import Settings, SettingsError
from service.telemetry import Log

if TYPE_CHECKING:
    from exoclassify.monitoring.outcomes import Added, Outcome
    from exoclassify.monitoring.records import RecordWriter

__all__ = ["Records"]

Floats = NDArray[np.float64]


class Records:
    """Keeps what was answered, and takes what samples turned out to be.

    Parameters
    ----------
    settings : Settings
        ``database``, ``spool`` and ``record_cargo``.
    log : Log
        Told when the database is away and when it is back.
    """

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings, self._log = settings, log
        self._writer: RecordWriter | None = None

    @property
    def kept(self) -> bool:
        """Whether records are kept."""
        return self._writer is not None

    def start(self) -> None:
        """Begin to keep records, where a database is set; it need not be there yet.

        Raises
        ------
        SettingsError
            If its packages are not installed.
        FileError
            If the URL is none, or the spool cannot be written.
        """
        if not self._settings.database:
            return
        try:
            from exoclassify.monitoring.records import RecordWriter
        except ImportError as error:
            raise SettingsError(
                f"records need {error.name}: pip install 'exoclassify[monitoring]', or leave EXOCLASSIFY_DATABASE empty"
            ) from error
        logging.getLogger("exoclassify.monitoring").addHandler(_ToLog(self._log))
        self._writer = RecordWriter(self._settings.database, self._settings.spool)

    def stop(self) -> None:
        """Deliver what waits; what the database does not take now stays on disk for the next start."""
        if self._writer is not None:
            complete = self._writer.close()
            self._log.event(
                "records", delivered=self._writer.delivered, lost=self._writer.lost, complete=complete
            )

    def keep(
        self,
        found: Predictions,
        start: int,
        X: Floats,
        bundle: ModelBundle,
        request: Request,
        samples: Sequence[Sample] | None,
    ) -> None:
        """Keep the answers to some rows of a request.

        Parameters
        ----------
        found : Predictions
            Of these rows and perhaps of others.
        start : int
            Where these rows begin.
        X : ndarray of shape (n_samples, n_molecules)
            The rows.
        bundle : ModelBundle
            That answered.
        request : Request
            As it came.
        samples : sequence of Sample or None
            As they were asked, where they were asked by names.
        """
        assert self._writer is not None
        cargo = None
        if self._settings.record_cargo:
            named = None if samples is None else [sample.cargo for sample in samples]
            cargo = named or [dict(zip(bundle.panel.molecules, row, strict=True)) for row in X.tolist()]
        self._writer.put(
            _part(found, start, len(X)),
            request_id=request.id,
            input_sha256=hashlib.sha256(request.body).hexdigest(),
            key_name=request.key or None,
            subjects=None if samples is None else [sample.subject for sample in samples],
            cargo=cargo,
        )
        self._writer.tally(bundle, X)

    def of_file(self, request: Request) -> dict[str, str] | None:
        """Say where the process that reads a file leaves its records; None where none are kept.

        Parameters
        ----------
        request : Request
            With the file.

        Returns
        -------
        dict or None
        """
        if self._writer is None:
            return None
        return {"spool": str(self._settings.spool.resolve()), "request_id": request.id, "key": request.key}

    def unrecorded(self, problem: str) -> None:
        """Log that answers for a file could not be recorded.

        Parameters
        ----------
        problem : str
            Why.
        """
        self._log.event("records", problem=problem)

    async def outcomes(self, request: Request) -> Answer:
        """POST /v1/outcomes."""
        asked = decoded(request.body, OutcomesRequest)
        try:
            from exoclassify.monitoring.outcomes import Outcome

            given = [
                Outcome(o.sample_id, o.state, _date(o.diagnosed), o.source or f"request {request.id}")
                for o in asked.outcomes
            ]
            done = await asyncio.to_thread(self._add, given, asked.replace)
        except FileError as error:
            self._log.event("records", problem=str(error))
            raise Refusal(
                503, "no_database", "the database of records is away; send the outcomes again later", None,
                {"Retry-After": "30"},
            ) from error  # fmt: skip
        return Answer(encoded(asdict(done)), n_samples=len(given))

    def _add(self, given: list[Outcome], replace: bool) -> Added:
        from exoclassify.monitoring.database import opened, upgrade
        from exoclassify.monitoring.outcomes import add_outcomes

        engine = opened(self._settings.database)
        try:
            upgrade(engine)
            return add_outcomes(engine, given, replace=replace)
        finally:
            engine.dispose()


class _ToLog(logging.Handler):
    """Sends what the writer says to the service's own log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.event("records", problem=record.getMessage())


def _part(found: Predictions, start: int, n: int) -> Predictions:
    if start == 0 and n == len(found.sample_ids):
        return found
    rows: Any = slice(start, start + n)
    return Predictions(
        found.sample_ids[rows], found.states, found.probabilities[rows], found.sets[rows], found.novelty_p[rows],
        found.coverage[rows], found.calls[rows], found.flags[rows], found.model, found.version,
    )  # fmt: skip


def _date(text: str | None) -> datetime.date | None:
    try:
        return None if text is None else datetime.date.fromisoformat(text)
    except ValueError as error:
        raise Refusal(
            409, "not_usable", f"{text} is no date; write dates as 2026-03-01", "outcomes"
        ) from error
