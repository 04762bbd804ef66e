"""How far a question is and what became of it, in Japanese, by step and code: no screen shows a code."""

from __future__ import annotations

from collections.abc import Iterable

from kobe_platform.ondemand.jobs import CANCELLED, ENDED, FAILED, LONGEST, STARTING, WAITING
from kobe_platform.ondemand.menu import Menu

REASONS = {
    "ondemand.unsafe": "公表済みの統計と合わせると推定できる値がある",
    "ondemand.unready": "この月の統計は準備中（回数に数えません）",
    "ondemand.overtaken": "別の集計や公表が続いた（回数に数えません）",
    "lake.changed": "この月のデータは更新中（回数に数えません）",
    "lake.absent": "この月のデータがない（回数に数えません）",
    "ondemand.role": "分析者の役割がない",
    "ondemand.quota": "今月の上限に達した",
    "ondemand.application": "有効な利用申請がない",
    "ondemand.month": "選べない月",
    "ondemand.measure": "選べない集計",
    "ondemand.dimensions": "区分が選ばれていない",
    "ondemand.dimension": "選べない区分",
    "ondemand.many": "区分が多すぎる",
    "ondemand.same": "同じ種類の区分が2つ",
    "ondemand.size": "表が大きすぎる",
    "ondemand.filters": "絞り込みの形が違う",
    "ondemand.list": "一覧の形が違う",
    "ondemand.code": "選べない絞り込み",
    "ondemand.part": "使えない項目",
    "ondemand.absent": "集計結果がない",
    "ondemand.nobody": "サインインがない",
    "ondemand.file": "質問のファイルを読めない",
    "ondemand.busy": "集計中のものが多い",
    CANCELLED: "とりやめた（回数に数えません）",
    LONGEST: "時間の上限に達した（回数に数えません）",
    FAILED: "集計できなかった（運用担当に連絡してください）",
    ENDED: "途中で止まった（回数に数えません）",
}
STEPS_JA = {
    WAITING: "順番を待つ",
    STARTING: "準備する",
    "counting": "数える",
    "protecting": "秘匿する",
    "recording": "記録する",
}
"""Steps of a job, in their order."""
OTHERWISE = "集計できなかった（運用担当に連絡してください）"


def reason(code: str) -> str:
    """Why a question was not answered."""
    return REASONS.get(code, OTHERWISE)


def in_words(menu: Menu, measure: str, dimensions: Iterable[str]) -> str:
    """A question as people read it: ``住民（区・性別）``; words that the menu no longer has are left out."""
    titles = [menu.dimensions[name].title for name in dimensions if name in menu.dimensions]
    counted = menu.measures[measure].title if measure in menu.measures else "集計"
    return f"{counted}（{'・'.join(titles)}）"
