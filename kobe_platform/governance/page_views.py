"""Keeps how often pages were opened: by day, page and section; no person, no time of day, no order.

Views are counted in memory and written now and then, so a kill loses what came since. A section of fewer than
:data:`LEAST` active people is never written: its views go to :data:`OTHERS`, with those of the next smallest sections
until at least as many people stand behind that name. Where even all sections together are fewer, no section is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Lock

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from kobe_platform.governance.database import writing
from kobe_platform.governance.schema import page_views, person
from kobe_platform.vocabulary.clock import today

LEAST = 5
"""Active people of a section that is named."""
OTHERS = "ほかの課"
TOGETHER = "すべての課"
"""Stands where no section is told."""
KEPT_DAYS = 400
"""Days that counts are kept: a year, and what it takes to compare it with the one before its end."""


@dataclass(frozen=True)
class DayViews:
    """How often a page was opened on a day by the people of a section."""

    day: date
    page: str
    section: str
    views: int


class ViewCounter:
    """Views since the last :meth:`flush`."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._lock = Lock()

    def count(self, page: str, section: str, *, on: date | None = None) -> None:
        """One view, without whose it is."""
        with self._lock:
            self._counts[(on or today()).isoformat(), page, section] += 1

    def flush(self, engine: Engine) -> int:
        """Add what was counted to the database; how many views there were. What cannot be written is kept."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return 0
        try:
            with writing(engine) as connection:
                nobody_left = {section: 0 for _, _, section in counts}  # they were seen, and left since
                names = named(nobody_left | _sizes(connection))
                folded: Counter[tuple[str, str, str]] = Counter()
                for (day, page, section), views in counts.items():
                    folded[day, page, names[section]] += views
                for key, views in folded.items():
                    _add(connection, key, views)
                _forget(connection)
        except BaseException:
            with self._lock:
                self._counts.update(counts)
            raise
        return counts.total()


def named(sizes: Mapping[str, int], least: int = LEAST) -> dict[str, str]:
    """Section → the name that its views are kept under, given its number of active people."""
    order = sorted(sizes, key=lambda section: (sizes[section], section))
    folded = [section for section in order if sizes[section] < least or not section]
    for section in order[len(folded) :]:
        if not folded or sum(sizes[one] for one in folded) >= least:
            break
        folded.append(section)
    others = OTHERS if sum(sizes[one] for one in folded) >= least else TOGETHER
    return {section: others if section in folded else section for section in sizes}


def views_since(engine: Engine, since: date) -> list[DayViews]:
    """What is kept from a day on, oldest first."""
    query = select(page_views).where(page_views.c.day >= since.isoformat())
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(page_views.c.day, page_views.c.page, page_views.c.section)).all()
    return [DayViews(date.fromisoformat(row.day), row.page, row.section, row.views) for row in rows]


def _sizes(connection: Connection) -> dict[str, int]:
    query = select(person.c.section, func.count()).where(person.c.active).group_by(person.c.section)
    return {section: number for section, number in connection.execute(query)}


def _add(connection: Connection, key: tuple[str, str, str], views: int) -> None:
    day, page, section = key
    where = (page_views.c.day == day) & (page_views.c.page == page) & (page_views.c.section == section)
    changed = connection.execute(update(page_views).where(where).values(views=page_views.c.views + views))
    if not changed.rowcount:
        connection.execute(insert(page_views).values(day=day, page=page, section=section, views=views))


def _forget(connection: Connection) -> None:
    first = (today() - timedelta(days=KEPT_DAYS)).isoformat()
    connection.execute(delete(page_views).where(page_views.c.day < first))
