"""What has to be destroyed because its time is over: raw rows soon after their use, rows and counts with the retention.

Retention is the ``retention_months`` of a source's contract, counted from the end of the reference month. Counts before
protection go with the first of their sources. Protected tables are published and stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta

from kobe_platform.clock import JAPAN
from kobe_platform.contracts import Contract
from kobe_platform.lake import Partition, PartitionId, PartitionStore
from kobe_platform.lake.maintenance import is_destroyed
from kobe_platform.statistics import Statistic


def due_for_destruction(
    store: PartitionStore,
    contracts: Mapping[str, Contract],
    statistics: Mapping[str, Statistic],
    raw_days: int,
    now: datetime,
) -> list[PartitionId]:
    """Partitions whose rows are to be destroyed (:func:`kobe_platform.lake.maintenance.destroy`).

    Args:
        raw_days: days that raw rows are kept after the lake committed their month, or, where it never took
            them, after they came.
        now: with a time zone.
    """
    personal = {name: contract for name, contract in contracts.items() if contract.sensitivity == "personal"}
    kept = {name: contract.legal.retention_months for name, contract in personal.items()}
    counted = {
        name: min(kept[source] for source in statistic.sources if source in kept)
        for name, statistic in statistics.items()
        if kept.keys() & set(statistic.sources)
    }
    stages = {"raw": kept, "abstracted": kept, "lake": kept, "statistics": counted}
    due = {id for stage, months in stages.items() for id in _over(store, stage, months, now)}
    due |= {id for name in personal for id in _used(store, name, timedelta(days=raw_days), now)}
    return sorted((id for id in due if not is_destroyed(store, id)), key=str)


def _over(store: PartitionStore, stage: str, kept: Mapping[str, int | None], now: datetime) -> Iterator[PartitionId]:
    """Partitions of a stage past their retention."""
    today = now.astimezone(JAPAN).date()
    for name, months in kept.items():
        for month in store.months(stage, name) if months is not None else ():
            if today >= _after(month, months):
                yield PartitionId(stage, name, month)


def _after(month: str, months: int) -> date:
    """The first day past so many months after the end of ``month``."""
    year, number = map(int, month.split("-"))
    index = year * 12 + number + months
    return date(index // 12, index % 12 + 1, 1)


def _used(store: PartitionStore, name: str, wait: timedelta, now: datetime) -> Iterator[PartitionId]:
    """Raw partitions that nothing needs any more: admitted, or never to be."""
    for month in store.months("raw", name):
        id = PartitionId("raw", name, month)
        raw, held = store.current(id), store.current(PartitionId("lake", name, month))
        assert raw is not None
        since = held if held is not None and held.created_at >= raw.created_at else raw
        if _moment(since) + wait <= now:
            yield id


def _moment(partition: Partition) -> datetime:
    return datetime.fromisoformat(partition.created_at)
