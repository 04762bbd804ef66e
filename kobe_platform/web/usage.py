"""利用状況: how often pages were opened by day; by section for the section that owns a page and for operators."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from kobe_platform.governance.page_views import LEAST, TOGETHER, DayViews, views_since
from kobe_platform.governance.people import Person
from kobe_platform.lounge.pages import Page
from kobe_platform.lounge.served import release_in_force
from kobe_platform.ondemand.forms import for_spreadsheets
from kobe_platform.vocabulary.clock import today
from kobe_platform.web.reading import known_pages, seen_pages
from kobe_platform.web.sites import pages_seen
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page

DAYS = 28
"""Days that the screen tells; the figure beside is that of as many days before."""


@dataclass(frozen=True)
class PageUse:
    """How a page was used: views of the last days and of those before, by day (all days) and, for some, by section.

    ``released``: whether it is in the release in force; ``open``: whether the person who looks may see it there.
    """

    slug: str
    title: str
    owner: str
    released: bool
    open: bool
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
    since, uses = await run_in_threadpool(_uses, portal, request.state.session.person)
    return page(request, "usage.html", uses=uses, days=DAYS, least=LEAST, since=since)


async def usage_file(request: Request) -> Response:
    """The same counts by day as CSV."""
    portal: Portal = request.app.state.portal
    text = await run_in_threadpool(_as_csv, portal, request.state.session.person)
    headers = {"Content-Disposition": 'attachment; filename="usage.csv"', "Cache-Control": "no-store"}
    return Response("\ufeff" + text, media_type="text/csv; charset=utf-8", headers=headers)


def _as_csv(portal: Portal, person: Person) -> str:
    _, pages, rows = _told(portal, person)
    out = io.StringIO()
    told = [[one.day, pages[one.page].title, one.section, one.views] for one in rows]
    csv.writer(out).writerows(for_spreadsheets([["日", "画面", "課", "表示回数"], *told]))
    return out.getvalue()


def _uses(portal: Portal, person: Person) -> tuple[date, list[PageUse]]:
    since, pages, rows = _told(portal, person)
    release = release_in_force(portal.settings.releases)
    released = release.pages if release else ()
    open_to = pages_seen(portal.settings.releases, person)
    by_page: defaultdict[str, list[DayViews]] = defaultdict(list)
    for row in rows:
        by_page[row.page].append(row)
    uses = [_use(slug, told, by_page[slug], since, (slug in released, slug in open_to)) for slug, told in pages.items()]
    return since, sorted(uses, key=lambda use: -use.views)


def _told(portal: Portal, person: Person) -> tuple[date, dict[str, Page], list[DayViews]]:
    """First day of the period, the pages that are told, and counts of twice the period; of another section's page
    those of all sections together. Views since the counts were written last are not told: who reloads the screen does
    not see when somebody opens a page."""
    everything = person.has("operator")
    pages = dict(known_pages(portal)) if everything else seen_pages(portal, person)
    since = today() - timedelta(days=DAYS - 1)
    together: Counter[tuple[date, str, str]] = Counter()
    for row in views_since(portal.database, since - timedelta(days=DAYS)):
        if row.page in pages:
            mine = everything or pages[row.page].meta.owner == person.section
            together[row.day, row.page, row.section if mine else TOGETHER] += row.views
    return since, pages, [DayViews(*key, views) for key, views in together.items()]


def _use(slug: str, told: Page, rows: list[DayViews], since: date, where: tuple[bool, bool]) -> PageUse:
    lately = [row for row in rows if row.day >= since]
    days: Counter[date] = Counter({since + timedelta(days=at): 0 for at in range(DAYS)})
    sections: Counter[str] = Counter()
    for row in lately:
        days[row.day] += row.views
        sections[row.section] += row.views
    views = sum(row.views for row in lately)
    before = sum(row.views for row in rows) - views
    told_by = tuple(days.items()), tuple(sections.most_common())
    return PageUse(slug, told.title, told.meta.owner, *where, views, before, *told_by)
