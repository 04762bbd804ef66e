"""Words the plan for screens in Japanese, with the same terms everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kobe_platform.planning.steps import Kind, Plan, Step, TurnedAway

KINDS: dict[str, str] = {"take_in": "取込み", "tabulate": "統計化・秘匿", "release": "公開"}
STATES: dict[str, str] = {
    "ready": "これから",
    "under_way": "実行中",
    "waiting": "待ち",
    "later": "時期前",
    "held": "保留",
    "failed": "失敗",
    "blocked": "検査で停止",
}
OUTCOMES: dict[str, str] = {
    "rejected": "却下",
    "refused": "却下",
    "held": "保留",
    "withdrawn": "撤回",
    "missing": "未着",
}
"""What became of a delivery, or of a month without one."""
REASONS: dict[str, str] = {
    "new delivery": "新しい提供データ",
    "input changed": "元データが変わった",
    "definition changed": "定義が変わった",
    "rows needed again": "元データがもう一度必要",
    "receipt missing": "受領記録がない",
    "not made yet": "まだ作られていない",
    "check missing": "検査がまだ",
    "check failed": "検査に不合格",
    "tables changed": "公表表が変わった",
    "pages changed": "ページが変わった",
    "approvals changed": "利用申請の承認が変わった",
    "no longer in force": "公開中でない",
    "withdrawn": "提供元が撤回した",
}
_CONDITIONS = {
    "approval": "運用者の承認か却下(kobe deliveries approve / refuse)",
    "replacement": "撤回された月の、提供元からの正しいデータ",
    "legal_basis": "法的根拠の期間",
    "month_end": "月の終わり",
    "series_start": "系列の始まりより前の月(KOBE_START)",
    "scope": "今回の対象外",
    "mended_input_or_code": "データ・定義・プログラムの修正(または kobe retry)",
}


def waits(name: str) -> str:
    """What a step waits for."""
    head, _, rest = name.partition(":")
    if name in _CONDITIONS:
        return _CONDITIONS[name]
    if head == "delivery":
        source, _, month = rest.partition(":")
        return f"{source} {month} の提供"
    if head == "installation":
        return f"設置の不備 [{rest}]"
    if head == "time":
        return f"{rest} の再試行"
    return f"{KINDS.get(head, head)} {rest.replace(':', ' ')}".strip()


def told(step: Step) -> str:
    """A step on one line: what, why, and what it waits for."""
    place = " ".join(
        part for part in (step.month, KINDS[step.kind], step.unit if step.kind != "release" else "") if part
    )
    cause = ""
    if step.cause and step.cause.code:
        cause = f" [{step.cause.code}] {step.cause.ja or step.cause.text}{step.cause.where}"
    waiting = f" — {'、'.join(map(waits, step.waits_for[:3]))}" if step.waits_for else ""
    more = f" ほか{len(step.waits_for) - 3}件" if len(step.waits_for) > 3 else ""
    return f"{place}: {STATES[step.state]}({REASONS[step.reason]}){cause}{waiting}{more}"


MOST_TOLD = 3
"""Rejected deliveries that a reason names with their causes; `kobe status` lists them all."""


def turned_away(one: TurnedAway) -> str:
    """A rejected delivery on one line: what is wrong, where, by which rule, and what its sender should do."""
    cause = f"{one.cause.ja or one.cause.text}{one.cause.where} [{one.cause.code}]" if one.cause else ""
    return f"{one.month} {one.title}: {cause}"


def summary(plan: Plan, kind: Kind | None = None) -> str:
    """Why nothing is requested: the faults of the installation, else what stands in the way, else that all is done.

    Where deliveries were rejected that is said too: a tick that is quiet about them would pass for all being well.
    """
    if plan.faults:
        return "。".join(f"[{fault.code}] {fault.ja or fault.text}" for fault in plan.faults)
    steps = [step for step in plan.steps if kind is None or step.kind == kind]
    refused = plan.turned_away if kind in (None, "take_in") else ()
    lines = [_told_together(steps)] if steps or not refused else []
    if refused:
        lines.append(f"却下した提供データが{len(refused)}件あります。直したものが届くのを待っています")
        lines += map(turned_away, refused[:MOST_TOLD])
    if len(refused) > MOST_TOLD:
        lines.append(f"ほか{len(refused) - MOST_TOLD}件(`kobe status` ですべて見られます)")
    return "\n".join(lines)


def _told_together(steps: Sequence[Step]) -> str:
    if not steps:
        return "することはありません"
    counts = Counter(step.state for step in steps)
    states = "、".join(f"{STATES[state]}{number}件" for state, number in sorted(counts.items()))
    return f"{states}。{told(steps[0])}"
