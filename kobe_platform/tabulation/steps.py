"""Counts, protects, audits and records tables, one month and protection group at a time: the steps of the assets.

A group's partitions remember what they were made from (digests of their inputs and of their definitions);
asked again with the same inputs, a step leaves them as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from kobe_platform.contracts import Contract
from kobe_platform.disclosure import AuditReport, FormerRelease, Spec, audit
from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.errors import DeliveryHeld, DeliveryRejected, DisclosureError, LakeError
from kobe_platform.intake.deliveries import Delivery
from kobe_platform.intake.extracts import take_in
from kobe_platform.intake.receipts import write_receipt
from kobe_platform.lake import Partition, PartitionId, PartitionStore
from kobe_platform.lake.partitions import made_from
from kobe_platform.reception.inputs import taking_inputs, target
from kobe_platform.reception.steps import (
    hold_revision,
    in_force,
    in_place,
    receipt_facts,
    refuse_exchanged,
)
from kobe_platform.release.collect import COVERS, Collected, content_digest, content_of
from kobe_platform.statistics import (
    Statistic,
    TiedMonth,
    columns_needed,
    compute_group,
    compute_public,
    groups,
    numbered,
    protect_group,
)
from kobe_platform.statistics.attesting import seen
from kobe_platform.statistics.history import WINDOW, commits, former_releases, is_recorded, record_release, under
from kobe_platform.statistics.inputs import (
    REFERENCE,
    counting_inputs,
    covered_months,
    months_of,
    protecting_inputs,
    public_inputs,
    sources_of,
    tied_months,
)
from kobe_platform.statistics.protection import GroupResult, specification
from kobe_platform.statistics.totals_out import totals_out
from kobe_platform.vocabulary.codes import Hierarchy, districts
from kobe_platform.vocabulary.months import shifted
from kobe_platform.vocabulary.rules import worded_for

SEEN = "audit_seen"
"""The fact of a published partition that says what the audit of its group saw (:func:`attesting.seen`)."""
AUDITED_AGAIN = 4
"""One in this many groups and months is audited again by the check, though protection had it audited."""


def period_of(statistic: Statistic, month: str) -> str:
    """``2025-07``, or ``2025`` for a yearly statistic."""
    return month if statistic.period == "month" else month[:4]


def count_group(store: PartitionStore, members: Sequence[Statistic], month: str) -> list[Partition]:
    """Count the finest cells of a group from the lake and commit them; one partition a statistic.

    Raises:
        LakeError: a source has no partition for this month. StatisticsError: a SELECT fails.
    """
    sources = sources_of(members)
    read = {source: months_of(members[0], month, store.months("lake", source)) or [month] for source in sources}
    inputs = counting_inputs(store, members, month)
    if unchanged := _unchanged(store, "statistics", members, month, inputs):
        return unchanged
    frames = {source: _rows(store, source, months, members) for source, months in read.items()}
    computed = compute_group(members, frames, areas_of(store, members, month))
    covers = {COVERS: covered_months(store, members, month)} if members[0].period == "year" else {}
    return [
        store.write(
            PartitionId("statistics", member.name, month),
            computed.cells[member.name],
            facts={
                **computed.facts,
                **covers,
                "months": len(read[sources[0]]),
                "cells": computed.cells[member.name].height,
            },
            inputs=inputs,
        )
        for member in members
    ]


def counted_beside(
    store: PartitionStore, members: Sequence[Statistic], beside: Sequence[Statistic], month: str
) -> dict[str, pl.DataFrame]:
    """The finest cells of a group's month as they were counted, and those of further tables over the very rows.

    Raises:
        LakeError: a source or a count is not there (``lake.absent``), or the lake has moved on since the group was
            counted (``lake.changed``).
    """
    sources = sorted({source for member in members for source in member.sources})
    frames = {source: _rows(store, source, [month], [*members, *beside]) for source in sources}
    counted = compute_group(members, frames, areas_of(store, [*members, *beside], month), beside=beside).cells
    for member in members:
        if not counted[member.name].equals(store.read(PartitionId("statistics", member.name, month))):
            raise LakeError(
                "the lake has another state of this month than the one that its statistics were counted from",
                code="lake.changed",
                at={"month": month, "table": member.name},
                remedy="materialize the month's statistics and published tables first",
                ja="この月のデータが更新中です。統計が作り直されてから、もう一度お試しください",
            )
    return dict(counted)


def protect_counts(
    store: PartitionStore,
    members: Sequence[Statistic],
    month: str,
    statistics: Mapping[str, Statistic],
    window: int = WINDOW,
) -> list[Partition]:
    """Protect a group's tables jointly, audit them, and commit them; what a former release hid stays hidden.

    Args:
        window: months of former releases that take part (:func:`history.former_releases`).

    Raises:
        DisclosureError: nothing is committed; the tables in force stay.
    """
    counted = {member.name: _present(store, "statistics", member.name, month) for member in members}
    inputs = protecting_inputs(store, members, month, statistics)
    if unchanged := _unchanged(store, "published", members, month, inputs):
        return unchanged
    cells = dict(zip(counted, store.read_all([partition.id for partition in counted.values()]), strict=True))
    covers = {key: value for key, value in counted[members[0].name].facts.items() if key == COVERS}
    tied = _tied(store, members, month, statistics)
    above: tuple[Scenarios, ...] | None = None
    while True:
        if (asked := totals_out(store, members[0].key, month)) != above:
            above = asked
            result = protect_group(
                members,
                cells,
                areas_of(store, members, month),
                period=period_of(members[0], month),
                previous=former_releases(store, members[0].key, month, window),
                start=_tables(store, members, _period_before(members[0], month)),
                months=tied,
                above=above,
            )
        with commits(store):
            if totals_out(store, members[0].key, month) == above:  # its prefecture may have published meanwhile
                return _published(store, members, month, result, covers, inputs)


def _published(
    store: PartitionStore,
    members: Sequence[Statistic],
    month: str,
    result: GroupResult,
    covers: Mapping[str, Any],
    inputs: Mapping[str, str],
) -> list[Partition]:
    return [
        store.write(
            PartitionId("published", member.name, month),
            result.tables[member.name],
            facts={
                **result.facts[member.name],
                **covers,
                "content": content_digest(result.tables[member.name], covers.get(COVERS, ())),
                "audit_safe": result.audit.publishable,
                SEEN: result.seen,
            },
            inputs=inputs,
        )
        for member in members
    ]


def audit_published(
    store: PartitionStore,
    members: Sequence[Statistic],
    month: str,
    statistics: Mapping[str, Statistic],
    window: int = WINDOW,
) -> AuditReport:
    """The auditor on a group's tables as they are stored: it reads them, former releases and the specification."""
    spec, tables, previous = stored_for_audit(store, members, month, statistics, window)
    return audit(spec, tables, previous=previous, above=totals_out(store, members[0].key, month))


def passed_audit(
    store: PartitionStore,
    members: Sequence[Statistic],
    month: str,
    statistics: Mapping[str, Statistic],
    window: int = WINDOW,
) -> bool:
    """Whether the auditor passed exactly what is stored, beside exactly these former releases, when it was protected.

    The signed manifests say what it saw then. One in :data:`AUDITED_AGAIN`, by that digest, is not taken at its word.

    Raises:
        CustodyError: a manifest or table is not authentic.
    """
    held = [store.current(PartitionId("published", member.name, month)) for member in members]
    told = {p.facts.get(SEEN, "") if p is not None and p.facts.get("audit_safe") is True else "" for p in held}
    if "" in told or len(told) != 1:
        return False
    (digest,) = told
    return (
        int(digest, 16) % AUDITED_AGAIN != 0
        and seen(*stored_for_audit(store, members, month, statistics, window), totals_out(store, members[0].key, month))
        == digest
    )


def is_settled(
    store: PartitionStore, members: Sequence[Statistic], month: str, statistics: Mapping[str, Statistic]
) -> bool:
    """Whether the published tables of a group and month were made of the counts and definitions in force now."""
    wanted = made_from(protecting_inputs(store, members, month, statistics))
    held = [store.settled(PartitionId("published", member.name, month)) for member in members]
    return all(p is not None and not p.destroyed_at and made_from(p.inputs) == wanted for p in held)


def stored_for_audit(
    store: PartitionStore,
    members: Sequence[Statistic],
    month: str,
    statistics: Mapping[str, Statistic],
    window: int = WINDOW,
) -> tuple[Spec, dict[str, pl.DataFrame], list[FormerRelease]]:
    """What an audit of a group's stored tables reads: the specification, the tables and former releases."""
    tied = [
        TiedMonth(statistic, held, pl.DataFrame(), store.read(PartitionId("published", statistic.name, held)))
        for statistic, held in tied_months(store, members, month, statistics)
    ]
    held = store.read_all([PartitionId("published", member.name, month) for member in members])
    tables = {member.name: table.drop("period") for member, table in zip(members, held, strict=True)}
    tables |= {f"{t.statistic.name}@{t.month}": t.published.drop("period") for t in tied}
    spec = specification(members, areas_of(store, members, month), tied)
    return spec, tables, under(spec, former_releases(store, members[0].key, month, window))


def record_released(store: PartitionStore, collected: Collected, statistics: Mapping[str, Statistic]) -> int:
    """Enter what a release is about to show into the record of releases; the number of new versions.

    Call it when nothing but the switch is left to do: who may have seen a version is taken to have it.

    Raises:
        DisclosureError: tables were published again since they were collected (``release.overtaken``). Answers may have
            been given beside the new ones, and nobody has judged these together with the old ones.
    """
    entered = 0
    with commits(store):
        for key, members in groups(statistics.values()).items():
            months = sorted({month for member in members for month in collected.months.get(member.name, ())})
            for month in months:
                shown = [member for member in members if month in collected.months.get(member.name, ())]
                told = sorted((member.name, collected.contents[member.name][month]) for member in shown)
                content = hashlib.sha256(json.dumps(told).encode()).hexdigest()
                if is_recorded(store, key, month, [member.name for member in shown], content):
                    continue
                for member in shown:
                    _refuse_overtaken(store, collected, member, month)
                spec = specification(shown, areas_of(store, members, month))
                tables = {member.name: _of_period(collected.tables[member.name], member, month) for member in shown}
                entered += record_release(store, key, month, FormerRelease(tables, spec), content=content)
    return entered


def _refuse_overtaken(store: PartitionStore, collected: Collected, statistic: Statistic, month: str) -> None:
    held = store.current(PartitionId("published", statistic.name, month))
    if held is None or content_of(held) != collected.contents[statistic.name][month]:
        raise DisclosureError(
            "a table was published anew while the release was put together: nothing is released",
            code="release.overtaken",
            at={"table": statistic.name, "month": month},
            remedy="nothing: the plan asks for a release of the new tables",
            ja="公開の準備中に公表表が更新されたため、公開しません。新しい表で改めて公開します",
        )


def _of_period(table: pl.DataFrame, statistic: Statistic, month: str) -> pl.DataFrame:
    return table.filter(pl.col("period") == period_of(statistic, month)).drop("period")


def take_in_public(delivery: Delivery, contract: Contract, store: PartitionStore, home) -> Partition:
    """Verify a public delivery and commit its typed rows as statistics: there is nothing to abstract or to protect.

    Raises:
        DeliveryRejected, DeliveryHeld: after the receipt is written; the partition in force stays.
    """
    identity = target(contract, delivery.month)
    inputs = taking_inputs(contract, delivery.content_hash)
    if unchanged := in_place(store, identity, inputs):
        write_receipt(home, delivery, "accepted", receipt_facts(unchanged))
        return unchanged
    try:
        taken = take_in(delivery, contract)
        with worded_for(contract.sensitivity):
            refuse_exchanged(delivery, contract, store, taken, stage=identity.stage)
            hold_revision(delivery, contract, store, home)
    except DeliveryRejected as error:
        write_receipt(home, delivery, "rejected", error)
        raise
    except DeliveryHeld as error:
        write_receipt(home, delivery, "held", error)
        raise
    synthetic = "basis" in taken.frame.columns and (taken.frame["basis"] == "synthetic").any()
    facts = {**taken.facts, "content_hash": delivery.content_hash, "basis": "synthetic" if synthetic else "register"}
    partition = store.write(identity, taken.frame, facts=facts, inputs=inputs)
    write_receipt(home, delivery, "accepted", taken.facts)
    return partition


def publish_public(store: PartitionStore, statistic: Statistic, month: str) -> Partition:
    """A public table from its typed rows."""
    held = {source: _present(store, "statistics", source, month) for source in statistic.sources}
    inputs = public_inputs(store, statistic, month)
    if unchanged := _unchanged(store, "published", [statistic], month, inputs):
        return unchanged[0]
    frames = {source: store.read(partition.id) for source, partition in held.items()}
    table = compute_public(statistic, frames, month)
    basis = {partition.facts.get("basis", "register") for partition in held.values()}
    facts = {
        "rows": table.height,
        "published": table.height,
        "suppressed": 0,
        "content": content_digest(table),
        "basis": "synthetic" if "synthetic" in basis else "register",
    }
    return store.write(PartitionId("published", statistic.name, month), table, facts=facts, inputs=inputs)


def areas_of(store: PartitionStore, members: Sequence[Statistic], month: str) -> Hierarchy | None:
    """City → ward → district of the month, where a member goes down to the district."""
    if not any(member.by_district for member in members):
        return None
    return districts(store.read(in_force(store, REFERENCE, month).id), month)


def _rows(store: PartitionStore, source: str, months: Sequence[str], members: Sequence[Statistic]) -> pl.DataFrame:
    frames = []
    for month in months:
        partition = _present(store, "lake", source, month)
        frames.append(store.read(partition.id, columns_needed(members, source, partition.columns)))
    return numbered(frames[0] if len(frames) == 1 else pl.concat(frames))


def _present(store: PartitionStore, stage: str, source: str, month: str) -> Partition:
    return store.present(PartitionId(stage, source, month))


def _tied(
    store: PartitionStore, members: Sequence[Statistic], month: str, statistics: Mapping[str, Statistic]
) -> list[TiedMonth]:
    return [
        TiedMonth(
            statistic,
            held,
            store.read(PartitionId("statistics", statistic.name, held)),
            store.read(PartitionId("published", statistic.name, held)),
        )
        for statistic, held in tied_months(store, members, month, statistics)
    ]


def _tables(store: PartitionStore, members: Sequence[Statistic], month: str) -> dict[str, pl.DataFrame]:
    """The published tables of a month, as far as there are any."""
    identities = [PartitionId("published", member.name, month) for member in members]
    present = [identity for identity in identities if store.current(identity) is not None]
    return dict(zip([identity.source for identity in present], store.read_all(present), strict=True))


def _period_before(statistic: Statistic, month: str) -> str:
    return shifted(month, -1 if statistic.period == "month" else -12)


def _unchanged(
    store: PartitionStore, stage: str, members: Sequence[Statistic], month: str, inputs: Mapping[str, str]
) -> list[Partition] | None:
    """The partitions in force, if all of them were made from exactly these inputs and their rows are there."""
    held = [store.settled(PartitionId(stage, member.name, month)) for member in members]
    same = [p for p in held if p is not None and not p.destroyed_at and dict(p.inputs) == dict(inputs)]
    return same if len(same) == len(members) else None
