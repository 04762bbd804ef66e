"""The prefecture's side: keeps what municipalities hand over, protects the totals, and makes the prefecture's release.

Runs in a process of its own over the prefecture's home, with the prefecture's keys and no others. What was handed over
is kept encrypted like every partition; a receipt tells who handed what over and when, by digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from kobe_platform.contracts import Contract, load_contracts
from kobe_platform.custody.commands import open_store
from kobe_platform.custody.durable import locked, private_folder, write_private
from kobe_platform.disclosure.reports import ENGINE_VERSION
from kobe_platform.errors import DisclosureError
from kobe_platform.governance.database import open_database
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.release import Release, assemble, record_inputs, recorded_inputs
from kobe_platform.lounge.sharing import shared_releases
from kobe_platform.prefecture.handed import Handed, packed, unpacked
from kobe_platform.prefecture.joint import TOTAL, Summed, how_summed, table_of
from kobe_platform.prefecture.stating import (
    COMPLETE,
    INCOMPLETE,
    OTHERS,
    carried,
    refuse_untold,
    statements,
    with_taken,
)
from kobe_platform.prefecture.totals import FormerTotals, Totals, protect_totals
from kobe_platform.release.collect import COVERS, content_digest, withheld_pages
from kobe_platform.release.identifiers import refuse_identifiers
from kobe_platform.settings import Settings
from kobe_platform.statistics import Statistic, groups, load_statistics
from kobe_platform.tabulation.steps import period_of
from kobe_platform.trials import Trials
from kobe_platform.vocabulary.clock import today
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.municipality import own

MUNICIPALITIES = "municipality"
"""Hierarchy of the municipalities below their prefecture, as a release publishes it."""
PARTIAL = "参加市町村の計"
"""Label of a total over fewer municipalities than the prefecture has."""
RECEIPTS = "above"
_KEPT = {"municipality": pl.String, "content": pl.String, "received_at": pl.String, "record": pl.String}
_VERSIONS = {"version": pl.Int64, "released_at": pl.String, "members": pl.String, "tables": pl.String}


@dataclass(frozen=True)
class Received:
    """What became of one group and month.

    Attributes:
        totals: :data:`COMPLETE`, :data:`INCOMPLETE` or :data:`OTHERS`.
        shown, hidden: totals with and without a figure. circles: parts of the attack.
        uneven: codes of municipalities that count fewer months of the year than others: they are not compared.
        statements: what municipalities are to be told before the totals are released (:mod:`stating`).
    """

    month: str
    group: str
    totals: str
    shown: int = 0
    hidden: int = 0
    circles: int = 0
    uneven: tuple[str, ...] = ()
    statements: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


class Prefecture:
    """One prefecture's home.

    Args:
        settings: of that home. store: its partitions, for tests; those of the settings by default.
    """

    def __init__(self, settings: Settings, store: PartitionStore | None = None) -> None:
        self.settings = settings
        self.store = store or open_store(settings)

    @cached_property
    def defined(self) -> Mapping[str, Statistic]:
        """Every statistic of the installation."""
        return load_statistics(self.settings.statistics, self.contracts, Trials(self.settings.trials))

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        """The contracts of the installation's sources."""
        return load_contracts(self.settings.contracts)

    @cached_property
    def statistics(self) -> Mapping[str, Statistic]:
        """The statistics that are summed above a municipality."""
        return {name: one for name, one in self.defined.items() if one.above}

    def summed(self, statistic: Statistic) -> Summed:
        """How a statistic is summed, and what its table over municipalities is called."""
        return how_summed(statistic, self.defined)

    def publishing(self) -> AbstractContextManager[None]:
        """Held while what was handed over becomes a release: one at a time."""
        return locked(self.settings.root / ".publishing.lock")

    def receive(
        self, month: str, group: str, records: Sequence[Mapping[str, Any]], missing: Sequence[str], workers: int = 1
    ) -> Received:
        """Keep what was handed over of a month, protect the totals over it, and put the tables where a release takes
        them from.

        Args:
            records: as :meth:`Handed.as_record` makes them, one a municipality.
            missing: codes of municipalities of the prefecture that handed nothing over; without all there is no total.

        Raises:
            DisclosureError: as :func:`totals.protect_totals`; what is published of the month stays as it was.
        """
        receipts, kept = self._keep(month, group, records)
        # Answers on demand may have been given behind the same published tables since: they are part of the attack.
        since = {str(one["municipality"]): {n: one[n] for n in ("former", "recorded") if n in one} for one in records}
        handed = [Handed.of({**kept[code, told["content"]], **since[code]}) for code, told in sorted(receipts.items())]
        handed, uneven = _even(handed)
        summed = [self.summed(one) for one in groups(self.statistics.values()).get(group, ())]
        versions = self._versions(group, month)
        members = {one.municipality: one.content for one in handed}
        whole = not missing and not uneven
        state = COMPLETE if whole else INCOMPLETE
        if versions and set(versions[-1][0]) != set(members):
            state = OTHERS if whole else INCOMPLETE
        if state == COMPLETE:
            made = protect_totals(handed, summed, _former(versions, kept, month, group), workers=workers)
            tables = made.tables
        else:
            made = Totals({}, 0, 0)
            tables = {one.table: _without_total(handed, one) for one in summed}
        before = received(self.settings.root, month, group)
        told: list[dict[str, Any]] = []
        said = carried(before)
        record = {"month": month, "group": group, "received": receipts, "missing": sorted(missing), "totals": state}
        if state == COMPLETE:
            told, said = statements(month, group, handed, made.scenarios, before)
        if told:  # killed between the tables and the receipt, no release may be made of totals that nobody was told of
            self._write_receipt({**record, "received": before.get("received", {}), **said})
        self._publish(month, group, tables, handed, state)
        self._write_receipt({**record, **said})
        totals = [table.filter(pl.nth(0) == TOTAL) for table in tables.values()]
        away = sum(int((table["status"] == "suppressed").sum()) for table in totals)
        shown = sum(table.height for table in totals) - away
        return Received(month, group, state, shown, away, made.circles, uneven, tuple(told))

    def taken(self, told: Iterable[Sequence[str]]) -> None:
        """Note what municipalities have taken: month, group, code, digest of each."""
        of: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for month, group, code, digest in told:
            of.setdefault((month, group), []).append((code, digest))
        for (month, group), pairs in of.items():
            if receipt := received(self.settings.root, month, group):
                self._write_receipt(with_taken(receipt, pairs))

    def _keep(
        self, month: str, group: str, records: Sequence[Mapping[str, Any]]
    ) -> tuple[dict[str, dict[str, str]], dict[tuple[str, str], dict[str, Any]]]:
        """Keep records in the partition of their group and month: what a receipt says of each, and all that is kept.

        What was handed over first behind the same published tables stays: totals that are out were made of it. A
        receipt has no digest of the counts themselves, by which a few guesses at a small one could be tried.
        """
        id = PartitionId("statistics", f"handed_{group.replace('/', '_')}", month)
        held = self.store.current(id)
        rows = self.store.read(id) if held is not None else pl.DataFrame(schema=_KEPT)
        now, known = datetime.now(UTC).isoformat(timespec="seconds"), set(rows.select("municipality", "content").rows())
        told = {(str(record["municipality"]), str(record["content"])): record for record in records}
        fresh = [(*key, now, json.dumps(record)) for key, record in told.items() if key not in known]
        if held is None or fresh:
            rows = pl.concat([rows, pl.DataFrame(fresh, schema=_KEPT, orient="row")])
            held = self.store.write(id, rows)
        at = {(code, content): received_at for code, content, received_at, _ in rows.iter_rows()}
        receipts = {
            code: {"content": content, "sealed": held.digest, "received_at": at[code, content]}
            for code, content in told
        }
        return receipts, {(code, content): json.loads(record) for code, content, _, record in rows.iter_rows()}

    # -- the record of what was released ------------------------------------------------------------------------------

    def _record(self, group: str, month: str) -> PartitionId:
        return PartitionId("released", f"above_{group.replace('/', '_')}", month)

    def _versions(self, group: str, month: str) -> list[tuple[dict[str, str], dict[str, pl.DataFrame]]]:
        """Released totals of a month, oldest first: municipality → content, and the tables."""
        id = self._record(group, month)
        if self.store.current(id) is None:
            return []
        rows = self.store.read(id).sort("version")
        return [(json.loads(members), unpacked(json.loads(tables))) for *_, members, tables in rows.iter_rows()]

    def _enter(self, group: str, month: str, members: Mapping[str, str], tables: Mapping[str, pl.DataFrame]) -> None:
        """Enter totals into the record before anybody sees them; nothing where the newest version says the same."""
        told = json.dumps(packed(tables))
        versions = self._versions(group, month)
        if versions and versions[-1][0] == dict(members) and json.dumps(packed(versions[-1][1])) == told:
            return
        id = self._record(group, month)
        held = self.store.read(id) if versions else pl.DataFrame(schema=_VERSIONS)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = (len(versions) + 1, now, json.dumps(dict(members)), told)
        self.store.write(id, pl.concat([held, pl.DataFrame([row], schema=_VERSIONS, orient="row")]))

    # -- tables and the release ---------------------------------------------------------------------------------------

    def _publish(
        self, month: str, group: str, tables: Mapping[str, pl.DataFrame], handed: Sequence[Handed], state: str
    ) -> None:
        """Put the tables where a release takes them from; what they were made of goes along."""
        members = {one.municipality: one.content for one in handed}
        basis = "synthetic" if any(one.basis == "synthetic" for one in handed) else "register"
        facts = {"group": group, "members": members, "totals": state, "audit_safe": True, "basis": basis}
        facts |= {COVERS: list(handed[0].covers)} if handed[0].covers else {}
        facts["registers"] = sum(one.basis != "synthetic" for one in handed)
        periods = {self.summed(one).table: period_of(one, month) for one in self.statistics.values()}
        for name, table in tables.items():
            area = table.columns[0]
            code = pl.col(area).replace(TOTAL, self.store.municipality)
            dated = table.with_columns(code).select(pl.lit(periods[name]).alias("period"), pl.all())
            content = content_digest(dated)
            self.store.write(PartitionId("published", name, month), dated, facts={**facts, "content": content})

    def release(self) -> Release:
        """Make a release of all that is published; the totals enter the record of releases before anybody sees them.

        Raises:
            DisclosureError: ``release.nothing``: no month was handed over yet. ``prefecture.waiting``: a municipality
                has not taken what the totals ask of it, so they stay as they are released.
        """
        refuse_untold(map(_read, _receipt_files(self.settings.root)))
        receipts = _receipts(self.settings.root)
        tables: dict[str, pl.DataFrame] = {}
        facts: dict[str, dict[str, Any]] = {}
        lacking: dict[str, dict[str, str]] = {}
        basis, registers, members = "register", 0, set[tuple[frozenset[str], bool]]()
        held = {name: self.store.months("published", name) for name in map(table_of, self.statistics.values())}
        for name, statistic in sorted((table_of(one), one) for one in self.statistics.values()):
            partitions = [self.store.present(PartitionId("published", name, month)) for month in held[name]]
            if not partitions:
                continue
            tables[name] = pl.concat([self.store.read(partition.id) for partition in partitions])
            months = {p.id.month[:4]: list(p.facts[COVERS]) for p in partitions if COVERS in p.facts}
            facts[name] = {**_facts(statistic), **({"months": months} if months else {})}
            without = {p.id.month: str(p.facts["totals"]) for p in partitions if p.facts["totals"] != COMPLETE}
            lacking |= {name: without} if without else {}
            members |= {(frozenset(p.facts["members"]), p.facts["totals"] == COMPLETE) for p in partitions}
            basis = "synthetic" if any(p.facts["basis"] == "synthetic" for p in partitions) else basis
            registers += sum(int(p.facts["registers"]) for p in partitions)
        if not tables:
            raise DisclosureError(
                "no municipality has handed over a month yet",
                code="release.nothing",
                remedy="kobe prefecture run",
                ja="市町村からまだ数値を受け取っていません",
            )
        names = {hierarchy for told in facts.values() for hierarchy in told["dimensions"].values()} - {MUNICIPALITIES}
        dims = {name: hierarchies()[name].frame() for name in sorted(names)} | {MUNICIPALITIES: self._areas(members)}
        told: dict[str, Any] = {
            "basis": basis,
            "municipality": self.store.municipality,
            "tables": facts,
            "without_totals": lacking,
        }

        def inspected(building: Path) -> None:
            refuse_identifiers(building)
            self._enter_all(held)

        withheld = self._withheld("register" if registers else "synthetic")
        releases = self.settings.releases
        shared = shared_releases(self.settings.store_url, releases)
        made = assemble(
            tables,
            dims,
            told,
            self.settings.dashboards,
            releases,
            withheld=withheld,
            inspect=inspected,
            shared=shared,
        )
        record_inputs(releases, made, receipts, shared)
        return made

    def _withheld(self, basis: str) -> dict[str, str]:
        """Pages without an application in force in this home's governance.

        Args:
            basis: ``register`` as soon as one municipality's figures are: of a register each page needs one.
        """
        named = {table_of(one): one for one in self.statistics.values()}
        engine = open_database(self.settings.governance)
        return withheld_pages(engine, load_pages(self.settings.dashboards), named, self.contracts, basis, today())

    def _enter_all(self, months: Mapping[str, Iterable[str]]) -> None:
        for group, members in groups(self.statistics.values()).items():
            named = [table_of(one) for one in members]
            for month in sorted({month for name in named for month in months[name]}):
                ids = [PartitionId("published", name, month) for name in named]
                # A statistic may be summed above later than others of its group: its table is not there yet.
                partitions = [held for id in ids if (held := self.store.current(id)) is not None]
                if all(partition.facts["totals"] == COMPLETE for partition in partitions):
                    tables = {p.id.source: self._undated(p.id) for p in partitions}
                    self._enter(group, month, partitions[0].facts["members"], tables)

    def _undated(self, id: PartitionId) -> pl.DataFrame:
        table = self.store.read(id).drop("period")
        return table.with_columns(pl.nth(0).replace(self.store.municipality, TOTAL))

    def _areas(self, members: Set[tuple[frozenset[str], bool]]) -> pl.DataFrame:
        """Codes of the municipalities that have figures, below their total; which is the prefecture's name only where
        every municipality of the list is in each total.

        Args:
            members: sets of municipalities, and whether there is a total over them.
        """
        root, everyone, there = self.store.municipality, own().neighbours, frozenset().union(*(m for m, _ in members))
        label = own().name if {m for m, total in members if total} == {frozenset(everyone)} else PARTIAL
        rows: list[tuple[str, str, str | None, int, int]] = [(root, label, None, 0, 0)]
        listed = [code for code in everyone if code in there]
        rows += [(code, everyone[code], root, 1, at) for at, code in enumerate(listed, start=1)]
        schema = {"code": pl.String, "label": pl.String, "parent": pl.String, "level": pl.Int8, "sort": pl.Int32}
        return pl.DataFrame(rows, schema=schema, orient="row")

    # -- receipts -----------------------------------------------------------------------------------------------------

    def _write_receipt(self, record: Mapping[str, Any]) -> None:
        path = receipt_path(self.settings.root, record["month"], record["group"])
        private_folder(path.parent)
        write_private(path, json.dumps(record, ensure_ascii=False, indent=1).encode())


def receipt_path(home: Path, month: str, group: str) -> Path:
    """Where the receipt of a group and month lies; it needs no key to be read."""
    return home / "receipts" / RECEIPTS / month / f"{group.replace('/', '_')}.json"


def received(home: Path, month: str, group: str) -> Mapping[str, Any]:
    """The receipt of a group and month; empty where there is none that can be read."""
    return _read(receipt_path(home, month, group))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return record if _is_receipt(record) else {}


def _is_receipt(record: object) -> bool:
    if not isinstance(record, dict):
        return False
    told, missing = record.get("received"), record.get("missing")
    return (
        isinstance(told, dict)
        and all(isinstance(one, dict) and isinstance(one.get("content"), str) for one in told.values())
        and isinstance(missing, list)
    )


def unreleased(home: Path) -> list[str]:
    """Months and groups that were received and that no release was made of; it needs no key."""
    releases = home / "releases"
    made, stands = recorded_inputs(releases) if releases.is_dir() else ({}, False)
    return [name for name, digest in _receipts(home).items() if not stands or made.get(name) != digest]


def _receipts(home: Path) -> dict[str, str]:
    """Month and group → digest of the receipt."""
    return {
        f"{path.parent.name} {path.stem.replace('_', '/')}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in _receipt_files(home)
    }


def _receipt_files(home: Path) -> list[Path]:
    return sorted((home / "receipts" / RECEIPTS).glob("*/*.json"))


def _former(
    versions: Sequence[tuple[Mapping[str, str], Mapping[str, pl.DataFrame]]],
    kept: Mapping[tuple[str, str], Mapping[str, Any]],
    month: str,
    group: str,
) -> list[FormerTotals]:
    """Former releases of a month's totals, each with what it was made of."""
    if lost := [key for members, _ in versions for key in members.items() if key not in kept]:
        raise DisclosureError(
            "what former totals of this month were made of is not kept in this home",
            code="prefecture.handed",
            at={"month": month, "group": group, "records": len(lost)},
            remedy="restore the prefecture's home from its backup; the month stays as it was released",
            ja="公表した合計のもとになった数値が残っていないため、合計を作り直しません",
        )
    return [FormerTotals([Handed.of(kept[key]) for key in sorted(told.items())], tables) for told, tables in versions]


def _even(handed: Sequence[Handed]) -> tuple[list[Handed], tuple[str, ...]]:
    """Those that count the same months of a year as the one that counts most, and the codes of all others: half a year
    stands beside no whole one.
    """
    most = max((one.covers for one in handed), key=len, default=())
    even = [one for one in handed if one.covers == most]
    return even, tuple(one.municipality for one in handed if one.covers != most)


def _without_total(handed: Sequence[Handed], summed: Summed) -> pl.DataFrame:
    """The municipalities' published rows alone: they say nothing that is not out."""
    parts = []
    for one in handed:
        rows = one.tables[summed.statistic].filter(pl.col(summed.area) == one.municipality)
        columns = [column for column in rows.columns if column not in (summed.area, "value", "status", "period")]
        parts.append(rows.select(summed.area, *columns, "value", "status"))
    return pl.concat(parts)


def _facts(statistic: Statistic) -> dict[str, Any]:
    dimensions = {
        column: MUNICIPALITIES if column == statistic.ward_column else name
        for column, name in statistic.dimensions.items()
    }
    protection = {
        "rule": "minimum_frequency",
        "method": "suppression",
        "interval_width": statistic.minimum_frequency,
        "engine_version": ENGINE_VERSION,
        "audit_safe": True,
    }
    return {**statistic.facts(), **protection, "title": statistic.above_title, "dimensions": dimensions}
