"""A release served on a free port of this machine, for tests."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from kobe_platform.lounge.serve import build_app


def serving(releases: Path, audience: str) -> AbstractContextManager[int]:
    """Serve a release's site until the block ends; gives the port."""
    return serving_app(build_app(releases, audience))


@contextmanager
def serving_app(app: Starlette, **options: Any) -> Iterator[int]:
    """Serve any application until the block ends; gives the port.

    Args:
        options: of uvicorn, beside and in place of those that all tests share.
    """
    shared = {"log_level": "error", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, port=0, **{**shared, **options}))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not (server.started and server.servers):
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def fetch(port: int, path: str, method: str = "GET") -> http.client.HTTPResponse:
    """One request with the path exactly as given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    answer.text = answer.read().decode("utf-8", errors="replace")
    connection.close()
    return answer
