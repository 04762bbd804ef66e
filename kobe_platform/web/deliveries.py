"""Shows operators the deliveries that need a decision, with their reports in counts, and records what is decided."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobe_platform.contracts import load_contracts
from kobe_platform.errors import PlatformError
from kobe_platform.governance.trail import note
from kobe_platform.intake.deliveries import Delivery, find_one
from kobe_platform.planning.showing import DECISIONS_JA, OUTCOMES_JA, listed, shown
from kobe_platform.reception.decisions import DECISIONS, decide
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page

MOST = 200
"""Deliveries on the screen, newest months first; those that are held or turned away stand before all others."""
_FIRST = ("held", "rejected", "refused", "withdrawn", "due")


async def delivery_list(request: Request) -> Response:
    """The deliveries in the inbox: first those that wait for somebody."""
    portal: Portal = request.app.state.portal
    rows = await run_in_threadpool(listed, portal.settings)
    rows.sort(key=lambda row: row["month"], reverse=True)
    rows.sort(key=lambda row: _FIRST.index(row["outcome"]) if row["outcome"] in _FIRST else len(_FIRST))
    more = max(0, len(rows) - MOST)
    titles = {name: one.title for name, one in load_contracts(portal.settings.contracts).items()}
    return page(request, "deliveries.html", rows=rows[:MOST], more=more, words=OUTCOMES_JA, titles=titles)


async def delivery_page(request: Request) -> Response:
    """One delivery, how it differs from the one in force, and what can be decided."""
    return await _shown(request)


async def delivery_decide(request: Request) -> Response:
    """Approve, refuse or withdraw exactly the content that was shown."""
    portal: Portal = request.app.state.portal
    person, delivery = request.state.session.person, await _found(request)
    form, decision = await request.form(), request.path_params["decision"]
    if delivery is None or decision not in DECISIONS:
        return page(request, "nothing.html", status=404)
    content = str(form.get("content", ""))
    try:
        if not content:
            raise PlatformError("no content is named", code="delivery.changed", ja="画面のボタンから決めてください")
        await run_in_threadpool(decide, portal.settings.root, delivery, decision, person.login, content=content)
    except PlatformError as error:
        return await _shown(request, status=409, message=error.ja)
    told = {"content": delivery.content_hash[:12]}
    await run_in_threadpool(note, portal.database, person.login, f"delivery.{decision}", delivery.name, detail=told)
    return RedirectResponse(f"/deliveries/{delivery.source}/{delivery.month}", status_code=303)


async def _found(request: Request) -> Delivery | None:
    settings = request.app.state.portal.settings
    place = settings.municipality, request.path_params["source"], request.path_params["month"]
    return await run_in_threadpool(find_one, settings.inbox.resolve(), *place)


async def _shown(request: Request, *, status: int = 200, message: str = "") -> Response:
    delivery = await _found(request)
    if delivery is None:
        return page(request, "nothing.html", status=404)
    told = await run_in_threadpool(shown, request.app.state.portal.settings, delivery)
    words = {"words": OUTCOMES_JA, "decisions": DECISIONS, "decided": DECISIONS_JA}
    return page(request, "delivery.html", status=status, message=message, told=told, **words)
