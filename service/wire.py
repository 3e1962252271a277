"""What uvicorn writes on a connection, where it offers no other way than to replace a method of its protocol."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.exchange import Refusal

__all__ = ["install"]


class _OneWrite:
    """A transport that gives head and body of an answer to the system at once.

    A worker that is killed between the two leaves a proxy with half an answer, which it cannot ask for again. One write also
    costs less than two.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, content: bytes) -> None:
        if self._head or not content.startswith(b"HTTP/1.1 "):
            content, self._head = self._head + content, b""
            self._transport.write(content)
        else:
            self._head = content
            asyncio.get_running_loop().call_soon(self._flush)  # an answer may have no body

    def _flush(self) -> None:
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self._flush()
        self._transport.close()


def install() -> None:
    """Have uvicorn write so."""
    begin = HttpToolsProtocol.connection_made

    def connection_made(self: HttpToolsProtocol, transport: Any) -> None:
        begin(self, _OneWrite(transport))  # type: ignore[arg-type] # it has all of a transport

    def not_http(self: HttpToolsProtocol, msg: str) -> None:
        """Answer what is no HTTP in the shape of all errors; nothing of it reaches the guard."""
        body = bytes(Refusal(400, "not_http", f"the request cannot be read ({msg})").answer().body)
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nx-content-type-options: nosniff\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()

    HttpToolsProtocol.connection_made = connection_made  # type: ignore[method-assign]
    HttpToolsProtocol.send_400_response = not_http  # type: ignore[method-assign]
