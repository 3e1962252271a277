"""Figures for Prometheus and one JSON line a request: what happened, never what was measured and of whom."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter as Tally
from collections.abc import Callable, Mapping
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from exoclassify.model.prediction import Predictions
from service.exchange import encoded

if TYPE_CHECKING:
    from exoclassify.monitoring.spool import Ledger

__all__ = ["Log", "Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_SHARES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


_LEDGER = {
    "delivered": "Records in the database",
    "waiting": "Records on disk that the database does not have yet",
    "refused": "Records that the database will never take, kept in the spool",
    "lost": "Answers without a record on disk or in the database",
    "oldest": "Seconds that the oldest record has waited",
}


class Metrics:
    """What is counted.

    Notes
    -----
    With several workers prometheus_client adds them up through the folder PROMETHEUS_MULTIPROC_DIR, which ``bentoml
    serve`` makes. Labels come from fixed sets: routes, statuses, states, models.
    """

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        # Written before the first request, so that a scrape of an idle service shows them. Finding a label takes longer than
        # counting, so what was found once is kept.
        self._requests = cache(
            Counter("exoclassify_requests", "Requests answered", ("route", "status"), registry=registry).labels
        )
        self._seconds = cache(
            Histogram(
                "exoclassify_request_seconds", "Time from headers to last byte", ("route",),
                registry=registry, buckets=_SECONDS,
            ).labels
        )  # fmt: skip
        self._calls = cache(
            Counter("exoclassify_calls", "Samples by call", ("model", "version", "call"), registry=registry).labels
        )
        self._flags = cache(
            Counter("exoclassify_flags", "Reasons of uncertain calls", ("model", "flag"), registry=registry).labels
        )
        self._shares = [
            cache(Histogram(f"exoclassify_{name}", said, ("model",), registry=registry, buckets=_SHARES).labels)
            for name, said in (("novelty_p", "p-value of novelty"), ("coverage", "Measured share of the panel"))
        ]
        self._swaps = Counter(
            "exoclassify_model_loads", "Models loaded or refused", ("model", "version", "outcome"), registry=registry
        )
        self._serving = Gauge(
            "exoclassify_model_serving", "1 for the version that answers",
            ("model", "version"), registry=registry, multiprocess_mode="mostrecent",
        )  # fmt: skip
        self._refused = Gauge(
            "exoclassify_model_refused", "1 when the champion was refused and an older version, or none, answers",
            ("model",), registry=registry, multiprocess_mode="mostrecent",
        )  # fmt: skip
        self._looked = Gauge(
            "exoclassify_champions_looked_timestamp_seconds", "When the worker last looked for new champions",
            registry=registry, multiprocess_mode="min",
        )  # fmt: skip
        self._records = {
            name: Gauge(f"exoclassify_records_{name}", said, registry=registry, multiprocess_mode="mostrecent")
            for name, said in _LEDGER.items()
        }
        self._versions: dict[str, str] = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request; its route as it is declared, or ``other``."""
        self._requests(route, str(status)).inc()
        self._seconds(route).observe(seconds)

    def answers(self, predictions: Predictions, start: int, stop: int) -> None:
        """Count answers."""
        model, version = predictions.model, predictions.version
        self.called(model, version, Tally(predictions.calls[start:stop]))
        for flag, number in Tally(chain.from_iterable(predictions.flags[start:stop])).items():
            self._flags(model, flag).inc(number)
        for labels, values in zip(self._shares, (predictions.novelty_p, predictions.coverage), strict=True):
            for value in values[start:stop].tolist():
                labels(model).observe(value)

    def called(self, model: str, version: str, calls: Mapping[str, int]) -> None:
        """Count calls."""
        for call, number in calls.items():
            self._calls(model, version, call).inc(number)

    def loaded(self, model: str, version: str, problem: str | None) -> None:
        """Count that a model was loaded or refused."""
        self._swaps.labels(model, version, "loaded" if problem is None else "refused").inc()
        self._refused.labels(model).set(problem is not None)
        if problem is None:
            if model in self._versions:
                self._serving.labels(model, self._versions[model]).set(0)
            self._serving.labels(model, version).set(1)
            self._versions[model] = version

    def looked(self, when: float) -> None:
        """Keep when the champions were last looked at, in seconds since 1970."""
        self._looked.set(when)

    def records(self, ledger: Ledger) -> None:
        """Keep where the records of all workers are."""
        for name in _LEDGER:
            self._records[name].set(getattr(ledger, name))

    def text(self) -> bytes:
        """Give all figures in Prometheus' text format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class Log:
    """One line of JSON an event, on stderr; of `everything` also requests that went well."""

    def __init__(self, everything: bool, stream: TextIO | None = None) -> None:
        self._everything = everything
        self._stream = stream
        self._clock: Callable[[], float] = time.time

    def request(self, **fields: object) -> None:
        """Log a request; `fields` must have ``status``."""
        status = fields["status"]
        if self._everything or (isinstance(status, int) and status >= 500):
            self._write("request", fields)

    def event(self, event: str, **fields: object) -> None:
        """Log something else that happened."""
        self._write(event, fields)

    def _write(self, event: str, fields: dict[str, object]) -> None:
        line = encoded({"time": round(self._clock(), 3), "event": event, **fields})
        stream = self._stream or sys.stderr
        stream.write(line.decode() + "\n")
        stream.flush()
