"""Lists the rows and counts to destroy: raw rows soon after their use, the others at the end of their retention.

Retention is the ``retention_months`` of a source's contract, counted from the end of the reference month. Counts before
protection go with the first of their sources. Protected tables are published and stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from kobe_platform.contracts import Contract
from kobe_platform.errors import PlatformError
from kobe_platform.lake import Partition, PartitionId, PartitionStore
from kobe_platform.lake.maintenance import is_destroyed
from kobe_platform.reception.accounting import LAID
from kobe_platform.statistics import Statistic
from kobe_platform.vocabulary.clock import JAPAN
from kobe_platform.vocabulary.months import first_day, month_after, shifted

AS_BASE = timedelta(days=100)
"""How long raw rows that a difference gave wait for the next difference."""


@dataclass(frozen=True)
class Due:
    """Partitions to be destroyed, as they were found, and those that could not be looked at: (partition, code)."""

    partitions: tuple[Partition, ...]
    faults: tuple[tuple[str, str], ...] = ()


def due_for_destruction(
    store: PartitionStore,
    contracts: Mapping[str, Contract],
    statistics: Mapping[str, Statistic],
    raw_days: int,
    now: datetime,
) -> Due:
    """Partitions whose rows are to be destroyed (:func:`kobe_platform.lake.maintenance.destroy`).

    One that is damaged stands in nobody's way: it is named, and the others are found.

    Args:
        raw_days: days that raw rows are kept after the lake committed their month, or, where it never took
            them, after they came.
        now: with a time zone.
    """
    personal = {name: contract for name, contract in contracts.items() if contract.sensitivity == "personal"}
    kept = {name: contract.legal.retention_months for name, contract in personal.items()}
    counted = {
        name: min((m for source in statistic.sources if (m := kept.get(source)) is not None), default=None)
        for name, statistic in statistics.items()
    }
    stages = {"raw": kept, "abstracted": kept, "lake": kept, "statistics": counted}
    over = {id for stage, months in stages.items() for id in _over(store, stage, months, now)}
    raw = {PartitionId("raw", name, month) for name in personal for month in store.months("raw", name)}
    due, faults = [], []
    for id in sorted(over | raw, key=str):
        try:
            partition = store.current(id)
            if partition is None:  # another process destroyed it since its months were listed
                continue
            wanted = id in over or _used(store, partition, timedelta(days=raw_days), now)
            if wanted and not is_destroyed(store, id):
                due.append(partition)
        except PlatformError as error:
            faults.append((str(id), error.code))
    return Due(tuple(due), tuple(faults))


def _over(store: PartitionStore, stage: str, kept: Mapping[str, int | None], now: datetime) -> Iterator[PartitionId]:
    """Partitions of a stage past their retention."""
    today = now.astimezone(JAPAN).date()
    for name, months in kept.items():
        if months is None:
            continue
        for month in store.months(stage, name):
            if today >= first_day(shifted(month, months + 1)):
                yield PartitionId(stage, name, month)


def _used(store: PartitionStore, raw: Partition, wait: timedelta, now: datetime) -> bool:
    """Whether nothing needs a raw partition any more: its month was admitted, or never will be.

    Rows that a difference gave are what the next one is laid over: they wait for it, though not for ever.
    """
    held = store.current(PartitionId("lake", raw.id.source, raw.id.month))
    since = held if held is not None and held.created_at >= raw.created_at else raw
    if LAID in raw.facts:
        after = store.current(PartitionId("lake", raw.id.source, month_after(raw.id.month)))
        wait = wait if after is not None else max(wait, AS_BASE)
        since = after if after is not None and after.created_at > since.created_at else since
    return _moment(since) + wait <= now


def _moment(partition: Partition) -> datetime:
    return datetime.fromisoformat(partition.created_at)
