"""The audit report on screen, for the privacy officer."""

from __future__ import annotations

from datetime import date, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from kobe_platform.governance.trail import note
from kobe_platform.vocabulary.clock import today
from kobe_platform.web.report import audit_report as collect
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page


async def audit_report(request: Request) -> Response:
    """The report for the days asked for; the last month by default."""
    portal: Portal = request.app.state.portal
    last = _day(request.query_params.get("to")) or today()
    first = _day(request.query_params.get("from")) or last - timedelta(days=30)
    first = min(first, last)
    report = await run_in_threadpool(collect, portal.settings, portal.database, first, last)
    who, span = request.state.session.person.login, f"{first}/{last}"
    await run_in_threadpool(note, portal.database, who, "audit_report", span)
    return page(request, "audit_report.html", report=report)


def _day(text: str | None) -> date | None:
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        return None
    return day if day is None or 2000 <= day.year < 2200 else None
