"""Takes away what Dagster wrote of each step of old runs, and old runs of the nightly jobs; all else stays on record.

Dagster keeps the events of a run in a SQLite file of its own, some 0.5 MB, and what assets became in one index. The
file is what a person reads when a run failed; nothing that the platform decides is read from it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from kobe_platform.orchestration.event_log import KeptEventLog

_PARTS = ("", "-wal", "-shm", "-journal")
NIGHTLY = ("nightly_verification", "retention")
"""Jobs that run every night and make nothing: each run would stay as 20 kB for ever."""


def prune_run_logs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Take away the events of runs that were last heard of before a moment and have ended; of how many.

    Where Dagster keeps its records in PostgreSQL nothing is done: its own tools prune there.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, KeptEventLog):
        return 0
    ended = dg.RunsFilter(statuses=list(FINISHED_STATUSES), updated_before=before)
    pruned = 0
    for run_id in instance.get_run_ids(filters=ended):
        pruned += _unlinked(storage, run_id)
    return pruned


def _unlinked(storage: KeptEventLog, run_id: str) -> bool:
    """Take the file of a run's events away; whether there was one."""
    shard = Path(storage.path_for_shard(run_id))
    found = shard.exists()
    for part in _PARTS:
        shard.with_name(shard.name + part).unlink(missing_ok=True)
    return found


def prune_nightly_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Take away ended runs of the nightly jobs, last heard of before a moment, but the newest of each; how many."""
    pruned = 0
    for job in NIGHTLY:
        ended = dg.RunsFilter(job_name=job, statuses=list(FINISHED_STATUSES), updated_before=before)
        newest = instance.get_run_ids(filters=dg.RunsFilter(job_name=job), limit=1)
        for run_id in set(instance.get_run_ids(filters=ended)) - set(newest):
            instance.delete_run(run_id)
            if isinstance(instance.event_log_storage, KeptEventLog):
                _unlinked(instance.event_log_storage, run_id)
            pruned += 1
    return pruned
