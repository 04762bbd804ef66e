"""Shows a release by its address (``/r/0007/…``), so that a quoted figure can be seen again, and what each changed.

A reader sees of a former release what they may see now: pages that their present site has, with those pages' data. A
release that was rolled back from is newer than the one in force and is not shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from html import escape

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from kobe_platform.governance.people import Person
from kobe_platform.lounge.changes import TableChange, changes
from kobe_platform.lounge.glossary import GLOSSARY
from kobe_platform.lounge.notices import OF_THE_PORTAL, READER
from kobe_platform.lounge.pages import readable_pages
from kobe_platform.lounge.release import Release, current, releases_of
from kobe_platform.lounge.served import TYPES, inside
from kobe_platform.vocabulary.clock import JAPAN
from kobe_platform.web.sites import site_of
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page, refusal

SHOWN = 24
"""Releases that the list tells."""
_OF_A_PAGE = re.compile(r"^(?:data/)?([a-z][a-z0-9_]*)(?:\.html$|/)")
_NAVIGATION = re.compile(r'<nav class="(?:site-nav|lounge-related)".*?</nav>', re.DOTALL)
_CONTENT = '<div class="lounge" id="content">'
PRUNED = "この版の画面と表は、残す期間が過ぎたため消してあります。公開した日と表の一覧は記録に残っています。"
NO_SUCH_EDITION = "この版は表示できません。版がないか、その画面を今は公開していません。"


@dataclass(frozen=True)
class Edition:
    """One release in the list.

    Attributes:
        number: as its address has it.
        is_pruned: its pages and tables were taken away, so nothing can be said or shown of it.
        changes: since the release before; None where that is not known, as there is none or one of the two is pruned.
    """

    number: str
    day: datetime
    in_force: bool
    is_pruned: bool
    changes: tuple[TableChange, ...] | None


async def former_site(request: Request) -> Response:
    """A file of a release, as far as the reader may see its page now."""
    portal: Portal = request.app.state.portal
    person = request.state.session.person
    number, path = request.path_params["number"], request.path_params["path"].lstrip("/") or "index.html"
    if (name := path.removesuffix(".html")) in OF_THE_PORTAL:
        return RedirectResponse(f"/{name}", 303)
    if name == GLOSSARY:
        return RedirectResponse(f"/{path}", 303)
    if path == READER:
        return RedirectResponse(f"/{READER}", 303)
    known = await run_in_threadpool(_up_to_now, portal)
    release = next((one for one in known if number_of(one) == number), None)
    if release is not None and release.pruned_at:
        return refusal(request, PRUNED, 410)
    answer = await run_in_threadpool(_answer, release, known[-1], person, path) if release else None
    return answer or refusal(request, NO_SUCH_EDITION, 404)


async def releases_page(request: Request) -> Response:
    """The releases up to the one in force, newest first, with what each changed in the tables that the reader sees."""
    portal: Portal = request.app.state.portal
    editions = await run_in_threadpool(_editions, portal, request.state.session.person)
    return page(request, "releases.html", editions=editions)


def number_of(release: Release) -> str:
    """A release's number as its address has it: ``0007``."""
    return release.id.split("-")[0]


def _up_to_now(portal: Portal) -> list[Release]:
    """The releases up to the one in force, oldest first; one that was rolled back from is not among them."""
    now = current(portal.settings.releases)
    return [one for one in releases_of(portal.settings.releases) if now and int(number_of(one)) <= int(number_of(now))]


def _pages_of(release: Release, person: Person) -> tuple[str | None, set[str]]:
    site = site_of(release, person)
    return site, set(release.sites[site]) if site else set()


def _answer(release: Release, now: Release, person: Person, path: str) -> Response | None:
    site, pages = _pages_of(release, person)
    _, seen = _pages_of(now, person)
    if site is None or not _may_see(path, pages, seen):
        return None
    found = inside(release.path / "sites" / site, path)
    if found is None:
        return None
    headers = {"Cache-Control": "private, no-cache", "Vary": "Cookie"}
    kind = TYPES.get(found.suffix)
    if found.suffix != ".html":
        return FileResponse(found, media_type=kind, headers=headers)
    text = _with_notice(found.read_text("utf-8"), release, now, path)
    return Response(text, media_type=kind, headers=headers)


def _may_see(path: str, pages: set[str], seen: set[str]) -> bool:
    """Whether a file of a former site tells of pages alone that the reader may see now.

    Scripts and styles tell of none; the portal's page, its catalogue and search tell of all pages of the site.
    """
    if path.startswith("assets/"):
        return True
    match = _OF_A_PAGE.match(path)
    slug = match[1] if match else ""
    return slug in seen & pages if slug and slug != "index" else pages <= seen


def _with_notice(text: str, release: Release, now: Release, path: str) -> str:
    """A page without its ways to other pages, which says of which release it is."""
    day = datetime.fromisoformat(release.created_at).astimezone(JAPAN)
    words = f"第{int(number_of(release))}版（{day.year}年{day.month}月{day.day}日公開）の画面です。"
    link = f'<a href="/{escape(path)}">今の版（第{int(number_of(now))}版）を見る</a>'
    notice = f'<p class="lounge-synthetic" role="note">{words}{link} <a href="/releases">版と訂正の一覧</a></p>'
    return _NAVIGATION.sub("", text).replace(_CONTENT, _CONTENT + notice, 1)


def _editions(portal: Portal, person: Person) -> list[Edition]:
    known = _up_to_now(portal)[-SHOWN - 1 :]
    if not known:
        return []
    _, seen = _pages_of(known[-1], person)
    pages = readable_pages(portal.settings.dashboards)
    tables = {table for slug in seen if slug in pages for table in pages[slug].tables}
    editions = []
    for former, release in zip([None, *known], known, strict=False):
        is_known = former is not None and not former.pruned_at and not release.pruned_at
        told = tuple(changes(former, release, tables)) if former and is_known else None
        day = datetime.fromisoformat(release.created_at)
        editions.append(Edition(number_of(release), day, release is known[-1], bool(release.pruned_at), told))
    return editions[::-1][:SHOWN]
