"""The outermost door: every byte from outside passes here first, and every byte to outside last.

Starlette's router finds the route. Around it the guard looks at key, rate, type and size before a body is read; bounds how
much is read and for how long; gives every error one shape; adds the security headers; counts, and logs. BentoML's own
application runs behind it for its life cycle and answers no request.
"""

from __future__ import annotations

import ipaddress
import os
import re
import time
import traceback
from collections.abc import Sequence
from functools import lru_cache

from starlette.requests import ClientDisconnect
from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exoclassify.errors import ExoclassifyError
from service.exchange import CLOSE, UNANSWERED, Refusal, Request, Route
from service.keys import Keys
from service.limits import Pressure, Rates
from service.reading import Bodies, check_body, query_of
from service.settings import Settings
from service.telemetry import Log, Metrics

__all__ = ["Guard", "is_loopback"]

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
    """Lets through what is allowed, and hands it to its route."""

    def __init__(
        self, routes: Sequence[Route], settings: Settings, keys: Keys, metrics: Metrics, log: Log, pressure: Pressure
    ) -> None:
        self._settings, self._keys, self._metrics, self._log = settings, keys, metrics, log
        self._pressure, self._rates = pressure, Rates(settings.rate)
        self._bodies = Bodies(settings.max_bodies, settings.body_rate)
        for route in routes:
            route.app = self._guarded(route)
            route.allowed = ", ".join(other.method for other in routes if other.path == route.path)
        self._router = Router(routes, redirect_slashes=False, default=_nowhere)
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request (ASGI)."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        began = time.perf_counter()
        request = scope[_REQUEST] = Request(scope, receive)
        asked_id = request.fields.get(b"x-request-id", b"")
        request_id = asked_id if _REQUEST_ID.fullmatch(asked_id) else os.urandom(8).hex().encode()
        request.id = request_id.decode()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status, headers = message["status"], message["headers"]
                named = {name for name, _ in headers}
                message["headers"] = [
                    *headers, (b"x-request-id", request_id), *(pair for pair in _SECURITY if pair[0] not in named)
                ]  # fmt: skip
            await send(message)

        try:
            await self._answer(request, scope, receive, sending)
        finally:
            del scope[_REQUEST]  # a circle, which would wait for the garbage collector
            seconds, bundle = time.perf_counter() - began, request.answered_by
            route = scope["route"].path if "route" in scope else "other"
            self._metrics.request(route, request.status, seconds)
            self._log.request(
                id=request.id, key=request.key, method=scope["method"] if "route" in scope else "",
                route=route, status=request.status, code=request.code, ms=round(seconds * 1e3, 2),
                samples=request.n_samples, model=f"{bundle.name} {bundle.version}" if bundle else "",
            )  # fmt: skip

    async def _answer(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._router(scope, receive, send)
            return
        except Refusal as error:
            refusal = error
        except ExoclassifyError as error:
            refusal = Refusal(409, "not_usable", " ".join(str(error).split()))
        except ClientDisconnect:
            refusal = Refusal(400, "gone", "the connection was closed before the body came")
        except Exception as error:  # noqa: BLE001 - the door: what is unknown becomes a 500 and a line in the log
            refusal = self._unknown(error, request)
        request.code = refusal.code
        if request.status != UNANSWERED:
            raise RuntimeError("the answer broke off") from None  # the server closes the connection
        await refusal.answer(scope["path"])(scope, receive, send)

    def _unknown(self, error: Exception, request: Request) -> Refusal:
        """Say where it failed; the text of the error stays out of the log, for it may hold values."""
        places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        self._log.event("failure", id=request.id, type=type(error).__name__, trace=places[-6:])
        return Refusal(
            500, "failure", f"this should not happen; the service's log says more under the request id {request.id}"
        )

    def _guarded(self, route: Route) -> ASGIApp:
        """Let a route answer what it may be asked."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            request: Request = scope[_REQUEST]
            self._admit(route, request)
            request.query = query_of(scope["query_string"], route)
            seconds = self._settings.file_seconds if route.streams else self._settings.body_seconds
            with self._bodies.bounded(request, route, seconds):
                if route.media and not route.streams:
                    await request.body()
                answer = await route.handler(request)
            await answer(scope, receive, send)

        return app

    def _admit(self, route: Route, request: Request) -> None:
        if sum(len(name) + len(value) for name, value in request.scope["headers"]) > _HEADERS_MAX:
            raise Refusal(431, "headers", f"headers of more than {_HEADERS_MAX} bytes; send less", None, CLOSE)
        if self.draining and not route.always:
            raise Refusal(503, "stopping", "this worker is stopping; ask another one", None, _LATER)
        self._check_reach(request)
        if route.needs_key and self._keys.digests:
            self._check_key(request)
            self._rates.take(request.key)
        if route.sheds:
            self._pressure.check()
        if route.media:
            check_body(route, request)

    def _check_reach(self, request: Request) -> None:
        """Without keys, answer this machine only, and no page of another site that had its name point here."""
        if self._keys.digests or self._settings.open:
            return
        server, host = request.scope.get("server"), request.fields.get(b"host", b"").decode("latin-1")
        if sum(name == b"host" for name, _ in request.scope["headers"]) > 1:
            raise Refusal(400, "headers", "there are several Host headers; send one", "headers.host", CLOSE)
        if (server and not is_loopback(server[0])) or not is_loopback(re.sub(r":\d*$", "", host)):
            raise Refusal(
                403, "no_keys", "without API keys this service answers its own machine only, by the name localhost; "
                "set EXOCLASSIFY_KEYS_FILE, or EXOCLASSIFY_OPEN=1 where something else checks who calls",
            )  # fmt: skip

    def _check_key(self, request: Request) -> None:
        scheme, _, key = request.fields.get(b"authorization", b"").decode("latin-1").partition(" ")
        name = self._keys.name_of(key.strip()) if scheme.lower() == "bearer" else None
        if name is None:
            raise Refusal(
                401, "no_key", "send a known API key as `Authorization: Bearer KEY`", "headers.authorization",
                {"WWW-Authenticate": "Bearer", **CLOSE},
            )  # fmt: skip
        request.key = name


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    raise Refusal(404, "no_path", "there is nothing at this path; see /openapi.json for what there is")


_REQUEST = "exoclassify.request"
"""Where the scope holds what was made of it."""

_LATER = {"Retry-After": "1", **CLOSE}


@lru_cache(16)
def is_loopback(host: str) -> bool:
    """Say whether a host is this machine as it calls itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host).is_loopback
    except ValueError:
        return False
