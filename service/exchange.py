"""What is asked and what is answered: Starlette's request, response and route, with what this service holds of each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from tempfile import SpooledTemporaryFile
from typing import Any

import msgspec
from starlette import requests, routing
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from exoclassify.model.bundle import ModelBundle

__all__ = ["CLOSE", "FHIR", "JSON", "UNANSWERED", "Answer", "Handler", "Refusal", "Request", "Route", "encoded"]

JSON = "application/json"
"""Media type of nearly everything here."""

FHIR = "application/fhir+json"
"""Media type of FHIR resources."""

CLOSE = {"Connection": "close"}
"""Header of an answer given before the body was read: what follows on the connection is not a request."""

encoded = msgspec.json.Encoder().encode
"""JSON of a plain value or a struct."""

UNANSWERED = 499
"""Status of a request until an answer is begun: the caller was gone."""

_IN_MEMORY = 2**18
"""Bytes of a body that are held in memory while its rest is awaited."""


class Request(requests.Request):
    """One request, and what the log is told of it.

    Attributes
    ----------
    fields : dict of bytes to bytes
        The headers as they came: what every request is looked at for, ten times as fast as in Starlette's `headers`.
    query : dict of str to str
        What stands behind the question mark, checked against the route.
    key : str
        Name of the key that was used; empty where there are no keys.
    answered_by : ModelBundle or None
        The model that answered.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self.fields: dict[bytes, bytes] = dict(scope["headers"])
        self.query: dict[str, str] = {}
        self.id = self.key = self.code = ""
        self.status = UNANSWERED
        self.n_samples = 0
        self.answered_by: ModelBundle | None = None

    def bound(self, receive: Receive) -> None:
        """Read the body through a channel with bounds."""
        self._receive = receive

    async def body(self) -> bytes:
        """Read all of the body, once; what is large waits on disk for its rest."""
        if hasattr(self, "_body"):
            return self._body
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body: bytes = message.get("body", b"")
        if message.get("more_body"):  # most bodies come in one part
            with SpooledTemporaryFile(_IN_MEMORY) as file:
                file.write(body)
                async for part in self.stream():
                    file.write(part)
                file.seek(0)
                body = file.read()
        self._body = body
        return body

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the body, once it was read."""
        return hashlib.sha256(self._body).hexdigest()

    def answered(self, bundle: ModelBundle, n_samples: int) -> None:
        """Keep for the log who answered, and for how many more samples."""
        self.answered_by = bundle
        self.n_samples += n_samples


class Answer(Response):
    """What a route gives back: bytes as they are, anything else as JSON."""

    media_type = JSON

    def render(self, content: Any) -> bytes:
        """Give the bytes of the body."""
        return content if isinstance(content, bytes) else encoded(content)


_LONGEST = 600
"""Letters in a message."""


class Refusal(Exception):  # noqa: N818 - it is an answer
    """A request that is not answered, and why; the guard turns it into the one JSON shape of all errors.

    Parameters
    ----------
    code : str
        One word for programs.
    message : str
        What was found, what was expected, and the fix.
    where : str or None
        Place in the body, the query or the headers.
    headers : mapping of str to str
        Such as Retry-After.
    """

    def __init__(
        self, status: int, code: str, message: str, where: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.where = status, code, message, where
        self.headers = dict(headers or {})

    def answer(self, path: str = "") -> Answer:
        """Give the answer that says so, in the shape that callers of a path can read."""
        message, where = _shortened(self.message), self.where and _shortened(self.where)
        said: dict[str, Any] = {"error": {"code": self.code, "message": message, "where": where}}
        media = JSON
        if path == "/v2" or path.startswith("/v2/"):  # the Open Inference Protocol: one text
            said = {"error": message if where is None else f"{message} (at {where})"}
        elif path.startswith("/fhir/"):
            issue = {"severity": "error", "code": _ISSUES.get(self.status, "processing"), "diagnostics": message}
            said, media = {"resourceType": "OperationOutcome", "issue": [issue]}, FHIR
        return Answer(said, self.status, self.headers, media)


_ISSUES = {
    400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 408: "timeout",
    413: "too-long", 415: "not-supported", 429: "throttled", 431: "too-long", 500: "exception", 503: "transient",
}  # fmt: skip
"""FHIR's code for an issue, by HTTP status; for the others ``processing``."""


def _shortened(text: str) -> str:
    """Keep what a caller sent from coming back at any length."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


Handler = Callable[[Request], Awaitable[Response]]


class Route(routing.Route):
    """One path and method.

    Parameters
    ----------
    path : str
        With ``{name}`` for parts that vary, each of at most 200 letters.
    media : tuple of str
        Content types it reads; empty when it has no body.
    max_body : int
        Largest body in bytes.
    untyped : bool
        A body without a Content-Type is read too, for clients that send none.
    streams : bool
        It reads the body itself.
    needs_key : bool
        Only for callers with a key, where there are keys.
    sheds : bool
        Refused with 429 when the service is behind.
    always : bool
        Answered while the service drains.
    query : dict of str to dict
        Names and JSON Schemas of what may stand behind the question mark.
    about : dict
        What OpenAPI says of it: summary, request and answers.
    """

    def __init__(
        self,
        method: str,
        path: str,
        handler: Handler,
        media: tuple[str, ...] = (),
        max_body: int = 0,
        *,
        untyped: bool = False,
        streams: bool = False,
        needs_key: bool = True,
        sheds: bool = False,
        always: bool = False,
        query: Mapping[str, Mapping[str, Any]] | None = None,
        about: Mapping[str, Any],
    ) -> None:
        super().__init__(path, handler, methods=[method])
        # Starlette's pattern lets a line break follow the path, and a part be of any length.
        self.path_regex = re.compile(self.path_regex.pattern[:-1].replace("[^/]+", "[^/]{1,200}") + r"\Z")
        self.method, self.handler, self.media, self.max_body = method, handler, media, max_body
        self.untyped, self.streams, self.needs_key, self.sheds, self.always = untyped, streams, needs_key, sheds, always
        self.query, self.about = query or {}, about
        self.allowed = ""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer (ASGI); another method is refused."""
        if scope["method"] not in (self.methods or ()):
            raise Refusal(405, "no_method", f"this path answers {self.allowed}", None, {"Allow": self.allowed})
        await self.app(scope, receive, send)
