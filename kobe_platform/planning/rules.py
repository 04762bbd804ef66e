"""Computes the plan: the steps that an installation still has to do, each with its reason and its state.

What is stored is compared with what deliveries, contracts, statistics and pages ask for. Nothing is remembered from one
plan to the next (the plan is level-triggered), so a step that was lost in a crash is simply found again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kobe_platform.contracts import Contract
from kobe_platform.lake.heads import HeadEntry
from kobe_platform.lake.partitions import PartitionId, made_from
from kobe_platform.lake.shelf import Shelf, latest_month
from kobe_platform.planning.facts import MOST_LOST, DeliveryFact, Facts, Failure
from kobe_platform.planning.steps import Cause, Plan, Reason, Step
from kobe_platform.reception.inputs import (
    ABSENT,
    abstraction_inputs,
    admission_inputs,
    companion_ready,
    contract_digest,
    target,
)
from kobe_platform.release.required_checks import lake_checks, missing, published_checks, red, statistics_checks
from kobe_platform.statistics import Statistic, groups
from kobe_platform.statistics.inputs import (
    REFERENCE,
    counting_inputs,
    definition_of,
    protecting_inputs,
    public_inputs,
    sources_of,
    tied_months,
)

MOVING = ("ready", "under_way")
"""States of steps that proceed without a person; steps that come after such a step wait for it."""


def outstanding(facts: Facts) -> Plan:
    """The outstanding steps in the order in which they are done: deliveries, then months, then the release.

    Pure and deterministic: equal facts give equal plans. The cost grows with the number of partitions.
    """
    found = _Found()
    for step in _take_ins(facts):
        found.add(_settled(facts, _after_neighbours(facts, step, found), found))
    for step in _tabulations(facts, found):
        found.add(_settled(facts, step, found))
    release = _release(facts, found)
    if release is not None:
        found.add(_settled(facts, release, found))
    return Plan(tuple(found.steps), facts.faults)


class _Found:
    """The steps whose state is already decided.

    Attributes:
        moving: ids of the steps that proceed without a person, and of those that wait for nothing but such steps.
        of_unit: unit → its steps.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.moving: dict[str, Step] = {}
        self.of_unit: dict[str, list[Step]] = {}

    def add(self, step: Step) -> None:
        """Add a step whose state is decided."""
        waits = step.state == "waiting" and step.waits_for and all(name in self.moving for name in step.waits_for)
        if step.state in MOVING or waits:
            self.moving[step.id] = step
        self.steps.append(step)
        self.of_unit.setdefault(step.unit, []).append(step)


def release_inputs(
    shelf: Shelf, statistics: Mapping[str, Statistic], pages: str, withheld: Iterable[str]
) -> dict[str, str]:
    """What a release is made from: digests of its ``tables`` and its ``pages``, and which pages are ``withheld``."""
    tables = {
        name: [statistic.digest, *_contents(shelf, name)]
        for name, statistic in sorted(statistics.items())
        if shelf.months("published", name)
    }
    districts = [PartitionId("raw", REFERENCE, month) for month in shelf.months("raw", REFERENCE)]
    references = [held.content for held in map(shelf.current, districts) if held is not None]
    told = {"tables": [tables, references], "pages": pages, "withheld": sorted(withheld)}
    return {name: hashlib.sha256(json.dumps(value).encode()).hexdigest() for name, value in told.items()}


def _contents(shelf: Shelf, table: str) -> list[tuple[str, str]]:
    ids = [PartitionId("published", table, month) for month in shelf.months("published", table)]
    return [(id.month, held.content) for id in ids if (held := shelf.current(id)) is not None]


# ── what a step's state is, once its reason is known ─────────────────────────────────────────────────────────────────


def _settled(facts: Facts, step: Step, before: _Found) -> Step:
    """The step with its state: under way, failed, stopped by the installation, waiting for other steps, or ready."""
    if step.work in facts.under_way:
        return replace(step, state="under_way", waits_for=())
    if step.state != "ready":
        return step
    if facts.faults:
        return replace(step, state="waiting", waits_for=tuple(f"installation:{f.code}" for f in facts.faults))
    failure = facts.failures.get(step.id)
    if failure is not None and (failure.inputs, failure.engine) == (step.inputs, facts.engine):
        return _after_failure(facts, step, failure, before)
    return _waiting(step, before)


def _after_failure(facts: Facts, step: Step, failure: Failure, before: _Found) -> Step:
    if failure.kind == "code" or (failure.kind == "lost" and failure.times >= MOST_LOST):
        return replace(step, state="failed", waits_for=("mended_input_or_code",), cause=failure.cause)
    backing_off = failure.kind == "installation" and not facts.scope.impatient and _moment(failure) > facts.now
    if backing_off:
        return replace(step, state="waiting", waits_for=(f"time:{failure.not_before}",), cause=failure.cause)
    return _waiting(step, before)


def _moment(failure: Failure) -> datetime:
    return datetime.fromisoformat(failure.not_before) if failure.not_before else datetime.min.replace(tzinfo=UTC)


def _waiting(step: Step, before: _Found) -> Step:
    """The step, waiting for those of its ``waits_for`` that proceed without a person; ready where there are none."""
    waits = tuple(name for name in step.waits_for if name in before.moving)
    return replace(step, state="waiting" if waits else "ready", waits_for=waits)


# ── deliveries ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _take_ins(facts: Facts) -> list[Step]:
    known = {(d.source, d.month): d for d in facts.deliveries}
    ordered = sorted(facts.deliveries, key=lambda d: _order(facts.contracts[d.source], d))
    steps = {(d.source, d.month): _take_in(facts, d, known) for d in ordered}
    _need_rows_again(facts, steps, known)
    wanted = [step for step in steps.values() if step is not None]
    return sorted(wanted, key=lambda step: _order(facts.contracts[step.unit], known[step.unit, step.month]))


def _order(contract: Contract, delivery: DeliveryFact) -> tuple[Any, ...]:
    return contract.sensitivity != "public", delivery.month, len(contract.needs), delivery.source


def _take_in(facts: Facts, delivery: DeliveryFact, known: Mapping[tuple[str, str], DeliveryFact]) -> Step | None:
    """The step that a delivery needs; None where it needs none."""
    contract = facts.contracts[delivery.source]
    place = target(contract, delivery.month)
    held = facts.heads.current(place)
    standing = held if held is not None and held.facts.get("content_hash") == delivery.content_hash else None
    reason: Reason | None
    if standing is not None:
        reason = _unsettled(facts, contract, delivery, standing)
    elif delivery.turned == "rejected":
        return None
    else:
        reason = "new delivery" if held is None else "input changed"
    if reason is None:
        return None
    step = Step("take_in", delivery.source, delivery.month, _taken_from(facts, contract, delivery), reason)
    step = replace(step, delivery=delivery.content_hash)
    if standing is None and delivery.turned == "held":
        return replace(step, state="held", waits_for=("approval",), cause=delivery.cause)
    if standing is not None and reason == "check failed":
        return replace(step, state="blocked", cause=_red_cause(place, red(standing, facts.engine)))
    turned_away = _turned_away_again(facts, contract, delivery, step) if standing is not None else None
    return turned_away or _from_outside(facts, contract, step)


def _from_outside(facts: Facts, contract: Contract, step: Step) -> Step:
    """The step, put off where the legal basis, the calendar or the scope of the installation does not allow it yet."""
    if not contract.legal.holds(facts.today):
        return replace(step, state="waiting", waits_for=("legal_basis",))
    if step.month < facts.start:
        return replace(step, state="later", waits_for=("series_start",))
    if step.month >= f"{facts.today:%Y-%m}":
        return replace(step, state="later", waits_for=("month_end",))
    if not facts.scope.includes(step.unit, step.month):
        return replace(step, state="later", waits_for=("scope",))
    return step


def _unsettled(facts: Facts, contract: Contract, delivery: DeliveryFact, held: HeadEntry) -> Reason | None:
    """Why an accepted delivery is to be processed again; None where its rows in the lake are up to date."""
    if held.destroyed_at:
        return None
    if _out_of_date(facts, contract, delivery.month):
        return "input changed"
    if red(held, facts.engine):
        return "check failed"
    if missing(held, lake_checks(contract), facts.engine):
        return "check missing"
    return None if delivery.receipted else "receipt missing"


def _out_of_date(facts: Facts, contract: Contract, month: str) -> bool:
    """Whether the rows in the lake were made with another companion or reference than the ones now in force."""
    if contract.use != "lake" or not all(companion_ready(facts.heads, name, month) for name in contract.needs):
        return False
    return not _abstracted_already(facts, contract, month) or not _admitted_already(facts, contract, month)


def _abstracted_already(facts: Facts, contract: Contract, month: str) -> bool:
    abstracted = facts.heads.current(PartitionId("abstracted", contract.name, month))
    wanted = made_from(abstraction_inputs(facts.heads, contract, month))
    return abstracted is not None and abstracted.made_from == wanted


def _admitted_already(facts: Facts, contract: Contract, month: str) -> bool:
    """Whether the lake holds the latest abstracted rows; a run that was killed in between leaves older ones."""
    abstracted = facts.heads.current(PartitionId("abstracted", contract.name, month))
    admitted = facts.heads.current(target(contract, month))
    if abstracted is None or admitted is None:
        return False
    return admitted.made_from == made_from(admission_inputs(contract, abstracted))


def _turned_away_again(facts: Facts, contract: Contract, delivery: DeliveryFact, step: Step) -> Step | None:
    """The held or failed step of an accepted delivery that was refused beside a newer neighbour; its old rows stay."""
    if not delivery.turned or step.reason != "input changed":
        return None
    month = delivery.month
    if contract.use != "lake" or not _abstracted_already(facts, contract, month):
        return None  # it has not been checked against the references and companions that are in force now
    if delivery.turned == "held":
        return replace(step, state="held", waits_for=("approval",), cause=delivery.cause)
    return replace(step, state="failed", waits_for=("mended_input_or_code",), cause=delivery.cause)


def _taken_from(facts: Facts, contract: Contract, delivery: DeliveryFact) -> str:
    """Digest of everything whose change could cure a failure: the delivery, its contract, its neighbours."""
    told = {"delivery": delivery.content_hash, "definition": contract_digest(contract)}
    if contract.use == "lake":
        told |= {k: v for k, v in abstraction_inputs(facts.heads, contract, delivery.month).items() if "/" in k}
        told.pop(f"raw/{contract.name}", None)
    return made_from(told)


def _need_rows_again(
    facts: Facts, steps: dict[tuple[str, str], Step | None], known: Mapping[tuple[str, str], DeliveryFact]
) -> None:
    """A companion whose raw rows were destroyed, or never were the accepted ones, is taken in again where it can be."""
    for (source, month), step in list(steps.items()):
        if step is None or step.state != "ready":
            continue
        for name in facts.contracts[source].needs:
            delivered = known.get((name, month))
            admitted = facts.heads.current(target(facts.contracts[name], month))
            if steps.get((name, month)) is not None or admitted is None or delivered is None:
                continue
            same = admitted.facts.get("content_hash") == delivered.content_hash
            if same and not companion_ready(facts.heads, name, month):
                inputs = _taken_from(facts, facts.contracts[name], delivered)
                again = Step("take_in", name, month, inputs, "rows needed again", delivery=delivered.content_hash)
                again = _from_outside(facts, facts.contracts[name], again)
                if delivered.turned == "rejected":  # it was accepted once, and its contract has become stricter since
                    again = replace(again, state="failed", waits_for=("mended_input_or_code",), cause=delivered.cause)
                steps[name, month] = again


def _after_neighbours(facts: Facts, step: Step, before: _Found) -> Step:
    """The step, waiting for the steps of its companions and references, or for their delivery."""
    if step.state != "ready":
        return step
    contract, heads, month = facts.contracts[step.unit], facts.heads, step.month
    near = [one for name in contract.needs for one in before.of_unit.get(name, ()) if one.month == month]
    near += [one for name in contract.references for one in before.of_unit.get(name, ()) if one.month <= month]
    coming = tuple(one.id for one in near if one.id in before.moving)
    absent = [name for name in contract.needs if not companion_ready(heads, name, month)]
    absent += [name for name in contract.references if latest_month(heads, "raw", name, month) is None]
    if absent and not coming:
        stuck = {one.unit: one.id for one in near}
        waits = tuple(stuck.get(name, f"delivery:{name}:{month}") for name in absent)
        return replace(step, state="waiting", waits_for=waits)
    return replace(step, waits_for=coming)


# ── months ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tabulations(facts: Facts, before: _Found) -> Iterator[Step]:
    """The months whose tables are missing or out of date, each after the deliveries and months that it depends on."""
    steps: list[Step] = []
    protected = groups(facts.statistics.values())
    for key, members in protected.items():
        steps += _group_steps(facts, key, members)
    for statistic in facts.statistics.values():
        if statistic.kind == "public":
            steps += _public_steps(facts, statistic)
    coming = [step for step in before.moving.values() if step.kind == "take_in"]
    steps = [replace(s, state="later", waits_for=("series_start",)) if s.month < facts.start else s for s in steps]
    for step in sorted(steps, key=lambda step: (step.month, step.unit.endswith("/year"), step.unit)):
        members = protected.get(step.unit) or (facts.statistics[step.unit],)
        waits = [one.id for one in coming if one.month <= step.month]  # a month is counted in one run
        waits += [one.id for one in _preceding(facts, step, members, before) if one.id in before.moving]
        yield replace(step, waits_for=tuple(waits)) if step.state == "ready" else step


def _preceding(facts: Facts, step: Step, members: Sequence[Statistic], before: _Found) -> Iterator[Step]:
    """What is done first: the latest month before of the same tables (which follows its own), and tables of the year
    that these are sums of.
    """
    own = [one for one in before.of_unit.get(step.unit, ()) if one.kind == "tabulate"]
    earlier = [one for one in own if one.id in before.moving]
    yield from earlier[-1:]
    tables = {tie.table for member in members for tie in member.ties if tie.table in facts.statistics}
    for key in sorted({facts.statistics[name].key for name in tables}):
        yield from before.of_unit.get(key, ())


def _group_steps(facts: Facts, key: str, members: Sequence[Statistic]) -> Iterator[Step]:
    """The months of a protection group whose tables are missing or out of date."""
    heads, sources = facts.heads, sources_of(members)
    yearly = members[0].period == "year"
    months = set.intersection(*(set(heads.months("lake", source)) for source in sources))
    for month in sorted(month for month in months if not yearly or month.endswith("-12")):
        step = _group_step(facts, key, members, month)
        if step is not None:
            yield step


def _group_step(facts: Facts, key: str, members: Sequence[Statistic], month: str) -> Step | None:
    heads = facts.heads
    counting = counting_inputs(heads, members, month)
    rows = [heads.current(_id(name)) for name in counting if name.startswith("lake/")]
    if any(entry is not None and entry.destroyed_at for entry in rows):
        return None  # its rows are past their retention and destroyed: the tables counted from them stay
    protecting = protecting_inputs(heads, members, month, facts.statistics)
    counted = [heads.current(PartitionId("statistics", member.name, month)) for member in members]
    protected = [heads.current(PartitionId("published", member.name, month)) for member in members]
    wanted, definition = (made_from(counting), made_from(protecting)), definition_of(members)
    reason = _group_reason(facts, members, counted, protected, wanted, definition)
    if reason is None:
        return None
    months = tied_months(heads, members, month, facts.statistics)
    tied = [heads.entries[PartitionId("published", table.name, held)].content for table, held in months]
    step = Step("tabulate", key, month, made_from({**counting, "tied": " ".join(tied)}), reason)
    there = [entry for entry in (*rows, *counted, *protected) if entry is not None]
    refused = [(entry.id, names) for entry in there if (names := red(entry, facts.engine))]
    lake_refused = [one for one in refused if one[0].stage == "lake"]
    if lake_refused or (reason == "check failed" and refused):
        place, names = (lake_refused or refused)[0]
        return replace(step, reason="check failed", state="blocked", cause=_red_cause(place, names))
    return step


def _group_reason(
    facts: Facts,
    members: Sequence[Statistic],
    counted: Sequence[HeadEntry | None],
    protected: Sequence[HeadEntry | None],
    wanted: tuple[str, str],
    definition: str,
) -> Reason | None:
    """Why the tables of a month are to be made or checked; None where they are up to date and all checks passed."""
    counts, shown = _all_there(counted), _all_there(protected)
    fresh = counts is not None and all(entry.made_from == wanted[0] for entry in counts)
    if counts is not None and fresh and any(red(entry, facts.engine) for entry in counts):
        return "check failed"  # counts that a check refused are not protected
    if counts is None or shown is None:
        return "not made yet"
    if any(entry.definition != definition for entry in (*counts, *shown)):
        return "definition changed"
    if not fresh or any(entry.made_from != wanted[1] for entry in shown):
        return "input changed"
    return _checks_reason(facts, members, counts, shown)


def _all_there(entries: Sequence[HeadEntry | None]) -> list[HeadEntry] | None:
    """The partitions, or None where one of them was not made yet."""
    there = [entry for entry in entries if entry is not None]
    return there if len(there) == len(entries) else None


def _checks_reason(
    facts: Facts, members: Sequence[Statistic], counts: Sequence[HeadEntry], shown: Sequence[HeadEntry]
) -> Reason | None:
    """Whether a check of up-to-date tables failed or never ran; None where all are green."""
    if any(red(entry, facts.engine) for entry in (*counts, *shown)):
        return "check failed"
    needed = [(entry, statistics_checks(m)) for entry, m in zip(counts, members, strict=True)]
    needed += [(entry, published_checks(m)) for entry, m in zip(shown, members, strict=True)]
    return "check missing" if any(missing(entry, checks, facts.engine) for entry, checks in needed) else None


def _public_steps(facts: Facts, statistic: Statistic) -> Iterator[Step]:
    heads = facts.heads
    for month in sorted(set.intersection(*(set(heads.months("statistics", s)) for s in statistic.sources))):
        wanted = public_inputs(heads, statistic, month)
        held = heads.current(PartitionId("published", statistic.name, month))
        reason: Reason | None = None
        if held is None:
            reason = "not made yet"
        elif held.made_from != made_from(wanted):
            reason = "definition changed" if held.definition != wanted["definition"] else "input changed"
        elif red(held, facts.engine):
            reason = "check failed"
        elif missing(held, published_checks(statistic), facts.engine):
            reason = "check missing"
        if reason is not None:
            step = Step("tabulate", statistic.name, month, made_from(wanted), reason)
            if held is not None and reason == "check failed":
                step = replace(step, state="blocked", cause=_red_cause(held.id, red(held, facts.engine)))
            yield step


def _id(name: str) -> PartitionId:
    return PartitionId(*name.split("/"))


def _red_cause(place: PartitionId, checks: Sequence[str]) -> Cause:
    return Cause(
        "check.failed",
        f"a blocking check failed: {', '.join(checks)} ({place})",
        "look at the check in the Dagster UI; mend the delivery, the definition or the code",
        f"公表を止める検査に合格していません: {', '.join(checks)}({place})",
    )


# ── the release ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _release(facts: Facts, before: _Found) -> Step | None:
    """The step of a new release; None where the release in force is up to date, or no table is published yet."""
    tables = [name for name in facts.statistics if facts.heads.months("published", name)]
    if not tables:
        return None
    held = facts.release
    wanted = release_inputs(facts.heads, facts.statistics, held.pages, held.withheld)
    reason = _release_reason(held.inputs, wanted, held.stands)
    if reason is None:
        return None
    step = Step("release", "release", "", made_from(wanted), reason, waits_for=tuple(before.moving))
    refused = _not_green(facts, tables)
    if refused and not before.moving:
        place, names = refused
        return replace(step, state="blocked", waits_for=(), cause=_red_cause(place, names))
    return step


def _release_reason(held: Mapping[str, str], wanted: Mapping[str, str], stands: bool) -> Reason | None:
    if not held:
        return "not made yet"
    names: dict[str, Reason] = {
        "tables": "tables changed",
        "pages": "pages changed",
        "withheld": "approvals changed",
    }
    changed = [reason for name, reason in names.items() if held.get(name, ABSENT) != wanted[name]]
    if changed:
        return changed[0]
    return None if stands else "no longer in force"


def _not_green(facts: Facts, tables: Sequence[str]) -> tuple[PartitionId, list[str]] | None:
    """The first published partition whose blocking checks are not all green, with the checks; None where all are."""
    for name in tables:
        checks = [check for check, blocks in published_checks(facts.statistics[name]).items() if blocks]
        for month in facts.heads.months("published", name):
            entry = facts.heads.entries[PartitionId("published", name, month)]
            open_ = [check for check in checks if (verdict := entry.verdict(check)) is None or not verdict.passed]
            if open_:
                return entry.id, open_
    return None
