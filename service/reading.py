"""What comes with a request, read strictly and within bounds: its body, and what stands behind the question mark."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Message

from service.exchange import CLOSE, Refusal, Request, Route
from service.schemas import FollowRequest, InferRequest, OutcomesRequest, PredictRequest

__all__ = ["Bodies", "check_body", "decoded", "media_of", "query_of"]

_GRACE = 5.0
"""Seconds before the speed of a body is looked at."""


def media_of(request: Request) -> str:
    """Give the media type of a body, without its parameters."""
    return request.fields.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


def check_body(route: Route, request: Request) -> None:
    """Refuse a body by what its headers say of it."""
    fields, media = request.fields, media_of(request)
    if media not in route.media and (media or not route.untyped):
        expected = ", ".join(route.media)
        raise Refusal(
            415, "media_type", f"the body is {media or 'of no stated type'}; send {expected}", "headers.content-type", CLOSE
        )  # fmt: skip
    if fields.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal(
            415, "encoding", "compressed bodies are not read; send it plain", "headers.content-encoding", CLOSE
        )
    length = fields.get(b"content-length", b"")
    if not length.isdigit() or b"transfer-encoding" in fields:
        raise Refusal(411, "length", "send the body's size as Content-Length", "headers.content-length", CLOSE)
    if len(length) > 15 or int(length) > route.max_body:
        raise Refusal(
            413, "too_large", f"the body is larger than {route.max_body:,} bytes; send less at a time", None, CLOSE
        )


class Bodies:
    """Bounds of the bodies that are read: of time, of speed, and of bytes that all of them together hold.

    Parameters
    ----------
    most : int
        Bytes of all bodies together that came and whose requests are not answered yet.
    slowest : float
        Bytes a second that a body must bring on average, after a grace of 5 seconds; 0 for any.
    """

    def __init__(self, most: int, slowest: float) -> None:
        self._most, self._slowest = most, slowest
        self._held = 0

    @contextmanager
    def bounded(self, request: Request, route: Route, seconds: float) -> Iterator[None]:
        """Bound how the body of one request is read; it counts until the request is answered."""
        receive, clock, size = request.receive, asyncio.get_running_loop().time, 0
        began = clock()

        async def part() -> Message:
            nonlocal size
            due = began + _GRACE + size / self._slowest if self._slowest else math.inf
            try:
                async with asyncio.timeout_at(min(began + seconds, due)):
                    message = await receive()
            except TimeoutError as error:
                raise Refusal(408, "slow", "the body did not come fast enough; send it again", None, CLOSE) from error
            more = len(message.get("body", b""))
            size += more
            self._held += more
            if self._held > self._most:
                raise Refusal(
                    429, "overloaded", "more is being sent than can be held; try again in a few seconds", None,
                    {"Retry-After": "5", **CLOSE},
                )  # fmt: skip
            if size > route.max_body:
                raise Refusal(413, "too_large", "the body is larger than it said", None, CLOSE)
            return message

        request.bound(part)
        try:
            yield
        finally:
            self._held -= size


def query_of(text: bytes, route: Route) -> dict[str, str]:
    """Read what stands behind the question mark."""
    if not text:
        return {}
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=20
        )
    except ValueError as error:
        raise Refusal(400, "query", f"the query cannot be read ({error})", "query") from error
    query = dict(pairs)
    unknown = [name for name in query if name not in route.query]
    if unknown or len(query) < len(pairs):
        known = ", ".join(route.query) or "none"
        raise Refusal(
            400, "query", f"{unknown[0] if unknown else 'a name'!r} is unknown or given twice; known: {known}", "query"
        )
    return query


Asked = TypeVar("Asked", PredictRequest, FollowRequest, InferRequest, OutcomesRequest)
_DECODERS: dict[type[Any], msgspec.json.Decoder[Any]] = {
    PredictRequest: msgspec.json.Decoder(PredictRequest),
    FollowRequest: msgspec.json.Decoder(FollowRequest),
    InferRequest: msgspec.json.Decoder(InferRequest),
    OutcomesRequest: msgspec.json.Decoder(OutcomesRequest),
}


def decoded(body: bytes, schema: type[Asked]) -> Asked:
    """Read a body."""
    try:
        asked: Asked = _DECODERS[schema].decode(body)
    except msgspec.ValidationError as error:
        said, _, where = str(error).rpartition(" - at ")
        raise Refusal(400, "invalid", said or where, where.strip("`") if said else "$") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "not_json", f"{error}; send one JSON object in UTF-8", "$") from error
    if body.count(b":") != _keys(asked):
        _refuse_twice(body)
    return asked


def _keys(asked: PredictRequest | InferRequest | OutcomesRequest) -> int:
    """How many colons the body has when no key comes twice and no text holds a colon."""
    if type(asked) is not PredictRequest:
        return -1
    count = 3 + sum(
        len(sample.cargo)
        + 2
        + (sample.subject is not None)
        + (sample.batch is not None)
        + (1 + len(sample.metadata) if sample.metadata else 0)
        for sample in asked.samples
    )
    given = (asked.model, asked.batch, asked.site, asked.max_wrong, asked.level)
    count += sum(value is not None for value in given) + asked.same_batch
    return count + (1 + len(asked.prevalence) if asked.prevalence else 0)


def _refuse_twice(body: bytes) -> None:
    def pairs(found: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in found}) < len(found):
            names = [name for name, _ in found]
            twice = next(name for name in names if names.count(name) > 1)
            raise Refusal(400, "key_twice", f"the key {twice!r} comes twice in one object; give it once", "$")

    try:
        json.loads(body, object_pairs_hook=pairs)
    except RecursionError as error:
        raise Refusal(400, "too_deep", "the body is nested too deeply; send plain arrays", "$") from error
    except ValueError as error:  # int of more than 4300 digits
        raise Refusal(400, "invalid", f"a number has too many digits ({error})", "$") from error
