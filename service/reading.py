"""What comes with a request, read within bounds: its body, and what stands behind the question mark."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from service.exchange import Refusal, Route

__all__ = ["CLOSE", "GoneError", "Receive", "body_parts", "check_body", "query_of"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

CLOSE = {"Connection": "close"}
"""Header of an answer given before the body was read: what follows on the connection is not a request."""


class GoneError(Exception):
    """The caller closed the connection."""


def check_body(route: Route, headers: Mapping[bytes, bytes]) -> None:
    """Refuse a body by what its headers say of it.

    Parameters
    ----------
    route : Route
        What it is for.
    headers : mapping of bytes to bytes
        By lower-cased name.

    Raises
    ------
    Refusal
        415 for another type or encoding, 411 without a length, 413 for one too large.
    """
    media = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    if media not in route.media:
        expected = ", ".join(route.media)
        raise Refusal(
            415, "media_type", f"the body is {media or 'of no stated type'}; send {expected}", "headers.content-type", CLOSE
        )  # fmt: skip
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal(
            415,
            "encoding",
            "compressed bodies are not read; send it plain",
            "headers.content-encoding",
            CLOSE,
        )
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or b"transfer-encoding" in headers:
        raise Refusal(
            411, "length", "send the body's size as Content-Length", "headers.content-length", CLOSE
        )
    if len(length) > 15 or int(length) > route.max_body:
        raise Refusal(
            413,
            "too_large",
            f"the body is larger than {route.max_body:,} bytes; send less at a time",
            None,
            CLOSE,
        )


async def body_parts(route: Route, receive: Receive, seconds: float) -> AsyncIterator[bytes]:
    """Read a body part by part, no longer and no more than is allowed.

    Parameters
    ----------
    route : Route
        What it is for.
    receive : callable
        Of ASGI.
    seconds : float
        How long it may take.

    Yields
    ------
    bytes

    Raises
    ------
    Refusal
        408 when it is too slow, 413 when it is longer than it said.
    GoneError
        If the caller closed the connection.
    """
    left = route.max_body
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise GoneError
                part: bytes = message.get("body", b"")
                left -= len(part)
                if left < 0:
                    raise Refusal(413, "too_large", "the body is larger than it said", None, CLOSE)
                if part:
                    yield part
                if not message.get("more_body", False):
                    return
    except TimeoutError as error:
        raise Refusal(
            408, "slow", f"the body did not come within {seconds:g} s; send it again", None, CLOSE
        ) from error


def query_of(text: bytes, route: Route) -> dict[str, str]:
    """Read what stands behind the question mark.

    Parameters
    ----------
    text : bytes
        As it came.
    route : Route
        Says which names there are.

    Returns
    -------
    dict of str to str

    Raises
    ------
    Refusal
        400 if it cannot be read, or a name is unknown or comes twice.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=20,
        )
    except ValueError as error:
        raise Refusal(400, "query", f"the query cannot be read ({error})", "query") from error
    query = dict(pairs)
    unknown = [name for name in query if name not in route.query]
    if unknown or len(query) < len(pairs):
        known = ", ".join(route.query) or "none"
        raise Refusal(
            400,
            "query",
            f"{unknown[0] if unknown else 'a name'!r} is unknown or given twice; known: {known}",
            "query",
        )
    return query
