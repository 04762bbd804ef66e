"""Reads the facts of an installation: manifests of the inbox, receipts, heads of partitions, the release, locks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kobe_platform.code_version import engine_version, source_files
from kobe_platform.contracts import Contract, load_contracts
from kobe_platform.errors import ConfigurationError, PlatformError
from kobe_platform.home_format import check_version
from kobe_platform.intake.deliveries import Delivery, find, names_in
from kobe_platform.intake.receipts import (
    changed_since,
    is_approved,
    is_withdrawn,
    read_receipt,
    receipt,
    receipts,
)
from kobe_platform.lake.heads import KEPT, Heads, index_of
from kobe_platform.planning.facts import DeliveryFact, Facts, InstallationFault, ReleaseFact, Scope
from kobe_platform.planning.failures import Failures
from kobe_platform.planning.journal import WorkJournal
from kobe_platform.planning.leases import Leases
from kobe_platform.planning.steps import Cause, Plan
from kobe_platform.reception.inputs import TARGETS
from kobe_platform.settings import Settings
from kobe_platform.trials import Trials
from kobe_platform.vocabulary.clock import JAPAN
from kobe_platform.vocabulary.coordinates import place

if TYPE_CHECKING:  # definitions of tables and pages are loaded when they are asked for: a list of deliveries needs none
    from kobe_platform.lounge.pages import Page
    from kobe_platform.statistics import Statistic

LEAST_FREE_BYTES = 64 * 1024 * 1024
"""Room that the disk of ``KOBE_HOME`` must have before anything is tried: databases of their own need some, too."""


class Observer:
    """Looks at one installation, again and again; what did not change is not read again.

    Definitions (contracts, statistics, pages) are read once, as the jobs that execute steps read them once: a process
    that goes on for days is started again when they change, as the Dagster daemon's code server is.
    """

    def __init__(self, settings: Settings, scope: Scope | None = None) -> None:
        self.settings = settings
        self.scope = scope or Scope()
        self._defined = _stamps(settings)
        self.failures = Failures(settings.root)
        self.leases = Leases(settings.root)
        self.journal = WorkJournal(settings.root)
        self._heads = index_of(settings.store, settings.root / "staging" / KEPT)
        self._steady: dict[Scope, Plan] | None = None

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        """Contracts by source."""
        return load_contracts(self.settings.contracts)

    @cached_property
    def counted(self) -> dict[str, Statistic]:
        """Statistics by name: the tables that are counted from rows."""
        from kobe_platform.statistics import load_statistics

        return load_statistics(self.settings.statistics, self.contracts, Trials(self.settings.trials))

    @cached_property
    def statistics(self) -> Mapping[str, Statistic]:
        """Published tables by name: statistics, forecasts, usual ranges."""
        from kobe_platform.published import made_from_tables

        settings = self.settings
        files = settings.statistics, self.counted, settings.forecast_files, settings.watch_files
        return {**self.counted, **made_from_tables(*files, Trials(settings.trials))}

    @cached_property
    def pages(self) -> Mapping[str, Page]:
        """Pages by slug."""
        from kobe_platform.lounge.pages import load_pages

        return load_pages(self.settings.dashboards)

    def changed_on_disk(self) -> bool:
        """Whether a definition file or a module came, went or was changed since this process read them."""
        return self._defined != _stamps(self.settings)

    def plan(self, scope: Scope | None = None, *, aside: Iterable[str] = ()) -> Plan:
        """What is outstanding now.

        Args:
            aside: names of work that is not counted as under way: the caller's own.
        """
        from kobe_platform.planning.rules import outstanding

        if self._steady is None or aside:
            return outstanding(self.facts(scope, aside=aside))
        scope = scope or Scope()
        if scope not in self._steady:
            self._steady[scope] = outstanding(self.facts(scope))
        return self._steady[scope]

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Within this context the plan is worked out once: for looks one after another, with no work between them."""
        self._steady = {}
        try:
            yield
        finally:
            self._steady = None

    def facts(self, scope: Scope | None = None, *, aside: Iterable[str] = ()) -> Facts:
        """All facts now."""
        facts = self.facts_of_deliveries(scope, aside=aside)
        pages = {slug: page.tables for slug, page in self.pages.items()}
        facts = replace(facts, statistics=self.statistics, pages=pages)
        return replace(facts, release=self._release(facts.heads, facts))

    def facts_of_deliveries(self, scope: Scope | None = None, *, aside: Iterable[str] = ()) -> Facts:
        """All facts that deliveries are judged by, without tables, pages and the release.

        What is under way is looked at first: what ends meanwhile is then not missed.
        """
        under_way = frozenset(self.leases.under_way()) - frozenset(aside)
        faults = (*installation_faults(self.settings), *self._brought_together())
        heads = self._heads.read()
        now = datetime.now(UTC)
        found: list[Delivery] = []
        if not any(fault.code.startswith("inbox.") for fault in faults):
            try:
                found = self.deliveries()
            except PlatformError as error:  # the share went away while it was read
                faults = (*faults, InstallationFault(error.code, error.message, error.remedy, error.ja))
        return Facts(
            today=now.astimezone(JAPAN).date(),
            contracts=self.contracts,
            statistics={},
            heads=heads,
            deliveries=tuple(self._facts_of(found)),
            withdrawn=self._withdrawn(heads),
            failures=self.failures.read(),
            under_way=under_way,
            faults=faults,
            start=self.settings.start,
            scope=scope or Scope(),
            engine=engine_version(),
            now=now,
        )

    def _brought_together(self) -> tuple[InstallationFault, ...]:
        """Copy what other machines have done into the home; what stands in the way."""
        if not self.settings.store_url:
            return ()
        from kobe_platform.release.sharing import bring_together

        try:
            bring_together(self.settings, anew=False)
        except PlatformError as error:
            return (InstallationFault(error.code, error.message, error.remedy, error.ja),)
        return ()

    def deliveries(self) -> list[Delivery]:
        """The deliveries that lie in the inbox."""
        return find(self.settings.inbox.resolve(), self.contracts, self.settings.municipality)

    def _withdrawn(self, heads: Heads) -> frozenset[tuple[str, str]]:
        """Months whose rows in force their sender has withdrawn, also where nothing lies in the inbox any more."""
        home, city = self.settings.root, self.settings.municipality
        stages = {name: TARGETS[contract.use] for name, contract in self.contracts.items()}
        return frozenset(
            (id.source, id.month)
            for id, held in heads.entries.items()
            if stages.get(id.source) == id.stage
            and is_withdrawn(home, city, id.source, id.month, str(held.facts.get("content_hash", "")))
        )

    def _facts_of(self, found: Iterable[Delivery]) -> Iterator[DeliveryFact]:
        """Of each delivery; only folders that hold receipts are opened."""
        known: dict[tuple[str, str], frozenset[str]] = {}
        for one in found:
            of_source = one.municipality, one.source
            if of_source not in known:
                known[of_source] = frozenset(names_in(receipts(self.settings.root, one).parent))
            if one.month in known[of_source]:
                yield self._fact(one)
            else:
                yield DeliveryFact(one.source, one.month, one.content_hash, kind=one.kind)

    def _fact(self, delivery: Delivery) -> DeliveryFact:
        home, stem = self.settings.root, delivery.content_hash[:12]
        named = _receipts(receipts(home, delivery))
        receipted = bool(named.get(f"{stem}.accepted.json"))
        fact = DeliveryFact(
            delivery.source, delivery.month, delivery.content_hash, receipted=receipted, kind=delivery.kind
        )
        decided = self._decided(delivery, named)
        if decided is not None:
            return replace(fact, turned=decided[0], cause=decided[1])
        for turned in ("rejected", "held"):
            name = f"{stem}.{turned}.json"
            told = read_receipt(receipts(home, delivery) / name) if named.get(name) else None
            if told is None or (fact.receipted and _accepted_since(home, delivery, told)):
                continue
            if changed_since(delivery, told):
                continue
            if not (turned == "held" and is_approved(home, delivery)):
                cause, judged = _cause(told.get("error", {})), str(told.get("made_from", ""))
                return replace(fact, turned=turned, cause=cause, judged_with=judged)
        return fact

    def _decided(
        self, delivery: Delivery, named: Mapping[str, bool]
    ) -> tuple[Literal["withdrawn", "refused"], Cause] | None:
        """What an operator has decided of a delivery that is not taken, with its cause; None where nothing was."""
        home = self.settings.root
        if named.get(f"{delivery.content_hash[:12]}.withdrawn.json") and receipt(home, delivery, "withdrawn"):
            return "withdrawn", WITHDRAWN
        if named.get(f"{delivery.content_hash[:12]}.refused.json") and receipt(home, delivery, "refused"):
            return "refused", _refused(receipt(home, delivery, "held") or {})
        return None

    def _release(self, heads: Heads, facts: Facts) -> ReleaseFact:
        from kobe_platform.lounge.release import recorded_inputs, sources_digest

        releases = self.settings.releases
        inputs, stands = recorded_inputs(releases) if releases.is_dir() else ({}, False)
        pages = sources_digest(self.settings.dashboards)
        return ReleaseFact(inputs, stands, pages, self._withheld(heads, facts))

    def _withheld(self, heads: Heads, facts: Facts) -> tuple[str, ...]:
        """Pages without a live approval; figures of a made-up city need none."""
        published = [entry for id, entry in heads.entries.items() if id.stage == "published"]
        if not published or any(entry.facts.get("basis") == "synthetic" for entry in published):
            return ()
        from kobe_platform.governance.database import open_database
        from kobe_platform.release.collect import withheld_pages

        database = open_database(self.settings.governance)
        try:
            files = self.pages, self.statistics, self.contracts
            return tuple(sorted(withheld_pages(database, *files, "register", facts.today)))
        finally:
            database.dispose()


def _stamps(settings: Settings) -> dict[str, tuple[int, int]]:
    """Modification time and size of every definition file and every module of the platform."""
    dashboards, definitions = settings.dashboards, settings.contracts.parent
    files = [os.fspath(settings.ondemand), *source_files()]
    for folder in (settings.contracts, settings.forecast_files, settings.watch_files, dashboards):
        files += _listed(folder, ".toml")
    for folder in (dashboards / "pages", dashboards / "manuals"):
        files += _listed(folder, ".md")
    for folder in (settings.statistics, definitions / "vocabulary"):
        files += _listed(folder)
    return {path: stamp for path in files if (stamp := _stamp(path))}


def _listed(folder: Path, ending: str = "") -> list[str]:
    """Paths of what lies in a folder, where there is one; in few calls, as each tick of a sensor looks at all of it."""
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(ending)]
    except OSError:  # as for a pattern that nothing matches; reading the files themselves says what is wrong
        return []


def _stamp(path: str) -> tuple[int, int] | None:
    """Time and size of a file; None where there is no file."""
    try:
        told = os.stat(path)
    except OSError:
        return None
    return (told.st_mtime_ns, told.st_size) if stat.S_ISREG(told.st_mode) else None


def installation_faults(settings: Settings) -> tuple[InstallationFault, ...]:
    """What keeps anything from being tried, each said once, with what to do.

    Raises:
        ConfigurationError: the inbox lies inside the home: the platform would read what it writes.
    """
    inbox = settings.inbox.resolve()
    found: list[InstallationFault] = []
    if inbox == settings.root or settings.root in inbox.parents:
        raise ConfigurationError(
            "the inbox lies inside KOBE_HOME",
            code="settings.inbox",
            remedy="keep the core systems' share outside: the platform only reads it",
            ja="受信箱(KOBE_INBOX)はKOBE_HOMEの外に置いてください",
        )
    try:
        check_version(settings.root)
    except PlatformError as error:
        found.append(InstallationFault(error.code, error.message, error.remedy, error.ja))
    if not (settings.keys / "root.json").exists():
        found.append(
            InstallationFault(
                "settings.keys",
                "there is no key store",
                "run `kobe keys init`",
                "鍵がありません。`kobe keys init` を実行してください",
            )
        )
    found += _owner_faults(settings)
    return (*found, *_inbox_faults(settings, inbox), *_room_faults(settings.root))


def _owner_faults(settings: Settings) -> Iterator[InstallationFault]:
    """A home holds one municipality's rows: what came of another one's deliveries lies in it already."""
    kept = os.listdir(settings.receipts) if settings.receipts.is_dir() else []
    if any(name.isdigit() and name != settings.municipality for name in kept):
        yield InstallationFault(
            "settings.municipality",
            "the home is another municipality's",
            "set KOBE_MUNICIPALITY and KOBE_HOME of the same one",
            "このホームは別の市町村のものです。KOBE_MUNICIPALITY と KOBE_HOME を同じ市町村のものにしてください",
        )


def _inbox_faults(settings: Settings, inbox: Path) -> list[InstallationFault]:
    try:
        names = {entry.name for entry in os.scandir(inbox)}
    except OSError:
        return [
            InstallationFault(
                "inbox.absent",
                "the inbox is not there, or may not be read",
                "mount the core systems' share, or set KOBE_INBOX",
                "受信箱が見つからないか、読めません。共有フォルダーの接続か KOBE_INBOX を確かめてください",
            )
        ]
    known = settings.receipts / settings.municipality
    if settings.municipality not in names and known.is_dir():
        return [
            InstallationFault(
                "inbox.empty",
                "the inbox no longer holds the city's folder, though deliveries came from it before",
                "mount the core systems' share, or set KOBE_INBOX",
                "受信箱に市のフォルダーがありません。共有フォルダーの接続を確かめてください",
            )
        ]
    return []


def _room_faults(home: Path) -> list[InstallationFault]:
    place = next(path for path in (home, *home.parents) if path.exists())
    told = os.statvfs(place)
    if told.f_bavail * told.f_frsize >= LEAST_FREE_BYTES:
        return []
    return [
        InstallationFault(
            "custody.disk_full",
            f"less than {LEAST_FREE_BYTES // 2**20} MB are free on the disk of KOBE_HOME",
            "make room; work goes on by itself then",
            "KOBE_HOMEのディスクの空きが足りません。空きを作ると、続きから再開します",
        )
    ]


def _accepted_since(home: Path, delivery: Delivery, refusal: Mapping[str, Any]) -> bool:
    """Whether the same content was accepted after it had been refused: as after a mended contract."""
    accepted = read_receipt(receipts(home, delivery) / f"{delivery.content_hash[:12]}.accepted.json")
    return accepted is not None and accepted["at"] >= refusal["at"]


WITHDRAWN = Cause(
    "delivery.withdrawn",
    "the delivery was withdrawn",
    "have its sender deliver the month again",
    "提供データは撤回されました。提供元から正しいものが届くのを待っています",
)


def _refused(held: Mapping[str, Any]) -> Cause:
    """Why a held delivery is not taken: an operator refused it, and what it was held for."""
    before = _cause(held.get("error", {}))
    ja = f"保留のあと、運用者が却下しました（{before.code}）。提供元に再送を依頼してください"
    text = "an operator refused the delivery, which was held"
    return Cause("delivery.refused", text, "have its sender deliver the month again", ja, before.where)


def _receipts(folder: Path) -> dict[str, bool]:
    """Names of a folder's receipts → whether they hold anything."""
    try:
        with os.scandir(folder) as found:
            return {entry.name: entry.stat().st_size > 2 for entry in found}
    except OSError:
        return {}


def _cause(error: Mapping[str, Any]) -> Cause:
    at = ", ".join(f"{name} {value}" for name, value in error.get("at", {}).items() if name != "rule")
    text = f"{error.get('message', '')} ({at})" if at else str(error.get("message", ""))
    where = place(error.get("at", {}))
    return Cause(str(error.get("code", "")), text, str(error.get("remedy", "")), str(error.get("ja", "")), where)
