"""Partitions: one encrypted file per stage, source and month, with generations and an authenticated manifest.

    store/<stage>/<source>/<month>/head.json          which generation is in force (signed)
    store/<stage>/<source>/<month>/g000003/data.parquet
    store/<stage>/<source>/<month>/g000003/manifest.json  rows, columns, digest, facts, the wrapped data key (signed)

A generation is written aside, synced and renamed; then the head is replaced; then the commit enters the log of key use.
A crash at any point leaves the former head in force or the new one. A head that is older than the log's last commit of
that partition was rolled back, and is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from kobe_platform.custody.durable import PRIVATE_FOLDER, locked, sync_file, sync_folder, write_private
from kobe_platform.custody.keys import KEY_BYTES, KeyService, WrappedKey
from kobe_platform.custody.parquet import read_encrypted, scan_encrypted, write_encrypted
from kobe_platform.errors import CustodyError, LakeError

STAGES = ("raw", "abstracted", "lake", "statistics", "published")
KEPT_GENERATIONS = 2


@dataclass(frozen=True)
class PartitionId:
    """Names one partition: ``month`` is YYYY-MM (a yearly statistic stands under the month that closes its year)."""

    stage: str
    source: str
    month: str

    def __str__(self) -> str:
        return f"{self.stage}/{self.source}/{self.month}"


@dataclass(frozen=True)
class Partition:
    """One committed generation, as its authenticated manifest describes it.

    Attributes:
        columns: name → Polars type.
        digest: SHA-256 of the encrypted file.
        facts: counts about how it came to be (never values).
        inputs: what it was made from, name → digest; a re-run with the same inputs may skip.
    """

    id: PartitionId
    generation: int
    rows: int
    columns: Mapping[str, str]
    digest: str
    facts: Mapping
    inputs: Mapping[str, str]
    created_at: str
    key: WrappedKey


@dataclass(frozen=True)
class VerifyReport:
    """Partitions looked at, and what is wrong: (partition, code of the error)."""

    partitions: int
    faults: tuple[tuple[str, str], ...]


class PartitionStore:
    """All partitions of one installation.

    Args:
        root: the folder ``store``.
        keys: who wraps the data keys and signs manifests.
        municipality: part of every file's identity.
        principal: who is acting (kept for callers; the key service logs its own).
    """

    def __init__(self, root: Path, keys: KeyService, *, municipality: str, principal: str = "platform") -> None:
        self.root = root
        self.keys = keys
        self.municipality = municipality
        self.principal = principal

    def write(
        self,
        id: PartitionId,
        frame: pl.DataFrame | pl.LazyFrame,
        *,
        facts: Mapping | None = None,
        inputs: Mapping[str, str] | None = None,
    ) -> Partition:
        """Commit ``frame`` as the partition's next generation and put it in force.

        Raises:
            LakeError: an unknown stage (``lake.stage``).
        """
        if id.stage not in STAGES:
            raise LakeError("there is no such stage", code="lake.stage", at={"stage": id.stage}, remedy="see STAGES")
        folder = self._folder(id)
        with locked(folder / ".lock"):
            generation = max(self._generations(folder), default=0) + 1
            aside = folder / f".g{generation:06d}.new"
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(mode=PRIVATE_FOLDER)
            partition = self._written(id, generation, frame, aside, facts or {}, inputs or {})
            sync_folder(aside)
            aside.rename(folder / f"g{generation:06d}")
            sync_folder(folder)
            self._point(id, partition)
            self.keys.record("commit", self._purpose(id), f"{self._name(id)}/{generation}")
            for old in sorted(self._generations(folder))[:-KEPT_GENERATIONS]:
                shutil.rmtree(folder / f"g{old:06d}", ignore_errors=True)
        return partition

    def current(self, id: PartitionId) -> Partition | None:
        """The generation in force, or None.

        Raises:
            CustodyError: the head or manifest does not authenticate (``custody.tampered_manifest``) or is older than
                the last commit (``custody.rolled_back``).
        """
        # First the log, then the head: a commit in between may put the head ahead of the log, never behind it.
        committed = self.keys.log.committed(self._name(id))
        head_path = self._folder(id) / "head.json"
        if not head_path.exists():
            if committed:
                raise self._fault("the head of a partition is missing", "custody.rolled_back", id)
            return None
        head = self._signed(head_path, id)
        if head["generation"] < committed:
            raise self._fault("a partition was put back to an older generation", "custody.rolled_back", id)
        partition = self._manifest(id, head["generation"])
        if partition.digest != head["digest"]:
            raise self._fault("the manifest is not the one that was put in force", "custody.tampered_manifest", id)
        return partition

    def read(self, id: PartitionId, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows of the partition in force; with ``columns``, nothing else is read or decrypted.

        Raises:
            LakeError: there is none (``lake.absent``). CustodyError: it does not authenticate.
        """
        partition = self._present(id)
        path, key, identity = self._opened(partition)
        return read_encrypted(path, key=key, identity=identity, columns=columns)

    def scan(self, id: PartitionId) -> pl.LazyFrame:
        """A lazy frame over the partition in force (errors as :meth:`read`, those of the bytes when collected)."""
        path, key, identity = self._opened(self._present(id))
        return scan_encrypted(path, key=key, identity=identity)

    def months(self, stage: str, source: str) -> list[str]:
        """Months that have a partition in force, ascending."""
        folder = self.root / stage / source
        return sorted(path.parent.name for path in folder.glob("*/head.json"))

    def sources(self, stage: str) -> list[str]:
        """Sources of a stage that have any partition."""
        return sorted({path.parent.parent.name for path in (self.root / stage).glob("*/*/head.json")})

    def history(self, id: PartitionId) -> list[Partition]:
        """The kept generations, oldest first, the one in force last."""
        return [self._manifest(id, generation) for generation in sorted(self._generations(self._folder(id)))]

    def ids(self) -> Iterator[PartitionId]:
        """Every partition of every stage."""
        for head in sorted(self.root.glob("*/*/*/head.json")):
            month = head.parent
            yield PartitionId(month.parent.parent.name, month.parent.name, month.name)

    def verify(self) -> VerifyReport:
        """Check every kept generation: signatures, digest of the file, its key, and that all of it decrypts."""
        faults: list[tuple[str, str]] = []
        count = 0
        for id in self.ids():
            count += 1
            try:
                self.current(id)
                for partition in self.history(id):
                    path, key, identity = self._opened(partition)
                    if _digest(path) != partition.digest:
                        raise self._fault("a data file was changed", "custody.not_authentic", id)
                    read_encrypted(path, key=key, identity=identity)
            except (CustodyError, LakeError) as error:
                faults.append((str(id), error.code))
        return VerifyReport(count, tuple(faults))

    def rewrap(self, purpose: str) -> int:
        """Wrap the data keys of a purpose anew by its active key: manifests only, resumable; the number rewritten."""
        rewritten = 0
        for id in self.ids():
            if self._purpose(id) != purpose:
                continue
            with locked(self._folder(id) / ".lock"):
                for partition in self.history(id):
                    _, key, identity = self._opened(partition)
                    fresh = self.keys.wrap(purpose, key, identity)
                    if fresh.key_id != partition.key.key_id:
                        path = self._folder(id) / f"g{partition.generation:06d}" / "manifest.json"
                        self._sign(path, self._plain(replace(partition, key=fresh)))
                        rewritten += 1
        return rewritten

    def _written(
        self, id: PartitionId, generation: int, frame, folder: Path, facts: Mapping, inputs: Mapping[str, str]
    ) -> Partition:
        key = secrets.token_bytes(KEY_BYTES)
        identity = f"{self._name(id)}/{generation}"
        path = folder / "data.parquet"
        path.touch(mode=0o600)
        write_encrypted(frame, path, key=key, identity=identity)
        sync_file(path)
        written = scan_encrypted(path, key=key, identity=identity)
        rows = frame.height if isinstance(frame, pl.DataFrame) else written.select(pl.len()).collect().item()
        partition = Partition(
            id=id,
            generation=generation,
            rows=rows,
            columns={name: str(kind) for name, kind in written.collect_schema().items()},
            digest=_digest(path),
            facts=json.loads(json.dumps(facts)),
            inputs=dict(inputs),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            key=self.keys.wrap(self._purpose(id), key, identity),
        )
        self._sign(folder / "manifest.json", self._plain(partition))
        return partition

    def _point(self, id: PartitionId, partition: Partition) -> None:
        self._sign(
            self._folder(id) / "head.json",
            {"object": self._name(id), "generation": partition.generation, "digest": partition.digest},
        )

    def _present(self, id: PartitionId) -> Partition:
        partition = self.current(id)
        if partition is None:
            raise LakeError(
                "there is no such partition",
                code="lake.absent",
                at={"stage": id.stage, "source": id.source, "month": id.month},
                remedy="materialize the asset of this stage for this month first",
                ja="その月の区画はまだありません",
            )
        return partition

    def _opened(self, partition: Partition) -> tuple[Path, bytes, str]:
        identity = f"{self._name(partition.id)}/{partition.generation}"
        key = self.keys.unwrap(self._purpose(partition.id), partition.key, identity)
        return self._folder(partition.id) / f"g{partition.generation:06d}" / "data.parquet", key, identity

    def _manifest(self, id: PartitionId, generation: int) -> Partition:
        record = self._signed(self._folder(id) / f"g{generation:06d}" / "manifest.json", id)
        if record["generation"] != generation:
            raise self._fault("a manifest belongs to another generation", "custody.tampered_manifest", id)
        return Partition(
            id=id,
            generation=generation,
            rows=record["rows"],
            columns=record["columns"],
            digest=record["digest"],
            facts=record["facts"],
            inputs=record["inputs"],
            created_at=record["created_at"],
            key=WrappedKey(**record["key"]),
        )

    def _sign(self, path: Path, record: dict) -> None:
        record = {**record, "mac": self._mac(record)}
        write_private(path, json.dumps(record, ensure_ascii=False, indent=1).encode())

    def _signed(self, path: Path, id: PartitionId) -> dict:
        try:
            record = json.loads(path.read_bytes())
            sound = hmac.compare_digest(record.pop("mac"), self._mac(record))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            sound, record = False, {}
        if not sound or record["object"] != self._name(id):
            raise self._fault("a manifest does not authenticate", "custody.tampered_manifest", id)
        return record

    def _mac(self, record: Mapping) -> str:
        text = json.dumps(record, sort_keys=True, ensure_ascii=False).encode()
        return hmac.new(self.keys.manifest_key(), text, hashlib.sha256).hexdigest()

    def _plain(self, partition: Partition) -> dict:
        return {
            "object": self._name(partition.id),
            "generation": partition.generation,
            "rows": partition.rows,
            "columns": dict(partition.columns),
            "digest": partition.digest,
            "facts": partition.facts,
            "inputs": dict(partition.inputs),
            "created_at": partition.created_at,
            "key": asdict(partition.key),
        }

    def _fault(self, message: str, code: str, id: PartitionId) -> CustodyError:
        return CustodyError(
            message,
            code=code,
            at={"stage": id.stage, "source": id.source, "month": id.month},
            remedy="run `kobe lake verify`, then restore the partition from backup or process its delivery again",
            ja="区画の記録が真正ではありません",
        )

    def _folder(self, id: PartitionId) -> Path:
        return self.root / id.stage / id.source / id.month

    def _name(self, id: PartitionId) -> str:
        return f"{self.municipality}/{id}"

    @staticmethod
    def _purpose(id: PartitionId) -> str:
        return f"data/{id.stage}/{id.source}"

    @staticmethod
    def _generations(folder: Path) -> list[int]:
        return [int(path.name[1:]) for path in folder.glob("g[0-9]*")]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
