"""The portal's catalogue and notices: what there is, found by free words.

Material's search returned nothing for 人口ピラミッド and 転入・転出 though present, so the lounge searches
itself: the catalogue and what is typed are folded (NFKC, katakana, no marks between words) and compared as substrings.
"""

from __future__ import annotations

import json
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path

from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.compile import CompiledPage
from kobe_platform.lounge.formats import period_label
from kobe_platform.lounge.pages import CATEGORIES, PORTAL, USAGES, Page

NOTICE_KINDS = {"news": "お知らせ", "defect": "既知の不具合", "maintenance": "停止予定"}
_SMALL = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_DROPPED = frozenset(" \t\n・･,、。.．/／-‐―−－()（）「」『』【】:：")


def fold(text: str) -> str:
    """Text as the search compares it: widths, kana and marks between words make no difference.

    ``５歳階級`` = ``5歳階級``, ``ぴらみっど`` = ``ピラミッド``, ``転入・転出`` = ``転入転出``.
    """
    wide = unicodedata.normalize("NFKC", text).lower()
    katakana = "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in wide)
    return "".join(c for c in katakana.translate(_SMALL) if c not in _DROPPED)


@dataclass(frozen=True)
class Notice:
    """A dated notice of the portal; ``kind`` is a key of :data:`NOTICE_KINDS`."""

    date: date
    kind: str
    title: str
    text: str


def load_notices(dashboards: Path) -> list[Notice]:
    """Notices of ``notices.toml``, newest first; none where the file is absent.

    Raises:
        ConfigurationError: the file is no TOML or an entry is incomplete (coordinates: its number).
    """
    path = dashboards / "notices.toml"
    if not path.exists():
        return []
    notices: list[Notice] = []
    try:
        for told in tomllib.loads(path.read_text(encoding="utf-8")).get("notice", []):
            notice = Notice(**told)
            if notice.kind not in NOTICE_KINDS or not isinstance(notice.date, date):
                raise ValueError
            notices.append(notice)
    except (TypeError, ValueError, tomllib.TOMLDecodeError):
        raise ConfigurationError(
            "a notice is incomplete",
            code="notices.entry",
            at={"file": path.name, "notice": len(notices) + 1},
            remedy=f"give it date, kind ({', '.join(NOTICE_KINDS)}), title and text",
        ) from None
    return sorted(notices, key=lambda notice: notice.date, reverse=True)


def notices_html(notices: Sequence[Notice]) -> str:
    """The notices as a list, on one line."""
    items = "".join(
        f'<li><time datetime="{n.date.isoformat()}">{n.date.year}年{n.date.month}月{n.date.day}日</time>'
        f'<span class="lounge-tag lounge-tag--{n.kind}">{NOTICE_KINDS[n.kind]}</span>'
        f"<div><b>{escape(n.title)}</b><p>{escape(n.text)}</p></div></li>"
        for n in notices
    )
    return f'<ul class="lounge-notices">{items}</ul>' if items else '<p class="lounge-empty">お知らせはありません。</p>'


def entry(page: Page, compiled: CompiledPage, table_titles: Iterable[str]) -> dict[str, object]:
    """One page as ``catalogue.json`` lists it; ``text`` is folded and holds all that the search may find."""
    meta = page.meta
    found_by = [
        meta.title,
        *meta.contents,
        meta.category,
        *meta.usage,
        meta.owner,
        *meta.keywords,
        *compiled.words,
        *table_titles,
    ]
    return {
        "slug": page.slug,
        "title": meta.title,
        "contents": list(meta.contents),
        "category": meta.category,
        "usage": list(meta.usage),
        "owner": meta.owner,
        "latest": period_label(compiled.periods[1]),
        "published": meta.published.isoformat() if meta.published else "",
        "text": "\n".join(fold(text) for text in found_by),
    }


def write_catalogue(entries: Sequence[dict[str, object]], out: Path) -> None:
    """Write ``catalogue.json`` for the browser's search."""
    listed = [one for one in entries if one["slug"] != PORTAL]
    (out / "catalogue.json").write_text(json.dumps(listed, ensure_ascii=False, indent=1), encoding="utf-8")


def catalogue_html(pages: Sequence[Page], latest: dict[str, str]) -> str:
    """The catalogue as a page shows it without JavaScript: search box, categories and usages with counts, cards.

    Args:
        pages: those of the audience, in order.
        latest: slug → last period of its data.
    """
    listed = [page for page in pages if page.slug != PORTAL]
    newest = max((p.meta.published for p in listed if p.meta.published), default=None)
    categories = Counter(page.meta.category for page in listed)
    usages = Counter(usage for page in listed for usage in page.meta.usage)
    search = (
        '<div class="lounge-search"><label for="catalogue-search">ダッシュボードを探す</label>'
        '<input type="search" id="catalogue-search" autocomplete="off" '
        'placeholder="例：人口ピラミッド、転入・転出、外国人">'
        '<p class="lounge-count" role="status" aria-live="polite"></p></div>'
    )
    facets = _facet("category", "分類", [(c, categories[c]) for c in CATEGORIES if categories[c]], len(listed))
    facets += _facet("usage", "使い方の例", [(u, usages[u]) for u in USAGES if usages[u]], 0)
    cards = "".join(_card(page, latest.get(page.slug, ""), page.meta.published == newest) for page in listed)
    return (
        f'<div class="lounge-catalogue">{search}<div class="lounge-facets">{facets}</div>'
        f'<ul class="lounge-cards">{cards}</ul>'
        '<p class="lounge-empty" hidden>該当するダッシュボードはありません。</p></div>'
    )


def _facet(name: str, title: str, counts: Sequence[tuple[str, int]], total: int) -> str:
    if not counts:
        return ""
    everything = (
        f'<button type="button" data-{name}="" aria-pressed="true">すべて <b>{total}</b></button>' if total else ""
    )
    buttons = "".join(
        f'<button type="button" data-{name}="{escape(word)}" aria-pressed="false">'
        f"{escape(word)} <b>{count}</b></button>"
        for word, count in counts
    )
    return f'<div role="group" aria-label="{title}"><span>{title}</span>{everything}{buttons}</div>'


def _card(page: Page, latest: str, is_new: bool) -> str:
    meta = page.meta
    new = '<span class="lounge-tag lounge-tag--new">新着</span>' if is_new and meta.published else ""
    contents = "".join(f"<li>{escape(text)}</li>" for text in meta.contents)
    state = f"<span>{escape(latest)}まで</span>" if latest else ""
    return (
        f'<li class="lounge-entry" data-slug="{page.slug}"><a href="{page.slug}.html">{escape(meta.title)}</a>'
        f'<p class="lounge-entry__tags"><span class="lounge-tag">{escape(meta.category)}</span>{new}</p>'
        f"<ul>{contents}</ul>"
        f'<p class="lounge-entry__state">{state}<span>{escape(meta.owner)}</span></p></li>'
    )
