"""The outermost door: every byte from outside passes here first, and every byte to outside last.

It knows a fixed set of paths; looks at method, key, rate, type and size before a body is read; bounds how much is read and
for how long; gives every error one shape; adds the security headers; counts, and logs. BentoML's own application runs
behind it for its life cycle and answers no request.
"""

from __future__ import annotations

import ipaddress
import os
import re
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from exoclassify.errors import ExoclassifyError
from service.exchange import Answer, Refusal, Request, Route
from service.keys import Keys
from service.limits import Pressure, Rates
from service.reading import CLOSE, Bodies, GoneError, Receive, check_body, query_of
from service.settings import Settings
from service.telemetry import Log, Metrics

__all__ = ["Guard", "is_loopback"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_HEADERS_MAX = 32_768
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SECURITY = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class Guard:
    """Lets through what is allowed, and hands it to its route.

    Parameters
    ----------
    routes : sequence of Route
        All there are.
    settings : Settings
        Limits.
    keys : Keys
        Who may call.
    metrics : Metrics
        Counts.
    log : Log
        Told of every request.
    pressure : Pressure
        Says when there is too much.
    """

    def __init__(
        self, routes: Sequence[Route], settings: Settings, keys: Keys, metrics: Metrics, log: Log, pressure: Pressure
    ) -> None:
        self._settings, self._keys, self._metrics, self._log = settings, keys, metrics, log
        self._pressure, self._rates = pressure, Rates(settings.rate)
        self._bodies = Bodies(settings.max_bodies, settings.body_rate)
        self._fixed: dict[str, dict[str, Route]] = {}
        self._patterns: dict[re.Pattern[str], dict[str, Route]] = {}
        for route in routes:
            if "{" not in route.path:
                self._fixed.setdefault(route.path, {})[route.method] = route
            else:
                pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]{1,200})", route.path))
                self._patterns.setdefault(pattern, {})[route.method] = route
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request (ASGI)."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        began = time.perf_counter()
        headers = dict(scope["headers"])
        asked_id = headers.get(b"x-request-id", b"")
        request_id = asked_id if _REQUEST_ID.fullmatch(asked_id) else os.urandom(8).hex().encode()
        seen = _Seen(request_id.decode())
        try:
            answer = await self._answer(scope, headers, receive, seen)
            await self._send(answer, seen, request_id, send)
        finally:
            seconds = time.perf_counter() - began
            self._metrics.request(seen.route, seen.status, seconds)
            self._log.request(
                id=seen.id, key=seen.key, method=scope["method"] if seen.route != "other" else "",
                route=seen.route, status=seen.status, code=seen.code, ms=round(seconds * 1e3, 2),
                samples=seen.n_samples, model=seen.model,
            )  # fmt: skip

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, seen: _Seen) -> Answer:
        try:
            route, parts = self._route(scope, seen)
            self._admit(route, scope, headers, seen)
            query = query_of(scope["query_string"], route)
            seconds = self._settings.file_seconds if route.streams else self._settings.body_seconds
            with self._bodies.of(route, receive, seconds) as body:
                content = b"" if route.streams or not route.media else await body.whole()
                answer = await route.handler(Request(parts, query, headers, seen.id, content, body.parts, seen.key))
            seen.n_samples, seen.model = answer.n_samples, answer.model
            return answer
        except Refusal as error:
            refusal = error
        except ExoclassifyError as error:
            refusal = Refusal(409, "not_usable", " ".join(str(error).split()))
        except GoneError:
            refusal = Refusal(400, "gone", "the connection was closed before the body came")
        except Exception as error:  # noqa: BLE001 - the door: what is unknown becomes a 500 and a line in the log
            refusal = self._unknown(error, seen)
        seen.code = refusal.code
        return refusal.answer(scope["path"])

    def _unknown(self, error: Exception, seen: _Seen) -> Refusal:
        """Say where it failed; the text of the error stays out of the log, for it may hold values."""
        places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        self._log.event("failure", id=seen.id, type=type(error).__name__, trace=places[-6:])
        return Refusal(
            500, "failure", f"this should not happen; the service's log says more under the request id {seen.id}"
        )

    def _route(self, scope: Scope, seen: _Seen) -> tuple[Route, dict[str, str]]:
        path: str = scope["path"]
        methods, parts = self._fixed.get(path), {}
        if methods is None:
            for pattern, known in self._patterns.items():
                if found := pattern.fullmatch(path):
                    methods, parts = known, found.groupdict()
                    break
            else:
                raise Refusal(404, "no_path", "there is nothing at this path; see /openapi.json for what there is")
        seen.route = next(iter(methods.values())).path
        route = methods.get(scope["method"])
        if route is None:
            allowed = ", ".join(methods)
            raise Refusal(405, "no_method", f"this path answers {allowed}", None, {"Allow": allowed})
        return route, parts

    def _admit(self, route: Route, scope: Scope, headers: Mapping[bytes, bytes], seen: _Seen) -> None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _HEADERS_MAX:
            raise Refusal(431, "headers", f"headers of more than {_HEADERS_MAX} bytes; send less", None, CLOSE)
        if self.draining and not route.always:
            raise Refusal(503, "stopping", "this worker is stopping; ask another one", None, _LATER)
        self._check_reach(scope, headers)
        if route.needs_key and self._keys.digests:
            self._check_key(headers, seen)
            self._rates.take(seen.key)
        if route.sheds:
            self._pressure.check()
        if route.media:
            check_body(route, headers)

    def _check_reach(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Without keys, answer this machine only, and no page of another site that had its name point here."""
        if self._keys.digests or self._settings.open:
            return
        server = scope.get("server")
        if sum(name == b"host" for name, _ in scope["headers"]) > 1:
            raise Refusal(400, "headers", "there are several Host headers; send one", "headers.host", CLOSE)
        host = headers.get(b"host", b"").decode("latin-1")
        if (server and not is_loopback(server[0])) or not is_loopback(re.sub(r":\d*$", "", host)):
            raise Refusal(
                403, "no_keys", "without API keys this service answers its own machine only, by the name localhost; "
                "set EXOCLASSIFY_KEYS_FILE, or EXOCLASSIFY_OPEN=1 where something else checks who calls",
            )  # fmt: skip

    def _check_key(self, headers: Mapping[bytes, bytes], seen: _Seen) -> None:
        scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        name = self._keys.name_of(key.strip()) if scheme.lower() == "bearer" else None
        if name is None:
            raise Refusal(
                401, "no_key", "send a known API key as `Authorization: Bearer KEY`", "headers.authorization",
                {"WWW-Authenticate": "Bearer", **CLOSE},
            )  # fmt: skip
        seen.key = name

    async def _send(self, answer: Answer, seen: _Seen, request_id: bytes, send: Send) -> None:
        headers = [(b"content-type", answer.media.encode()), (b"x-request-id", request_id), *answer.headers]
        named = {name.lower() for name, _ in answer.headers}
        headers += [pair for pair in _SECURITY if pair[0] not in named]
        if answer.stream is None:
            headers.append((b"content-length", b"%d" % len(answer.body)))
        seen.status = answer.status
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if answer.stream is not None:
            async for part in answer.stream:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": answer.body})


class _Seen:
    """What the log and the figures are told of a request."""

    __slots__ = ("code", "id", "key", "model", "n_samples", "route", "status")

    def __init__(self, request_id: str) -> None:
        self.id = request_id
        self.key = self.code = self.model = ""
        self.route = "other"
        self.status = 499  # until an answer was begun: the caller was gone
        self.n_samples = 0


_LATER = {"Retry-After": "1", **CLOSE}


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine as it calls itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host).is_loopback
    except ValueError:
        return False
