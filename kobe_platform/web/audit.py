"""The audit report on screen, for the privacy officer: what there is in the days asked for, one section at a time.

A month of an operating city is thousands of lines, so the screen shows how many lines each section has, and the lines
of the chosen one by pages, narrowed by words; the same lines come as a file for spreadsheets.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from kobe_platform.governance.trail import note
from kobe_platform.ondemand.forms import for_spreadsheets
from kobe_platform.vocabulary.clock import today
from kobe_platform.web.report import Section, TrailReport
from kobe_platform.web.report import audit_report as collect
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page

LINES = 50
"""Lines of one page of a section."""
SPANS = (("今日", 1), ("7日間", 7), ("31日間", 31))
"""Days that one press asks for, up to today."""


@dataclass(frozen=True)
class ReportQuery:
    """What the address asks for: days, a section's name (empty for none), words, and the page of lines from 1."""

    first: date
    last: date
    section: str
    words: str
    page: int

    @classmethod
    def of(cls, query: QueryParams) -> ReportQuery:
        """As far as the address can be understood; the last month where it tells no days."""
        last = _day(query.get("to")) or today()
        first = _day(query.get("from")) or last - timedelta(days=30)
        number = query.get("page", "")
        at = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
        return cls(min(first, last), last, query.get("section", "")[:40], query.get("q", "").strip()[:100], max(at, 1))

    def query(self, **others: object) -> str:
        """The address of the same with other parts: ``from=…&to=…&section=…``; empty parts are left out."""
        parts = {"from": self.first, "to": self.last, "section": self.section, "q": self.words, **others}
        return urlencode({key: value for key, value in parts.items() if value})


async def audit_report(request: Request) -> Response:
    """How many lines each section has in the days asked for, and the lines of the chosen one."""
    asked = ReportQuery.of(request.query_params)
    report = await _collected(request, asked)
    section = _chosen(report, asked)
    pages = max(1, -(-len(section.rows) // LINES)) if section else 1
    at = min(asked.page, pages)
    shown = section.rows[(at - 1) * LINES : at * LINES] if section else ()
    return page(
        request, "audit_report.html", report=report, asked=asked, section=section, shown=shown, at=at, pages=pages,
        spans=[(words, today() - timedelta(days=days - 1), today()) for words, days in SPANS],
    )  # fmt: skip


async def audit_file(request: Request) -> Response:
    """The lines of the chosen section that hold the words, as a file for spreadsheets."""
    asked = ReportQuery.of(request.query_params)
    section = _chosen(await _collected(request, asked), asked)
    if section is None:
        return page(request, "nothing.html", status=404)
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(for_spreadsheets([section.heads, *section.rows]))
    name = f"audit_{section.name}_{asked.first}_{asked.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


async def _collected(request: Request, asked: ReportQuery) -> TrailReport:
    portal: Portal = request.app.state.portal
    report = await run_in_threadpool(collect, portal.settings, portal.database, asked.first, asked.last)
    who, span = request.state.session.person.login, f"{asked.first}/{asked.last}"
    await run_in_threadpool(note, portal.database, who, "audit_report", span)
    return report


def _chosen(report: TrailReport, asked: ReportQuery) -> Section | None:
    """The section asked for with the lines that hold every word; None where none was."""
    section = next((one for one in report.sections if one.name == asked.section), None)
    words = _folded(asked.words).split()
    if section is None or not words:
        return section
    lines = (row for row in section.rows if all(word in _folded("\n".join(map(str, row))) for word in words))
    return replace(section, rows=tuple(lines))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _day(text: str | None) -> date | None:
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        return None
    return day if day is None or 2000 <= day.year < 2200 else None
