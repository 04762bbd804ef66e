"""Ends runs whose process is gone as failed, and frees their slots in the pools.

It touches Dagster's own storage beyond its public interface, as `event_log` does: `free_concurrency_slots_for_run`
has no public form, and without it a killed step keeps its pool for ever.
"""

from __future__ import annotations

import time

import dagster as dg

from kobe_platform.planning.leases import Leases

IN_FLIGHT = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
_WORKING = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
UNLOCKED_SECONDS = 180
"""How long a run may be starting before it holds its lock: its process has to import everything first."""
GONE = "its process is gone (killed, or the machine stopped); the plan asks again for what it left undone"


def reap(instance: dg.DagsterInstance, leases: Leases, now: float | None = None) -> list[str]:
    """End runs whose process is gone, and free what they held; their ids.

    A run that holds its lock lives. One whose lock file is there and free is dead at once; one that has none yet is
    given :data:`UNLOCKED_SECONDS`, or all the time that it takes where Dagster has not started it: it may be queued.
    """
    known, moment, ended = leases.runs(), now or time.time(), []
    for record in instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.NOT_STARTED, *_WORKING]), limit=200
    ):
        run_id = record.dagster_run.run_id
        since = record.start_time or record.update_timestamp.timestamp()
        waits = record.dagster_run.status is dg.DagsterRunStatus.NOT_STARTED
        if known.get(run_id, waits or moment - since < UNLOCKED_SECONDS):
            continue
        instance.report_run_failed(record.dagster_run, GONE)
        ended.append(run_id)
    for run_id, lives in known.items():
        if not lives:
            leases.forget(run_id)
    free_slots(instance, {run for run, lives in known.items() if lives})
    leases.sweep()
    return ended


def free_slots(instance: dg.DagsterInstance, living: set[str]) -> None:
    """Give back the slots of pools that runs hold which are over."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    holding = set()
    for key in storage.get_concurrency_keys():
        info = storage.get_concurrency_info(key)
        holding |= info.active_run_ids | info.pending_run_ids
    for run_id in holding - living:
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            storage.free_concurrency_slots_for_run(run_id)
