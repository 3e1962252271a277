"""What is asked and what is answered, as plain values: all that a route sees of HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

__all__ = ["FHIR", "JSON", "Answer", "Handler", "Refusal", "Request", "Route", "encoded"]

JSON = "application/json"
"""Media type of nearly everything here."""

FHIR = "application/fhir+json"
"""Media type of FHIR resources."""

encoded = msgspec.json.Encoder().encode
"""JSON of a plain value or a struct."""


@dataclass(slots=True)
class Request:
    """One request that the guard let through.

    Parameters
    ----------
    path : dict of str to str
        Parts of the path that vary.
    query : dict of str to str
        What stands behind the question mark.
    headers : dict of bytes to bytes
        By lower-cased name.
    id : str
        Of the request, for the log.
    body : bytes
        Whole; empty where the route reads the body itself.
    chunks : callable
        Gives the body part by part, for routes that read it themselves.
    key : str
        Name of the key that was used; empty where there are no keys.
    """

    path: dict[str, str]
    query: dict[str, str]
    headers: dict[bytes, bytes]
    id: str
    body: bytes
    chunks: Callable[[], AsyncIterator[bytes]]
    key: str = ""
    _digest: str = ""

    def digest(self) -> str:
        """Give the SHA-256 of the body, worked out once."""
        if not self._digest:
            self._digest = hashlib.sha256(self.body).hexdigest()
        return self._digest


@dataclass(slots=True)
class Answer:
    """What a route gives back.

    Parameters
    ----------
    body : bytes
        Whole; empty when it is streamed.
    media : str
        Its Content-Type.
    status : int
        HTTP status.
    headers : sequence of (bytes, bytes)
        More headers.
    stream : async iterator of bytes, optional
        The body part by part.
    n_samples : int
        For the log.
    model : str
        Who answered, for the log.
    """

    body: bytes = b""
    media: str = JSON
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    stream: AsyncIterator[bytes] | None = None
    n_samples: int = 0
    model: str = ""


_LONGEST = 600
"""Letters in a message."""


class Refusal(Exception):  # noqa: N818 - it is an answer
    """A request that is not answered, and why; the guard turns it into the one JSON shape of all errors.

    Parameters
    ----------
    status : int
        HTTP status.
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
        headers = tuple((name.encode(), value.encode()) for name, value in self.headers.items())
        said: dict[str, Any] = {"error": {"code": self.code, "message": message, "where": where}}
        if path == "/v2" or path.startswith("/v2/"):  # the Open Inference Protocol: one text
            said = {"error": message if where is None else f"{message} (at {where})"}
        elif path.startswith("/fhir/"):
            issue = {"severity": "error", "code": _ISSUES.get(self.status, "processing"), "diagnostics": message}
            said = {"resourceType": "OperationOutcome", "issue": [issue]}
            return Answer(encoded(said), FHIR, self.status, headers)
        return Answer(encoded(said), status=self.status, headers=headers)


_ISSUES = {
    400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 408: "timeout",
    413: "too-long", 415: "not-supported", 429: "throttled", 431: "too-long", 500: "exception", 503: "transient",
}  # fmt: skip
"""FHIR's code for an issue, by HTTP status; for the others ``processing``."""


def _shortened(text: str) -> str:
    """Keep what a caller sent from coming back at any length."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


Handler = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """One path and method.

    Parameters
    ----------
    method : str
        GET or POST.
    path : str
        With ``{name}`` for parts that vary.
    handler : callable
        Answers.
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

    method: str
    path: str
    handler: Handler
    media: tuple[str, ...] = ()
    max_body: int = 0
    untyped: bool = False
    streams: bool = False
    needs_key: bool = True
    sheds: bool = False
    always: bool = False
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
