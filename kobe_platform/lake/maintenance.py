"""Works on the whole store: verifies it, wraps data keys with new keys, destroys rows past their retention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kobe_platform.custody.durable import storage_errors
from kobe_platform.custody.keyring import ACTIVE, REVOKED, KeyRecord
from kobe_platform.custody.service import WrappedKey
from kobe_platform.errors import CustodyError, PlatformError
from kobe_platform.lake.manifests import fault
from kobe_platform.lake.partitions import Partition, PartitionId, VerifyReport, digest
from kobe_platform.lake.verdicts import verdicts

if TYPE_CHECKING:
    from kobe_platform.lake.store import PartitionStore


def verify(store: PartitionStore) -> VerifyReport:
    """Check every kept generation: signatures, digest of the file, its key, and that all of it decrypts.

    A generation that a commit takes away meanwhile is no fault.
    """
    faults: list[tuple[str, str]] = []
    count = 0
    for id in store.ids():
        count += 1
        try:
            store.look_again(id)
            store.current(id)
            verdicts(store, id)
            for partition in store.history(id):
                try:
                    with storage_errors(str(id)):
                        _verify_generation(store, partition)
                except PlatformError as error:
                    if partition.generation in [kept.generation for kept in store.history(id)]:
                        faults.append((str(id), error.code))
        except PlatformError as error:
            faults.append((str(id), error.code))
    return VerifyReport(count, tuple(faults))


def _verify_generation(store: PartitionStore, partition: Partition) -> None:
    if partition.destroyed_at:
        if store.has_rows(partition):
            raise fault("rows that were to be destroyed lie there still", "custody.not_destroyed", partition.id)
        return
    store.leave_rows(partition)  # what is shared is looked at, not this machine's copy of it
    store.collected(partition)
    if digest(store.data_file(partition)) != partition.digest:
        raise fault("a data file was changed", "custody.not_authentic", partition.id)
    store.leave_rows(partition)


def rewrap(store: PartitionStore, purpose: str) -> int:
    """Wrap the data keys of a purpose with its active key: manifests only; returns how many were rewritten.

    Manifests that the active key wraps already, that were destroyed or whose key is revoked are left alone, so the
    next call continues an interrupted one. Readers find the old manifest or the new one: both open.

    Raises:
        CustodyError: what stood in the way of the first partition that could not be rewrapped, after all the others.
    """
    records = {record.key_id: record for record in store.keys.versions()}
    rewritten, faults = 0, []
    for id in store.ids():
        if id.purpose != purpose:
            continue
        try:
            rewritten += _rewrap_partition(store, id, records)
        except PlatformError as error:
            faults.append((str(id), error.code))
    if faults:
        raise CustodyError(
            "some partitions could not be rewrapped; all others were, and the rotation stays under way",
            code=faults[0][1],
            at={"partition": faults[0][0], "partitions": len(faults)},
            remedy="run `kobe lake verify`, mend what it names, and rotate again",
            ja="鍵を包み直せない区画があります",
        )
    return rewritten


def _rewrap_partition(store: PartitionStore, id: PartitionId, records: Mapping[str, KeyRecord]) -> int:
    rewritten = 0
    with store.holding(id):
        for partition in store.history(id):
            record = records.get(partition.key.key_id)
            if not partition.key.wrapped or (record and record.state in (ACTIVE, REVOKED)):
                continue
            _rewrap_generation(store, partition)
            rewritten += 1
    return rewritten


def _rewrap_generation(store: PartitionStore, partition: Partition) -> None:
    id = partition.id
    identity = store.manifests.identity(id, partition.generation)
    key = store.keys.unwrap(id.purpose, partition.key, identity)
    fresh = store.keys.wrap(id.purpose, key, identity)
    store.rewrite(replace(partition, key=fresh))


def wrapped_by(store: PartitionStore, key_id: str) -> Iterator[Partition]:
    """Kept generations whose rows nothing can read once the key ``key_id`` is revoked."""
    for id in store.ids():
        for partition in store.history(id):
            if partition.key.wrapped and partition.key.key_id == key_id:
                yield partition


def is_destroyed(store: PartitionStore, id: PartitionId) -> bool:
    """Whether the rows of every kept generation are gone, and the log says so."""
    return all(
        partition.destroyed_at
        and not store.has_rows(partition)
        and store.keys.log.destroyed(store.manifests.identity(id, partition.generation))
        for partition in store.history(id)
    )


def destroy(store: PartitionStore, found: Partition, now: datetime | None = None) -> int:
    """Destroy the rows of every kept generation of a partition; how many had any left.

    Args:
        found: the generation in force when it was found due: where another is in force by now, nothing is done.

    In this order, each step on the disk before the next: an entry ``destroy`` in the log, the manifest without its
    wrapped key (from here nothing decrypts the rows), the data file, an entry ``destroyed``. Interrupted anywhere,
    another call goes on. The manifest with its counts stays, as the record of what there was.
    """
    at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    with store.holding(found.id):
        history = store.history(found.id)
        if not history or history[-1].generation != found.generation:
            return 0
        return sum(_destroy_generation(store, partition, at) for partition in history)


def destroy_all(store: PartitionStore, found: Iterable[Partition]) -> tuple[list[str], list[tuple[str, str]]]:
    """Destroy what was found due; who had rows left, by name, and (partition, code) of those that could not be."""
    destroyed, faults = [], []
    for partition in found:
        try:
            if destroy(store, partition):
                destroyed.append(str(partition.id))
        except PlatformError as error:
            faults.append((str(partition.id), error.code))
    return destroyed, faults


def _destroy_generation(store: PartitionStore, partition: Partition, at: str) -> bool:
    id = partition.id
    identity = store.manifests.identity(id, partition.generation)
    if store.keys.log.destroyed(identity) and partition.destroyed_at and not store.has_rows(partition):
        return False
    if not partition.destroyed_at:
        store.keys.record("destroy", id.purpose, identity)
        gone = replace(partition, key=WrappedKey(partition.key.key_id, ""), destroyed_at=at)
        store.rewrite(gone)
    store.drop_rows(partition)
    store.keys.record("destroyed", id.purpose, identity)
    return True
