"""Partitions: one encrypted file per stage, source and month, with generations and an authenticated manifest.

    store/<stage>/<source>/<month>/head.json          which generation is in force (signed)
    store/<stage>/<source>/<month>/head.next          the head that takes over once its commit is logged (signed)
    store/<stage>/<source>/<month>/g000003/data.parquet
    store/<stage>/<source>/<month>/g000003/manifest.json  rows, columns, digest, facts, the wrapped data key (signed)

The log of key use is where a commit happens: a generation is written aside, synced and renamed, its head written beside
the one in force, the commit entered into the log, and then the heads are exchanged. Before the entry a crash leaves the
former generation in force, after it the new one, and no generation is ever in force without an entry. A head that is
older than the log was rolled back, one that is newer means that the log was: both are refused.
"""

from kobe_platform.lake.partitions import (
    STAGES,
    Partition,
    PartitionId,
    VerifyReport,
)
from kobe_platform.lake.store import KEPT_GENERATIONS, PartitionStore

__all__ = ["KEPT_GENERATIONS", "STAGES", "Partition", "PartitionId", "PartitionStore", "VerifyReport"]
