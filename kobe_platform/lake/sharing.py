"""Keeps the partitions where several machines share them; the folder ``store`` is then this machine's copy.

    store/STAGE/SOURCE/MONTH/g000003-TOKEN/data.parquet     written once
    store/STAGE/SOURCE/MONTH/g000003-TOKEN/manifest.json    exchanged when its key is wrapped anew, or destroyed
    verdicts/STAGE/SOURCE/MONTH.json                        exchanged with each verdict

The token is random, so two machines that make the same generation at the same time never write the same object. Which
of them is in force says the entry in the log of key use, which names the token, and which only one of them gets; there
is no head among the shared objects. The copy is made from the log's word: manifests when they are asked for, data files
when they are first read. Whatever is in the copy may be deleted.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kobe_platform.custody.durable import (
    PRIVATE_FOLDER,
    file_bytes,
    locked,
    storage_error,
    storage_errors,
    write_private,
)
from kobe_platform.errors import CustodyError
from kobe_platform.lake.manifests import Manifests, fault
from kobe_platform.lake.partitions import (
    DATA_FILE,
    HEAD,
    MANIFEST,
    NEXT_HEAD,
    VERDICTS,
    Partition,
    PartitionId,
    digest,
    generation_folder,
    generations,
)
from kobe_platform.objects import Objects

AT_ONCE = 16
"""Partitions that are copied at the same time."""
ATTEMPTS = 20
"""How often a verdict is written while other machines write theirs."""
GRACE = timedelta(days=1)
"""What a writer has put down without an entry in the log is left to it so long, where rows are to be destroyed."""


class SharedPartitions:
    """The partitions of one installation among the objects that machines share.

    Args:
        manifests: the signed files of this machine's copy.
        objects: what the machines share.
    """

    def __init__(self, manifests: Manifests, objects: Objects) -> None:
        self.manifests = manifests
        self.objects = objects
        self._known: dict[PartitionId, tuple[int, str]] = {}
        self._tags: dict[str, str] = {}
        self._held = threading.local()
        self._synced = -1

    @contextmanager
    def held(self, id: PartitionId) -> Iterator[None]:
        """Within this context the calling thread holds the partition's lock."""
        before = getattr(self._held, "id", None)
        self._held.id = id
        try:
            yield
        finally:
            self._held.id = before

    def bring(self, id: PartitionId) -> None:
        """Make the copy of a partition what the log says is in force.

        Raises:
            CustodyError: the manifest that the log names is not there (``custody.absent``), is not authentic
                (``custody.tampered_manifest``), or the store does not answer.
        """
        wanted = self._in_force(id)
        if wanted[0] == 0 or self._known.get(id) == wanted:
            return
        if getattr(self._held, "id", None) == id:
            self._bring(id, wanted)
            return
        with storage_errors(self.manifests.name(id)), locked(self.manifests.folder(id) / ".lock"), self.held(id):
            self._bring(id, self._in_force(id))

    def renew(self, id: PartitionId) -> None:
        """Copy the manifest in force again: another machine changed it, or the copy is damaged.

        A data file stays in the copy where its bytes are those of the manifest.
        """
        with storage_errors(self.manifests.name(id)), locked(self.manifests.folder(id) / ".lock"), self.held(id):
            self._renew(id)

    def history(self, id: PartitionId) -> None:
        """Have the manifests of all kept generations in the copy; for who holds the lock, as they are now."""
        name, (generation, _) = self.manifests.name(id), self._in_force(id)
        is_held = getattr(self._held, "id", None) == id
        if is_held:
            self._renew(id)
        for number in range(max(generation - 1, 1), generation):
            token = self.manifests.keys.log.token(name, number)
            if token and (is_held or self._token(id, number) != token):
                with suppress(FileNotFoundError):  # pruned
                    self._copy(id, number, token)

    def publish(self, partition: Partition, folder: Path) -> None:
        """Put down what a generation consists of; it counts once the log names its token."""
        place = _place(partition.id, partition.generation, partition.token)
        self.objects.put(f"{place}/{DATA_FILE}", folder / DATA_FILE)
        self.objects.put(f"{place}/{MANIFEST}", file_bytes(folder / MANIFEST))

    def rewrite(self, partition: Partition) -> None:
        """Exchange the manifest of a generation for one that wraps its key otherwise, or has none.

        Raises:
            CustodyError: another machine exchanged it meanwhile (``custody.superseded``).
        """
        name = f"{_place(partition.id, partition.generation, partition.token)}/{MANIFEST}"
        data = self.manifests.signed(partition.record(self.manifests.name(partition.id)))
        tag = self.objects.exchange(name, data, self._tags.get(name, ""))
        if tag is None:
            raise CustodyError(
                "another machine changed this partition meanwhile: what it wrote is in force",
                code="custody.superseded",
                at=partition.id.at,
                remedy="run the step again: it goes on from what is in force now",
                ja="ほかの機械が同じ区画を先に書き込みました",
            )
        self._tags[name] = tag

    def fetch(self, partition: Partition, path: Path) -> None:
        """Have the data file of a generation in the copy.

        Raises:
            CustodyError: there is none (``custody.absent``), or the store does not answer.
        """
        place = _place(partition.id, partition.generation, partition.token)
        aside = path.with_name(f".{secrets.token_hex(8)}.new")
        with storage_errors(self.manifests.identity(partition.id, partition.generation)):
            os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            try:
                if not self.objects.fetch(f"{place}/{DATA_FILE}", aside):
                    raise FileNotFoundError(errno.ENOENT, "")
                os.replace(aside, path)
            finally:
                aside.unlink(missing_ok=True)

    def has_rows(self, partition: Partition) -> bool:
        """Whether the data file of a generation lies among the shared objects."""
        place = _place(partition.id, partition.generation, partition.token)
        return any(one.name == f"{place}/{DATA_FILE}" for one in self.objects.names(place))

    def drop_rows(self, partition: Partition) -> None:
        """Take the data file of a generation away, and what no generation of its partition will ever need."""
        self.objects.remove(f"{_place(partition.id, partition.generation, partition.token)}/{DATA_FILE}")
        self.clear(partition.id, unlogged=True)

    def clear(self, id: PartitionId, *, unlogged: bool = False) -> None:
        """Take away what no kept generation needs: former ones, and those of writers that came second or were killed.

        Args:
            unlogged: also a generation that the log may yet name, when it has lain there for :data:`GRACE`.
        """
        generation, _ = self._in_force(id)
        name, log = self.manifests.name(id), self.manifests.keys.log
        kept = {_place(id, number, log.token(name, number)) for number in (generation - 1, generation)}
        before = datetime.now(UTC) - GRACE
        for one in list(self.objects.names(f"store/{id}")):
            place = one.name.rpartition("/")[0]
            number = int(place.rpartition("/g")[2].partition("-")[0])
            if place not in kept and (number <= generation or (unlogged and one.modified < before)):
                self.objects.remove(one.name)

    def change(
        self, id: PartitionId, name: str, changed: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]
    ) -> None:
        """Change the signed file of a partition's verdicts; callers hold the lock of this machine on it.

        Raises:
            CustodyError: the former one is not authentic, or other machines change it all the time
                (``custody.log_busy``).
        """
        place = _verdicts(id)
        for _ in range(ATTEMPTS):
            found = self.objects.get(place)
            former = None if found is None else self.manifests.authentic(found.data, id)
            data = self.manifests.signed({"object": self.manifests.name(id), **changed(former)})
            tag = self.objects.exchange(place, data, found.tag if found else None)
            if tag is not None:
                self._tags[place] = tag
                write_private(self.manifests.folder(id) / name, data)
                return
        raise CustodyError(
            "other machines write the verdicts of a partition all the time",
            code="custody.log_busy",
            at={**id.at, "attempts": ATTEMPTS},
            remedy="run the step again when less is going on",
            ja="鍵使用記録への書き込みが混み合っています",
        )

    def sync(self) -> None:
        """Have in the copy all that is in force: manifests, heads, verdicts; no data file of destroyed rows."""
        log = self.manifests.keys.log
        log.refresh()
        commits = log.commits()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            if commits != self._synced:
                own = f"{self.manifests.municipality}/"
                named = [name.removeprefix(own) for name in log.partitions() if name.startswith(own)]
                list(pool.map(self.bring, [PartitionId(*name.split("/")) for name in named]))
            changed = [one for one in self.objects.names("verdicts") if self._tags.get(one.name) != one.tag]
            list(pool.map(lambda one: self._copy_verdicts(one.name), changed))
        self._drop_destroyed()
        self._synced = commits

    def fetch_all(self) -> None:
        """Have every data file of the kept generations in the copy, as a backup wants it."""
        self.sync()
        for name in self.manifests.keys.log.partitions():
            id = PartitionId(*name.split("/")[1:])
            self.history(id)
            folder = self.manifests.folder(id)
            for number in generations(folder):
                partition = self.manifests.manifest(id, number)
                path = generation_folder(folder, number) / DATA_FILE
                if not partition.destroyed_at and not path.exists():
                    self.fetch(partition, path)

    def _in_force(self, id: PartitionId) -> tuple[int, str]:
        """Generation and token of what the log saw committed last."""
        name, log = self.manifests.name(id), self.manifests.keys.log
        generation = log.committed(name)
        return generation, log.token(name, generation) if generation else ""

    def _bring(self, id: PartitionId, wanted: tuple[int, str]) -> None:
        generation, token = wanted
        folder = self.manifests.folder(id)
        if self._token(id, generation) != token:
            try:
                self._copy(id, generation, token)
            except FileNotFoundError as error:
                raise storage_error(error, self.manifests.identity(id, generation)) from None
        head = self.manifests.stored_head(id, HEAD)
        if head is None or head.generation != generation:
            self.manifests.write_head(self.manifests.copied(id, generation), HEAD)
        (folder / NEXT_HEAD).unlink(missing_ok=True)
        for number in generations(folder):
            if not generation - 1 <= number <= generation:
                shutil.rmtree(generation_folder(folder, number), ignore_errors=True)
        self._known[id] = wanted

    def _copy(self, id: PartitionId, generation: int, token: str) -> None:
        """Take a generation's manifest over into the copy, in place of what lies there."""
        name = f"{_place(id, generation, token)}/{MANIFEST}"
        found = self.objects.get(name)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "")
        partition = Partition.of(id, self.manifests.authentic(found.data, id))
        if (partition.generation, partition.token) != (generation, token):
            raise fault("a manifest belongs to another generation", "custody.tampered_manifest", id)
        folder = self.manifests.folder(id)
        place = generation_folder(folder, generation)
        if self._token(id, generation) == token:
            write_private(place / MANIFEST, found.data)
            if (place / DATA_FILE).exists() and (
                partition.destroyed_at or digest(place / DATA_FILE) != partition.digest
            ):
                (place / DATA_FILE).unlink()
        else:
            aside = folder / f".g{generation:06d}.new"
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(mode=PRIVATE_FOLDER, parents=True)
            write_private(aside / MANIFEST, found.data)
            shutil.rmtree(place, ignore_errors=True)
            os.rename(aside, place)
        self._tags[name] = found.tag

    def _renew(self, id: PartitionId) -> None:
        """See :meth:`renew`; callers hold the lock."""
        wanted = self._in_force(id)
        self._known.pop(id, None)
        if wanted[0]:
            with suppress(FileNotFoundError):  # `_bring` says so
                self._copy(id, *wanted)
            self._bring(id, wanted)

    def _token(self, id: PartitionId, generation: int) -> str | None:
        """The token of a generation in the copy; None where it is not there, or cannot be read."""
        try:
            data = file_bytes(generation_folder(self.manifests.folder(id), generation) / MANIFEST)
            return str(json.loads(data).get("token", ""))
        except (OSError, ValueError, AttributeError):
            return None

    def _copy_verdicts(self, name: str) -> None:
        stage, source, month = name.removeprefix("verdicts/").removesuffix(".json").split("/")
        id = PartitionId(stage, source, month)
        folder = self.manifests.folder(id)
        with storage_errors(self.manifests.name(id)), locked(folder / ".verdicts.lock"):
            found = self.objects.get(name)
            if found is None:
                return
            self.manifests.authentic(found.data, id)
            write_private(folder / VERDICTS, found.data)
            self._tags[name] = found.tag

    def _drop_destroyed(self) -> None:
        """Take data files of rows that another machine destroyed out of the copy."""
        for identity in self.manifests.keys.log.all_destroyed():
            name, _, number = identity.rpartition("/")
            id = PartitionId(*name.split("/")[1:])
            if (generation_folder(self.manifests.folder(id), int(number)) / DATA_FILE).exists():
                self.renew(id)


def _place(id: PartitionId, generation: int, token: str) -> str:
    return f"store/{id}/g{generation:06d}-{token}"


def _verdicts(id: PartitionId) -> str:
    return f"verdicts/{id}.json"
