"""Finds what interrupted commits left in the store beside the generations that are kept, and takes it away.

A commit settles its own partition before it begins, so what a kill leaves goes with the next commit there. Of a
partition that nothing commits to any more it stays: this is for those, and to see that nothing grows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kobe_platform.custody.durable import is_locked
from kobe_platform.lake.partitions import STAGES, PartitionId, generation_folder, generations

if TYPE_CHECKING:
    from kobe_platform.lake.store import PartitionStore


@dataclass(frozen=True)
class Orphan:
    """A file or folder that no generation in force needs.

    Attributes:
        id: the partition in whose folder it lies.
        name: of the file or folder.
        size: bytes of it, with all that it holds.
    """

    id: PartitionId
    name: str
    size: int


def orphans(store: PartitionStore) -> Iterator[Orphan]:
    """Every orphan of the store; partitions that something is being committed to are left out."""
    for stage in STAGES:
        for folder in sorted((store.root / stage).glob("*/????-??")):
            id = PartitionId(stage, folder.parent.name, folder.name)
            if not is_locked(folder / ".lock"):
                yield from (Orphan(id, path.name, _size(path)) for path in _left(store, id, folder))


def clear(store: PartitionStore) -> list[Orphan]:
    """Take every orphan away that :func:`orphans` finds; those that were there.

    Raises:
        CustodyError: a partition's head does not authenticate, or the disk refuses.
    """
    found = list(orphans(store))
    for id in dict.fromkeys(orphan.id for orphan in found):
        with store.holding(id):  # which finishes or undoes what was interrupted
            pass
    return found


def _left(store: PartitionStore, id: PartitionId, folder: Path) -> Iterator[Path]:
    head = store.manifests.head(id)
    in_force = head.generation if head else 0
    unfinished = [generation_folder(folder, number) for number in generations(folder) if number > in_force]
    kept = [generation_folder(folder, number) for number in generations(folder) if number <= in_force]
    asides = [path for place in (folder, *kept) for path in sorted(place.glob(".*.new"))]
    yield from (*unfinished, *asides, *sorted(folder.glob(".g*.gone")))


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
