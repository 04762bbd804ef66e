"""Shows operators how the data are: deliveries, lag, quality by month and rule, hidden shares, trends."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from kobe_platform.planning.observing import Observer
from kobe_platform.planning.showing import OUTCOMES_JA
from kobe_platform.upkeep.condition import condition
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page


async def condition_page(request: Request) -> Response:
    """The page データの状態."""
    portal: Portal = request.app.state.portal
    told = await run_in_threadpool(lambda: condition(portal.settings, Observer(portal.settings)))
    titles = {one.name: one.title for one in told.sources}
    return page(request, "condition.html", told=told, outcomes=OUTCOMES_JA, titles=titles)
