"""Which municipalities are due, and the runs that a sensor asks for: computed at each tick from what lies there.

A month of a municipality is a partition (``YYYY-MM|CODE``) of one asset, and the data version of its newest
materialization is the digest of what had been delivered when it was worked through. Where the digest of today is
another one, the municipality is due; a run of it does all its months. Nothing is remembered: what failed or was
killed is due as before, after a pause that grows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from kobe_platform.errors import PlatformError
from kobe_platform.orchestration.reaping import GONE, IN_FLIGHT
from kobe_platform.prefecture.homes import delivered_bytes, homes
from kobe_platform.prefecture.machines.claims import Claims
from kobe_platform.prefecture.machines.deliveries import defined, delivered_months, inputs_of
from kobe_platform.prefecture.machines.instance import (
    INPUTS_TAG,
    LARGE,
    MUNICIPALITY_TAG,
    SMALL,
    in_kubernetes,
    place_tags,
    run_tags,
)
from kobe_platform.settings import Settings

RELEASED = dg.AssetKey(["prefecture", "released_months"])
MONTHS = dg.DynamicPartitionsDefinition(name="prefecture_months")
MUNICIPALITIES = dg.DynamicPartitionsDefinition(name="prefecture_municipalities")
PARTITIONS = dg.MultiPartitionsDefinition({"month": MONTHS, "municipality": MUNICIPALITIES})
LARGE_BYTES = 100_000_000
"""Newest deliveries of a municipality from which on it counts as large: those of some 450,000 residents."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3600.0
"""Seconds before the same work is asked for a second time, and at most; each pause is twice the one before."""
SILENT_SECONDS = 45.0
"""A run of a municipality that nobody works for, of which nothing was heard for so long, has lost its process."""
_RUNS_LOOKED_AT = 12
_WORKING = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


@dataclass(frozen=True)
class DueMunicipality:
    """A municipality that a run is to be asked for.

    Attributes:
        months: those that are due. inputs: digest of all that it has delivered. size: bytes of its newest deliveries.
    """

    code: str
    months: tuple[str, ...]
    inputs: str
    size: int


@dataclass(frozen=True)
class Look:
    """What one look at the prefecture found.

    Attributes:
        codes: municipalities that have a home. months: all months that any of them has delivered.
        faults: code → error of a municipality that could not be looked at; the others are.
    """

    codes: tuple[str, ...]
    months: tuple[str, ...]
    due: tuple[DueMunicipality, ...]
    faults: Mapping[str, PlatformError]


def look(settings: Settings, versions: Mapping[str, str]) -> Look:
    """Look at all homes and the inbox.

    Args:
        versions: partition → data version of its newest materialization (:func:`made_versions`).
    """
    definitions, every, due, faults = defined(settings), set[str](), [], {}
    there = homes(settings)
    for code, home in there.items():
        try:
            environment = home.environment(settings)
        except PlatformError as error:
            faults[code] = error
            continue
        delivered = delivered_months(home, environment, definitions)
        every.update(delivered)
        months = tuple(month for month, digest in delivered.items() if versions.get(partition(month, code)) != digest)
        if months:
            due.append(DueMunicipality(code, months, inputs_of(delivered), delivered_bytes(home, environment)))
    return Look(tuple(there), tuple(sorted(every)), tuple(due), faults)


def partition(month: str, code: str) -> dg.MultiPartitionKey:
    """The key of a municipality's month."""
    return dg.MultiPartitionKey({"month": month, "municipality": code})


def made_versions(instance: dg.DagsterInstance) -> dict[str, str]:
    """Partition → data version of its newest materialization, by one question to Dagster's records."""
    told = instance.event_log_storage.get_latest_tags_by_partition(
        RELEASED, dg.DagsterEventType.ASSET_MATERIALIZATION, tag_keys=[DATA_VERSION_TAG]
    )
    return {key: tags[DATA_VERSION_TAG] for key, tags in told.items() if DATA_VERSION_TAG in tags}


def requests(
    instance: dg.DagsterInstance,
    due: Sequence[DueMunicipality],
    *,
    large_first: bool,
    celery: bool = False,
    now: float | None = None,
) -> Iterator[dg.RunRequest]:
    """The runs to ask for: of each municipality that is due, has none under way, and whose pause is over.

    Where places are left that large municipalities may not take, they come first and their own limit keeps the rest of
    them waiting, the others go from the smallest to the largest. Where large ones may take every place (one run at a
    time, for instance), all go from the smallest to the largest. So no small one waits behind a large one.

    Args:
        large_first: whether a place is left for small ones however many large ones wait (``instance.leaves_places``).
        celery: whether Celery's workers start the runs.
    """
    under_way = {run.tags.get(MUNICIPALITY_TAG) for run in instance.get_runs(dg.RunsFilter(statuses=list(IN_FLIGHT)))}
    moment = now or time.time()
    for rank, one in enumerate(sorted(due, key=lambda one: (one.size, one.code))):
        if one.code in under_way or moment < not_before(instance, one):
            continue
        size = LARGE if one.size >= LARGE_BYTES else SMALL
        priority = 1000 + rank if large_first and size == LARGE else -rank
        yield dg.RunRequest(
            partition_key=partition(one.months[-1], one.code),
            run_config={"loggers": {"console": {}}},  # errors only, as the code location has it
            tags={
                **run_tags(one.code, size, one.inputs, priority),
                **place_tags(size, celery=celery, kubernetes=in_kubernetes()),
            },
        )


def not_before(instance: dg.DagsterInstance, one: DueMunicipality) -> float:
    """When a municipality may be asked for again, in seconds since 1970; 0 where these inputs were never asked for."""
    asked = dg.RunsFilter(tags={MUNICIPALITY_TAG: one.code, INPUTS_TAG: one.inputs})
    records = instance.get_run_records(asked, limit=_RUNS_LOOKED_AT)
    if not records:
        return 0.0
    newest = records[0]
    ended = newest.end_time or newest.update_timestamp.timestamp()
    return ended + min(FIRST_PAUSE * 2.0 ** (len(records) - 1), LONGEST_PAUSE)


def end_lost_runs(instance: dg.DagsterInstance, claims: Claims, now: float | None = None) -> list[str]:
    """End the runs that lost their process, on whichever machine, as failed; their ids.

    A run holds its municipality while it works, and says something right before it lets go. So one that holds nothing
    and was silent for :data:`SILENT_SECONDS` is gone. Runs that never began are left to Dagster's own watch
    (``run_monitoring``).
    """
    working = instance.get_run_records(dg.RunsFilter(statuses=list(_WORKING)))
    held = claims.held() if working else set()
    ended = []
    for record in working:
        run = record.dagster_run
        if MUNICIPALITY_TAG not in run.tags or run.tags[MUNICIPALITY_TAG] in held:
            continue
        if (now or time.time()) - _last_heard(instance, record) < SILENT_SECONDS:
            continue
        found = instance.get_run_by_id(run.run_id)
        if found is not None and not found.is_finished:
            instance.report_run_failed(found, GONE)
            ended.append(run.run_id)
    return ended


def _last_heard(instance: dg.DagsterInstance, record: dg.RunRecord) -> float:
    newest = instance.get_records_for_run(record.dagster_run.run_id, limit=1, ascending=False).records
    return newest[0].event_log_entry.timestamp if newest else record.update_timestamp.timestamp()
