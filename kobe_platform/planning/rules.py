"""Computes the plan: the steps that an installation still has to do, each with its reason and its state.

What is stored is compared with what deliveries, contracts, statistics and pages ask for. Nothing is remembered from one
plan to the next (the plan is level-triggered), so a step that was lost in a crash is simply found again. Which
deliveries and tables are due is decided in :mod:`delivery_rules` and :mod:`table_rules`, the state of a step in
:mod:`states`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from kobe_platform.lake.partitions import PartitionId, made_from
from kobe_platform.lake.shelf import Shelf
from kobe_platform.planning.delivery_rules import outstanding_take_ins
from kobe_platform.planning.facts import TURNED_AWAY, Facts
from kobe_platform.planning.states import Found, red_cause, settled
from kobe_platform.planning.steps import Plan, Reason, Step, TurnedAway
from kobe_platform.planning.table_rules import tabulations
from kobe_platform.reception.inputs import ABSENT
from kobe_platform.release.required_checks import published_checks
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.inputs import REFERENCE


def outstanding(facts: Facts) -> Plan:
    """The outstanding steps in the order in which they are done: deliveries, then months, then the release.

    Pure and deterministic: equal facts give equal plans. The cost grows with the number of partitions.
    """
    facts, found = outstanding_take_ins(facts)
    for step in tabulations(facts, found):
        found.add(settled(facts, step, found))
    release = _release(facts, found)
    if release is not None:
        found.add(settled(facts, release, found))
    return Plan(tuple(found.steps), facts.faults, tuple(_turned_away(facts)))


def _turned_away(facts: Facts) -> Iterator[TurnedAway]:
    for delivery in facts.deliveries:
        if delivery.turned in TURNED_AWAY:
            title = facts.contracts[delivery.source].title if delivery.source in facts.contracts else delivery.source
            yield TurnedAway(delivery.source, title, delivery.month, delivery.cause)


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


def _release(facts: Facts, before: Found) -> Step | None:
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
        return replace(step, state="blocked", waits_for=(), cause=red_cause(place, names))
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
