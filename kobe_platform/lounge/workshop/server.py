"""Serves ``kobe pages serve``: the site in a browser, updated after each save, with faults in plain Japanese."""

from __future__ import annotations

import asyncio
import mimetypes
import threading
from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from kobe_platform.errors import PlatformError
from kobe_platform.lounge.explanations import explain, place
from kobe_platform.lounge.serve import HEADERS
from kobe_platform.lounge.served import TYPES, inside
from kobe_platform.lounge.workshop.site import WorkshopSite

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

PAUSE = 0.25
"""Seconds between two looks at the files."""
WAIT = 20.0
"""Seconds that a browser's question for a new version may stay open."""
_FILES = Path(__file__).resolve().parent / "browser"
_SCRIPT = '<script type="module" src="/_workshop/reload.js" data-version="{version}"></script>'
_AROUND = 3
_HEADERS = {**HEADERS, "Cache-Control": "no-store"}


def watch(site: WorkshopSite, stop: threading.Event, tell: Callable[[WorkshopSite], None]) -> None:
    """Bring the site up to its sources until told to stop; ``tell`` is called after each build."""
    while not stop.wait(PAUSE):
        if site.refresh():
            tell(site)


def build_app(site: WorkshopSite) -> Starlette:
    """The workshop as an ASGI application, under the same security policy as the lounge itself."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse
    from starlette.routing import Route

    async def version(request: Request) -> Response:
        """Answer as soon as there is another version than the browser's, at the latest after a while."""
        told = request.query_params.get("after", "")
        for _ in range(int(WAIT / PAUSE)):
            if str(site.version) != told or await request.is_disconnected():
                break
            await asyncio.sleep(PAUSE)
        return JSONResponse({"version": site.version}, headers=_HEADERS)

    async def own(request: Request) -> Response:
        found = inside(_FILES, request.path_params["path"])
        return _file(found) if found else PlainTextResponse("", status_code=404, headers=_HEADERS)

    async def page(request: Request) -> Response:
        path = request.path_params["path"] or "index.html"
        is_page = path.endswith(".html")
        if site.faults and is_page:
            text = await run_in_threadpool(faults_html, site.faults, site.dashboards, site.version)
            return HTMLResponse(text, headers=_HEADERS)
        root, inner = (site.data, path[5:]) if path.startswith("data/") else (site.out, path)
        found = await run_in_threadpool(inside, root, inner)
        if found is None:
            return PlainTextResponse("ページがありません。", status_code=404, headers=_HEADERS)
        if is_page:
            text = (await run_in_threadpool(found.read_text, "utf-8")).replace(
                "</body>", f"{_SCRIPT.format(version=site.version)}</body>"
            )
            return HTMLResponse(text, headers=_HEADERS)
        return _file(found)

    def _file(found: Path) -> Response:
        kind = TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        return FileResponse(found, media_type=kind, headers=_HEADERS)

    return Starlette(
        routes=[
            Route("/_workshop/version", version),
            Route("/_workshop/{path:path}", own),
            Route("/{path:path}", page, methods=["GET", "HEAD"]),
        ]
    )


def faults_html(faults: Sequence[PlatformError], dashboards: Path, version: int) -> str:
    """A page that says what is wrong, where, and what to do; it goes away with the next good save."""
    shown = "".join(_faults_at(where, list(there), dashboards) for where, there in groupby(faults, key=place))
    return (
        '<!doctype html><html lang="ja"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>誤りが{len(faults)}件あります</title>"
        '<link rel="icon" href="/_workshop/icon.svg" type="image/svg+xml">'
        '<link rel="stylesheet" href="/_workshop/faults.css"></head><body><main>'
        f"<h1>ページに誤りが{len(faults)}件あります</h1><p>直して保存すると、この画面は自動で元に戻ります。</p>"
        f"<ol>{shown}</ol></main>{_SCRIPT.format(version=version)}</body></html>"
    )


def _faults_at(where: str, faults: list[PlatformError], dashboards: Path) -> str:
    """What is wrong with one line."""
    said = "".join(f"<p>{escape(explain(fault))}</p>" for fault in faults)
    words = "".join(
        f'<p lang="en">{escape(f"[{f.code}] {f.message}" + (f" – {f.remedy}" if f.remedy else ""))}</p>' for f in faults
    )
    return (
        f"<li>{f'<h2>{escape(where)}</h2>' if where else ''}{said}{_excerpt(faults[0], dashboards)}"
        f"<details><summary>英語の説明</summary>{words}</details></li>"
    )


def _excerpt(fault: PlatformError, dashboards: Path) -> str:
    """The lines around the fault, the one at fault marked."""
    name, line = str(fault.at.get("file", "")), int(fault.at.get("line", 0))
    path = next((p for folder in ("pages", "manuals") if (p := dashboards / folder / name).is_file()), None)
    if not name or Path(name).name != name or path is None or line < 1:
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    first = max(1, line - _AROUND)
    shown = "".join(
        f'<span class="{"at-fault" if n == line else ""}"><b>{n}</b>{escape(text)}\n</span>'
        for n, text in enumerate(lines[first - 1 : line + _AROUND], start=first)
    )
    return f'<pre tabindex="0" aria-label="{escape(place(fault))} のあたり"><code>{shown}</code></pre>'
