"""Makes the parts that every page has: its head above the figures, and its manual (使い方) below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from kobe_platform.lounge.pages import PORTAL, Page
from kobe_platform.lounge.periods import latest_label, span_label
from kobe_platform.lounge.tables import TableFacts
from kobe_platform.vocabulary.municipality import own

SYNTHETIC_BADGE = '<span class="lounge-badge lounge-badge--synthetic">合成データ</span>'
SOURCE_HEADINGS = (
    "表",
    "単位",
    "収録期間",
    "秘匿の基準",
    "秘匿の方法",
    "秘匿したセル",
    "秘匿したセルの割合",
    "計算の版",
)
METHODS = {
    "suppression": "セルの秘匿（X）",
    "rounding": "丸め",
    "cell_key": "誤差の付加（セルキー法）",
}
"""A protected table's ``method`` (disclosure.methods) as readers see it."""
SYNTHETIC_TEXT = "この画面の数値は、動作確認のために作った架空の都市の合成データです。実在の%sの統計ではありません。"


def page_head(page: Page, facts: Sequence[TableFacts], synthetic: bool, inserts: Mapping[str, str]) -> str:
    """Title, contents, state of the data and the way to the manual, on one line.

    Args:
        inserts: ready HTML of the site: ``Links`` (manual, chat, survey), ``Star``, ``Related``.
    """
    if page.slug == PORTAL:
        return _synthetic_notice() if synthetic else ""
    badge = SYNTHETIC_BADGE if synthetic else ""
    contents = "".join(f"<li>{escape(text)}</li>" for text in page.meta.contents)
    rule = _short_rule(facts)
    state = [
        ("最新のデータ", latest_label(facts) or "まだありません"),
        ("出典", page.meta.source),
        ("所管", page.meta.owner),
        ("分類", page.meta.category),
    ]
    states = "".join(f"<div><dt>{k}</dt><dd>{escape(v)}</dd></div>" for k, v in state if v)
    links = inserts.get("Links", '<ul class="lounge-actions"><li><a href="#manual">使い方・データの説明</a></li></ul>')
    head = (
        '<header class="lounge-head">'
        '<p class="lounge-path"><a href="index.html" data-carry>' + escape(own().lounge) + "</a></p>"
        f'<h1 id="top">{escape(page.title)}{badge}{inserts.get("Star", "")}</h1>'
        f'<ul class="lounge-contents">{contents}</ul>'
        f'<dl class="lounge-state">{states}</dl>{rule}{links}{inserts.get("Related", "")}</header>'
    )
    return head + (f"\n\n{_synthetic_notice()}" if synthetic else "")


def _short_rule(facts: Sequence[TableFacts]) -> str:
    """The rule for 「X」 in one sentence; empty where nothing of the page is protected."""
    counted = [table.minimum_frequency for table in facts if table.minimum_frequency and table.kind != "mean"]
    if not counted:
        return ""
    least, most = min(counted), max(counted)
    below = f"{most}未満" if least == most else f"{least}未満（表により{most}未満）"
    text = f"「X」は、{below}の値と、そこから逆算されないよう併せて秘匿した値です。0ではありません。"
    return f'<p class="lounge-rule">{text}</p>'


def manual_html(page: Page, facts: Sequence[TableFacts], synthetic: bool) -> str:
    """The manual as its author wrote it, then what the release itself knows: sources, dates, rule for X."""
    rows = "".join(_source_row(table, synthetic) for table in facts)
    head = "".join(f'<th scope="col">{text}</th>' for text in SOURCE_HEADINGS)
    sources = (
        '<div class="lounge-scroll" tabindex="0" role="region" aria-label="更新元の公表表">'
        '<table class="lounge-sources">'
        f"<caption>更新元の公表表</caption><thead><tr>{head}"
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    law = page.meta.application or "不要（公表統計）"
    items = [("所管", page.meta.owner), ("データ利用申請書", law)]
    if facts:
        items.append(("最新のデータ", latest_label(facts) or "まだありません"))
    facts_list = "".join(f"<div><dt>{k}</dt><dd>{escape(v)}</dd></div>" for k, v in items)
    rule = (
        "<p><b>「X」の決まり。</b> 値が基準（上の表の「秘匿の基準」）に満たないセルは「X」とし、"
        "合計との差から逆算されないよう、他のセルも併せて秘匿します。0はそのまま「0」、データがない月などは「…」と表示します。合計は秘匿前の値から計算した公表値で、"
        "表示中の値の足し算ではありません。</p>"
    )
    told = f"\n\n{sources}\n\n{rule}" if facts else ""
    return (
        f'<section class="lounge-manual" id="manual" markdown="1">\n\n## 使い方\n\n{page.manual.strip()}\n\n'
        "### データについて\n\n"
        f'<dl class="lounge-state">{facts_list}</dl>{told}\n\n</section>'
    )


def _synthetic_notice() -> str:
    return f'<p class="lounge-synthetic" role="note">{SYNTHETIC_BADGE}{SYNTHETIC_TEXT % escape(own().name)}</p>'


def _source_row(table: TableFacts, synthetic: bool) -> str:
    unprotected = "公表表から計算" if table.kind in ("forecast", "scores", "usual") else "なし（公表統計）"
    rule = f"{table.minimum_frequency}未満" if table.minimum_frequency else unprotected
    badge = SYNTHETIC_BADGE if synthetic else ""
    cells = (escape(table.unit or "—"), escape(span_label(table) or "まだありません"), rule, *_protection(table))
    head = f'<th scope="row">{escape(table.title or table.name)}{badge}</th>'
    return f"<tr>{head}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _protection(table: TableFacts) -> tuple[str, str, str, str]:
    """Method, cells hidden and their share of all, and the engine.

    Cells are counted in the published rows. What the hidden ones hold together is told nowhere: it is an equation that
    no audit has reckoned with (docs/disclosure.md, What is told of a protection).
    """
    method = str(table.more.get("method", ""))
    named = METHODS.get(method, method) if method else "—"
    hidden = share = "—"
    if table.minimum_frequency:
        away = table.suppressed / max(table.rows, 1)
        hidden = f"{table.suppressed:,} / {table.rows:,}"
        share = "0%" if not table.suppressed else ("0.1%未満" if away < 0.001 else f"{away:.1%}")
    return escape(named), hidden, share, escape(str(table.more.get("engine_version", "") or "—"))
