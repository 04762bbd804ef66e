"""Serves the current release to one audience: only files of the site, with strict headers.

This is the minimal server of a workstation or a demo. Sign-in and the choice of the audience by person belong to the
portal server.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.served import KeptFiles, inside, release_in_force
from kobe_platform.vocabulary.municipality import own

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


def find(releases: Path, audience: str, path: str) -> Path | None:
    """The file of the current release's site that a URL path names; None where there is none.

    Only regular files below the audience's own site are found: no ``..``, no hidden name, no link out. An audience
    that no site was built for finds nothing.
    """
    site = _site(releases, audience)
    return inside(site, _named(path)) if site else None


def _site(releases: Path, audience: str) -> Path | None:
    release = release_in_force(releases)
    site = release.audiences.get(audience) if release else None
    return release.path / "sites" / site if release and site else None


def _named(path: str) -> str:
    return path.lstrip("/") or "index.html"


NO_PAGE = """<!doctype html>
<html lang="ja"><meta charset="utf-8"><title>ページがありません</title>
<h1>ページがありません</h1><p><a href="/">%sの最初の画面へ</a></p></html>
"""
"""What is shown at an address that a site does not have."""


def local(host: str) -> bool:
    """Whether a Host header names this machine: a page elsewhere may let its own name lead here."""
    try:
        return (urlsplit(f"//{host}").hostname or "") in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False


def _made_up(releases: Path) -> bool:
    release = release_in_force(releases)
    return release is None or release.facts.get("basis") == "synthetic"


def build_app(releases: Path, audience: str, *, made_up: bool = False) -> Starlette:
    """The server as an ASGI application; a new release is served from the next request on.

    Args:
        releases: where releases live.
        audience: whose site to hand out.
        made_up: hand out releases of a made-up city only.
    """
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse, PlainTextResponse
    from starlette.routing import Route

    files = KeptFiles()

    async def page(request: Request) -> Response:
        if not local(request.headers.get("host", "")):
            return PlainTextResponse("このアドレスでは利用できません。", status_code=421, headers=HEADERS)
        if made_up and not _made_up(releases):
            return PlainTextResponse("サインインが必要です。サーバーを起動し直してください。", 403, headers=HEADERS)
        site = _site(releases, audience)
        found = await files.get(site, _named(request.path_params["path"])) if site else None
        if found is None:
            return HTMLResponse(NO_PAGE % escape(own().lounge), status_code=404, headers=HEADERS)
        kept = "public, max-age=31536000, immutable" if found.lasting else "no-cache"
        return found.answer(request.headers, {**HEADERS, "Cache-Control": kept, "Vary": "Accept-Encoding"})

    return Starlette(routes=[Route("/{path:path}", page, methods=["GET", "HEAD"])])


def run(releases: Path, *, audience: str, host: str, port: int, made_up: bool = False) -> None:
    """Serve until interrupted.

    Raises:
        LoungeError: there is no release yet, or none for the audience.
    """
    import uvicorn

    release = release_in_force(releases)
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
