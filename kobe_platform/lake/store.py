"""Reads and writes the partitions of the lake: commits a new generation of one, or reads the generation in force.

A partition is the rows of one stage, source and month; each write gives it another generation. A commit is safe against
crashes and is entered into the log of key use (the package's description says how).
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import polars as pl

from kobe_platform.custody.durable import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    clear_asides,
    locked,
    storage_errors,
    sync_file,
    sync_folder,
)
from kobe_platform.custody.parquet import read_columns, read_encrypted, schema_encrypted, write_encrypted
from kobe_platform.custody.service import KEY_BYTES, KeyService, WrappedKey
from kobe_platform.errors import CustodyError, LakeError, PlatformError
from kobe_platform.lake import maintenance
from kobe_platform.lake.diagnosis import diagnosed, other_file
from kobe_platform.lake.manifests import Manifests
from kobe_platform.lake.partitions import (
    DATA_FILE,
    HEAD,
    NEXT_HEAD,
    STAGES,
    Partition,
    PartitionId,
    VerifyReport,
    digest,
    generation_folder,
    generations,
)
from kobe_platform.lake.sharing import SharedPartitions
from kobe_platform.lake.shelf import SteadyShelf
from kobe_platform.objects import Objects

if TYPE_CHECKING:
    import pyarrow as pa

Frame: TypeAlias = "pl.DataFrame | pl.LazyFrame | pa.Table"
Read = TypeVar("Read")

KEPT_GENERATIONS = 2
READ_ATTEMPTS = 4
"""How often a read is tried when newer commits remove the generation that is being read."""


class PartitionStore:
    """All partitions of one installation.

    Args:
        root: the folder ``store``.
        keys: the key service, which wraps data keys and signs manifests.
        municipality: part of every file's identity.
        principal: who is acting (for callers; the key service logs its own).
        objects: what machines share (:mod:`kobe_platform.lake.sharing`), as the key service shares its log there; None
            where the folder is all there is.
    """

    def __init__(
        self,
        root: Path,
        keys: KeyService,
        *,
        municipality: str,
        principal: str = "platform",
        objects: Objects | None = None,
    ) -> None:
        self.root = root
        self.keys = keys
        self.municipality = municipality
        self.principal = principal
        self.manifests = Manifests(root, keys, municipality)
        self.shared = SharedPartitions(self.manifests, objects) if objects is not None else None
        self.manifests.shared = self.shared
        self._steady: tuple[int, SteadyShelf[Partition]] | None = None

    def write(
        self,
        id: PartitionId,
        frame: Frame,
        *,
        facts: Mapping[str, Any] | None = None,
        inputs: Mapping[str, str] | None = None,
    ) -> Partition:
        """Commit ``frame`` as the partition's next generation and put it in force.

        Raises:
            LakeError: an unknown stage (``lake.stage``). CustodyError: a full disk (``custody.disk_full``), no
                permission …: the previous generation stays in force.
        """
        if id.stage not in STAGES:
            raise LakeError("there is no such stage", code="lake.stage", at={"stage": id.stage}, remedy="see STAGES")
        with self.holding(id):
            try:
                return self._committed(id, frame, facts or {}, inputs or {})
            except BaseException:
                with contextlib.suppress(PlatformError, OSError):
                    self._settle(id)
                raise

    @contextlib.contextmanager
    def holding(self, id: PartitionId) -> Iterator[None]:
        """Lock a partition against other writers, then finish or undo a commit that a crash interrupted."""
        with contextlib.ExitStack() as held:
            held.enter_context(storage_errors(self.manifests.name(id)))
            held.enter_context(locked(self.manifests.folder(id) / ".lock"))
            if self.shared is not None:
                held.enter_context(self.shared.held(id))
            self._settle(id)
            yield

    def current(self, id: PartitionId) -> Partition | None:
        """The generation in force, or None.

        Raises:
            CustodyError: the head or manifest does not authenticate (``custody.tampered_manifest``), is older than
                the last commit (``custody.rolled_back``), or the log is older (``custody.unlogged``).
        """
        return self.manifests.in_force(id)

    def steady(self) -> SteadyShelf[Partition]:
        """What is in force, each partition read once: the same shelf as long as the log saw no further commit.

        Pages and the release that is made of them ask for every published partition of ten years one after the other.
        """
        commits = self.keys.log.commits()
        if self._steady is None or self._steady[0] != commits:
            self._steady = commits, SteadyShelf(self)
        return self._steady[1]

    def settled(self, id: PartitionId) -> Partition | None:
        """As :meth:`current`, but first finish or undo a commit that a crash interrupted."""
        folder = self.manifests.folder(id)
        if folder.is_dir() and any(_left_behind(path.name) for path in folder.iterdir()):
            with self.holding(id):
                pass
        return self.current(id)

    def read(self, id: PartitionId, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows of the partition in force; with ``columns``, nothing else is read or decrypted (else as `query`)."""
        return self.query(id, lambda frame: frame if columns is None else frame.select(list(columns)))

    def query(self, id: PartitionId, build: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
        """The result of the query ``build`` over the rows in force; only the columns that it needs are decrypted.

        Raises:
            LakeError: there is none (``lake.absent``), its rows were destroyed (``lake.destroyed``), or the query
                itself fails (``lake.query``). CustodyError: the file is damaged or does not open, see
                :func:`~kobe_platform.lake.diagnosis.diagnosed`.
        """
        return self._read_in_force(id, lambda partition: self.collected(partition, build))

    def columns(self, id: PartitionId) -> pa.Table:
        """All rows in force, one array a column, by dictionary where it was written so; errors as :meth:`query`."""

        def read(partition: Partition) -> pa.Table:
            return self._opened(partition, self.keys.unwrap(*self._locked_by(partition)), read_columns)

        return self._read_in_force(id, read)

    def _read_in_force(self, id: PartitionId, read: Callable[[Partition], Read]) -> Read:
        """What is read of a generation; where newer commits removed it, of the one that is then in force."""
        partition = self.present(id)
        for attempt in range(READ_ATTEMPTS):
            try:
                return read(partition)
            except CustodyError:
                renewed = attempt == 0 and self.look_again(id)
                now = self.present(id)
                if (now == partition and not renewed) or attempt == READ_ATTEMPTS - 1:
                    raise
                partition = now
        raise AssertionError("unreachable")

    def read_all(self, ids: Sequence[PartitionId]) -> list[pl.DataFrame]:
        """The rows of several partitions in force, all in memory at once; errors as :meth:`query`.

        Each use of a key has its entry in the log, and the log is synced once.
        """
        partitions = [self.present(id) for id in ids]
        try:
            keys = self.keys.unwrap_all([self._locked_by(partition) for partition in partitions])
        except CustodyError:
            if self.shared is None:
                raise
            return [self.read(id) for id in ids]  # another machine may have rotated a key
        return [self._rows(partition, key) for partition, key in zip(partitions, keys, strict=True)]

    def _rows(self, partition: Partition, key: bytes) -> pl.DataFrame:
        """All rows of a generation; where newer commits removed it, those of the one that is now in force."""
        try:
            return self._decrypted(partition, key, lambda frame: frame)
        except CustodyError:
            if self.shared is None and self.present(partition.id) == partition:
                raise
            return self.read(partition.id)

    def present(self, id: PartitionId) -> Partition:
        """:meth:`current`, where there must be one.

        Raises:
            LakeError: nothing was committed there yet.
        """
        partition = self.current(id)
        if partition is None:
            raise LakeError(
                "there is no such partition",
                code="lake.absent",
                at=id.at,
                remedy="materialize the asset of this stage for this month first",
                ja="その月の区画はまだありません",
            )
        return partition

    def months(self, stage: str, source: str) -> list[str]:
        """Months that have a partition in force, ascending."""
        return [id.month for id in self._found(stage, source)]

    def sources(self, stage: str) -> list[str]:
        """Sources of a stage that have any partition."""
        return sorted({id.source for id in self._found(stage)})

    def ids(self) -> Iterator[PartitionId]:
        """Every partition of every stage."""
        yield from self._found()

    def history(self, id: PartitionId) -> list[Partition]:
        """The kept generations, oldest first, the one in force last; none that never came into force."""
        head = self.manifests.head(id)
        if head is None:
            return []
        if self.shared is not None:
            self.shared.history(id)
        held = generations(self.manifests.folder(id))
        return [self.manifests.manifest(id, number) for number in held if number <= head.generation]

    def verify(self) -> VerifyReport:
        """Check every kept generation: signatures, digest of the file, its key, and that all of it decrypts."""
        return maintenance.verify(self)

    def rewrap(self, purpose: str) -> int:
        """Wrap the data keys of a purpose with its active key: manifests only, resumable; returns how many."""
        return maintenance.rewrap(self, purpose)

    def collected(
        self, partition: Partition, build: Callable[[pl.LazyFrame], pl.LazyFrame] = lambda frame: frame
    ) -> pl.DataFrame:
        """The result of the query ``build`` over one generation; errors as :meth:`query`."""
        return self._decrypted(partition, self.keys.unwrap(*self._locked_by(partition)), build)

    def _locked_by(self, partition: Partition) -> tuple[str, WrappedKey, str]:
        """Purpose, wrapped key and identity of a generation's file."""
        if partition.destroyed_at:
            raise LakeError(
                "the rows of this partition were destroyed when their time was over",
                code="lake.destroyed",
                at=partition.id.at,
                remedy="materialize its raw asset again while the delivery lies in the inbox, or ask for it again",
                ja="保存期間が過ぎたため、この区画のデータは廃棄されています",
            )
        identity = self.manifests.identity(partition.id, partition.generation)
        return partition.id.purpose, partition.key, identity

    def _decrypted(
        self, partition: Partition, key: bytes, build: Callable[[pl.LazyFrame], pl.LazyFrame]
    ) -> pl.DataFrame:
        def read(path: Path, *, key: bytes, identity: str) -> pl.DataFrame:
            return read_encrypted(path, key=key, identity=identity, build=build)

        return self._opened(partition, key, read)

    def _opened(self, partition: Partition, key: bytes, read: Callable[..., Read]) -> Read:
        """What ``read`` makes of a generation's file, its key and its identity."""
        identity = self.manifests.identity(partition.id, partition.generation)
        try:
            with storage_errors(identity):
                return read(self._rows_file(partition), key=key, identity=identity)
        except pl.exceptions.PolarsError as error:
            raise diagnosed(self, partition, key, error) from None

    def data_file(self, partition: Partition) -> Path:
        """Where the encrypted rows of a generation lie."""
        return generation_folder(self.manifests.folder(partition.id), partition.generation) / DATA_FILE

    def _rows_file(self, partition: Partition) -> Path:
        """:meth:`data_file`, which is copied here first where machines share it; a damaged one is not kept."""
        path = self.data_file(partition)
        if self.shared is not None and not path.exists():
            self.shared.fetch(partition, path)
            changed = other_file(self, partition, path)
            if changed is not None:
                path.unlink()
                raise changed
        return path

    def look_again(self, id: PartitionId) -> bool:
        """Take over what other machines changed of a partition; False where there are none that could have."""
        if self.shared is not None:
            self.shared.renew(id)
        return self.shared is not None

    def leave_rows(self, partition: Partition) -> None:
        """Take a data file out of this machine's copy; nothing where the folder is all there is."""
        if self.shared is not None:
            self.data_file(partition).unlink(missing_ok=True)

    def rewrite(self, partition: Partition) -> None:
        """Put another manifest of a generation in the place of the former; callers hold the partition."""
        if self.shared is not None:
            self.shared.rewrite(partition)
        folder = generation_folder(self.manifests.folder(partition.id), partition.generation)
        self.manifests.write_manifest(partition, folder)

    def has_rows(self, partition: Partition) -> bool:
        """Whether there is a data file of a generation."""
        if self.data_file(partition).exists():
            return True
        return self.shared is not None and self.shared.has_rows(partition)

    def drop_rows(self, partition: Partition) -> None:
        """Take the data file of a generation away; callers hold the partition."""
        if self.shared is not None:
            self.shared.drop_rows(partition)
        path = self.data_file(partition)
        path.unlink(missing_ok=True)
        sync_folder(path.parent)

    def _committed(
        self, id: PartitionId, frame: Frame, facts: Mapping[str, Any], inputs: Mapping[str, str]
    ) -> Partition:
        folder = self.manifests.folder(id)
        generation = self.keys.log.committed(self.manifests.name(id)) + 1
        aside = folder / f".g{generation:06d}.new"
        aside.mkdir(mode=PRIVATE_FOLDER)
        partition = self._written(id, generation, frame, aside, facts, inputs)
        sync_folder(aside)
        os.rename(aside, generation_folder(folder, generation))
        sync_folder(folder)
        if self.shared is not None:
            self.shared.publish(partition, generation_folder(folder, generation))
        self.manifests.write_head(partition, NEXT_HEAD)
        self.keys.record("commit", id.purpose, self.manifests.identity(id, generation), partition.token)
        self._put_in_force(folder)
        with contextlib.suppress(OSError, PlatformError):  # the commit is in force; the next one tries this again
            self._prune(folder)
            if self.shared is not None:
                self.shared.clear(id)
        return partition

    def _written(
        self,
        id: PartitionId,
        generation: int,
        frame: Frame,
        folder: Path,
        facts: Mapping[str, Any],
        inputs: Mapping[str, str],
    ) -> Partition:
        key = secrets.token_bytes(KEY_BYTES)
        identity = self.manifests.identity(id, generation)
        path = folder / DATA_FILE
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
        write_encrypted(frame, path, key=key, identity=identity)
        sync_file(path)
        columns, rows = schema_encrypted(path, key=key, identity=identity)
        partition = Partition(
            id=id,
            generation=generation,
            rows=rows,
            columns=columns,
            digest=digest(path),
            size=path.stat().st_size,
            facts=json.loads(json.dumps(facts)),
            inputs=dict(inputs),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            key=self.keys.wrap(id.purpose, key, identity),
            token=secrets.token_hex(8) if self.shared is not None else "",
        )
        self.manifests.write_manifest(partition, folder)
        return partition

    def _settle(self, id: PartitionId) -> None:
        """Finish a commit that has its entry in the log, and delete generations that never came into force."""
        folder = self.manifests.folder(id)
        self.keys.log.settle()
        if self.shared is not None:
            self.shared.bring(id)
        head = self.manifests.head(id)
        following = self.manifests.stored_head(id, NEXT_HEAD)
        if following is not None and following == head != self.manifests.stored_head(id, HEAD):
            self._put_in_force(folder)
        (folder / NEXT_HEAD).unlink(missing_ok=True)
        for place in (folder, *(generation_folder(folder, number) for number in generations(folder))):
            clear_asides(place)
        committed = head.generation if head else 0
        unfinished = [generation_folder(folder, number) for number in generations(folder) if number > committed]
        for leftover in (*unfinished, *folder.glob(".g*")):
            shutil.rmtree(leftover, ignore_errors=True)

    def _put_in_force(self, folder: Path) -> None:
        os.replace(folder / NEXT_HEAD, folder / HEAD)
        sync_folder(folder)

    def _prune(self, folder: Path) -> None:
        for old in generations(folder)[:-KEPT_GENERATIONS]:
            gone = folder / f".g{old:06d}.gone"
            os.rename(generation_folder(folder, old), gone)
            shutil.rmtree(gone, ignore_errors=True)

    def _found(self, stage: str = "", source: str = "") -> Iterator[PartitionId]:
        """Partitions in force, ascending; a first commit whose heads a crash left counts too.

        One whose commit is in the log but which is gone is among them: reading it raises ``custody.rolled_back``.
        """
        logged = {place.partition("/")[2]: months for place, months in self._logged().items()}
        places = {f"{one}/{name}" for one in _folders(self.root, stage) for name in _folders(self.root / one, source)}
        wanted = {place for place in logged if place.startswith(f"{stage}/" if stage else "")}
        wanted = {place for place in wanted if not source or place.endswith(f"/{source}")}
        for place in sorted(places | wanted):
            told = logged.get(place, set())
            of_stage, _, name = place.partition("/")
            for month in sorted(told | set(_folders(self.root / place))):
                id = PartitionId(of_stage, name, month)
                if month in told or self._begun(id):
                    yield id

    def _logged(self) -> dict[str, set[str]]:
        own = f"{self.municipality}/"
        return {place: months for place, months in self.keys.log.places().items() if place.startswith(own)}

    def _begun(self, id: PartitionId) -> bool:
        """Whether a partition without an entry in the log has a head (it was put back) or a commit to be finished."""
        folder = self.manifests.folder(id)
        return (folder / HEAD).exists() or ((folder / NEXT_HEAD).exists() and self.manifests.head(id) is not None)


def _folders(place: Path, only: str = "") -> list[str]:
    """Names of the folders in a folder, or the one that is asked for."""
    if only:
        return [only] if (place / only).is_dir() else []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(place) as found:
        return [entry.name for entry in found if not entry.name.startswith(".") and entry.is_dir()]
    return []


def _left_behind(name: str) -> bool:
    """Whether a file in a partition's folder exists only between the steps of a commit."""
    return name == NEXT_HEAD or name.startswith(".g") or (name.startswith(".") and name.endswith(".new"))
