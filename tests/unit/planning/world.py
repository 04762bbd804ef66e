"""An installation in memory: what a take-in, a month's tables and a release leave behind, write by write.

Which partitions a step writes, and from which inputs, it asks of the functions that the real steps ask; contents are
functions of inputs. A step is a generator that stops after each write, so that a test can kill it there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

from kobe_platform.contracts import Contract, load_contracts
from kobe_platform.forecasts.inputs import is_newest, score_inputs, vintage_inputs
from kobe_platform.forecasts.tables import ForecastTable, Scoreboard
from kobe_platform.lake.heads import HeadEntry, Heads, HeadVerdict
from kobe_platform.lake.partitions import ENGINE, PartitionId, content_of, made_from
from kobe_platform.lake.shelf import latest_month
from kobe_platform.planning import Cause, DeliveryFact, Facts, Failure, InstallationFault, Plan, ReleaseFact, Scope
from kobe_platform.planning.rules import outstanding, release_inputs
from kobe_platform.planning.steps import Step, Work
from kobe_platform.reception.inputs import (
    abstraction_inputs,
    admission_inputs,
    base_of,
    companion_ready,
    taking_inputs,
    target,
)
from kobe_platform.release.required_checks import lake_checks, published_checks, statistics_checks
from kobe_platform.settings import Settings
from kobe_platform.statistics import Statistic, groups, load_statistics
from kobe_platform.statistics.inputs import counting_inputs, protecting_inputs, public_inputs, tied_months
from kobe_platform.unusual.inputs import usual_inputs
from kobe_platform.unusual.tables import UsualRanges

REGISTER, MOVEMENTS, TOWNS = "resident_register", "resident_movements", "town_districts"
ESTIMATE, COMPARISON = "estimated_population", "city_comparison"
SOURCES = (TOWNS, REGISTER, MOVEMENTS, ESTIMATE, COMPARISON)
TABLES = (
    "population_ward", "population_district", "ward_moves_in_month", "ward_moves_out_month", "ward_moves_in_year",
    ESTIMATE,
)  # fmt: skip
STOCKS, FLOWS, YEAR = "stocks/month", "flows/month", "flows/year"
CONDITIONS = {
    "approval", "legal_basis", "month_end", "series_start", "scope", "mended_input_or_code", "time", "installation",
    "replacement",
}  # fmt: skip
TODAY = date(2026, 2, 10)
NOW = datetime(2026, 2, 10, tzinfo=UTC)


@cache
def contracts() -> Mapping[str, Contract]:
    """The project's own contracts of the synthetic city's sources; a city may add others."""
    return {name: one for name, one in load_contracts(Settings().contracts).items() if name in SOURCES}


@cache
def statistics() -> Mapping[str, Statistic]:
    """Some of the project's own statistics, of each kind."""
    held = load_statistics(Settings().statistics)
    return {name: held[name] for name in sorted(TABLES)}


def take_in(source: str, month: str) -> str:
    """The id of a delivery's step."""
    return f"take_in:{source}:{month}"


def tabulate(unit: str, month: str) -> str:
    """The id of a group's month."""
    return f"tabulate:{unit}:{month}"


def kind_of(content: str) -> str:
    """The kind of a delivery in its manifest."""
    return "difference" if content.startswith("diff") else "snapshot"


class Broken(Exception):
    """A step fails: ``kind`` is ``code`` or ``installation``."""

    def __init__(self, kind: str, code: str = "test.broken") -> None:
        super().__init__(kind)
        self.kind, self.code = kind, code


@dataclass
class World:
    """Inbox, receipts, partitions, releases and failures of one made-up installation.

    What a delivery holds is a word that says what becomes of it: ``reject…`` breaks a rule when it is read, ``refuse…``
    when it is admitted, ``fussy…`` when it is admitted beside a reference ``partial…``; ``jump…`` is held when it is
    admitted; ``redlake…``, ``redcount…`` and ``redtable…`` fail the blocking check of that stage. ``diff…`` is a
    difference; ``diffpicky…`` breaks a rule over a base ``partial…``.

    Attributes:
        broken: ids of steps whose code fails, under the engine ``e0``.
        outage: how many of the next executions find the installation out of order.
        writes: everything that was written, in order.
    """

    inbox: dict[tuple[str, str], str] = field(default_factory=dict)
    receipts: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)
    heads: dict[PartitionId, HeadEntry] = field(default_factory=dict)
    inputs: dict[PartitionId, dict[str, str]] = field(default_factory=dict)
    values: dict[PartitionId, tuple] = field(default_factory=dict)
    statistics: dict[str, Statistic] = field(default_factory=lambda: dict(statistics()))
    contracts: dict[str, Contract] = field(default_factory=lambda: dict(contracts()))
    releases: list[dict[PartitionId, tuple]] = field(default_factory=list)
    release: ReleaseFact = field(default_factory=lambda: ReleaseFact(pages="pages-0"))
    failures: dict[str, Failure] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    outage: int = 0
    engine: str = "e0"
    today: date = TODAY
    now: datetime = NOW
    start: str = "2010-10"
    scope: Scope = field(default_factory=Scope)
    under_way: frozenset[str] = frozenset()
    faults: tuple[InstallationFault, ...] = ()
    writes: list[str] = field(default_factory=list)
    judged: dict[tuple[str, str, str], str] = field(default_factory=dict)

    # ── what the outside does ────────────────────────────────────────────────────────────────────────────────────

    def deliver(self, *sources: str, month: str, content: str = "good") -> World:
        """Put deliveries of a month into the inbox, in the place of former ones."""
        for source in sources:
            self.inbox[source, month] = f"{content}-{source}-{month}"
        return self

    def complete(self, *months: str) -> World:
        """Deliver everything for some months."""
        for month in months:
            self.deliver(*SOURCES, month=month)
        return self

    def approve(self, source: str, month: str) -> None:
        """An operator's word on what lies in the inbox."""
        self._receipt(source, month, "approved")

    def withdraw(self, source: str, month: str) -> None:
        """Its sender no longer stands by what lies in the inbox."""
        self._receipt(source, month, "withdrawn")

    def retry(self, source: str, month: str) -> None:
        """As ``kobe deliveries retry``: a rejection's receipt is put aside."""
        self.receipts.get((source, month, self.inbox[source, month]), set()).discard("rejected")
        self.failures.pop(take_in(source, month), None)

    def destroy(self, *ids: PartitionId) -> None:
        """What retention does with rows."""
        for id in ids:
            self.heads[id] = replace(self.heads[id], destroyed_at="2026-02-01T00:00:00+00:00")

    def redefine(self, name: str, description: str) -> None:
        """Change a statistic's definition."""
        self.statistics[name] = Statistic(**{**self.statistics[name].model_dump(), "description": description})

    def judge(self, id: PartitionId, check: str, *, passed: bool, blocking: bool = True) -> None:
        """Write down what a check found of the generation in force."""
        held = self.heads[id]
        verdicts = {**held.verdicts, check: HeadVerdict(held.digest, passed, blocking, self.engine)}
        self.heads[id] = replace(held, verdicts=verdicts)
        self.writes.append(f"verdict {check} {id}")

    def unjudge(self, id: PartitionId, check: str) -> None:
        """A verdict is lost."""
        held = self.heads[id]
        verdicts = {name: verdict for name, verdict in held.verdicts.items() if name != check}
        self.heads[id] = replace(held, verdicts=verdicts)

    def show(self, **changed) -> None:
        """Change what is known of the release in force."""
        self.release = replace(self.release, **changed)

    # ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────

    def facts(self) -> Facts:
        """As the observer would read them."""
        return Facts(
            today=self.today,
            contracts=self.contracts,
            statistics=self.statistics,
            heads=self.shelf(),
            deliveries=tuple(self._fact(source, month) for source, month in sorted(self.inbox)),
            withdrawn=frozenset(self._withdrawn()),
            release=self.release,
            failures=dict(self.failures),
            under_way=self.under_way,
            faults=self.faults,
            start=self.start,
            scope=self.scope,
            engine=self.engine,
            now=self.now,
        )

    def plan(self) -> Plan:
        """What is outstanding."""
        return outstanding(self.facts())

    def steps(self) -> dict[str, Step]:
        """What is outstanding by id."""
        found = {step.id: step for step in self.plan().steps}
        assert len(found) == len(self.plan().steps), "one step an id"
        return found

    def shelf(self) -> Heads:
        """The partitions in force."""
        return Heads(dict(self.heads))

    def published(self) -> dict[PartitionId, tuple]:
        """What the tables in force hold."""
        return {id: value for id, value in self.values.items() if id.stage == "published"}

    def _withdrawn(self) -> Iterator[tuple[str, str]]:
        for id, held in self.heads.items():
            told = self.receipts.get((id.source, id.month, str(held.facts.get("content_hash", ""))), set())
            if (
                id.source in self.contracts
                and id == target(self.contracts[id.source], id.month)
                and "withdrawn" in told
            ):
                yield id.source, id.month

    def _fact(self, source: str, month: str) -> DeliveryFact:
        content = self.inbox[source, month]
        told = self.receipts.get((source, month, content), set())
        fact = DeliveryFact(source, month, content, receipted="accepted" in told, kind=kind_of(content))
        fact = replace(fact, judged_with=self.judged.get((source, month, content), ""))
        if "withdrawn" in told:
            return replace(fact, turned="withdrawn", cause=Cause("delivery.withdrawn", "withdrawn"))
        if "rejected" in told:
            return replace(fact, turned="rejected", cause=Cause("delivery.rule", "rejected"))
        if "held" in told and "approved" not in told:
            return replace(fact, turned="held", cause=Cause("delivery.held", "held"))
        return fact

    # ── what is executed ─────────────────────────────────────────────────────────────────────────────────────────

    def execute(self, work: Work, kill_after: int | None = None) -> bool:
        """Execute some work as a run does; False where it was killed.

        Args:
            kill_after: writes after which the process is gone.
        """
        self._begin(work)
        faults: dict[str, Broken] = {}
        written = 0
        for step in work.steps:
            try:
                for what in self._writing(step):
                    self.writes.append(what)
                    written += 1
                    if written == kill_after:
                        return False
            except Broken as error:
                faults[step.id] = error
        for step in work.steps:
            self._settle(step, faults.get(step.id))
        return True

    def drive(self, kills: Iterable[int] = (), rounds: int = 80) -> list[str]:
        """Execute the plan until nothing can be executed; the names of the work that was executed, in order.

        What was executed to its end is never asked for again while nothing changes outside.

        Args:
            kills: number of writes after which the first executions are killed, one after the other; 0 for none.
        """
        done: list[str] = []
        left = list(kills)
        for _ in range(rounds):
            plan = self.plan()
            says_what_it_waits_for(plan)
            if not plan.works() and not self._let_time_pass(plan):
                return [key.rpartition(":")[0] for key in done]
            for work in plan.works():
                tried = self.outage
                if self.execute(work, (left.pop(0) or None) if left else None) and tried == self.outage:
                    assert work.key not in done, f"{work.key} is asked for again: {work.steps}"
                    done.append(work.key)
        raise AssertionError(f"the plan is not empty after {rounds} rounds: {self.plan().steps}")

    def _let_time_pass(self, plan: Plan) -> bool:
        """Move on to the moment when something is tried again; False where nothing waits for one."""
        names = [name for step in plan.steps for name in step.waits_for if name.startswith("time:")]
        moments = [datetime.fromisoformat(name.removeprefix("time:")) for name in names]
        self.now = max([self.now, *moments])
        return bool(names)

    def _begin(self, work: Work) -> None:
        for step in work.steps:
            former = self.failures.get(step.id)
            again = former is not None and former.kind == "lost" and former.inputs == step.inputs
            times = former.times + 1 if again else 1
            self.failures[step.id] = Failure(step.id, step.inputs, self.engine, "lost", times, self.now.isoformat())

    def _settle(self, step: Step, fault: Broken | None) -> None:
        del self.failures[step.id]
        if fault is not None:
            made = Failure(
                step.id, step.inputs, self.engine, fault.kind, 1, self.now.isoformat(), Cause(fault.code, "")
            )
            if fault.kind == "installation":
                made = replace(made, not_before=(self.now + timedelta(seconds=30)).isoformat())
            self.failures[step.id] = made

    def _writing(self, step: Step) -> Iterator[str]:
        if self.outage:
            self.outage -= 1
            raise Broken("installation")
        if self.engine == "e0" and step.id in self.broken:
            raise Broken("code")
        if step.kind == "take_in":
            return self._taking(self.contracts[step.unit], step.month)
        if step.kind == "tabulate":
            members = groups(self.statistics.values()).get(step.unit)
            if isinstance(self.statistics.get(step.unit), ForecastTable | Scoreboard):
                return self._forecasting(self.statistics[step.unit], step.month)
            if isinstance(self.statistics.get(step.unit), UsualRanges):
                return self._watching(self.statistics[step.unit], step.month)
            if members is None:
                return self._public(self.statistics[step.unit], step.month)
            return self._tabulating(members, step.month)
        return self._releasing()

    def _taking(self, contract: Contract, month: str) -> Iterator[str]:
        source, content = contract.name, self.inbox[contract.name, month]
        first = target(contract, month) if contract.use == "statistics" else PartitionId("raw", source, month)
        base = self.heads.get(base_of(contract, month)) if kind_of(content) == "difference" else None
        inputs = taking_inputs(contract, content, base.content if base else "")
        if not self._in_place(first, inputs):
            if kind_of(content) == "difference" and not companion_ready(
                self.shelf(), source, base_of(contract, month).month
            ):
                raise Broken("code", "reception.base")
            below = (self.values[base.id],) if base else ()
            picky = content.startswith("diffpicky") and "partial" in repr(below)
            if kind_of(content) == "difference":
                self.judged[source, month, content] = made_from(inputs)
            if content.startswith("reject") or picky:
                yield self._receipt(source, month, "rejected")
                return
            accepted = self.heads.get(target(contract, month))
            revised = accepted is not None and accepted.facts.get("content_hash") not in (None, content)
            if revised and not self._approved(source, month):
                yield self._receipt(source, month, "held")
                return
            yield self._put(first, inputs, (content, *below), content)
        if contract.use != "lake":
            yield self._receipt(source, month, "accepted")
            return
        yield from self._admitting(contract, month, content)

    def _admitting(self, contract: Contract, month: str, content: str) -> Iterator[str]:
        source, shelf = contract.name, self.shelf()
        read = [PartitionId("raw", name, month) for name in (source, *contract.needs)]
        read += [PartitionId("raw", n, latest_month(shelf, "raw", n, month) or month) for n in contract.references]
        if any(id not in self.heads for id in read):
            raise Broken("code", "reception.upstream")
        place, inputs = PartitionId("abstracted", source, month), abstraction_inputs(shelf, contract, month)
        if not self._in_place(place, inputs):
            if any(self.heads[id].destroyed_at for id in read):
                raise Broken("code", "lake.destroyed")
            yield self._put(place, inputs, tuple(self.values[id] for id in read), content)
        abstracted, lake = self.heads[place], target(contract, month)
        inputs = admission_inputs(contract, abstracted)
        if not self._in_place(lake, inputs):
            partial = any(str(value).startswith("('partial") for value in self.values[place])
            if content.startswith("refuse") or (content.startswith("fussy") and partial):
                yield self._receipt(source, month, "rejected")
                return
            if content.startswith("jump") and not self._approved(source, month):
                yield self._receipt(source, month, "held")
                return
            yield self._put(lake, inputs, self.values[place], content)
        yield self._receipt(source, month, "accepted")
        yield from self._checked(lake, lake_checks(contract), "redlake")

    def _tabulating(self, members: tuple[Statistic, ...], month: str) -> Iterator[str]:
        counts = [PartitionId("statistics", member.name, month) for member in members]
        tables = [PartitionId("published", member.name, month) for member in members]
        inputs = counting_inputs(self.shelf(), members, month)
        if not all(self._in_place(id, inputs) for id in counts):
            lake = [PartitionId(*name.split("/")) for name in inputs if name.startswith("lake/")]
            if any(id not in self.heads or self.heads[id].destroyed_at for id in lake):
                raise Broken("code", "lake.absent")
            value = (*(self.values[id] for id in lake), inputs["reference"] != "none", inputs["definition"])
            towns = latest_month(self.shelf(), "raw", TOWNS, month) if inputs["reference"] != "none" else None
            value += (self.values[PartitionId("raw", TOWNS, towns)],) if towns else ()
            for id in counts:
                yield self._put(id, inputs, (id.source, *value))
        for id, member in zip(counts, members, strict=True):
            yield from self._checked(id, statistics_checks(member), "redcount")
        if any(not verdict.passed for id in counts if (verdict := self.heads[id].verdict("common_margins"))):
            return
        inputs = protecting_inputs(self.shelf(), members, month, self.statistics)
        if not all(self._in_place(id, inputs) for id in tables):
            tied = tied_months(self.shelf(), members, month, self.statistics)
            beside = tuple(self.values[PartitionId("published", one.name, held)] for one, held in tied)
            for id, count in zip(tables, counts, strict=True):
                value = (self.values[count], beside)
                yield self._put(id, inputs, value, told={"content": hashlib.sha256(repr(value).encode()).hexdigest()})
        for id, member in zip(tables, members, strict=True):
            yield from self._checked(id, published_checks(member), "redtable")

    def _public(self, statistic: Statistic, month: str) -> Iterator[str]:
        id, inputs = PartitionId("published", statistic.name, month), public_inputs(self.shelf(), statistic, month)
        if not self._in_place(id, inputs):
            read = [PartitionId("statistics", source, month) for source in statistic.sources]
            value = (*(self.values[one] for one in read), inputs["definition"])
            yield self._put(id, inputs, value, told={"content": hashlib.sha256(repr(value).encode()).hexdigest()})
        yield from self._checked(id, published_checks(statistic), "redtable")

    def _forecasting(self, table: ForecastTable | Scoreboard, month: str) -> Iterator[str]:
        id, shelf = PartitionId("published", table.name, month), self.shelf()
        if isinstance(table, ForecastTable):
            source = table.forecast.input.table
            if PartitionId("published", source, month) not in self.heads:
                raise Broken("code", "lake.absent")
            inputs = vintage_inputs(shelf, table, month)
            stays = id in self.heads and not is_newest(table, month, shelf.months("published", source))
        else:
            inputs, stays = score_inputs(shelf, table, month), False
        if not stays and not self._in_place(id, inputs):
            value = tuple(sorted(inputs.items()))
            yield self._put(id, inputs, value, told={"content": hashlib.sha256(repr(value).encode()).hexdigest()})
        yield from self._checked(id, published_checks(table), "redtable")

    def _watching(self, table: UsualRanges, month: str) -> Iterator[str]:
        id, inputs = PartitionId("published", table.name, month), usual_inputs(self.shelf(), table, month)
        if not any(PartitionId("published", name, month) in self.heads for name in table.inputs):
            raise Broken("code", "lake.absent")
        if not self._in_place(id, inputs):
            read = [self.values[PartitionId(*name.split("/"))] for name in inputs if name.startswith("published/")]
            value = (hashlib.sha256(repr((read, table.digest)).encode()).hexdigest(),)
            yield self._put(id, inputs, value, told={"content": hashlib.sha256(repr(value).encode()).hexdigest()})
        yield from self._checked(id, published_checks(table), "redtable")

    def _releasing(self) -> Iterator[str]:
        shelf, shown = self.shelf(), {}
        for name, statistic in self.statistics.items():
            for month in shelf.months("published", name):
                id = PartitionId("published", name, month)
                for check, blocks in published_checks(statistic).items():
                    verdict = self.heads[id].verdict(check)
                    if blocks and (verdict is None or not verdict.passed):
                        raise Broken("code", "release.gate")
                shown[id] = self.values[id]
        if not shown:
            raise Broken("code", "release.nothing")
        self.releases.append(shown)
        self.release = replace(self.release, inputs={}, stands=True)
        yield "release"
        inputs = release_inputs(shelf, self.statistics, self.release.pages, self.release.withheld)
        self.release = replace(self.release, inputs=inputs)
        yield "record of the release"

    def _checked(self, id: PartitionId, checks: Mapping[str, bool], word: str) -> Iterator[str]:
        red = word in repr(self.values[id])
        for check, blocks in checks.items():
            self.judge(id, check, passed=not (red and blocks), blocking=blocks)
            yield self.writes.pop()

    def _in_place(self, id: PartitionId, inputs: Mapping[str, str]) -> bool:
        held = self.heads.get(id)
        return held is not None and not held.destroyed_at and self.inputs[id] == {**inputs, ENGINE: self.engine}

    def _put(
        self, id: PartitionId, inputs: Mapping[str, str], value: tuple, content: str = "", told: Mapping | None = None
    ) -> str:
        inputs, former = {**inputs, ENGINE: self.engine}, self.heads.get(id)
        number = former.generation + 1 if former else 1
        facts = {**(told or {}), **({"content_hash": content} if content else {})}
        digest = hashlib.sha256(f"{id} {number}".encode()).hexdigest()
        self.inputs[id], self.values[id] = inputs, value
        self.heads[id] = HeadEntry(
            id=id,
            generation=number,
            digest=digest,
            content=content_of(facts, inputs, digest),
            made_from=made_from(inputs),
            definition=inputs.get("definition", ""),
            facts={name: facts[name] for name in ("content_hash",) if name in facts},
            verdicts=former.verdicts if former else {},
        )
        return str(id)

    def _approved(self, source: str, month: str) -> bool:
        return "approved" in self.receipts.get((source, month, self.inbox[source, month]), set())

    def _receipt(self, source: str, month: str, status: str) -> str:
        told = self.receipts.setdefault((source, month, self.inbox[source, month]), set())
        if status == "accepted":
            told -= {"rejected", "held"}  # the later word counts
        told.add(status)
        return f"receipt {status} {source} {month}"


def says_what_it_waits_for(plan: Plan) -> None:
    """Every step that is not executed names a step that is outstanding, a condition, or the cause that stopped it."""
    known = {step.id: step for step in plan.steps}
    for step in plan.steps:
        if step.state in ("ready", "under_way"):
            assert not step.waits_for, step
            continue
        assert step.waits_for or (step.cause and step.cause.code), step
        for name in step.waits_for:
            head, _, rest = name.partition(":")
            if head in ("take_in", "tabulate", "release"):
                assert name in known and known[name] is not step, step
            elif head == "delivery":
                assert f"take_in:{rest}" not in known, f"{step.id} waits for a delivery that is there: {name}"
            else:
                assert head in CONDITIONS, step


def made(*months: str) -> World:
    """A world that took in some complete months and has a release."""
    world = World().complete(*months)
    world.drive()
    assert world.plan().empty, world.plan().steps
    return world


def states(world: World, ids: Iterable[str] = ()) -> dict[str, str]:
    """States by id; of some or all steps."""
    return {id: step.state for id, step in world.steps().items() if not ids or id in ids}
