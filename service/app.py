"""The service: what is served at which path, and how it starts and stops.

``bentoml serve service.app:PainService`` runs it with as many workers as EXOCLASSIFY_WORKERS says;
``uvicorn --factory service.app:asgi`` runs the same in one process. BentoML gives processes, build and container; a
request goes from the server to `Guard` and to its route, and through nothing else.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import os
import signal
import socket
import threading
import tomllib
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import bentoml
import click
from _bentoml_sdk import Service
from bentoml._internal.configuration.containers import BentoMLContainer
from starlette.types import Message, Receive, Scope, Send

from exoclassify.errors import ExoclassifyError
from exoclassify.evidence.catalogue import Catalogue
from service import wire
from service.files import Files
from service.guard import Guard, is_loopback
from service.keys import Keys
from service.limits import Pressure
from service.models import Models
from service.oip import Protocol
from service.predict import Predicting
from service.published import Published
from service.records import Records
from service.repository import Repository
from service.routes import routes
from service.served import Served
from service.settings import ROOT, Settings, SettingsError
from service.studies import Studies
from service.telemetry import Log, Metrics

__all__ = ["PainApp", "PainService", "asgi"]

_CONTAINER = "BENTOML_CONTAINERIZED"

_MOST_WAITING = 4000
"""Samples that may wait in one worker: about half a second of work."""


class PainApp:
    """The ASGI application: its parts, put together, and their start and stop; `inner` is BentoML's own."""

    def __init__(self, inner: Any, settings: Settings) -> None:
        self._inner, self._settings = inner, settings
        self._keys, self._log, metrics = Keys.read(settings), Log(settings.log == "requests"), Metrics()
        self._served = Served(settings, self._told(metrics))
        published = Published(Catalogue.read())
        self._records = Records(settings, self._log)
        predicting = Predicting(self._served, metrics, published, self._records)
        self._files = Files(self._served, metrics, settings, self._records, len(self._keys.digests))
        self._studies = Studies(settings, self._served) if settings.studies else None
        self._pressure = Pressure(settings.lag_seconds, _MOST_WAITING, lambda: predicting.n_waiting)
        version = _version()
        found = routes(
            settings,
            version,
            self._served,
            Models(self._served, metrics, self._records, lambda: self._guard.draining),
            predicting,
            self._files,
            Protocol(self._served, predicting, version),
            Repository(self._served),
            published,
            self._records,
            self._studies,
            keyed=bool(self._keys.digests),
        )
        self._guard = Guard(found, settings, self._keys, metrics, self._log, self._pressure)

    def _told(self, metrics: Metrics) -> Any:
        def told(name: str, version: str, problem: str | None, folder: Path | None) -> None:
            metrics.loaded(name, version, problem)
            if folder is not None:
                self._files.warm(folder)
            outcome = "loaded" if problem is None else "refused"
            self._log.event("model", model=name, version=version, outcome=outcome, problem=problem)

        return told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer (ASGI)."""
        if scope["type"] != "lifespan":
            await self._guard(scope, receive, send)
            return

        async def starting(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                try:
                    self._start()
                except ExoclassifyError as error:
                    message = {"type": "lifespan.startup.failed", "message": f"error: {error}"}
            elif message["type"] == "lifespan.shutdown.complete":
                self._stop()
            await send(message)

        await self._inner(scope, receive, starting)

    def _start(self) -> None:
        _check_reach(self._settings, self._keys, _host())
        self._records.start()
        self._files.start()
        self._served.start()
        self._pressure.start()
        if threading.current_thread() is threading.main_thread():
            self._drain_on_sigterm()
        gc.collect()
        gc.freeze()  # what was loaded stays; without this every full collection walks through all of it

    def _stop(self) -> None:
        self._pressure.stop()
        self._files.stop()
        if self._studies is not None:
            self._studies.stop()
        self._records.stop()
        self._served.stop()

    def _drain_on_sigterm(self) -> None:
        """On SIGTERM finish what was begun and answer 503 to the rest for a while, then let the server end."""
        loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

        def end() -> None:
            if callable(before):
                before(signal.SIGTERM, None)

        def drain(number: int, frame: FrameType | None) -> None:
            again = self._guard.draining
            self._guard.draining = True
            self._log.event("stopping", seconds=0 if again else self._settings.drain_seconds)
            loop.call_soon_threadsafe(loop.call_later, 0 if again else self._settings.drain_seconds, end)

        signal.signal(signal.SIGTERM, drain)


class _Guarded(Service[Any]):  # type: ignore[misc] # BentoML's class is untyped
    """A BentoML service whose every request goes through the guard."""

    def to_asgi(self, is_main: bool = True) -> Any:
        return PainApp(super().to_asgi(is_main), Settings.read(os.environ))


def _check_reach(settings: Settings, keys: Keys, host: str | None) -> None:
    if host is None or is_loopback(host) or keys.digests or settings.open:
        return
    raise SettingsError(
        f"asked to listen on {host or 'every address'}, and there are no API keys: make one with `python -m service.keys NAME` "
        "and set EXOCLASSIFY_KEYS_FILE, listen on 127.0.0.1, or set EXOCLASSIFY_OPEN=1 where something else checks who calls"
    )


def _host() -> str | None:
    """Where the command that runs listens, as its command line says; None where it does not say."""
    context = click.get_current_context(silent=True)
    if context is None:
        return None
    if context.params.get("fd") is not None:  # a worker of bentoml serve, or of a process manager
        with socket.socket(fileno=os.dup(context.params["fd"])) as listening:
            name = listening.getsockname()
            return str(name[0]) if isinstance(name, tuple) else None
    host = context.params.get("host")
    return None if host is None else str(host)


def _version() -> str:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("exoclassify")
    with (ROOT / "pyproject.toml").open("rb") as file:  # a Bento holds the project, and does not install it
        return str(tomllib.load(file)["project"]["version"])


def _workers() -> int:
    with suppress(SettingsError):  # said when the service starts
        return Settings.read(os.environ).workers
    return 1


@bentoml.service(
    name="exoclassify",
    workers=_workers(),
    threads=1,
    http={"host": "0.0.0.0" if _CONTAINER in os.environ else "127.0.0.1", "port": 3000},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
    service_class=_Guarded,
)
class PainService:
    """Pain state from the cargo of exosomes: support for a decision by a person, not a diagnosis."""

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check() -> None:
        """Refuse to start with settings that cannot work, or open to other machines without keys."""
        try:
            settings = Settings.read(os.environ)
            _check_reach(settings, Keys.read(settings), _host() or str(BentoMLContainer.http.host.get()))
        except SettingsError as error:
            raise click.ClickException(str(error)) from error
        os.environ.pop(_CONTAINER, None)  # BentoML, finding it, would not replace a worker that died


wire.install()


def asgi() -> Any:
    """Give the application for a server of one process: ``uvicorn --factory service.app:asgi``."""
    return PainService.to_asgi()  # type: ignore[attr-defined] # the decorator made it a Service
