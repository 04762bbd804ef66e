"""Names the fault of a data file that does not open or decrypt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from kobe_platform.custody.parquet import opens
from kobe_platform.errors import CustodyError, LakeError, PlatformError
from kobe_platform.lake.manifests import fault
from kobe_platform.lake.partitions import MANIFEST, Partition, PartitionId, digest

if TYPE_CHECKING:
    from kobe_platform.lake.store import PartitionStore


def diagnosed(store: PartitionStore, partition: Partition, key: bytes, error: Exception) -> PlatformError:
    """The house's error for what Polars raised over a generation's data file, told from its authenticated manifest.

    Returns:
        ``custody.truncated`` (shorter than committed), ``custody.swapped`` (another partition's file in its place),
        ``custody.not_authentic`` (changed bytes), ``custody.wrong_key`` (as committed, but its key does not open it),
        ``custody.column`` (a column that it never had), ``lake.query`` (nothing is wrong with the file).
    """
    path, id = store.data_file(partition), partition.id
    changed = other_file(store, partition, path)
    if changed is not None:
        return changed
    identity = store.manifests.identity(id, partition.generation)
    if not opens(path, key=key, identity=identity):
        return fault("a data file is not encrypted with the key of its manifest", "custody.wrong_key", id)
    if isinstance(error, pl.exceptions.ColumnNotFoundError):
        return CustodyError(
            "a data file lacks a column that was asked for",
            code="custody.column",
            at=id.at,
            remedy="process the partition again with the contract in force",
            ja="求められた列がデータファイルにありません",
        )
    return LakeError(
        "a query over a partition fails; its message is withheld because it may carry values",
        code="lake.query",
        at={**id.at, "error": type(error).__name__},
        remedy="reproduce it with made-up data",
        ja="区画への問合せに失敗しました",
    )


def other_file(store: PartitionStore, partition: Partition, path: Path) -> PlatformError | None:
    """What a file is that lies in place of the one that a generation was committed with; None where it is that one."""
    found = digest(path)
    if found == partition.digest:
        return None
    other = _owner(store, found)
    if other is not None:
        return fault("a data file is another partition's", "custody.swapped", partition.id, holds=str(other))
    if path.stat().st_size < partition.size:
        return fault("a data file is shorter than it was written", "custody.truncated", partition.id)
    return fault("a data file was changed", "custody.not_authentic", partition.id)


def _owner(store: PartitionStore, found: str) -> PartitionId | None:
    """The partition among whose generations a data file with this digest was committed."""
    for path in sorted(store.root.glob(f"*/*/*/g[0-9]*/{MANIFEST}")):
        if f'"{found}"' in path.read_text("utf-8"):
            month = path.parent.parent
            return PartitionId(month.parent.parent.name, month.parent.name, month.name)
    return None
