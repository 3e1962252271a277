"""Studies from the page: a person's own files audited and trained on, one study at a time, in a process that can be ended.

For one's own machine (EXOCLASSIFY_STUDIES=1, as `exoclassify serve` sets it). A study has a name that cannot be guessed,
and whoever has it may read its report; all of it goes when the service stops.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exoclassify.data.units import KINDS, UNITS
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.child import Child, ChildLostError
from service.exchange import Answer, Refusal, Request
from service.files import MEDIA, called, receive
from service.reading import media_of
from service.served import Served
from service.settings import Settings

__all__ = ["Studies"]

_MOST = 4
"""Studies that are kept; the oldest goes when another one comes."""

_SECONDS = 3600.0
"""How long a study may take."""

_ROLES = ("cargo", "samples")
_MORE = tuple(f"cargo-{i}" for i in range(2, 7))
"""Further tables, each a layer of the same people."""

_MOST_COVARIATES = 20
_RESULTS = {
    "report": ("report.html", "text/html"),
    "report-files": ("report-files.zip", "application/zip"),
    "model": ("model.zip", "application/zip"),
    "predictions": ("predictions.csv", "text/csv"),
}
"""What a study leaves, by the last part of its path."""

_FRAMED = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "x-frame-options": "SAMEORIGIN",
}
"""A report opens inside the page, and still loads nothing."""


@dataclass(eq=False)
class _Study:
    """One study, and how it stands."""

    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)
    state: str = "open"  # open, running, done, failed, cancelled
    found: dict[str, Any] = field(default_factory=dict)
    began: float = 0.0
    ended: float = 0.0
    child: Child | None = None

    def told(self) -> dict[str, Any]:
        progress = [0, 0]
        with suppress(OSError, ValueError):
            progress = json.loads((self.folder / "progress").read_text())
        seconds = (self.ended or time.monotonic()) - self.began if self.began else 0.0
        results = [
            name for name, (file, _) in _RESULTS.items() if self.state == "done" and (self.folder / file).exists()
        ]
        return {
            "state": self.state,
            "progress": progress,
            "seconds": round(seconds, 1),
            "results": results,
            **self.found,
        }


class Studies:
    """Takes files, trains on them, and gives what came of it."""

    def __init__(self, settings: Settings, served: Served) -> None:
        self._settings, self._served = settings, served
        self._studies: dict[str, _Study] = {}
        self._working = threading.Lock()

    def stop(self) -> None:
        """End what runs, and remove everything."""
        for study in self._studies.values():
            self._end(study)
            shutil.rmtree(study.folder, ignore_errors=True)
        self._studies = {}

    async def opened(self, request: Request) -> Answer:
        """POST /v1/studies: a new study, to be given its files."""
        idle = [name for name, study in self._studies.items() if study.state != "running"]
        for name in idle[: max(0, len(self._studies) - _MOST + 1)]:
            shutil.rmtree(self._studies.pop(name).folder, ignore_errors=True)
        name = secrets.token_hex(16)
        self._studies[name] = _Study(Path(tempfile.mkdtemp(prefix="exoclassify-study-")))
        return Answer({"id": name}, 201)

    async def file(self, request: Request) -> Answer:
        """POST /v1/studies/{id}/files/{role}: a table of cargo, or the sample sheet."""
        study, role = self._study(request), request.path_params["role"]
        if role not in (*_ROLES, *_MORE):
            there = f"give samples, cargo, and {_MORE[0]} to {_MORE[-1]} for further layers"
            raise Refusal(404, "no_path", f"there is no file {role[:40]} of a study; {there}")
        self._must_not_run(study)
        ending = MEDIA[media_of(request)]
        file = f"{role}{ending}"
        await receive(request, study.folder / file)
        study.files[role], study.called[file] = file, called(request, ending)
        return Answer({"called": study.called[file]})

    async def look(self, request: Request) -> Answer:
        """POST /v1/studies/{id}/look: what the files seem to be, for a person to confirm."""
        study = self._study(request)
        return Answer(await self._ordered(study, {"do": "look"}))

    async def start(self, request: Request) -> Answer:
        """POST /v1/studies/{id}/start: audit or train, as the body says."""
        study, order = self._study(request), _order(await request.body())
        self._must_not_run(study)
        if any(other.state == "running" for other in self._studies.values()):
            raise Refusal(
                429, "busy", "another study is running; wait for it, or cancel it", None, {"Retry-After": "10"}
            )
        study.state, study.found, study.began, study.ended = "running", {}, time.monotonic(), 0.0
        for left in ("progress", "report-files", "model", *(file for file, _ in _RESULTS.values())):
            path = study.folder / left
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        task = asyncio.create_task(self._run(study, order))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return Answer(study.told(), 202)

    async def _run(self, study: _Study, order: dict[str, Any]) -> None:
        try:
            found = await self._ordered(study, order)
        except Refusal as refusal:
            found = {"error": refusal.message}
        study.ended = time.monotonic()
        if study.state == "running":
            study.state = "failed" if "error" in found else "done"
            study.found = found

    async def _ordered(self, study: _Study, order: dict[str, Any]) -> dict[str, Any]:
        lacking = [role for role in _ROLES if role not in study.files]
        if lacking:
            raise Refusal(
                409, "not_usable", f"the study lacks its {' and '.join(lacking)}; send the table and the sample sheet"
            )
        tables = [study.files[role] for role in ("cargo", *_MORE) if role in study.files]
        whole = {
            **order, "samples": study.files["samples"], "tables": tables, "folder": str(study.folder), "called": study.called,
        }  # fmt: skip
        return await asyncio.to_thread(self._work, study, whole)

    def _work(self, study: _Study, order: dict[str, Any]) -> dict[str, Any]:
        with self._working:  # looks wait for a study that runs, and it for them
            study.child = Child("service.studywork", self._settings.file_memory)
            try:
                return study.child.order(order, _SECONDS)
            except ChildLostError as error:
                if error.late:
                    return {"error": f"the study {error}; train it with exoclassify train"}
                return {"error": "the study took more memory than it may, or broke its process; try exoclassify train"}
            finally:
                self._end(study)

    def _end(self, study: _Study) -> None:
        child, study.child = study.child, None
        if child is not None:
            child.kill()

    async def told(self, request: Request) -> Answer:
        """GET /v1/studies/{id}: how it stands."""
        return Answer(self._study(request).told())

    async def cancel(self, request: Request) -> Answer:
        """POST /v1/studies/{id}/cancel: end the work; the files stay, to be tried again."""
        study = self._study(request)
        if study.state == "running":
            study.state, study.ended = "cancelled", time.monotonic()
            self._end(study)
        return Answer(study.told())

    async def result(self, request: Request) -> Answer:
        """GET /v1/studies/{id}/results/{result}: the report, the model, the predictions."""
        study, result = self._study(request), request.path_params["result"]
        file, media = _RESULTS.get(result, ("", ""))
        path = study.folder / file
        if not file or result not in study.told()["results"]:
            raise Refusal(404, "no_result", f"this study has no {result[:40]}")
        headers = _FRAMED if result == "report" else {"content-disposition": f'attachment; filename="{file}"'}
        return Answer(await asyncio.to_thread(path.read_bytes), 200, headers, media)

    async def taken(self, request: Request) -> Answer:
        """POST /v1/studies/{id}/import: keep the model in the registry and put it into use, with a reason."""
        study = self._study(request)
        if "model" not in study.told()["results"]:
            raise Refusal(409, "not_usable", "this study has no model; train one first")
        why = _text(_body(await request.body()), "why")
        if len(why) < 3:
            raise Refusal(409, "not_usable", "say why this model is put into use, in a few words", "why")
        return Answer(await asyncio.to_thread(self._take, study, why))

    def _take(self, study: _Study, why: str) -> dict[str, str]:
        registry = self._served.registry
        bundle = ModelBundle.load(study.folder / "model")
        from exoclassify.lifecycle.finish import numbered  # it loads all that trains, which few services do

        folder = registry.add(bundle, renumber=numbered)
        registry.promote(bundle.name, folder.name, who="the page", why=why)
        self._served.refresh()
        return {"name": bundle.name, "version": folder.name}

    def _study(self, request: Request) -> _Study:
        study = self._studies.get(request.path_params["id"])
        if study is None:
            raise Refusal(
                404, "no_study", "there is no such study; it may have gone when the service was started again"
            )
        return study

    def _must_not_run(self, study: _Study) -> None:
        if study.state == "running":
            raise Refusal(409, "busy", "this study is running; wait for it, or cancel it")


def _body(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Refusal(400, "not_json", "the body is no JSON") from error
    if not isinstance(found, dict):
        raise Refusal(400, "not_json", "the body must be an object")
    return found


def _text(found: dict[str, Any], name: str, allowed: tuple[str, ...] = ()) -> str:
    value = found.get(name) or ""
    if not isinstance(value, str) or len(value) > 200:
        raise Refusal(400, "not_usable", f"{name}: give a text of at most 200 letters", name)
    if allowed and value not in allowed:
        raise Refusal(400, "not_usable", f"{name}: give {', '.join(allowed)}", name)
    return value.strip()


def _list(found: dict[str, Any], name: str, most: int) -> list[Any]:
    value = found.get(name) or []
    if not isinstance(value, list) or len(value) > most:
        raise Refusal(400, "not_usable", f"{name}: give a list of at most {most}", name)
    return value


def _layer(found: object) -> dict[str, str]:
    if not isinstance(found, dict):
        raise Refusal(400, "not_usable", "layers: give name, kind and unit of each", "layers")
    name = _text(found, "name")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise Refusal(409, "not_usable", f"layers: {name!r} is no name; use letters, digits, - and _", "layers")
    return {"name": name, "kind": _text(found, "kind", tuple(KINDS)), "unit": _text(found, "unit", tuple(UNITS))}


def _order(body: bytes) -> dict[str, Any]:
    found = _body(body)
    order: dict[str, Any] = {
        "do": _text(found, "do", ("audit", "train")),
        "kind": _text(found, "kind", tuple(KINDS)),
        "unit": _text(found, "unit", tuple(UNITS)),
        **{name: _text(found, name) for name in ("label", "subject", "batch")},
        "covariates": [
            _text({"covariates": each}, "covariates") for each in _list(found, "covariates", _MOST_COVARIATES)
        ],
        "layers": [_layer(each) for each in _list(found, "layers", 1 + len(_MORE))],
        "name": _text(found, "name") or "study",
    }
    if not order["label"]:
        raise Refusal(409, "not_usable", "say which column of the sheet holds the state", "label")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", order["name"]):
        raise Refusal(409, "not_usable", "name: use letters, digits, - and . only", "name")
    return order
