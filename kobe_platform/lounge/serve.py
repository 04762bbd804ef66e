"""Serves the current release to one audience: only files of the site, with strict headers.

This is the minimal server of a workstation or a demo. Sign-in and the choice of the audience by person belong to the
portal server.
"""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.release import current

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

POLICY = "; ".join(
    ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'")
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with `no-referrer` browsers send forms with `Origin: null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_HASHED = re.compile(r"(?:^|-)[0-9A-Za-z]{8,16}\.(?:js|css|svg|json)$")
TYPES = {".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml", ".html": "text/html"}


def find(releases: Path, audience: str, path: str) -> Path | None:
    """The file of the current release's site that a URL path names; None where there is none.

    Only regular files below the audience's own site are found: no ``..``, no hidden name, no link out. An audience
    that no site was built for finds nothing.
    """
    release = current(releases)
    site = release.audiences.get(audience) if release else None
    if release is None or site is None:
        return None
    return inside(release.path / "sites" / site, path.lstrip("/") or "index.html")


def inside(root: Path, path: str) -> Path | None:
    """The regular file below ``root`` that a URL path names: no ``..``, no hidden name, no link out; else None."""
    parts = PurePosixPath(path).parts
    if any(part.startswith(".") or "\\" in part or "\x00" in part for part in parts):
        return None
    try:
        root = root.resolve()
        found = root.joinpath(*parts).resolve()
        return found if found.is_relative_to(root) and found.is_file() else None
    except OSError:  # a name longer than the file system knows
        return None


NO_PAGE = """<!doctype html>
<html lang="ja"><meta charset="utf-8"><title>ページがありません</title>
<h1>ページがありません</h1><p><a href="/">神戸市データラウンジの最初の画面へ</a></p></html>
"""
"""What is shown at an address that a site does not have."""


def local(host: str) -> bool:
    """Whether a Host header names this machine: a page elsewhere may let its own name lead here."""
    try:
        return (urlsplit(f"//{host}").hostname or "") in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False


def _made_up(releases: Path) -> bool:
    release = current(releases)
    return release is None or release.facts.get("basis") == "synthetic"


def build_app(releases: Path, audience: str, *, made_up: bool = False) -> Starlette:
    """The server as an ASGI application; a new release is served from the next request on.

    Args:
        releases: where releases live.
        audience: whose site to hand out.
        made_up: hand out releases of a made-up city only.
    """
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.middleware import Middleware
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse
    from starlette.routing import Route

    async def page(request: Request) -> Response:
        if not local(request.headers.get("host", "")):
            return PlainTextResponse("このアドレスでは利用できません。", status_code=421, headers=HEADERS)
        if made_up and not await run_in_threadpool(_made_up, releases):
            return PlainTextResponse("サインインが必要です。サーバーを起動し直してください。", 403, headers=HEADERS)
        found = await run_in_threadpool(find, releases, audience, request.path_params["path"])
        if found is None:
            return HTMLResponse(NO_PAGE, status_code=404, headers=HEADERS)
        kept = "public, max-age=31536000, immutable" if _HASHED.search(found.name) else "no-cache"
        kind = TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        return FileResponse(found, media_type=kind, headers={**HEADERS, "Cache-Control": kept})

    return Starlette(
        routes=[Route("/{path:path}", page, methods=["GET", "HEAD"])],
        middleware=[Middleware(GZipMiddleware, minimum_size=1000)],
    )


def run(releases: Path, *, audience: str, host: str, port: int, made_up: bool = False) -> None:
    """Serve until interrupted.

    Raises:
        LoungeError: there is no release yet, or none for the audience.
    """
    import uvicorn

    release = current(releases)
    if release is None or audience not in release.audiences:
        known = ", ".join(release.audiences) if release else "none"
        raise LoungeError(
            "there is no site to serve",
            code="serve.no_site",
            at={"audience": audience},
            remedy=f"run the main job first; audiences of the current release: {known}",
            ja="公開されたサイトがありません",
        )
    app = build_app(releases, audience, made_up=made_up)
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)
