"""Tells a monitoring system that the portal lives, whether it can serve, and in figures how it and the platform are."""

from __future__ import annotations

import hmac
import time
from pathlib import Path
from threading import Lock

from prometheus_client import CollectorRegistry, Histogram
from sqlalchemy import text as sql
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kobe_platform.custody.durable import check_private, storage_errors
from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.release import current
from kobe_platform.planning.observing import Observer
from kobe_platform.settings import Settings
from kobe_platform.upkeep.metrics import figures, text
from kobe_platform.web.config import PortalConfig
from kobe_platform.web.state import Portal

KEPT_SECONDS = 30
"""How long the platform's figures are told again before they are looked up anew."""
BUCKETS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1, 5, 30)
"""Upper bounds of the buckets of request seconds."""
LEAST_TOKEN = 24
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class PortalFigures:
    """What ``/metrics`` tells.

    Args:
        settings: of the installation.
        config: of the portal, which names the file with the token.
    """

    def __init__(self, settings: Settings, config: PortalConfig) -> None:
        self._token = _read_token(config.metrics.token_file) if config.metrics.token_file else ""
        self._observer = Observer(settings)
        self._kept, self._until, self._lock = b"", 0.0, Lock()
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "kobe_portal_request_seconds",
            "Seconds from a request to the end of its answer.",
            ["route", "status"],
            buckets=BUCKETS,
            registry=self.registry,
        )

    def admits(self, header: str) -> bool:
        """Whether a request's ``Authorization`` bears the token; nobody's does where there is none."""
        return bool(self._token) and hmac.compare_digest(header.encode(), f"Bearer {self._token}".encode())

    def told(self) -> bytes:
        """The platform's figures and the portal's own."""
        with self._lock:
            if time.monotonic() > self._until:
                self._kept = text(figures(self._observer))
                self._until = time.monotonic() + KEPT_SECONDS
            return self._kept + text(self.registry)


def _read_token(path: Path) -> str:
    with storage_errors(path.name):
        check_private(path)
        lines = path.read_text("ascii", errors="replace").splitlines()
    token = lines[0].strip() if lines else ""
    if len(token) < LEAST_TOKEN or not (token.isascii() and token.isprintable()):
        raise ConfigurationError(
            "the file holds no token for /metrics",
            code="portal.metrics",
            at={"file": path.name},
            remedy=f"write {LEAST_TOKEN} or more printable characters on its first line",
            ja="/metrics のトークンが正しくありません",
        )
    return token


class Timed:
    """Measures requests by route (its pattern, never an address) and class of status."""

    def __init__(self, app: ASGIApp, figures: PortalFigures) -> None:
        self.app, self.figures = app, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and count the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_see)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.figures.seconds.labels(route, f"{status // 100}xx").observe(time.perf_counter() - began)


async def health(request: Request) -> Response:
    """Whether the server answers; says nothing else."""
    return PlainTextResponse("ok")


async def ready(request: Request) -> Response:
    """Whether readers can be served: the governance database answers and a release is in force; else 503."""
    portal: Portal = request.app.state.portal
    return (
        PlainTextResponse("ready")
        if await run_in_threadpool(_is_ready, portal)
        else PlainTextResponse("not ready", 503)
    )


def _is_ready(portal: Portal) -> bool:
    try:
        with portal.database.connect() as connection:
            connection.execute(sql("SELECT 1"))
        return current(portal.settings.releases) is not None
    except Exception:  # whatever the reason is: its words may hold an address
        return False


async def metrics(request: Request) -> Response:
    """PortalFigures for Prometheus, for whoever bears the token; to others the address does not exist."""
    figures: PortalFigures = request.app.state.figures
    if not figures.admits(request.headers.get("authorization", "")):
        return PlainTextResponse("ページが見つかりません。", 404)
    return Response(await run_in_threadpool(figures.told), headers={"Content-Type": TYPE, "Cache-Control": "no-store"})
