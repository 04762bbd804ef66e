"""Short addresses of pages (``/s/CODE``): made on request, and opened by whoever may see the page itself."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.short_links import lengthen, shorten
from kobe_platform.web.access import local_path
from kobe_platform.web.sites import pages_seen
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import refusal

_PAGE = re.compile(r"/(?:r/\d{4,}/)?([a-z][a-z0-9_]*)\.html")
"""The path of a page of the release in force, or of a former one."""
NO_SUCH_LINK = "この短いURLは使えません。リンクがないか、その画面を今は公開していません。"


async def link_make(request: Request) -> Response:
    """A code for the address of a page that the reader sees."""
    portal: Portal = request.app.state.portal
    form = await request.form()
    address = str(form.get("address", ""))
    session = request.state.session
    if not _may_see(portal, session.person, address):
        return PlainTextResponse("この画面のURLは短くできません。", 422)
    if not portal.links.admits(session.person.login):
        return PlainTextResponse("短いURLを続けて作りすぎました。1分ほど待ってください。", 429)
    try:
        code = await run_in_threadpool(shorten, portal.database, address)
    except GovernanceError as error:
        return PlainTextResponse(error.ja, 422)
    return JSONResponse({"path": f"/s/{code}"}, headers={"Cache-Control": "no-store"})


async def link_open(request: Request) -> Response:
    """On to the page with its choices; a link to a page that the reader may not see is as good as none."""
    portal: Portal = request.app.state.portal
    address = await run_in_threadpool(lengthen, portal.database, request.path_params["code"])
    if address is None or not _may_see(portal, request.state.session.person, address):
        return refusal(request, NO_SUCH_LINK, 404)
    return RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})


def _may_see(portal: Portal, person, address: str) -> bool:
    page = _PAGE.fullmatch(urlsplit(address).path) if local_path(address) == address else None
    return page is not None and page[1] in pages_seen(portal.settings.releases, person)
