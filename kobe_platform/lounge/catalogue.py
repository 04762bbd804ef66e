"""Makes the portal's catalogue of pages: search by words, categories and purposes, newest first on request.

Material's search returned nothing for 人口ピラミッド and 転入・転出 though present, so the lounge searches
itself: the catalogue and what is typed are folded (NFKC, katakana, no marks between words) and compared as substrings.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from html import escape
from pathlib import Path

from kobe_platform.lounge.compile import CompiledPage
from kobe_platform.lounge.notices import time_html
from kobe_platform.lounge.pages import CATEGORIES, PORTAL, USAGES, Page
from kobe_platform.vocabulary.municipality import own

NEW_DAYS = 90
"""How long before the newest page another one still counts as new."""
NEWEST = 5
"""Pages that the list of new ones names."""
_SMALL = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_DROPPED = frozenset(" \t\n・･,、。.．/／-‐―−－()（）「」『』【】:：")


def fold(text: str) -> str:
    """Text as the search compares it: widths, kana and marks between words make no difference.

    ``５歳階級`` = ``5歳階級``, ``ぴらみっど`` = ``ピラミッド``, ``転入・転出`` = ``転入転出``.
    """
    wide = unicodedata.normalize("NFKC", text).lower()
    katakana = "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in wide)
    return "".join(c for c in katakana.translate(_SMALL) if c not in _DROPPED)


def entry(page: Page, compiled: CompiledPage, table_titles: Iterable[str], latest: str = "") -> dict[str, object]:
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
        "latest": latest,
        "published": meta.published.isoformat() if meta.published else "",
        "text": "\n".join(fold(text) for text in found_by),
    }


def write_catalogue(entries: Sequence[dict[str, object]], out: Path) -> None:
    """Write ``catalogue.json`` for the browser's search."""
    listed = [one for one in entries if one["slug"] != PORTAL]
    (out / "catalogue.json").write_text(json.dumps(listed, ensure_ascii=False, indent=1), encoding="utf-8")


def _example() -> str:
    """An area that a reader may look for, and a space; nothing where there is only the municipality itself."""
    place = own()
    areas = [*(place.neighbours if place.is_prefecture else place.wards).values()]
    return f"{areas[0]} " if areas else ""


def catalogue_html(pages: Sequence[Page], latest: dict[str, str]) -> str:
    """The catalogue as a page shows it without JavaScript: search box, categories and purposes with counts, cards.

    Args:
        pages: those of the audience, in order.
        latest: slug → last period of its data.
    """
    listed = [page for page in pages if page.slug != PORTAL]
    new = new_pages(listed)
    categories = Counter(page.meta.category for page in listed)
    usages = Counter(usage for page in listed for usage in page.meta.usage)
    search = (
        '<div class="lounge-search"><label for="catalogue-search">ダッシュボードを探す</label>'
        '<input type="search" id="catalogue-search" autocomplete="off" '
        f'placeholder="例：{escape(_example())}人口、ベトナム、こうれいか">'
        '<p class="lounge-count" role="status" aria-live="polite"></p></div>'
    )
    facets = _facet("category", "分類", [(c, categories[c]) for c in CATEGORIES], len(listed))
    facets += _facet("usage", "目的", [(u, usages[u]) for u in USAGES], 0)
    facets += (
        '<div role="group" aria-label="しぼり込み"><span>しぼり込み</span>'
        '<button type="button" data-only="favourite" aria-pressed="false">★ お気に入り <b>0</b></button>'
        f'<button type="button" data-only="new" aria-pressed="false">新着 <b>{len(new)}</b></button></div>'
    )
    cards = "".join(_card(page, latest.get(page.slug, ""), page.slug in new) for page in listed)
    return (
        f'<div class="lounge-catalogue">{search}{_RESULTS}<div class="lounge-facets">{facets}</div>'
        f'<ul class="lounge-cards">{cards}</ul>'
        '<p class="lounge-empty" hidden>該当するダッシュボードはありません。'
        "言葉を短くするか、しぼり込みを外してください。</p></div>"
    )


_RESULTS = (
    '<section class="lounge-results" aria-labelledby="results" hidden>'
    '<h3 id="results">見つかった図と数値</h3><ol></ol></section>'
)


def new_pages(pages: Sequence[Page]) -> frozenset[str]:
    """Slugs of the pages that count as new (新着): released within :data:`NEW_DAYS` of the newest one.

    Pages without a day of release are never new, and neither are those of the very first day, when all were new.
    """
    days = [page.meta.published for page in pages if page.meta.published]
    if not days:
        return frozenset()
    first, newest = min(days), max(days)
    since = max(newest - timedelta(days=NEW_DAYS), first + timedelta(days=1))
    return frozenset(page.slug for page in pages if page.meta.published and page.meta.published >= since)


def newest_html(pages: Sequence[Page]) -> str:
    """The last pages by day of release, on one line; empty where none has a day."""
    dated = [(day, page) for page in pages if page.slug != PORTAL and (day := page.meta.published)]
    dated.sort(key=lambda one: one[0], reverse=True)
    items = "".join(
        f'<li>{time_html(day)}<a href="{page.slug}.html">{escape(page.title)}</a></li>' for day, page in dated[:NEWEST]
    )
    return f'<ul class="lounge-newest">{items}</ul>' if items else '<p class="lounge-empty">ありません。</p>'


def favourites_html() -> str:
    """The place of the reader's own favourites; the browser fills it, and it stays hidden while there are none."""
    return '<nav class="lounge-favourites" aria-label="お気に入り" hidden><b>お気に入り</b><ul></ul></nav>'


def star_html(page: Page) -> str:
    """The button that makes a page a favourite of this browser; hidden without JavaScript."""
    return (
        f'<button type="button" class="lounge-star" data-star="{page.slug}" aria-pressed="false" '
        f'aria-label="お気に入り：{escape(page.title)}" title="お気に入りに入れる・外す"></button>'
    )


def related_html(page: Page, shown: Sequence[Page]) -> str:
    """Links to the pages that a page calls related, as far as the audience may see them; choices go along."""
    titles = {one.slug: one.title for one in shown}
    items = "".join(
        f'<li><a href="{slug}.html" data-carry>{escape(titles[slug])}</a></li>'
        for slug in page.meta.related
        if slug in titles
    )
    return (
        f'<nav class="lounge-related" aria-label="関連する画面"><span>関連する画面</span><ul>{items}</ul></nav>'
        if items
        else ""
    )


def _facet(name: str, title: str, counts: Sequence[tuple[str, int]], total: int) -> str:
    """Buttons of one kind with their counts; one without a page stands there too, and cannot be chosen."""
    everything = (
        f'<button type="button" data-{name}="" aria-pressed="true">すべて <b>{total}</b></button>' if total else ""
    )
    buttons = "".join(
        f'<button type="button" data-{name}="{escape(word)}" aria-pressed="false"{"" if count else " disabled"}>'
        f"{escape(word)} <b>{count}</b></button>"
        for word, count in counts
    )
    return f'<div role="group" aria-label="{title}"><span>{title}</span>{everything}{buttons}</div>'


def _card(page: Page, latest: str, is_new: bool) -> str:
    meta = page.meta
    new = '<span class="lounge-tag lounge-tag--new">新着</span>' if is_new else ""
    contents = "".join(f"<li>{escape(text)}</li>" for text in meta.contents)
    state = f"<span>データ：{escape(latest)}まで</span>" if latest else "<span>データ：まだありません</span>"
    released = f"<span>公開：{time_html(meta.published)}</span>" if meta.published else ""
    return (
        f'<li class="lounge-entry" data-slug="{page.slug}"{" data-new" if is_new else ""}>'
        f'<a href="{page.slug}.html">{escape(meta.title)}</a>{star_html(page)}'
        f'<p class="lounge-entry__tags"><span class="lounge-tag">{escape(meta.category)}</span>{new}</p>'
        f"<ul>{contents}</ul>"
        f'<p class="lounge-entry__state">{state}{released}<span>所管：{escape(meta.owner)}</span></p></li>'
    )
