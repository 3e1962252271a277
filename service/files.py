"""POST /v1/predict-file: a table in, answers out, read in a process of its own.

What a stranger's file does to a parser stays in that process: its memory and time are bounded, it can crash, and the worker
goes on answering others meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from exoclassify.errors import InputError
from service.exchange import Answer, Refusal, Request, encoded
from service.predict import explained
from service.records import Records
from service.served import Served
from service.settings import ROOT, Settings
from service.telemetry import Metrics

__all__ = ["FORMATS", "MEDIA", "Files"]

MEDIA = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.apache.arrow.file": ".arrow",
    "application/vnd.apache.arrow.stream": ".arrow",
}
"""Content types that are read, and the ending each stands for."""

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
"""What can be asked for, and its content type."""

_AT_ONCE = 2
"""Files read at the same time by one worker; the next one is asked to come again."""

_CHUNK = 2**18

_DEAF = ("/bin/sh", "-c", 'trap "" TERM; exec "$0" "$@"')
"""Starts a process that does not hear SIGTERM: process managers send it to the children of a worker too, and a service that
stops lets the files it began be finished."""


class Files:
    """Scores files.

    Parameters
    ----------
    served : Served
        The models.
    metrics : Metrics
        Told of the calls.
    settings : Settings
        Limits.
    records : Records
        Keeps every answer, where that is asked for.
    """

    def __init__(self, served: Served, metrics: Metrics, settings: Settings, records: Records) -> None:
        self._served, self._metrics, self._settings = served, metrics, settings
        self._records = records
        self._n_running = 0
        self._spare: asyncio.subprocess.Process | None = None  # started ahead: getting ready takes a second
        self._stopped = False

    async def predict(self, request: Request) -> Answer:
        """POST /v1/predict-file."""
        query = request.query
        bundle = self._served.bundle(query.get("model"), query.get("site"))
        form = _format(request)
        if self._n_running >= _AT_ONCE:
            raise Refusal(
                429,
                "overloaded",
                f"{_AT_ONCE} files are being read; try again in a second",
                None,
                {"Retry-After": "1"},
            )
        media = request.headers[b"content-type"].decode("latin-1").partition(";")[0].strip().lower()
        job: dict[str, Any] = {
            "model": str(self._served.registry.path(bundle.name, bundle.version)),
            "source": "body" + MEDIA[media],
            "format": form,
            "kind": query.get("kind", bundle.panel.kind),
            "unit": query.get("unit", bundle.panel.unit),
            "use": {
                "prevalence": _prevalence(query),
                "same_batch": _flag(query),
                "batch": query.get("batch", "")[:200],
                "site": query.get("site", "")[:200],
                "max_wrong": _share(query, "max_wrong"),
                "level": _share(query, "level"),
            },
            "explain": explained(query),
            "memory": self._settings.file_memory,
            "records": self._records.of_file(request),
        }
        if form != "ndjson" and job["explain"]:
            raise Refusal(409, "not_usable", "explanations need format=ndjson", "query.explain")
        self._n_running += 1
        with ExitStack() as stack:
            stack.callback(self._one_less)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="exoclassify-")))
            await _receive(request, folder / job["source"])
            calls = await self._work({**job, "folder": str(folder)})
            self._metrics.called(bundle.name, bundle.version, calls)
            size = (folder / "answers").stat().st_size
            keep = stack.pop_all()  # the folder goes when the last byte is sent
            return Answer(
                media=FORMATS[form],
                headers=((b"content-length", b"%d" % size),),
                stream=_send(folder / "answers", keep),
                n_samples=sum(calls.values()),
                model=f"{bundle.name} {bundle.version}",
            )

    def _one_less(self) -> None:
        self._n_running -= 1

    async def _work(self, job: dict[str, Any]) -> dict[str, int]:
        process, self._spare = self._spare, None
        if process is None or process.returncode is not None:
            process = await _started()
        try:
            async with asyncio.timeout(self._settings.file_seconds):
                said, _ = await process.communicate(encoded(job))
        except TimeoutError as error:
            raise Refusal(
                413,
                "too_long",
                f"the file took longer than {self._settings.file_seconds:g} s; send less at a time",
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if self._spare is None and not self._stopped:
            self._spare = await _started()
        try:
            outcome = msgspec.json.decode(said)
        except msgspec.DecodeError as error:
            raise Refusal(
                413,
                "too_much",
                "reading the file took more memory than it may, or broke the reader; send less at a time",
            ) from error
        if "error" in outcome:
            raise InputError(outcome["error"])
        if outcome["unrecorded"]:
            self._records.unrecorded(outcome["unrecorded"])
        calls: dict[str, int] = outcome["calls"]
        return calls

    def stop(self) -> None:
        """Let the process that waits for the next file end."""
        self._stopped = True
        if self._spare is not None and self._spare.stdin is not None:
            self._spare.stdin.close()


async def _started() -> asyncio.subprocess.Process:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EXOCLASSIFY_")}
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # Arrow's own pools reserve a gigabyte of addresses before anything is read, and addresses are what is bounded.
    environment |= {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}
    return await asyncio.create_subprocess_exec(
        *_DEAF, sys.executable, "-m", "service.filejob", env=environment,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def _receive(request: Request, path: Path) -> None:
    with path.open("wb") as file:
        async for part in request.chunks():
            file.write(part)


async def _send(path: Path, keep: ExitStack) -> AsyncIterator[bytes]:
    with keep, path.open("rb") as file:
        while part := file.read(_CHUNK):
            yield part


def _format(request: Request) -> str:
    accepted = request.headers.get(b"accept", b"").decode("latin-1")
    default = next((name for name, media in FORMATS.items() if media.partition(";")[0] in accepted), "csv")
    form = request.query.get("format", default)
    if form not in FORMATS:
        raise Refusal(400, "query", f"format={form[:20]}: give {', '.join(FORMATS)}", "query.format")
    return form


def _flag(query: dict[str, str]) -> bool:
    text = query.get("same_batch", "false")
    if text not in ("true", "false"):
        raise Refusal(400, "query", "same_batch: give true or false", "query.same_batch")
    return text == "true"


def _share(query: dict[str, str], name: str) -> float | None:
    if name not in query:
        return None
    try:
        return float(query[name])
    except ValueError as error:
        raise Refusal(400, "query", f"{name}: give a share such as 0.05", f"query.{name}") from error


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
