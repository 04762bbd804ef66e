"""Lists what operators should know: steps of the plan that need a person, and deliveries that did not come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from kobe_platform.alerts import Kind, Notice, stable_id
from kobe_platform.alerts.notice import REMEDIES
from kobe_platform.lake.heads import Heads
from kobe_platform.planning.facts import TURNED_AWAY, Facts
from kobe_platform.planning.steps import Cause, Plan, Step
from kobe_platform.planning.words import KINDS, waits
from kobe_platform.reception.inputs import TARGETS
from kobe_platform.vocabulary.months import last_day, month_after, months_between

LATE_DAYS = 40
"""Days after the end of a month at which its extract is overdue: extracts come monthly, and late by nature."""
_KINDS: dict[str, Kind] = {"held": "held", "failed": "stuck", "blocked": "stuck"}


def notices(facts: Facts, plan: Plan) -> list[Notice]:
    """All notices that hold now; the same matter has the same id as long as it stands."""
    found = [_of_fault(fault) for fault in plan.faults]
    found += [_of_step(step, _KINDS[step.state]) for step in plan.steps if step.state in _KINDS]
    found += [
        _notice(
            "turned_away", d.source, d.month, d.cause, f"{_title(facts, d.source)} {d.month} の提供データを却下しました"
        )
        for d in facts.deliveries
        if d.turned in TURNED_AWAY
    ]
    found += [_overdue(facts, source, month) for source, month in overdue(facts)]
    return found


def overdue(facts: Facts) -> list[tuple[str, str]]:
    """Sources whose next month should have come by now, with that month, and months that later ones have overtaken.

    None for sources that never delivered, or that come when they come.
    """
    delivered = {(d.source, d.month) for d in facts.deliveries}
    found = []
    for source, contract in sorted(facts.contracts.items()):
        months = _accepted(facts.heads, source, TARGETS[contract.use])
        if not months or contract.use == "reference" or contract.frequency != "monthly":
            continue  # a reference holds until the next one comes
        following = month_after(max(months))
        late = facts.today > last_day(following) + timedelta(days=LATE_DAYS)
        if late and (source, following) not in delivered:
            found.append((source, following))
    return sorted({*found, *gaps(facts)})


@dataclass(frozen=True)
class Exposed:
    """So many cells of a month's table follow from former releases alone under the present rules (decision 0048)."""

    table: str
    month: str
    cells: int


def exposed(facts: Facts) -> list[Exposed]:
    """The published tables with cells that former releases alone give away, newest month first.

    They are no fault of the present tables and stop nothing; whoever is responsible must know of them.
    """
    held = [entry for id, entry in facts.heads.entries.items() if id.stage == "published"]
    told = [(entry.id, int(entry.facts.get("exposed", 0))) for entry in held]
    found = [Exposed(id.source, id.month, cells) for id, cells in told if cells]
    return sorted(found, key=lambda one: (one.month, one.table), reverse=True)


def exposed_lines(facts: Facts) -> list[str]:
    """:func:`exposed` for a terminal, a line each."""
    told = "は、以前に公開した版だけから、いまの規則では推定できます(新しい版で増えてはいません)"
    return [f"{one.month} {one.table}: 秘匿したセルのうち{one.cells:,}個{told}" for one in exposed(facts)]


@dataclass(frozen=True)
class UnmetWishes:
    """Wishes of a month's table (``docs/statistics.md``) that did not come true.

    Attributes:
        kept_in_vain: rows that were to stay shown and are hidden; without_row: wishes of districts that there are not.
    """

    table: str
    month: str
    kept_in_vain: int
    without_row: int


def unmet_wishes(facts: Facts) -> list[UnmetWishes]:
    """The published tables with such wishes, newest month first; they stop nothing."""
    held = [entry for id, entry in facts.heads.entries.items() if id.stage == "published" and "wishes" in entry.facts]
    found = [UnmetWishes(entry.id.source, entry.id.month, **entry.facts["wishes"]) for entry in held]
    return sorted(found, key=lambda one: (one.month, one.table), reverse=True)


def wish_lines(facts: Facts) -> list[str]:
    """:func:`unmet_wishes` for a terminal, a line each."""
    found = []
    for one in unmet_wishes(facts):
        told = [f"表示を望んだ{one.kept_in_vain:,}行は秘匿のため必要で、秘匿しました"] if one.kept_in_vain else []
        told += [f"この期間にない学校区への要望が{one.without_row:,}行あります"] if one.without_row else []
        found.append(f"{one.month} {one.table}: {'。'.join(told)}")
    return found


def gaps(facts: Facts) -> list[tuple[str, str]]:
    """Months of monthly sources between others that were accepted, for which nothing lies in the inbox.

    Of personal sources: a month of published figures that does not come is no gap in anybody's rows.
    """
    found = []
    for source, contract in sorted(facts.contracts.items()):
        asked = contract.use == "lake" and contract.frequency == "monthly"
        months = _accepted(facts.heads, source, TARGETS[contract.use]) if asked else []
        between = months_between(months[0], months[-1]) if months else []
        found += [(source, m) for m in between if m not in months and (source, m) not in facts.by_place]
    return found


def _accepted(heads: Heads, source: str, stage: str) -> list[str]:
    return heads.months(stage, source)


def _title(facts: Facts, source: str) -> str:
    return facts.contracts[source].title


def _of_fault(fault: Cause) -> Notice:
    return Notice(
        stable_id("installation", fault.code), "installation", {"code": fault.code}, fault.ja, REMEDIES["installation"]
    )


def _of_step(step: Step, kind: Kind) -> Notice:
    """A step that waits for a person: its inputs are part of what makes it the same matter."""
    what = " ".join(
        part for part in (step.month, KINDS[step.kind], step.unit if step.kind != "release" else "") if part
    )
    waiting = f"待っているもの: {waits(step.waits_for[0])}" if step.waits_for else ""
    text = f"{what}が止まっています。{waiting}".removesuffix("。") + "。"
    source = step.unit if step.kind == "take_in" else ""
    return _notice(kind, source, step.month, step.cause, text, step.inputs, step.unit)


def _overdue(facts: Facts, source: str, month: str) -> Notice:
    return _notice("overdue", source, month, None, f"{_title(facts, source)} {month} の提供データがまだ届いていません")


def _notice(kind: Kind, source: str, month: str, cause: Cause | None, text: str, *more: str) -> Notice:
    code = cause.code if cause else ""
    at = {name: value for name, value in (("source", source), ("month", month), ("code", code)) if value}
    return Notice(stable_id(kind, source, month, code, *more), kind, at, text, REMEDIES[kind])


def lines(facts: Facts) -> Iterator[str]:
    """Overdue months, each on one line, for `kobe status`."""
    for source, month in overdue(facts):
        came = facts.heads.months("lake", source)
        why = "後の月は届いています" if came and month < came[-1] else f"{LATE_DAYS}日を過ぎても届いていません"
        yield f"{month} 未着 {source}: {why}"
