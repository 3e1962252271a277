"""POST /v1/predict-file: a table in, answers out, read in a process of its own.

What a stranger's file does to a parser stays in that process: its memory and time are bounded, it can crash, and the worker
goes on answering others meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from email.message import EmailMessage
from pathlib import Path, PurePosixPath
from typing import Any

from starlette.responses import Response, StreamingResponse

from exoclassify.errors import InputError
from exoclassify.model.child import Child, ChildLostError
from service.exchange import Refusal, Request
from service.limits import Turns
from service.predict import explained
from service.reading import media_of
from service.records import Records
from service.served import Served
from service.settings import Settings
from service.telemetry import Metrics

__all__ = ["FORMATS", "MEDIA", "Files", "called", "receive"]

MEDIA = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/plain": ".txt",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.apache.arrow.file": ".arrow",
    "application/vnd.apache.arrow.stream": ".arrow",
}
"""Content types that are read, and the ending each stands for."""

FORMATS = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "jsonl": "application/jsonl",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
    "rejected": "text/csv",
}
"""What can be asked for, and its content type. ``ndjson`` has the objects of /v1/predict, ``rejected`` the rows without an
answer; the others are the files that `exoclassify score` writes."""

_AT_ONCE = 2
"""Files read at the same time by one worker."""

_PATIENCE = 5.0
"""Seconds that a file that has come waits for its turn; then its sender is asked to come again."""

_WORN = 100
"""Files after which a process is replaced."""

_SWOLLEN = 2**30
"""Bytes: a process that held so much at once is replaced."""

_CHUNK = 2**18

_HEADER = 3000
"""Bytes of a header that proxies let through."""


class Files:
    """Scores files, each after `patience` seconds at most; of several API keys (`n_keys`) none takes every turn."""

    def __init__(
        self, served: Served, metrics: Metrics, settings: Settings, records: Records, n_keys: int,
        patience: float = _PATIENCE,
    ) -> None:  # fmt: skip
        self._served, self._metrics, self._settings = served, metrics, settings
        self._records = records
        self._turns = Turns(_AT_ONCE, _AT_ONCE - 1 if n_keys > 1 else _AT_ONCE, patience)
        self._readers = _Readers(settings)

    def start(self) -> None:
        """Start a process that reads files, so that it gets ready while the worker does."""
        self._readers.start()

    def warm(self, folder: Path) -> None:
        """Get a process ready to answer with a model, beside what goes on; arguments as `Standing.folder`."""
        threading.Thread(target=self._readers.warm, args=(folder,), name="warm", daemon=True).start()

    async def predict(self, request: Request) -> Response:
        """POST /v1/predict-file."""
        query = request.query
        bundle, copy = self._served.answering(query.get("model"), query.get("site"))
        form = _format(request)
        ending = MEDIA[media_of(request)]
        job: dict[str, Any] = {
            "model": str(copy),
            "source": f"{secrets.token_hex(8)}{ending}",
            "called": called(request, ending),
            "format": form,
            "kind": query.get("kind", bundle.panel.kind),
            "unit": query.get("unit", bundle.panel.unit),
            "use": {
                "prevalence": _prevalence(query),
                "same_batch": _flag(query, "same_batch"),
                "batch": query.get("batch", "")[:200],
                "site": query.get("site", "")[:200],
                "max_wrong": _share(query, "max_wrong"),
                "level": _share(query, "level"),
            },
            "incomplete": _flag(query, "incomplete"),
            "explain": explained(query),
            "records": self._records.of_file(request),
        }
        if form != "ndjson" and job["explain"]:
            raise Refusal(409, "not_usable", "explanations need format=ndjson", "query.explain")
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="exoclassify-")))
            await receive(request, folder / job["source"])
            async with self._turns.turn(request.key):  # only now: who sends slowly holds up nobody
                calls, report = await self._work({**job, "folder": str(folder)})
            self._metrics.called(bundle.name, bundle.version, calls)
            size = (folder / "answers").stat().st_size
            keep = stack.pop_all()  # the folder goes when the last byte is sent
            request.answered(bundle, sum(calls.values()))
            headers = {"content-length": str(size), "exoclassify-report": _one_line(report)}
            return StreamingResponse(_send(folder / "answers", keep), 200, headers, FORMATS[form])

    async def _work(self, job: dict[str, Any]) -> tuple[dict[str, int], dict[str, Any]]:
        try:
            outcome = await asyncio.to_thread(self._readers.order, job)
        except ChildLostError as error:
            if error.late:
                raise Refusal(413, "too_long", f"the file {error}; send less at a time") from error
            raise Refusal(
                413,
                "too_much",
                "reading the file took more memory than it may, or broke the reader; send less at a time",
            ) from error
        if "error" in outcome:
            raise InputError(outcome["error"])
        if outcome["unrecorded"]:
            self._records.unrecorded(outcome["unrecorded"], sum(outcome["calls"].values()))
        return outcome["calls"], outcome["report"]

    def stop(self) -> None:
        """Let the processes that wait for files end."""
        self._readers.stop()


class _Readers:
    """Processes that read files, kept for the next file: getting ready takes seconds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: list[Child] = []
        self._lock, self._warming = threading.Lock(), threading.Lock()
        self._stopped = False

    def start(self) -> None:
        self._idle.append(self._new())

    def order(self, job: dict[str, Any]) -> dict[str, Any]:
        with self._warming:  # a process that is getting ready answers sooner than a new one
            child = self._taken()
        return self._ordered(child, job)

    def warm(self, folder: Path) -> None:
        with self._warming, suppress(ChildLostError):  # it is started again when it is needed
            self._ordered(self._taken(), {"warm": str(folder)})

    def _ordered(self, child: Child, job: dict[str, Any]) -> dict[str, Any]:
        outcome = child.order(job, self._settings.file_seconds)
        self._give_back(child, outcome["peak"])
        return outcome

    def stop(self) -> None:
        with self._lock:
            self._stopped, idle, self._idle = True, self._idle, []
        for child in idle:
            child.stop()

    def _taken(self) -> Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    return child
        return self._new()

    def _new(self) -> Child:
        return Child("service.filework", self._settings.file_memory)

    def _give_back(self, child: Child, peak: int) -> None:
        with self._lock:
            if not self._stopped and child.n_done < _WORN and peak < _SWOLLEN and len(self._idle) < _AT_ONCE:
                self._idle.append(child)
                return
        child.stop()


def _one_line(report: dict[str, Any]) -> str:
    """Write what became of the rows as ASCII, within what a header may hold."""
    while len(line := json.dumps(report)) > _HEADER:
        longest = max(("first", "notes"), key=lambda name: len(json.dumps(report[name])))
        report = {**report, longest: report[longest][:-1]}
    return line


def called(request: Request, ending: str) -> str:
    """Give the name that the caller's file has there, for messages; a Content-Disposition says it."""
    message = EmailMessage()
    message["content-disposition"] = (
        request.headers.get("content-disposition", "").replace("\n", " ").replace("\r", " ")
    )
    name = PurePosixPath((message.get_filename() or "").replace("\\", "/")).name
    return "".join(letter for letter in name if letter.isprintable())[:100] or f"table{ending}"


async def receive(request: Request, path: Path) -> None:
    """Write a body into a file as it comes."""
    with path.open("wb") as file:
        async for part in request.stream():
            file.write(part)


async def _send(path: Path, keep: ExitStack) -> AsyncIterator[bytes]:
    with keep, path.open("rb") as file:
        while part := file.read(_CHUNK):
            yield part


def _format(request: Request) -> str:
    accepted = request.headers.get("accept", "")
    default = next((name for name, media in FORMATS.items() if media in accepted), "csv")
    form = request.query.get("format", default)
    if form not in FORMATS:
        raise Refusal(400, "query", f"format={form[:20]}: give {', '.join(FORMATS)}", "query.format")
    return form


def _flag(query: dict[str, str], name: str) -> bool:
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise Refusal(400, "query", f"{name}: give true or false", f"query.{name}")
    return text == "true"


def _share(query: dict[str, str], name: str) -> float | None:
    text = query.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"(\d{1,3}(\.\d{0,20})?|\.\d{1,20})(e-?\d{1,3})?", text):
        raise Refusal(400, "query", f"{name}: give a share such as 0.05", f"query.{name}")
    return float(text)


def _prevalence(query: dict[str, str]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for pair in query.get("prevalence", "").split(",") if "prevalence" in query else ():
        state, _, share = pair.partition("=")
        try:
            shares[state.strip()] = float(share)
        except ValueError as error:
            raise Refusal(
                400, "query", "prevalence: write it as neuropathic=0.05,inflammatory=0.1", "query.prevalence"
            ) from error
    return shares
