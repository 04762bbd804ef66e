"""Stores partitions: an encrypted file for each stage, source and month, with generations and a signed manifest.

    store/<stage>/<source>/<month>/head.json          which generation is in force (signed)
    store/<stage>/<source>/<month>/head.next          the head that takes over once its commit is logged (signed)
    store/<stage>/<source>/<month>/g000003/data.parquet
    store/<stage>/<source>/<month>/g000003/manifest.json  rows, columns, digest, facts, the wrapped data key (signed)

A commit takes effect with its entry in the log of key use: a generation is written to a folder of its own, synced and
renamed; its head is written beside the one in force; the commit is entered into the log; then the new head replaces the
old one. After a crash before the entry the old generation is in force, after a crash behind it the new one, and no
generation is ever in force without an entry. A head that is older than the log was rolled back; a head that is newer
means that the log was. Both are refused.
"""

from kobe_platform.lake.partitions import (
    STAGES,
    Partition,
    PartitionId,
    VerifyReport,
)
from kobe_platform.lake.store import KEPT_GENERATIONS, PartitionStore

__all__ = ["KEPT_GENERATIONS", "STAGES", "Partition", "PartitionId", "PartitionStore", "VerifyReport"]
