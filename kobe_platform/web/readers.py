"""Tells a page of the lounge what the portal knows of its reader (``reader.json``), and keeps their favourites."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.favourites import (
    change_favourites,
    favourites,
    mark_seen,
)
from kobe_platform.governance.mail_addresses import (
    claim_address,
    claimed_address,
    confirm_address,
    mail_address,
    may_be_mailed,
)
from kobe_platform.governance.people import Person
from kobe_platform.governance.questions import unanswered
from kobe_platform.lounge.served import release_in_force
from kobe_platform.web.reading import changed_lately, changes_since, known_releases, number, owned_pages, seen_pages
from kobe_platform.web.sites import pages_seen
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import menu_of, page

MAILED_ENOUGH = "このアドレスへの確認メールは、1日に3通までです。あす、もう一度保存してください。"
TOO_OFTEN = "操作が続いています。1分ほど待ってください。"


async def reader_file(request: Request) -> Response:
    """What a page needs to ask the portal for something; in a copy of the site the file says that there is none.

    ``csrf`` token of forms, ``favourites``, ``news`` (changes of favourites that the reader does not know of), ``menu``
    (the portal's screens), ``waiting`` (unanswered questions to the reader's section) and, for ``?page=``, ``changed``
    (since the former release).
    """
    portal: Portal = request.app.state.portal
    session = request.state.session
    told = await run_in_threadpool(_told, portal, session.person, request.query_params.get("page", ""))
    menu = menu_of(session.person, portal.config)
    body = {"csrf": session.csrf, "menu": menu, **told}
    return JSONResponse(body, headers={"Cache-Control": "no-store", "Vary": "Cookie"})


async def favourites_save(request: Request) -> Response:
    """Add and remove favourites, or note that the reader has read of their changes (``seen``)."""
    portal: Portal = request.app.state.portal
    person, form = request.state.session.person, await request.form()
    add, remove, read = (str(form.get(name, "")).split() for name in ("add", "remove", "seen"))
    if not portal.changes.admits(person.login):
        return PlainTextResponse(TOO_OFTEN, 429)
    try:
        await run_in_threadpool(_keep, portal, person, add, remove, read)
    except GovernanceError as error:
        return PlainTextResponse(error.ja, 422)
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/news", 303)
    return JSONResponse(await run_in_threadpool(_told, portal, person, ""), headers={"Cache-Control": "no-store"})


async def news_page(request: Request) -> Response:
    """What changed in the reader's favourites, and where they want mail of it."""
    return await _shown(request)


async def news_mail(request: Request) -> Response:
    """Keep where the reader wants mail of changes; it goes there once they confirm the address."""
    portal: Portal = request.app.state.portal
    person, form = request.state.session.person, await request.form()
    address, domains = str(form.get("address", "")).strip(), portal.config.notices.domains
    if not portal.changes.admits(person.login):
        return await _shown(request, message=TOO_OFTEN, status=429)
    counted = address.lower() if may_be_mailed(address, domains) else ""
    if counted and not portal.confirmations.admits(counted):
        return await _shown(request, message=MAILED_ENOUGH, status=429)
    try:
        mailed = await run_in_threadpool(claim_address, portal.database, person.login, address, domains)
        if counted and not mailed:
            portal.confirmations.forgive(counted)
    except GovernanceError as error:
        if counted:
            portal.confirmations.forgive(counted)
        return await _shown(request, message=error.ja, status=429 if error.code == "notices.often" else 422)
    portal.mail_due.set()
    return RedirectResponse("/news", 303)


async def news_confirm_page(request: Request) -> Response:
    """Where the link in the mail leads: a button confirms, so that nothing that only follows links does."""
    return page(request, "news_confirm.html", token=request.query_params.get("token", "")[:100])


async def news_confirm(request: Request) -> Response:
    """Take the address to which the link was mailed as the reader's."""
    portal: Portal = request.app.state.portal
    person, form = request.state.session.person, await request.form()
    release = release_in_force(portal.settings.releases)
    told = (portal.database, person.login, str(form.get("token", "")), number(release) if release else 0)
    if not portal.changes.admits(person.login):
        return await _shown(request, message=TOO_OFTEN, status=429)
    try:
        await run_in_threadpool(confirm_address, *told)
    except GovernanceError as error:
        return await _shown(request, message=error.ja, status=422)
    return RedirectResponse("/news", 303)


async def _shown(request: Request, *, message: str = "", status: int = 200) -> Response:
    portal: Portal = request.app.state.portal
    person = request.state.session.person
    told = await run_in_threadpool(_told, portal, person, "")
    titles = {slug: one.title for slug, one in seen_pages(portal, person).items()}
    address = await run_in_threadpool(mail_address, portal.database, person.login)
    claim = await run_in_threadpool(claimed_address, portal.database, person.login)
    values = {**told, "titles": titles, "address": address, "claim": claim, "message": message}
    return page(request, "news.html", status=status, **values)


def news_of(portal: Portal, person: Person, known: dict[str, int]) -> list[dict[str, str]]:
    """Changes of pages that a person sees, since the release that they know of each: page, title and words."""
    seen = seen_pages(portal, person)
    releases = known_releases(portal)
    told = [(slug, seen[slug].title, changes_since(portal, seen[slug], since, releases))
            for slug, since in known.items() if slug in seen]  # fmt: skip
    return [{"page": slug, "title": title, "text": text} for slug, title, text in told if text]


def _told(portal: Portal, person: Person, slug: str) -> dict[str, Any]:
    known = favourites(portal.database, person.login)
    seen = seen_pages(portal, person)
    told: dict[str, Any] = {
        "favourites": [one for one in seen if one in known],
        "news": news_of(portal, person, known),
        "waiting": unanswered(portal.database, owned_pages(portal, person)),
    }
    if slug in seen:
        former, text = changed_lately(portal, seen[slug])
        told["changed"] = {"former": former, "text": text}
    return told


def _keep(portal: Portal, person: Person, add: list[str], remove: list[str], read: list[str]) -> None:
    release = release_in_force(portal.settings.releases)
    now = number(release) if release else 0
    seen = pages_seen(portal.settings.releases, person)
    add = [slug for slug in add if slug in seen]
    if add or remove:
        change_favourites(portal.database, person.login, add=add, remove=remove, release=now)
    if read:
        mark_seen(portal.database, person.login, read, now)
