"""Reads and writes signed heads and manifests, and decides with the log of key use which generation is in force."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from kobe_platform.custody.durable import file_bytes, storage_error, write_private
from kobe_platform.custody.service import KeyService
from kobe_platform.errors import CustodyError
from kobe_platform.lake.partitions import HEAD, MANIFEST, NEXT_HEAD, Partition, PartitionId, generation_folder

if TYPE_CHECKING:
    from kobe_platform.lake.sharing import SharedPartitions

ATTEMPTS = 8
"""Looks at log and heads before a difference between them counts: a commit may happen in between."""


@dataclass(frozen=True)
class Head:
    """Which generation is in force, and the digest of its data file."""

    generation: int
    digest: str


T = TypeVar("T")


class Manifests:
    """The signed files of all partitions.

    Each call reads the files anew. What was read last of a file is remembered with the digest of its bytes, so that
    the same bytes are not authenticated a second time in a process.

    Args:
        root: the folder ``store``.
        keys: who signs, and whose log says what was committed.
        municipality: part of every object's name.

    Attributes:
        shared: what machines share, of which the files are a copy; None for a home alone.
    """

    def __init__(self, root: Path, keys: KeyService, municipality: str) -> None:
        self.root = root
        self._base = str(root)
        self.keys = keys
        self.municipality = municipality
        self._seen: dict[str, tuple[bytes, Any]] = {}
        self.shared: SharedPartitions | None = None

    def folder(self, id: PartitionId) -> Path:
        """Where a partition lies."""
        return self.root / id.stage / id.source / id.month

    def name(self, id: PartitionId) -> str:
        """A partition as the log and its own files name it."""
        return f"{self.municipality}/{id}"

    def identity(self, id: PartitionId, generation: int) -> str:
        """What one data file is: bound to its key and its contents."""
        return f"{self.name(id)}/{generation}"

    def in_force(self, id: PartitionId) -> Partition | None:
        """The manifest of the generation in force, or None.

        Raises:
            CustodyError: it does not authenticate (``custody.tampered_manifest``), is older than the log
                (``custody.rolled_back``), or newer (``custody.unlogged``).
        """
        head = self.head(id)
        if head is None:
            return None
        partition = self.manifest(id, head.generation)
        if partition.digest != head.digest:
            raise fault("the manifest is not the one that was put in force", "custody.tampered_manifest", id)
        return partition

    def head(self, id: PartitionId) -> Head | None:
        """The head whose generation the log saw committed last; errors as :meth:`in_force`."""
        if self.shared is not None:
            self.shared.bring(id)
        committed, found = 0, None
        for attempt in range(ATTEMPTS):
            committed = self.keys.log.committed(self.name(id), anew=attempt > 0)
            found = self.stored_head(id, HEAD)
            if not committed and found is None:
                return None
            if found is not None and found.generation == committed:
                return found
            following = self.stored_head(id, NEXT_HEAD)
            if following is not None and following.generation == committed:
                return following
        if found is not None and found.generation > committed:
            raise fault("the log does not know the partition in force: it was put back", "custody.unlogged", id)
        raise fault("a partition was put back to an older generation, or its head is gone", "custody.rolled_back", id)

    def stored_head(self, id: PartitionId, name: str) -> Head | None:
        """A head file of a partition, in force or about to be; None where there is none."""
        data = self._beside(id, name)
        if data is None:
            return None
        return self._once(f"{id}/{name}", data, id, lambda record: Head(record["generation"], record["digest"]))

    def write_head(self, partition: Partition, name: str) -> None:
        """Write a head file for a generation."""
        record = {"generation": partition.generation, "digest": partition.digest}
        self._write(self.folder(partition.id) / name, {"object": self.name(partition.id), **record})

    def manifest(self, id: PartitionId, generation: int) -> Partition:
        """The manifest of one generation.

        Raises:
            CustodyError: it is absent (``custody.absent``), does not authenticate (``custody.tampered_manifest``), or
                gives a key to rows that the log saw destroyed (``custody.rolled_back``).
        """
        partition = self.copied(id, generation)
        if self.shared is not None and partition.key.wrapped and self._is_destroyed(id, generation):
            self.shared.renew(id)  # another machine destroyed its rows
            partition = self.copied(id, generation)
        if partition.key.wrapped and self._is_destroyed(id, generation):
            raise fault("a destroyed partition was put back", "custody.rolled_back", id)
        return partition

    def _is_destroyed(self, id: PartitionId, generation: int) -> bool:
        return self.keys.log.destroyed(self.identity(id, generation))

    def copied(self, id: PartitionId, generation: int) -> Partition:
        """The manifest of one generation as it lies in the folder, whatever the log says of its rows."""
        path = generation_folder(self.folder(id), generation) / MANIFEST
        try:
            data = file_bytes(path)
        except OSError as error:
            raise storage_error(error, self.identity(id, generation)) from None
        partition = self._once(f"{id}/{MANIFEST}", data, id, lambda record: Partition.of(id, record))
        if partition.generation != generation:
            raise fault("a manifest belongs to another generation", "custody.tampered_manifest", id)
        return partition

    def write_manifest(self, partition: Partition, folder: Path) -> None:
        """Write the manifest of a generation into its folder."""
        self._write(folder / MANIFEST, partition.record(self.name(partition.id)))

    def read_signed(self, id: PartitionId, name: str) -> dict[str, Any] | None:
        """A signed file beside a partition's heads; None where there is none.

        Raises:
            CustodyError: it does not authenticate (``custody.tampered_manifest``).
        """
        data = self._beside(id, name)
        return None if data is None else self.authentic(data, id)

    def change_signed(
        self, id: PartitionId, name: str, changed: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]
    ) -> None:
        """Change a signed file beside a partition's heads; callers hold a lock on it.

        Args:
            changed: what the file is to say, from what it says (None where there is none).
        """
        if self.shared is not None:
            self.shared.change(id, name, changed)
        else:
            self._write(self.folder(id) / name, {"object": self.name(id), **changed(self.read_signed(id, name))})

    def _write(self, path: Path, record: dict[str, Any]) -> None:
        write_private(path, self.signed(record))

    def signed(self, record: Mapping[str, Any]) -> bytes:
        """A record with its signature, as a file holds it."""
        return json.dumps({**record, "mac": self._mac(record)}, ensure_ascii=False, indent=1).encode()

    def _beside(self, id: PartitionId, name: str) -> bytes | None:
        """A file in a partition's folder; None where there is none."""
        try:
            return file_bytes(f"{self._base}/{id}/{name}")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise storage_error(error, self.name(id)) from None

    def _once(self, place: str, data: bytes, id: PartitionId, made: Callable[[dict[str, Any]], T]) -> T:
        """What a signed file says, authenticated unless the last file that was read in its place was the same."""
        digest = hashlib.sha256(data).digest()
        last, known = self._seen.get(place, (b"", None))
        if last != digest:
            known = made(self.authentic(data, id))
            self._seen[place] = digest, known
        return cast(T, known)

    def authentic(self, data: bytes, id: PartitionId) -> dict[str, Any]:
        """What the bytes of a partition's signed file say; not authentic ones are ``custody.tampered_manifest``."""
        try:
            record: dict[str, Any] = json.loads(data)
            sound = hmac.compare_digest(record.pop("mac"), self._mac(record))
        except (ValueError, KeyError, TypeError, AttributeError):
            sound, record = False, {}
        if not sound or record["object"] != self.name(id):
            raise fault("a manifest does not authenticate", "custody.tampered_manifest", id)
        return record

    def _mac(self, record: Mapping[str, Any]) -> str:
        text = json.dumps(record, sort_keys=True, ensure_ascii=False).encode()
        return hmac.new(self.keys.manifest_key(), text, hashlib.sha256).hexdigest()


def fault(message: str, code: str, id: PartitionId, **more: str | int) -> CustodyError:
    """An error about one partition."""
    return CustodyError(
        message,
        code=code,
        at={**id.at, **more},
        remedy="run `kobe lake verify`, then restore the partition from backup or process its delivery again",
        ja="区画の記録が真正ではありません",
    )
