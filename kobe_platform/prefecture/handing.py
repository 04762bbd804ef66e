"""The municipality's side: hands over what its own gate has released, and nothing else.

Runs in the municipality's own process, with its own keys. What leaves it is written to a pipe, never to a terminal or
a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from kobe_platform.contracts import load_contracts
from kobe_platform.custody.commands import open_store
from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.errors import DisclosureError
from kobe_platform.governance.application_records import applications
from kobe_platform.governance.approvals import REASONS, Use, reason_against
from kobe_platform.governance.database import open_database
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lounge.release import Release, current
from kobe_platform.prefecture.handed import COUNT, Handed, is_new
from kobe_platform.prefecture.joint import how_summed
from kobe_platform.release.collect import COVERS, content_of
from kobe_platform.settings import Settings
from kobe_platform.statistics import Statistic, groups, load_statistics
from kobe_platform.statistics.history import commits, is_recorded, recorded_content
from kobe_platform.statistics.totals_out import held_digests, keep_totals_out, months_held
from kobe_platform.tabulation.steps import is_settled, period_of, stored_for_audit
from kobe_platform.trials import Trials
from kobe_platform.vocabulary.clock import today

if TYPE_CHECKING:
    from collections.abc import Collection

SLUG = "prefecture"
"""What an application names beside its dashboards where cells go to the prefecture."""


class Hander:
    """One municipality's released months of the groups that are summed above it.

    Args:
        settings: of the municipality's home.
        store: its partitions, for tests; those of the settings by default.
    """

    def __init__(self, settings: Settings, store: PartitionStore | None = None) -> None:
        self.settings = settings
        self.store = store or open_store(settings)

    @cached_property
    def statistics(self) -> Mapping[str, Statistic]:
        """Every statistic of the installation."""
        settings = self.settings
        return load_statistics(settings.statistics, load_contracts(settings.contracts), Trials(settings.trials))

    @cached_property
    def groups(self) -> Mapping[str, tuple[Statistic, ...]]:
        """The groups of which some table is summed above, with all their tables."""
        return {key: every for key, every in groups(self.statistics.values()).items() if any(s.above for s in every)}

    def released(self) -> dict[str, dict[str, str]]:
        """Month → group → digest of the tables that were released of it last; what was not released is not there."""
        if current(self.settings.releases) is None:
            return {}
        every = {one.name for members in self.groups.values() for one in members}
        months = sorted({month for name in every for month in self.store.months("published", name)})
        return {month: found for month in months if (found := self._released_of(month))}

    def _released_of(self, month: str) -> dict[str, str]:
        """Group → digest of the tables that were released of a month last."""
        told = {key: self._content(key, members, month) for key, members in self.groups.items()}
        return {key: content for key, content in told.items() if content}

    def _content(self, key: str, members: Sequence[Statistic], month: str) -> str:
        """Digest of the tables of a month as the record of releases has them, and of which are summed above and how;
        empty where it has not."""
        held = [(one.name, self.store.current(PartitionId("published", one.name, month))) for one in members]
        told = sorted((name, content_of(partition)) for name, partition in held if partition is not None)
        if len(told) < len(members):
            return ""
        content = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        if not is_recorded(self.store, key, month, [name for name, _ in told], content):
            return ""
        summed, counted = sorted(one.name for one in members if one.above), sorted(self._needed(members))
        return hashlib.sha256(json.dumps([content, summed, counted]).encode()).hexdigest()

    def held(self) -> dict[str, dict[str, list[str]]]:
        """Month → group → digests of the scenarios that are held of totals that are out; others are not there."""
        found: dict[str, dict[str, list[str]]] = {}
        for key in self.groups:
            for month in months_held(self.store, key):
                found.setdefault(month, {})[key] = held_digests(self.store, key, month)
        return found

    def take_in(self, told: Mapping[str, Any]) -> None:
        """Keep what totals that the prefecture is about to publish ask of a month.

        Args:
            told: ``municipality``, ``month``, ``group``, ``content`` and ``recorded`` as they were handed over, and
                ``scenarios``; those that were taken before stay in force.

        Raises:
            DisclosureError: ``prefecture.moved`` (the month was published or asked anew since it was handed over),
                ``prefecture.statement`` (it cannot be read, or is another municipality's). Nothing is kept then.
        """
        try:
            month, group, content, recorded = (str(told[name]) for name in ("month", "group", "content", "recorded"))
            scenarios = Scenarios.of(told["scenarios"])
            if told["municipality"] != self.store.municipality:
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise DisclosureError(
                "what the prefecture's totals ask of this municipality cannot be read",
                code="prefecture.statement",
                at={"municipality": self.store.municipality},
                remedy="bring both homes to one version (kobe upgrade) and publish again",
                ja="都道府県の合計に関する通知を読めません",
            ) from None
        with commits(self.store):
            members = self.groups.get(group, ())
            now = (self._content(group, members, month) if members else "", recorded_content(self.store, group, month))
            if now != (content, recorded):
                raise DisclosureError(
                    "the month was published or answered from again since it was handed over",
                    code="prefecture.moved",
                    at={"municipality": self.store.municipality, "month": month, "group": group},
                    remedy="kobe run in this municipality's home, then publish above it again",
                    ja="受け渡しのあとで、この月が更新されました",
                )
            keep_totals_out(self.store, group, month, scenarios)

    def hand_over(self, months: Iterable[str]) -> tuple[list[Handed], list[tuple[str, str, DisclosureError]]]:
        """What the prefecture gets of some months, group by group, and what is refused: month, group, why.

        A group that was not released in a month is in neither: its municipality is missing there, and a year is there
        in one of its months alone.
        """
        handed, refused = [], []
        for month in months:
            for group, content in self._released_of(month).items():
                try:
                    handed.append(self._handed(month, group, content))
                except DisclosureError as error:
                    refused.append((month, group, error))
        return handed, refused

    def _handed(self, month: str, key: str, content: str) -> Handed:
        """A group of a month.

        Raises:
            DisclosureError: ``prefecture.unreleased`` (the release in force does not show the month as it is held, or
                counts have moved on since), ``prefecture.approval`` (figures of a register, without an application).
        """
        release, members = current(self.settings.releases), self.groups[key]
        if release is None or not self._shows(release, members, month):
            raise self._unreleased(month, key)
        if not is_settled(self.store, members, month, self.statistics):
            raise self._unreleased(month, key)
        basis = str(release.facts.get("basis", "register"))
        covers = self.store.present(PartitionId("published", members[0].name, month)).facts.get(COVERS, ())
        self._approved(basis, {source for one in members for source in one.sources if one.above})
        recorded = recorded_content(self.store, key, month)
        spec, tables, former = stored_for_audit(
            self.store, members, month, self.statistics, self.settings.history_months
        )
        return Handed(
            self.store.municipality,
            month,
            key,
            content,
            basis,
            spec,
            tables,
            tuple(one for one in former if is_new(one, tables)),
            {name: self._whole(self.statistics[name], month) for name in self._needed(members)},
            tuple(covers),
            recorded,
        )

    def _shows(self, release: Release, members: Sequence[Statistic], month: str) -> bool:
        """Whether the files of the release in force show exactly the published tables of a month."""
        return all(self._shown_as_held(release.path / "tables", one, month) for one in members)

    def _shown_as_held(self, folder: Path, statistic: Statistic, month: str) -> bool:
        file = folder / f"{statistic.name}.parquet"
        if not file.is_file():
            return False
        held = self.store.read(PartitionId("published", statistic.name, month))
        keys = ["period", *statistic.dimensions]
        period = period_of(statistic, month)
        shown = pl.read_parquet(file).filter(pl.col("period") == period).select(*keys, "value", "status")
        return shown.sort(keys).equals(held.select(*keys, "value", "status").sort(keys))

    def _needed(self, members: Sequence[Statistic]) -> Iterator[str]:
        """The statistics whose totals may be more than sums of published figures; counts of no other leave."""
        for one in members:
            if one.above and not how_summed(one, self.statistics).plain:
                yield one.name

    def _whole(self, statistic: Statistic, month: str) -> pl.DataFrame:
        """Finest cells of the municipality as a whole, its areas summed."""
        cells = self.store.read(PartitionId("statistics", statistic.name, month))
        columns = [column for column in statistic.dimensions if column != statistic.ward_column]
        total = pl.col(statistic.measure).sum().cast(pl.Int64).alias(COUNT)
        return cells.group_by(columns).agg(total).sort(columns) if columns else cells.select(total)

    def _approved(self, basis: str, sources: Collection[str]) -> None:
        if basis == "synthetic":
            return
        known = {app.number: app for app in applications(open_database(self.settings.governance))}
        number = self.settings.above_application
        audience = known[number].draft.audience if number in known else ""
        reason = reason_against(Use(SLUG, number, audience, frozenset(sources)), known, today())
        if reason:
            raise DisclosureError(
                "no application in force lets cells go to the prefecture",
                code="prefecture.approval",
                at={"municipality": self.store.municipality, "reason": reason},
                remedy=f"file one that names {SLUG} among its dashboards, and its number in KOBE_ABOVE_APPLICATION",
                ja=f"都道府県への提供の申請が有効ではありません({REASONS[reason]})",
            )

    def _unreleased(self, month: str, group: str) -> DisclosureError:
        return DisclosureError(
            "the release in force does not show this month as it is held now",
            code="prefecture.unreleased",
            at={"municipality": self.store.municipality, "month": month, "group": group},
            remedy="kobe run in this municipality's home, then publish again",
            ja="この月は、市町村でまだ公開されていません",
        )
