"""What the portal's screens say of pages: their titles, owners, and what changed in their figures since a release."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from kobe_platform.errors import PlatformError
from kobe_platform.governance.people import Person
from kobe_platform.lounge.changes import TableChange, changes
from kobe_platform.lounge.formats import period_label
from kobe_platform.lounge.pages import Page, readable_pages
from kobe_platform.lounge.release import RECORD, Release, releases_of
from kobe_platform.lounge.served import release_in_force
from kobe_platform.web.sites import pages_seen
from kobe_platform.web.state import Portal

NAMED = 3
"""Periods that are named one by one; more are told by the first and the last."""


def number(release: Release) -> int:
    """A release's number: 7 of ``0007-…``."""
    return int(release.id.split("-")[0])


def known_pages(portal: Portal) -> Mapping[str, Page]:
    """The pages of the dashboards folder, that can be read, read once a release; none without a release."""
    release = release_in_force(portal.settings.releases)
    try:
        return _pages(portal.settings.dashboards, release.id) if release else {}
    except PlatformError:  # somebody writes the audiences just now: readers go on without news
        return {}


@lru_cache(maxsize=4)
def _pages(dashboards: Path, _release: str) -> Mapping[str, Page]:
    return readable_pages(dashboards)


def seen_pages(portal: Portal, person: Person) -> dict[str, Page]:
    """The pages that a person sees, in order."""
    seen = pages_seen(portal.settings.releases, person)
    return {slug: page for slug, page in known_pages(portal).items() if slug in seen}


def owned_pages(portal: Portal, person: Person) -> dict[str, Page]:
    """The pages that the person sees and the person's section owns."""
    return {slug: page for slug, page in seen_pages(portal, person).items() if page.meta.owner == person.section}


def known_releases(portal: Portal) -> Sequence[Release]:
    """Every release, oldest first; records are read again only when one was added, pruned or taken away."""
    folder = portal.settings.releases
    records = ((path, path.stat()) for path in sorted(folder.glob(f"*/{RECORD}")))
    return _releases(folder, tuple((path.parent.name, stat.st_ino, stat.st_mtime_ns) for path, stat in records))


@lru_cache(maxsize=4)
def _releases(folder: Path, _records: tuple[tuple[str, int, int], ...]) -> Sequence[Release]:
    return tuple(releases_of(folder))


def changes_since(portal: Portal, page: Page, since: int, known: Sequence[Release]) -> str:
    """What changed in a page's tables since a release, in words; empty where nothing did.

    Where that release was pruned, the oldest one after it that was not is compared.

    Args:
        since: number of the release.
        known: what :func:`known_releases` tells.
    """
    now = release_in_force(portal.settings.releases)
    if now is None:
        return ""
    left = (one for one in known if since <= number(one) < number(now) and not one.pruned_at)
    former = next(left, None)
    return in_words(changes(former, now, page.tables)) if former else ""


def changed_lately(portal: Portal, page: Page) -> tuple[int, str]:
    """The number of the release before the one in force, and what changed in a page's tables since."""
    now = release_in_force(portal.settings.releases)
    known = known_releases(portal)
    earlier = [number(one) for one in known if now and number(one) < number(now)]
    return (max(earlier), changes_since(portal, page, max(earlier), known)) if earlier else (0, "")


def in_words(told: Collection[TableChange]) -> str:
    """Changes of a page's tables in one line: 「2025年12月を追加、2025年10月を訂正」."""
    parts = []
    for word, periods in (
        ("追加", {period for one in told for period in one.new}),
        ("訂正", {period for one in told for period in one.corrected}),
        ("掲載終了", {period for one in told for period in one.gone}),
    ):
        if periods:
            parts.append(f"{_span(sorted(periods))}を{word}")
    fresh = [one.title for one in told if one.is_new]
    if fresh:
        parts.append(
            f"新しい表：{'、'.join(fresh[:NAMED])}{f'ほか{len(fresh) - NAMED}件' if len(fresh) > NAMED else ''}"
        )
    return "、".join(parts)


def _span(periods: list[str]) -> str:
    if len(periods) <= NAMED:
        return "・".join(period_label(period) for period in periods)
    months = [one for one in periods if len(one) == len(periods[-1])]
    return f"{period_label(months[0])}〜{period_label(months[-1])}"
