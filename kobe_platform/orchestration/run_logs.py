"""Takes away what Dagster wrote of each step of old runs; runs, materializations and checks stay on record.

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
        shard = Path(storage.path_for_shard(run_id))
        if shard.exists():
            for part in _PARTS:
                shard.with_name(shard.name + part).unlink(missing_ok=True)
            pruned += 1
    return pruned
