"""Decides which dashboards may be released: each needs a live approval for every personal source that it uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from kobe_platform.governance.application import Application

REASONS = {
    "application.none": "データ利用申請書がありません",
    "application.not_live": "申請が承認されていないか、期間外です",
    "application.page": "申請にこのダッシュボードが含まれていません",
    "application.source": "申請に含まれていないデータを使っています",
    "application.audience": "申請した閲覧者と異なる閲覧者に公開しようとしています",
}


@dataclass(frozen=True)
class Use:
    """A dashboard's use of data: its page, the application that it names, who sees it, what it draws from.

    ``sources`` are personal ones; a page without any needs no application.
    """

    slug: str
    application: str
    audience: str
    sources: frozenset[str]


def withheld(uses: Iterable[Use], applications: Mapping[str, Application], day: date) -> dict[str, str]:
    """Dashboards that may not be released on a day, with the first reason (a key of :data:`REASONS`)."""
    reasons = {use.slug: reason_against(use, applications, day) for use in uses}
    return {slug: reason for slug, reason in reasons.items() if reason}


def reason_against(use: Use, applications: Mapping[str, Application], day: date) -> str | None:
    """Why a dashboard may not be released on a day; None where it may."""
    if not use.sources:
        return None
    app = applications.get(use.application)
    if app is None:
        return "application.none"
    if not app.live(day):
        return "application.not_live"
    if use.slug not in app.draft.pages:
        return "application.page"
    if not use.sources <= set(app.draft.sources):
        return "application.source"
    if use.audience != app.draft.audience:
        return "application.audience"
    return None
