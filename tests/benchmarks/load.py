"""Asks a server over and over on a number of connections, each kept open, and counts what comes back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Load:
    """What came back.

    Parameters
    ----------
    seconds : list of float
        Of each answered request.
    statuses : Counter
        By HTTP status; ``reset`` for a connection that was closed before an answer was whole, and whose request was sent
        once more; ``lost`` for one that was closed twice; ``refused`` for a connection that nobody took.
    elapsed : float
        In all.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    elapsed: float = 0.0

    def quantile(self, q: float) -> float:
        """Of the time of a request, in milliseconds."""
        ordered = sorted(self.seconds)
        return 1e3 * ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")

    @property
    def good(self) -> float:
        """Requests a second that were answered with 200."""
        return self.statuses["200"] / self.elapsed if self.elapsed else 0.0


def ask(port: int, path: str, body: bytes, connections: int, seconds: float) -> Load:
    """Put load on a server of this machine for a while.

    Parameters
    ----------
    port : int
        Where it listens.
    path : str
        Asked with POST.
    body : bytes
        JSON.
    connections : int
        At the same time.
    seconds : float
        How long.

    Returns
    -------
    Load
    """
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    load = Load()

    async def run() -> None:
        end = time.perf_counter() + seconds
        await asyncio.gather(*(_caller(load, port, head.encode() + body, end) for _ in range(connections)))

    began = time.perf_counter()
    asyncio.run(run())
    load.elapsed = time.perf_counter() - began
    return load


async def _caller(load: Load, port: int, request: bytes, end: float) -> None:
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    again = False
    while time.perf_counter() < end or again:
        began = time.perf_counter()
        try:
            if streams is None:
                streams = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            load.statuses["refused"] += 1
            again = False
            await asyncio.sleep(0.05)
            continue
        try:
            status, close = await _exchange(*streams, request)
        except (OSError, asyncio.IncompleteReadError):
            streams[1].close()
            streams = None
            load.statuses["lost" if again else "reset"] += 1
            again = not again
            continue
        again = False
        load.statuses[status] += 1
        load.seconds.append(time.perf_counter() - began)
        if close:
            streams[1].close()
            streams = None
        if status in ("429", "503"):
            await asyncio.sleep(0.02)
    if streams is not None:
        streams[1].close()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[str, bool]:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return head[9:12].decode(), b"connection: close" in head
