"""Reads the portal's notices (with known defects) and its links (where readers ask or answer).

Both are data files of the dashboards folder (``notices.toml``, ``links.toml``): the city changes them without code.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Day
from html import escape
from pathlib import Path
from urllib.parse import quote

from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary.municipality import localized, own

NOTICE_KINDS = {"news": "お知らせ", "defect": "既知の不具合", "maintenance": "停止予定"}
SHOWN = 4
"""Notices of a list that stand open; older ones are folded away."""

_MAIL = re.compile(r"^[\w.+-]+@[\w-]+(\.[\w-]+)+$", re.ASCII)
_ADDRESS = re.compile(r"^(https?://[^\s<>\"']+|/[^\s<>\"'/][^\s<>\"']*)$")


@dataclass(frozen=True)
class PageNotice:
    """A dated notice of the portal.

    Attributes:
        kind: a key of :data:`NOTICE_KINDS`.
        resolved: day on which a defect was mended; None while it is open.
    """

    date: Day
    kind: str
    title: str
    text: str
    resolved: Day | None = None


SURVEY = "survey"
"""Name of the page that stands for the portal server's form in a copy of the site."""
EDITIONS = "releases"
"""Name of the page that stands in a copy of the site where the portal server has its list of releases (版と訂正)."""
RESPONSES = "responses"
"""Name of the page that stands in a copy of the site where sections say what they know of an unusual change."""
OF_THE_PORTAL = (SURVEY, EDITIONS, RESPONSES)
"""Pages of a site that the portal server answers itself."""
READER = "reader.json"
"""File of a site that says nothing; the portal server answers the same address with what it does for the reader."""
FORM = f"/{SURVEY}"


@dataclass(frozen=True)
class Links:
    """Where readers ask and answer; an empty text is not shown.

    Attributes:
        survey: mail address, or address of a form (``/survey`` is the portal server's).
        mail: where readers of a copy without that server send their answers.
        chat: address of the chat room.
    """

    survey: str = ""
    mail: str = ""
    chat: str = ""


def load_notices(dashboards: Path) -> list[PageNotice]:
    """Notices of ``notices.toml``, newest first; none where the file is absent.

    Raises:
        ConfigurationError: the file is no TOML or an entry is incomplete (coordinates: its number).
    """
    path = dashboards / "notices.toml"
    if not path.exists():
        return []
    notices: list[PageNotice] = []
    try:
        for told in tomllib.loads(localized(path.read_text(encoding="utf-8"))).get("notice", []):
            notice = PageNotice(**told)
            dates = [notice.date, *([notice.resolved] if notice.resolved else [])]
            if notice.kind not in NOTICE_KINDS or not all(isinstance(day, Day) for day in dates):
                raise ValueError
            notices.append(notice)
    except (TypeError, ValueError, tomllib.TOMLDecodeError):
        raise ConfigurationError(
            "a notice is incomplete",
            code="notices.entry",
            at={"file": path.name, "notice": len(notices) + 1},
            remedy=f"give it date, kind ({', '.join(NOTICE_KINDS)}), title and text; resolved only as a date",
        ) from None
    return sorted(notices, key=lambda notice: notice.date, reverse=True)


def load_links(dashboards: Path) -> Links:
    """Addresses of ``links.toml``; none where the file is absent.

    Raises:
        ConfigurationError: the file is no TOML, names something else, or an address is none.
    """
    path = dashboards / "links.toml"
    if not path.exists():
        return Links()
    key = ""
    try:
        told = tomllib.loads(localized(path.read_text(encoding="utf-8")))
        links = Links(**told)
        for key, wanted in (("survey", (_ADDRESS, _MAIL)), ("mail", (_MAIL,)), ("chat", (_ADDRESS,))):
            given = getattr(links, key)
            if given and not any(pattern.match(given) for pattern in wanted):
                raise ValueError
    except (TypeError, ValueError, tomllib.TOMLDecodeError):
        raise ConfigurationError(
            "an address of the portal is not as it must be",
            code="links.entry",
            at={"file": path.name, "key": key or "survey, mail, chat"},
            remedy="survey: a mail address, /survey or https://…; mail: a mail address; chat: https://…; or nothing",
        ) from None
    return links


def notices_html(notices: Sequence[PageNotice], first: str = "") -> str:
    """Notices, and known defects below a heading of their own, on one line.

    Args:
        first: an item in HTML that stands before all others.
    """
    news = [notice for notice in notices if notice.kind != "defect"]
    defects = sorted((n for n in notices if n.kind == "defect"), key=lambda notice: notice.resolved is not None)
    return (
        '<div class="lounge-news"><section aria-labelledby="news"><h3 id="news">お知らせ</h3>'
        f"{_list(news, 'お知らせはありません。', first)}</section>"
        '<section aria-labelledby="defects"><h3 id="defects">既知の不具合</h3>'
        f"{_list(defects, '現在わかっている不具合はありません。')}</section></div>"
    )


def links_html(links: Links, slug: str, *, glossary: bool = False) -> str:
    """使い方, 用語集, チャット and アンケート as links, on one line; what is not there is not shown."""
    shown = [("#manual", "使い方・データの説明")]
    if glossary:
        shown.append(("glossary.html", "用語集"))
    if links.chat:
        shown.append((links.chat, "チャットで質問する"))
    if links.survey:
        shown.append((_survey(links.survey, slug), "アンケートに答える"))
    items = "".join(f'<li><a href="{escape(address)}">{text}</a></li>' for address, text in shown)
    return f'<ul class="lounge-actions">{items}</ul>'


def survey_page(links: Links) -> str:
    """``survey.html`` as Markdown: what readers find where no portal server keeps answers; empty if links go elsewhere.

    The portal server answers the same address with its form.
    """
    if links.survey != FORM:
        return ""
    told = "この配信では、アンケートの回答を保存できません。職員ポータルの画面から答えてください。"
    if links.mail:
        address = escape(_mailto(links.mail, ""))
        told = f'この配信では、回答をメールで受け付けます。<a href="{address}">{escape(links.mail)} に送る</a>'
    return f"---\ntitle: アンケート\n---\n\n# アンケート\n\n{told}\n\n[データラウンジに戻る](index.md)\n"


def editions_page() -> str:
    """``releases.html`` as Markdown for readers of a copy; the portal server answers that address with its list."""
    told = "この配信では、版の一覧と過去の版を表示できません。職員ポータルの画面で見られます。"
    return f"---\ntitle: 版と訂正\n---\n\n# 版と訂正\n\n{told}\n\n[データラウンジに戻る](index.md)\n"


def responses_page() -> str:
    """``responses.html`` as Markdown for readers of a copy; the portal server answers that address itself."""
    told = "この配信では、所管課の対応を表示できません。職員ポータルの画面で見られます。"
    title = "いつもと違う動きへの対応"
    return f"---\ntitle: {title}\n---\n\n# {title}\n\n{told}\n\n[データラウンジに戻る](index.md)\n"


def _survey(address: str, slug: str) -> str:
    if _MAIL.match(address):
        return _mailto(address, slug)
    if address == FORM:
        return f"{SURVEY}.html?page={slug}"
    return f"{address}?page={slug}" if address.startswith("/") else address


def _mailto(address: str, slug: str) -> str:
    return f"mailto:{address}?subject={quote(f'{own().lounge} アンケート {slug}'.strip())}"


def japanese_date(day: Day) -> str:
    """``2026年1月9日``."""
    return f"{day.year}年{day.month}月{day.day}日"


def time_html(day: Day) -> str:
    """A day as ``<time>``."""
    return f'<time datetime="{day.isoformat()}">{japanese_date(day)}</time>'


def _list(notices: Sequence[PageNotice], none: str, first: str = "") -> str:
    if not notices and not first:
        return f'<p class="lounge-empty">{none}</p>'
    items = [_item(notice) for notice in notices]
    older = "".join(items[SHOWN:])
    folded = (
        f'<details class="lounge-older"><summary>以前のもの（{len(items) - SHOWN}件）</summary>'
        f'<ul class="lounge-notices">{older}</ul></details>'
        if older
        else ""
    )
    return f'<ul class="lounge-notices">{first}{"".join(items[:SHOWN])}</ul>{folded}'


def _item(notice: PageNotice) -> str:
    mark = f'<span class="lounge-tag lounge-tag--{notice.kind}">{NOTICE_KINDS[notice.kind]}</span>'
    if notice.kind == "defect":
        state = f"解消（{japanese_date(notice.resolved)}）" if notice.resolved else "対応中"
        kind = "done" if notice.resolved else "defect"
        mark = f'<span class="lounge-tag lounge-tag--{kind}">{state}</span>'
    elif notice.kind == "news":
        mark = ""
    return (
        f"<li><p>{time_html(notice.date)}{mark}</p>"
        f"<div><b>{escape(notice.title)}</b><p>{escape(notice.text)}</p></div></li>"
    )
