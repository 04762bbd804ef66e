"""利用状況: how often pages were opened by day; by section for the section that owns a page and for operators."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from kobe_platform.governance.page_views import LEAST, DayViews, views_since
from kobe_platform.governance.people import Person
from kobe_platform.lounge.pages import Page
from kobe_platform.vocabulary.clock import today
from kobe_platform.web.reading import known_pages, seen_pages
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page

DAYS = 28
"""Days that the screen tells; the figure beside is that of as many days before."""
ALL = "すべての課"


@dataclass(frozen=True)
class PageUse:
    """How a page was used: views of the last days and of those before, by day (all days) and, for some, by section."""

    slug: str
    title: str
    owner: str
    views: int
    before: int
    days: tuple[tuple[date, int], ...]
    sections: tuple[tuple[str, int], ...]

    @property
    def most(self) -> int:
        """Views of the busiest day."""
        return max(views for _, views in self.days)


async def usage_page(request: Request) -> Response:
    """The pages that the reader sees, for operators all, the most used first."""
    portal: Portal = request.app.state.portal
    since, pages, rows = await run_in_threadpool(_told, portal, request.state.session.person)
    uses = [_use(slug, one, rows, since) for slug, one in pages.items()]
    uses.sort(key=lambda use: -use.views)
    return page(request, "usage.html", uses=uses, days=DAYS, least=LEAST, since=since)


async def usage_file(request: Request) -> Response:
    """The same counts by day as CSV."""
    portal: Portal = request.app.state.portal
    _, pages, rows = await run_in_threadpool(_told, portal, request.state.session.person)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("日", "画面", "課", "表示回数"))
    writer.writerows((one.day, pages[one.page].title, one.section, one.views) for one in rows)
    headers = {"Content-Disposition": 'attachment; filename="usage.csv"', "Cache-Control": "no-store"}
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _told(portal: Portal, person: Person) -> tuple[date, dict[str, Page], list[DayViews]]:
    """First day of the period, the pages that are told, and counts of twice the period; of another section's page
    those of all sections together."""
    everything = person.has("operator")
    pages = dict(known_pages(portal)) if everything else seen_pages(portal, person)
    portal.views.flush(portal.database)
    since = today() - timedelta(days=DAYS - 1)
    together: Counter[tuple[date, str, str]] = Counter()
    for row in views_since(portal.database, since - timedelta(days=DAYS)):
        if row.page in pages:
            mine = everything or pages[row.page].meta.owner == person.section
            together[row.day, row.page, row.section if mine else ALL] += row.views
    return since, pages, [DayViews(*key, views) for key, views in together.items()]


def _use(slug: str, told: Page, rows: list[DayViews], since: date) -> PageUse:
    mine = [row for row in rows if row.page == slug]
    lately = [row for row in mine if row.day >= since]
    days: Counter[date] = Counter({since + timedelta(days=at): 0 for at in range(DAYS)})
    sections: Counter[str] = Counter()
    for row in lately:
        days[row.day] += row.views
        sections[row.section] += row.views
    views = sum(row.views for row in lately)
    before = sum(row.views for row in mine) - views
    return PageUse(slug, told.title, told.meta.owner, views, before, tuple(days.items()), tuple(sections.most_common()))
