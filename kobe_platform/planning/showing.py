"""Tells what became of deliveries: all of them on a line each, and one with its report by ward and by rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kobe_platform.contracts import load_contracts
from kobe_platform.intake.deliveries import Delivery
from kobe_platform.intake.receipts import DECISIONS, read_receipt, receipt
from kobe_platform.planning.states import MOVING
from kobe_platform.planning.words import told
from kobe_platform.reception.accounting import WORDS
from kobe_platform.reception.decisions import possible
from kobe_platform.reception.outcomes import Outcome, receipt_status
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.coordinates import place

if TYPE_CHECKING:
    from kobe_platform.planning.facts import DeliveryFact
    from kobe_platform.planning.steps import Step

OUTCOMES_JA: Mapping[str, str] = {
    "accepted": "受理",
    "rejected": "却下",
    "held": "保留",
    "refused": "却下(運用者)",
    "withdrawn": "撤回",
    "due": "これから",
    "none": "これから",
}
"""What became of a delivery, in a word."""
DECISIONS_JA: Mapping[str, str] = {"approved": "承認", "refused": "却下", "withdrawn": "撤回"}
_REPORTS = ("reconciled", "laid")
Report = tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]
"""Heading, heads of columns, rows as texts."""


def listed(settings: Settings) -> list[dict[str, str]]:
    """Every delivery in the inbox: ``month``, ``source``, ``content_hash``, ``outcome`` and ``reason``."""
    from kobe_platform.planning.delivery_rules import outstanding_take_ins
    from kobe_platform.planning.observing import Observer

    facts = Observer(settings).facts_of_deliveries()
    due = {(step.unit, step.month): step for step in outstanding_take_ins(facts)[1].steps}
    return [_row(settings, one, due.get((one.source, one.month))) for one in facts.deliveries]


def _row(settings: Settings, fact: DeliveryFact, due: Step | None) -> dict[str, str]:
    """``outcome`` is that of the receipts, or ``due`` with the plan's word on why it is."""
    outcome: Outcome = fact.turned or ("accepted" if fact.receipted else "none")
    waiting = due if not fact.turned or (due is not None and due.state in MOVING) else None
    return {
        "month": fact.month,
        "source": fact.source,
        "content_hash": fact.content_hash,
        "outcome": "due" if waiting is not None or outcome == "none" else outcome,
        "reason": told(waiting) if waiting is not None else _reason(settings, fact),
    }


def _reason(settings: Settings, fact: DeliveryFact) -> str:
    """As :func:`reason`, of a delivery whose receipts were read already."""
    if fact.turned in ("refused", "withdrawn"):
        place = settings.receipts / settings.municipality / fact.source / fact.month
        return _by_whom(fact.turned, read_receipt(place / f"{fact.content_hash[:12]}.{fact.turned}.json") or {})
    return f"[{fact.cause.code}] {fact.cause.ja}{fact.cause.where}" if fact.turned and fact.cause else ""


def reason(home: Path, delivery: Delivery, outcome: Outcome) -> str:
    """Why a delivery was rejected or is held, from its receipt: rule, coordinates and remedy in Japanese."""
    if outcome in ("refused", "withdrawn"):
        return _by_whom(outcome, receipt(home, delivery, outcome) or {})
    if outcome == "accepted" or outcome == "none" or (found := receipt(home, delivery, outcome)) is None:
        return ""
    error = found["error"]
    return f"[{error['code']}] {error['ja']}{place(error['at'])}"


def _by_whom(outcome: str, decided: Mapping[str, Any]) -> str:
    return f"{DECISIONS_JA[outcome]} {decided.get('principal', '')} {decided.get('at', '')[:10]}".strip()


@dataclass(frozen=True)
class ShownDelivery:
    """A delivery for a screen.

    Attributes:
        title: of its source.
        reason: why it was turned away, in Japanese; empty where it was not.
        possible: what an operator can decide now.
        decisions: (word, who, when) of what was decided about this content.
        reports: (heading, heads of columns, rows) in counts.
    """

    delivery: Delivery
    title: str
    outcome: Outcome
    reason: str
    possible: tuple[str, ...]
    decisions: tuple[tuple[str, str, str], ...]
    facts: Mapping[str, Any]
    report: Mapping[str, Any]

    @property
    def record(self) -> dict[str, object]:
        """As JSON-ready counts and coordinates."""
        one = self.delivery
        told = {"source": one.source, "month": one.month, "kind": one.kind, "content_hash": one.content_hash}
        rows = one.manifest.rows if one.manifest else None
        return {
            **told, "rows": rows, "outcome": self.outcome, "reason": self.reason,
            "decisions": [dict(zip(("decision", "by", "at"), one, strict=True)) for one in self.decisions],
            "facts": dict(self.facts), "report": dict(self.report),
        }  # fmt: skip

    @cached_property
    def reports(self) -> tuple[Report, ...]:
        """(heading, heads of columns, rows as texts)."""
        return tuple(_reports(self.facts, self.report))

    @property
    def text(self) -> str:
        """For a terminal."""
        one = self.delivery
        lines = [f"{one.month} {one.source} ({one.kind}) {OUTCOMES_JA[self.outcome]} {one.content_hash[:12]}"]
        lines += [self.reason] if self.reason else []
        lines += [f"{word}: {who} {at}" for word, who, at in self.decisions]
        for heading, heads, rows in self.reports:
            lines += ["", heading, "  ".join(heads), *("  ".join(row) for row in rows)]
        return "\n".join(lines)


def shown(settings: Settings, delivery: Delivery) -> ShownDelivery:
    """One delivery with all that its receipts say of exactly this content."""
    home, contracts = settings.root, load_contracts(settings.contracts)
    outcome = receipt_status(home, delivery)
    records = {status: receipt(home, delivery, status) for status in DECISIONS}
    decisions = [
        (DECISIONS_JA[name], str(one.get("principal", "")), str(one["at"])) for name, one in records.items() if one
    ]
    accepted, held = receipt(home, delivery, "accepted") or {}, receipt(home, delivery, "held") or {}
    contract = contracts.get(delivery.source)
    return ShownDelivery(
        delivery,
        contract.title if contract else delivery.source,
        outcome,
        reason(home, delivery, outcome),
        possible(home, delivery),
        tuple(decisions),
        accepted.get("facts", {}),
        held.get("report", {}),
    )


def _reports(facts: Mapping[str, Any], report: Mapping[str, Any]) -> Iterator[Report]:
    found = (("違い", report), *((_HEADINGS[name], facts.get(name, {})) for name in _REPORTS))
    for heading, counted in found:
        counts = {name: value for name, value in counted.items() if isinstance(value, int)}
        if not counts:
            continue
        yield heading, ("項目", "件数"), tuple((WORDS.get(name, name), f"{value:,}") for name, value in counts.items())
        if by_ward := counted.get("by_ward", {}):
            heads, wards = _by_ward(by_ward)
            yield f"{heading}（区別）", heads, wards
        if by_rule := counted.get("by_rule", {}):
            rows = tuple((rule, f"{pair['former']:,}", f"{pair['now']:,}") for rule, pair in by_rule.items())
            yield f"{heading}（規則別）", ("規則", "前回", "今回"), rows


_HEADINGS = {"reconciled": "差分を重ねた結果との照合", "laid": "差分の重ね合わせ"}


def _by_ward(by_ward: Mapping[str, Mapping[str, int]]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    names = {code.code: code.label for code in hierarchies()["ward"].codes}
    kinds = [kind for kind in WORDS if any(kind in counts for counts in by_ward.values())]
    rows = tuple(
        (names.get(ward.removeprefix("ward."), "区不明"), *(f"{counts.get(kind, 0):,}" for kind in kinds))
        for ward, counts in by_ward.items()
    )
    return ("区", *(WORDS[kind] for kind in kinds)), rows
