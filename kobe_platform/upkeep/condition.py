"""How the data are, for engineers: what has come and how late, quality by month and rule, what is hidden, trends.

Counts by source, month and rule from the receipts, and figures of the release in force: nothing of a person, and
nothing that the tables do not show. The share that is hidden is told in whole percent (docs/disclosure.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kobe_platform.intake.receipts import accepted_receipts
from kobe_platform.lounge.release import current
from kobe_platform.planning.facts import Facts
from kobe_platform.planning.observing import Observer
from kobe_platform.reception.accounting import befallen
from kobe_platform.reception.inputs import TARGETS
from kobe_platform.settings import Settings
from kobe_platform.upkeep.trends import Trend, WardChange, trends, ward_changes
from kobe_platform.vocabulary.rules import rules

MONTHS = 13
"""How many months are shown: one more than a year, so that the same month of the year before is there."""

UNKNOWN = ("code.unknown", "district.unknown", "value.missing")
"""Rules whose rows count as unknown."""


@dataclass(frozen=True)
class SourceState:
    """A source: its newest month in the platform, how many months late that is, and what became of its deliveries.

    None is late that holds until the next one comes, or that comes when there is something new.
    """

    name: str
    title: str
    newest: str
    late: int | None
    months: int
    states: Mapping[str, int]


@dataclass(frozen=True)
class MonthQuality:
    """An accepted month of a source: delivered rows, rows kept, and rule → rows that it befell."""

    source: str
    month: str
    rows: int
    kept: int
    rules: Mapping[str, int]

    @property
    def unknown(self) -> str:
        """Share of the delivered rows in which something is missing or unknown, as text."""
        return share_of(sum(self.rules.get(rule, 0) for rule in UNKNOWN), self.rows)


@dataclass(frozen=True)
class HiddenShare:
    """A published table with its cells and the share of them that is hidden, as text."""

    title: str
    cells: int
    share: str


@dataclass(frozen=True)
class Condition:
    """Everything that the page shows.

    Attributes:
        rejected: rule → months of deliveries that it turned away, by source.
        words: rule → what it says, in Japanese.
        trend_months, trends: months, and the figures of each trend in them.
        wards_month, wards: the newest month, and each ward's change in it.
    """

    sources: list[SourceState]
    quality: dict[str, list[MonthQuality]]
    rejected: dict[str, dict[str, list[str]]]
    hidden: list[HiddenShare]
    trend_months: list[str] = field(default_factory=list)
    trends: list[tuple[Trend, list[float | None]]] = field(default_factory=list)
    wards_month: str = ""
    wards: list[WardChange] = field(default_factory=list)
    words: Mapping[str, str] = field(default_factory=dict)

    def rules_of(self, source: str) -> list[str]:
        """Rules that befell rows of a source in the months that are shown, the most frequent first."""
        counted = sum((Counter(month.rules) for month in self.quality[source]), Counter[str]())
        return [rule for rule, _ in counted.most_common()]


def condition(settings: Settings, observer: Observer) -> Condition:
    """The state of the data now.

    Args:
        observer: asked again and again, it reads only what changed.
    """
    facts = observer.facts_of_deliveries()
    sources = [_source(name, facts) for name in sorted(facts.contracts)]
    told_of = {one.name: quality_of(settings, one.name) for one in sources if one.months}
    told = Condition(sources, told_of, _rejected(facts), [], words={name: rule.ja for name, rule in rules().items()})
    release = current(settings.releases)
    if release is None:
        return told
    months, followed = trends(release.path / "tables", MONTHS)
    newest, wards = ward_changes(release.path / "tables")
    hidden = sorted((_hidden(table) for table in release.tables.values()), key=lambda one: one.title)
    return replace(told, hidden=hidden, trend_months=months, trends=followed, wards_month=newest, wards=wards)


def _source(name: str, facts: Facts) -> SourceState:
    contract = facts.contracts[name]
    held = facts.heads.months(TARGETS[contract.use], name)
    own = [one for one in facts.deliveries if one.source == name]
    states = Counter[str](one.turned or ("accepted" if one.receipted else "due") for one in own)
    late = None
    if held and contract.use != "reference" and contract.frequency == "monthly":
        year, month = map(int, held[-1].split("-"))
        late = max(0, (facts.today.year - year) * 12 + facts.today.month - month - 1)
    return SourceState(name, contract.title, held[-1] if held else "", late, len(held), states)


def quality_of(settings: Settings, source: str, newest: int = MONTHS) -> list[MonthQuality]:
    """The newest accepted months of a source by their receipts, oldest first."""
    folder = settings.receipts / settings.municipality / source
    months = sorted((path.name for path in folder.iterdir() if path.is_dir()), reverse=True) if folder.is_dir() else []
    told = []
    for month in months[:newest]:
        if records := accepted_receipts(folder / month):
            told.append(_month(source, month, records[-1]["facts"]))
    return told[::-1]


def _month(source: str, month: str, facts: Mapping[str, Any]) -> MonthQuality:
    return MonthQuality(source, month, int(facts.get("rows", 0)), int(facts.get("kept", 0)), befallen(facts))


def _rejected(facts: Facts) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for one in facts.deliveries:
        if one.turned == "rejected" and one.cause:
            found.setdefault(one.cause.code, {}).setdefault(one.source, []).append(one.month)
    return dict(sorted(found.items()))


def _hidden(table: Mapping[str, Any]) -> HiddenShare:
    cells, hidden = int(table["rows"]), int(table["suppressed"])
    return HiddenShare(str(table.get("title") or table["name"]), cells, share_of(hidden, cells))


def share_of(part: int, whole: int) -> str:
    """A share in whole percent, in words where it is none or less than one."""
    percent = 100 * part / whole if whole else 0
    return "なし" if not part else "1%未満" if percent < 1 else f"{percent:.0f}%"
