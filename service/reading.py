"""What comes with a request, read within bounds: its body, and what stands behind the question mark."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from typing import IO, Any
from urllib.parse import parse_qsl

from service.exchange import Refusal, Route

__all__ = ["CLOSE", "Bodies", "Body", "GoneError", "Receive", "check_body", "query_of"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

CLOSE = {"Connection": "close"}
"""Header of an answer given before the body was read: what follows on the connection is not a request."""


_GRACE = 5.0
"""Seconds before the speed of a body is looked at."""

_IN_MEMORY = 2**18
"""Bytes of a body that are held in memory while its rest is awaited."""


class GoneError(Exception):
    """The caller closed the connection."""


def check_body(route: Route, headers: Mapping[bytes, bytes]) -> None:
    """Refuse a body by what its headers say of it."""
    media = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    if media not in route.media and (media or not route.untyped):
        expected = ", ".join(route.media)
        raise Refusal(
            415, "media_type", f"the body is {media or 'of no stated type'}; send {expected}", "headers.content-type", CLOSE
        )  # fmt: skip
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal(
            415, "encoding", "compressed bodies are not read; send it plain", "headers.content-encoding", CLOSE
        )
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or b"transfer-encoding" in headers:
        raise Refusal(411, "length", "send the body's size as Content-Length", "headers.content-length", CLOSE)
    if len(length) > 15 or int(length) > route.max_body:
        raise Refusal(
            413, "too_large", f"the body is larger than {route.max_body:,} bytes; send less at a time", None, CLOSE
        )


class Bodies:
    """Reads bodies within bounds of time, of speed, and of bytes that all of them together hold.

    Parameters
    ----------
    most : int
        Bytes of all bodies together that came and whose requests are not answered yet.
    slowest : float
        Bytes a second that a body must bring on average, after a grace of 5 seconds.
    """

    def __init__(self, most: int, slowest: float) -> None:
        self._most, self._slowest = most, slowest
        self._held = 0

    @contextmanager
    def of(self, route: Route, receive: Receive, seconds: float) -> Iterator[Body]:
        """Give the body of one request, which counts until the request is answered."""
        body = Body(self, route, receive, seconds)
        try:
            yield body
        finally:
            self._held -= body.size

    def take(self, n: int) -> None:
        """Count bytes that came."""
        self._held += n
        if self._held > self._most:
            raise Refusal(
                429, "overloaded", "more is being sent than can be held; try again in a few seconds", None,
                {"Retry-After": "5", **CLOSE},
            )  # fmt: skip

    def due(self, began: float, size: int) -> float:
        """Say until when the next part must come."""
        return began + _GRACE + size / self._slowest if self._slowest else math.inf


class Body:
    """One body, read part by part; made by `Bodies.of`."""

    def __init__(self, bodies: Bodies, route: Route, receive: Receive, seconds: float) -> None:
        self._bodies, self._route, self._receive, self._seconds = bodies, route, receive, seconds
        self.size = 0

    async def parts(self) -> AsyncIterator[bytes]:
        """Read part by part, no longer, no more slowly and no more than is allowed.

        Yields
        ------
        bytes
        """
        began = asyncio.get_running_loop().time()
        last = began + self._seconds
        more = True
        try:
            async with asyncio.timeout_at(last) as limit:
                while more:
                    limit.reschedule(min(last, self._bodies.due(began, self.size)))
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise GoneError
                    part: bytes = message.get("body", b"")
                    more = message.get("more_body", False)
                    self.size += len(part)
                    self._bodies.take(len(part))
                    if self.size > self._route.max_body:
                        raise Refusal(413, "too_large", "the body is larger than it said", None, CLOSE)
                    if part:
                        yield part
        except TimeoutError as error:
            raise Refusal(408, "slow", "the body did not come fast enough; send it again", None, CLOSE) from error

    async def whole(self) -> bytes:
        """Read all of it; what is large waits on disk for its rest. Errors as `parts`."""
        parts: list[bytes] = []
        with ExitStack() as stack:
            file: IO[bytes] | None = None
            async for part in self.parts():
                if file is None and self.size > _IN_MEMORY:
                    file = stack.enter_context(tempfile.TemporaryFile())
                    file.writelines(parts)
                    parts.clear()
                if file is None:
                    parts.append(part)
                else:
                    file.write(part)
            if file is None:
                return b"".join(parts)
            file.seek(0)
            return file.read()


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
