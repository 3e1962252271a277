"""When a request is refused because there are too many: of one key, or of all."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from service.exchange import Refusal

__all__ = ["Pressure", "Rates", "Turns"]

_LOOK = 0.05
"""Seconds between looks at the event loop."""

_LOOKS = 3
"""Looks that must all find it late: one long call is no queue."""


class Rates:
    """A token bucket for each key.

    Parameters
    ----------
    rate : float
        Requests a second, with bursts of twice as many; 0 for any number.
    clock : callable
        Seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Take one request of a key; the names are those of the file of keys, so there are few."""
        if not self._rate:
            return
        now, most = self._clock(), max(1.0, 2 * self._rate)
        left, seen = self._buckets.get(name, (most, now))
        left = min(most, left + (now - seen) * self._rate)
        if left < 1:
            self._buckets[name] = (left, now)
            wait = max(1, round((1 - left) / self._rate + 0.5))
            raise Refusal(
                429, "too_many", f"this key may ask {self._rate:g} times a second; wait {wait} s", None,
                {"Retry-After": str(wait)},
            )  # fmt: skip
        self._buckets[name] = (left - 1, now)


class Turns:
    """A few at the same time; the others wait a little.

    Parameters
    ----------
    at_once : int
        Turns there are.
    of_one_key : int
        Turns that one key may have.
    patience : float
        Seconds to wait for one.
    """

    def __init__(self, at_once: int, of_one_key: int, patience: float) -> None:
        self._at_once, self._of_one_key, self._patience = at_once, of_one_key, patience
        self._taken: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Wait for a turn, and hold it."""

        def free() -> bool:
            return self._taken.total() < self._at_once and self._taken[key] < self._of_one_key

        try:
            async with asyncio.timeout(self._patience), self._changed:
                await self._changed.wait_for(free)
                self._taken[key] += 1
        except TimeoutError as error:
            raise Refusal(
                429, "overloaded", f"{self._taken.total()} files are being read; try again in a few seconds", None,
                {"Retry-After": "5"},
            ) from error  # fmt: skip
        try:
            yield
        finally:
            async with self._changed:
                self._taken[key] -= 1
                self._changed.notify_all()


class Pressure:
    """Says when the service is behind: the event loop is late, or too much is waiting.

    Parameters
    ----------
    lag_seconds : float
        Delay of the loop from which work is refused.
    most_waiting : int
        Samples that may wait.
    n_waiting : callable
        Samples that wait now.
    """

    def __init__(self, lag_seconds: float, most_waiting: int, n_waiting: Callable[[], int]) -> None:
        self._limit = lag_seconds
        self._most = most_waiting
        self._n_waiting = n_waiting
        self._due = 0.0
        self._lags = deque([0.0] * _LOOKS, maxlen=_LOOKS)
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch the running event loop."""
        loop = asyncio.get_running_loop()
        self._due = loop.time() + _LOOK
        self._handle = loop.call_at(self._due, self._look, loop)

    def stop(self) -> None:
        """Stop watching."""
        if self._handle is not None:
            self._handle.cancel()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._lags.append(loop.time() - self._due)
        self._due = loop.time() + _LOOK
        self._handle = loop.call_at(self._due, self._look, loop)

    def check(self) -> None:
        """Refuse more work while the service is behind."""
        if min(self._lags) > self._limit or self._n_waiting() > self._most:
            raise Refusal(
                429, "overloaded", "more is asked than can be answered now; try again in a second", None,
                {"Retry-After": "1"},
            )  # fmt: skip
