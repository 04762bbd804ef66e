"""Writes what the newest month of usual ranges says of itself: a sentence for its page, a line among the notices.

Everything follows from what a release tells of the table: how many series the month has, how many of them were judged,
and how many stand out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from typing import Any

from kobe_platform.lounge.formats import period_label
from kobe_platform.lounge.pages import Page
from kobe_platform.lounge.tables import TableFacts
from kobe_platform.lounge.tags import Tag, walk
from kobe_platform.vocabulary.months import shifted

STATE = "UsualState"
"""The component that says so; the page that has it is the page of unusual changes."""
WATCHED = "watched"


def usual_inserts(tags: Collection[str], facts: Mapping[str, TableFacts]) -> dict[str, str]:
    """Ready HTML for the component, as far as a page has it."""
    if STATE not in tags:
        return {}
    table = next((one for one in facts.values() if "watches" in one.more), None)
    return {STATE: _state(table.more) if table else ""}


def usual_notice(pages: Sequence[Page], facts: Mapping[str, TableFacts]) -> str:
    """A line for the portal's notices, where something stands out in the newest month; empty where nothing does, or
    where none of these pages tells of it.
    """
    told = next((one.more[WATCHED] for one in facts.values() if WATCHED in one.more), None)
    page = page_of(pages)
    if page is None or told is None or not told["listed"]:
        return ""
    month = escape(period_label(told["month"]))
    return (
        f'<li><p><span class="lounge-tag">{month}</span></p><div><b><a href="{page.slug}.html">'
        f"{escape(page.title)}が{told['listed']}件あります</a></b>"
        "<p>過去から見込まれる範囲を大きく外れた値です。原因は示しません。</p></div></li>"
    )


def page_of(pages: Iterable[Page]) -> Page | None:
    """The page of unusual changes among some pages."""
    return next((page for page in pages if _has_state(page)), None)


def _has_state(page: Page) -> bool:
    return any(isinstance(node, Tag) and node.name == STATE for node in walk(page.nodes))


def _state(more: Mapping[str, Any]) -> str:
    told = more.get(WATCHED)
    least = more["least_history"]
    if told is None or not told["judged"]:
        since = f"(いまは{period_label(told['first'])}から{period_label(told['month'])}まで)" if told else ""
        text = (
            "過去の同じ月などと比べて、値がいつもの範囲にあるかを調べます。"
            f"それには、少なくとも{least}か月続いたデータが必要です{since}。そろうと、自動で表示します。"
        )
        title = "まだ判定できません"
        if told and shifted(told["first"], least - 1) <= told["month"]:
            title = f"{period_label(told['month'])}は、まだ判定できません"
            text = (
                "比べられる過去の月が足りない(3月と4月は、ほかの月と分けて調べます)か、値が30に満たないため、"
                "判定した系列がありません。ほかの月は、年月を選ぶと見られます。"
            )
        title = f'<p class="lounge-notice__title">{escape(title)}</p>'
        return f'<div class="lounge-notice lounge-notice--info" role="note">{title}<p>{escape(text)}</p></div>'
    month = period_label(told["month"])
    found = f"{told['listed']}件がいつもの範囲を大きく外れました" if told["listed"] else "目立つ動きはありませんでした"
    left = told["series"] - told["judged"]
    rest = f"残りの{left}系列は、過去が足りないか、値が30に満たないため判定していません。" if left else ""
    text = f"{month}は、{told['series']}系列のうち{told['judged']}系列を判定し、{found}。{rest}"
    return f'<p class="lounge-note">{escape(text)}</p>'
