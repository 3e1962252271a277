"""Records of use, where a database is set: every answer is on disk before it goes out, and in the database soon after."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from exoclassify.errors import FileError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Predictions
from exoclassify.typing import Floats
from service.exchange import Answer, Refusal, Request
from service.reading import decoded
from service.schemas import OutcomesRequest, Sample
from service.settings import Settings, SettingsError
from service.telemetry import Log

if TYPE_CHECKING:
    from exoclassify.monitoring.outcomes import Added, Outcome
    from exoclassify.monitoring.records import RecordWriter
    from exoclassify.monitoring.rows import Source
    from exoclassify.monitoring.spool import Ledger

__all__ = ["Records"]


class Records:
    """Keeps what was answered, and takes what samples turned out to be."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings, self._log = settings, log
        self._writer: RecordWriter | None = None
        self._source: type[Source]

    def start(self) -> None:
        """Begin to keep records, where a database is set; it need not be there yet."""
        if not self._settings.database:
            if self._settings.records_required:
                raise SettingsError("EXOCLASSIFY_RECORDS=required needs EXOCLASSIFY_DATABASE; set it too")
            return
        try:
            from exoclassify.monitoring.records import RecordWriter
            from exoclassify.monitoring.rows import Source
        except ImportError as error:
            raise SettingsError(
                f"records need {error.name}: pip install 'exoclassify[monitoring]', or leave EXOCLASSIFY_DATABASE empty"
            ) from error
        logging.getLogger("exoclassify.monitoring").addHandler(_ToLog(self._log))
        self._source = Source
        self._writer = RecordWriter(
            self._settings.database, self._settings.spool, required=self._settings.records_required
        )

    def stop(self) -> None:
        """Deliver what waits; what the database does not take now stays on disk for the next start."""
        if self._writer is not None:
            complete = self._writer.close()
            self._log.event("records", delivered=self._writer.delivered, lost=self._writer.lost, complete=complete)

    def ledger(self) -> Ledger | None:
        """Say where the records are, of all workers; None where none are kept."""
        return None if self._writer is None else self._writer.ledger()

    def source(
        self, request: Request, X: Floats, bundle: ModelBundle, samples: Sequence[Sample] | None
    ) -> Source | None:
        """Say where samples come from, as it will be kept; None where nothing is.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            The rows asked for.
        """
        if self._writer is None:
            return None
        cargo = None
        if self._settings.record_cargo:
            named = None if samples is None or bundle.layers else [_flat(sample) for sample in samples]
            cargo = named or [dict(zip(bundle.panel.molecules, row, strict=True)) for row in X.tolist()]
        subjects = None if samples is None else [sample.subject for sample in samples]
        return self._source(len(X), request.id, request.digest, request.key or None, subjects, cargo)

    def keep(self, found: Predictions, sources: Sequence[Source], X: Floats, bundle: ModelBundle) -> None:
        """Keep answers for samples X of shape (n_samples, n_molecules)."""
        assert self._writer is not None
        try:
            self._writer.put(found, sources)
        except FileError as error:
            raise _unkept() from error
        self._writer.tally(bundle, X)

    def of_file(self, request: Request) -> dict[str, str] | None:
        """Say where the process that reads a file leaves its records; None where none are kept."""
        if self._writer is None:
            return None
        return {"spool": str(self._settings.spool.resolve()), "request_id": request.id, "key": request.key}

    def unrecorded(self, problem: str, n: int) -> None:
        """Count answers for a file that could not be recorded."""
        assert self._writer is not None
        if self._settings.records_required:
            raise _unkept()
        self._writer.lose(n, problem)

    async def outcomes(self, request: Request) -> Answer:
        """POST /v1/outcomes."""
        asked = decoded(await request.body(), OutcomesRequest)
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
        request.n_samples = len(given)
        return Answer(asdict(done))

    def _add(self, given: list[Outcome], replace: bool) -> Added:
        from exoclassify.monitoring.database import opened, upgrade
        from exoclassify.monitoring.outcomes import add_outcomes

        engine = opened(self._settings.database)
        try:
            upgrade(engine)
            return add_outcomes(engine, given, replace=replace)
        finally:
            engine.dispose()


def _unkept() -> Refusal:
    return Refusal(
        503, "not_recorded", "the answer cannot be recorded now, and no answer goes out without its record; ask again later",
        None, {"Retry-After": "30"},
    )  # fmt: skip


class _ToLog(logging.Handler):
    """Sends what the writer says to the service's own log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.event("records", problem=record.getMessage())


def _date(text: str | None) -> datetime.date | None:
    try:
        return None if text is None else datetime.date.fromisoformat(text)
    except ValueError as error:
        raise Refusal(409, "not_usable", f"{text} is no date; write dates as 2026-03-01", "outcomes") from error


def _flat(sample: Sample) -> dict[str, float | None]:
    return {name: value for name, value in sample.cargo.items() if not isinstance(value, dict)}
