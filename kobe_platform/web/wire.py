"""Limits what one connection may take from the portal: time for headers and body, size of headers, and their number."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kobe_platform.web.config import Connections

MOST_HEADER_BYTES = 16 * 1024
"""Of the address and all headers of a request."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, with an end to its patience; ``limits`` is set by :func:`limited`.

    A connection waits for headers, then for the rest of a body, then the portal answers, then it is idle (uvicorn's own
    time for that). While it waits it has a deadline that further bytes do not move.
    """

    limits = Connections()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; beyond the limit in place of the one that has waited longest, or not at all."""
        self.phase, self.head_bytes = "head", 0
        self.deadline: asyncio.TimerHandle | None = None
        if len(self.connections) >= self.limits.most and not self._made_room():
            self.transport = transport
            transport.abort()
            return
        super().connection_made(transport)
        self._wait(self.limits.header_seconds)

    def _made_room(self) -> bool:
        others = [one for one in self.connections if isinstance(one, PatientProtocol) and one.deadline is not None]
        if not others:
            return False
        longest = min(others, key=lambda one: cast(asyncio.TimerHandle, one.deadline).when())
        self.connections.discard(longest)
        longest.transport.abort()
        return True

    def _wait(self, seconds: float) -> None:
        self._wait_no_more()
        self.deadline = self.loop.call_later(seconds, self._end)

    def _wait_no_more(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _end(self) -> None:
        self.deadline = None
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on; headers that are longer than they may be end the connection."""
        if self.phase == "idle":
            self.phase, self.head_bytes = "head", 0
            self._wait(self.limits.header_seconds)
        if self.phase == "head":
            self.head_bytes += len(data)
        super().data_received(data)
        if self.phase == "head" and self.head_bytes > MOST_HEADER_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The headers are there: the body has its own time."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MOST_HEADER_BYTES:
            raise ValueError("headers are too large")  # answered by 400
        self.phase = "body"
        self._wait(self.limits.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there: from now on the portal is awaited, not the reader."""
        self.phase = "answer"
        self._wait_no_more()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is there."""
        if self.phase == "answer":
            self.phase = "idle"
        super().on_response_complete()

    def handle_websocket_upgrade(self) -> None:
        """A websocket has other rules (it is looked at every few seconds)."""
        self._wait_no_more()
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._wait_no_more()
        super().connection_lost(exc)


def limited(limits: Connections) -> dict[str, Any]:
    """Settings of uvicorn for these limits."""
    kind = type("LimitedProtocol", (PatientProtocol,), {"limits": limits})
    return {"http": kind, "timeout_keep_alive": limits.idle_seconds}
