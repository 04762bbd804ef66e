"""Keeps snapshots in a folder or an S3 bucket: each content once, under a name that says nothing without the key.

    vault.json           what the vault is, and a value that only its key opens
    objects/ab/abcd…     one content, sealed or as it is
    snapshots/ID.json    one snapshot, sealed or as it is: every file's path, size, mode, digest and object

An object is written before the snapshot that names it, so a backup that is killed leaves objects that nothing names:
the next one uses them, or pruning takes them away.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from kobe_platform.backup.sealing import CHUNK, Seal, damaged
from kobe_platform.custody.durable import PRIVATE_FILE, private_folder, storage_errors, sync_file, sync_folder
from kobe_platform.errors import CustodyError

VERSION = 1
ABOUT, OBJECTS, SNAPSHOTS = "vault.json", "objects", "snapshots"
_ID = re.compile(r"^\d{8}T\d{6}Z-[0-9a-f]{6}$")
_CHECK = b"this key opens this vault"


@dataclass(frozen=True)
class Kept:
    """One file of a snapshot.

    Attributes:
        path: in the home, with ``/``.
        size, mode: bytes, permissions.
        digest: SHA-256 of its content.
        object: name of the object that holds it.
        seen: inode and time of change when its digest was worked out: the same again needs no reading.
    """

    path: str
    size: int
    mode: int
    digest: str
    object: str
    seen: tuple[int, int]


@dataclass(frozen=True)
class Snapshot:
    """What a home was at one moment.

    Attributes:
        id: when it was taken, and some random digits.
        taken_at: UTC, ISO 8601.
        anchor: ``SEQ:HASH`` of the last entry of the log of key use.
        has_keys: whether the key store is among the files.
        elsewhere: what the installation kept in other places.
        files, links: what there was; link → where it points.
    """

    id: str
    taken_at: str
    anchor: str
    has_keys: bool
    elsewhere: tuple[str, ...]
    files: tuple[Kept, ...]
    links: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


class Place(Protocol):
    """Where a vault lies: named blobs, written whole or not at all."""

    def names(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Names below a prefix, and when each was written."""

    def has(self, name: str) -> bool: ...

    def write(self, name: str, pieces: Iterable[bytes]) -> None: ...

    def read(self, name: str) -> Iterator[bytes]:
        """The blob's bytes; FileNotFoundError where there is none."""

    def remove(self, name: str) -> None: ...


class Folder:
    """A vault's place in a folder (0700, files 0600)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """See :class:`Place`."""
        for path in sorted((self.root / prefix).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(self.root).as_posix(), datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def has(self, name: str) -> bool:
        """See :class:`Place`."""
        return (self.root / name).is_file()

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """See :class:`Place`; on the disk when it returns."""
        path = self.root / name
        private_folder(path.parent)
        aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)

    def read(self, name: str) -> Iterator[bytes]:
        """See :class:`Place`."""
        with (self.root / name).open("rb") as file:
            yield from iter(lambda: file.read(CHUNK), b"")

    def remove(self, name: str) -> None:
        """See :class:`Place`."""
        (self.root / name).unlink(missing_ok=True)


class Bucket:
    """A vault's place in S3, or what speaks as S3 does (``s3://BUCKET/PREFIX?endpoint_override=HOST:PORT``).

    Credentials and region are found as the AWS tools find them.
    """

    def __init__(self, url: str) -> None:
        from pyarrow.fs import FileSystem

        self._files, self._prefix = FileSystem.from_uri(url)

    def names(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """See :class:`Place`."""
        from pyarrow.fs import FileSelector

        chosen = FileSelector(f"{self._prefix}/{prefix}", recursive=True, allow_not_found=True)
        for info in sorted(self._files.get_file_info(chosen), key=lambda info: info.path):
            if info.is_file:
                yield info.path[len(self._prefix) + 1 :], info.mtime

    def has(self, name: str) -> bool:
        """See :class:`Place`."""
        return bool(self._files.get_file_info(f"{self._prefix}/{name}").is_file)

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """See :class:`Place`; S3 shows a blob when all of it has come."""
        with self._files.open_output_stream(f"{self._prefix}/{name}") as file:
            for piece in pieces:
                file.write(piece)

    def read(self, name: str) -> Iterator[bytes]:
        """See :class:`Place`."""
        with self._files.open_input_stream(f"{self._prefix}/{name}") as file:
            while piece := file.read(CHUNK):
                yield piece

    def remove(self, name: str) -> None:
        """See :class:`Place`."""
        self._files.delete_file(f"{self._prefix}/{name}")


def place_of(url: str) -> Place:
    """The place that a folder's path or an ``s3://`` address names."""
    return Bucket(url) if url.startswith("s3://") else Folder(Path(url))


class Vault:
    """All snapshots of one installation in one place.

    Args:
        place: where.
        seal: with the vault's key; None for a vault that is not sealed.
        create: whether an empty place becomes a vault.

    Raises:
        CustodyError: there is no vault (``backup.no_vault``), or it is sealed with another key, or sealed although no
            key was given, or the other way round (``backup.wrong_key``).
    """

    def __init__(self, place: Place, seal: Seal | None, *, create: bool = False) -> None:
        self.place, self.seal = place, seal
        with storage_errors("backup"):
            if not place.has(ABOUT):
                if not create or next(place.names(""), None) is not None:
                    raise _no_vault()
                self._found()
            self._check()

    def _found(self) -> None:
        check = b"".join(self.seal.sealed(ABOUT, [_CHECK])).hex() if self.seal else ""
        about = {"version": VERSION, "sealed": self.seal is not None, "check": check}
        self.place.write(ABOUT, [json.dumps(about, indent=1).encode()])

    def _check(self) -> None:
        about = json.loads(b"".join(self.place.read(ABOUT)))
        if about["version"] != VERSION:
            raise _no_vault()
        if about["sealed"] != (self.seal is not None):
            raise _wrong_key(about["sealed"])
        if self.seal is not None:
            try:
                list(self.seal.opened(ABOUT, [bytes.fromhex(about["check"])]))
            except CustodyError:
                raise _wrong_key(True) from None

    def ids(self) -> list[str]:
        """Snapshots, oldest first."""
        names = [PurePosixPath(name).stem for name, _ in self.place.names(SNAPSHOTS)]
        return sorted(names)

    def snapshot(self, id: str = "") -> Snapshot:
        """A snapshot, by default the newest.

        Raises:
            CustodyError: there is none (``backup.no_snapshot``), or it is damaged (``backup.damaged``).
        """
        known = self.ids()
        id = id or (known[-1] if known else "")
        if id not in known:
            raise CustodyError(
                "there is no such snapshot",
                code="backup.no_snapshot",
                at={"snapshot": id or "none"},
                remedy="see `kobe backup list`",
                ja="そのバックアップはありません",
            )
        name = f"{SNAPSHOTS}/{id}.json"
        try:
            told = json.loads(b"".join(self._opened(name)))
            digest = told.pop("digest")
            if digest != _digest(told):
                raise ValueError
            files = tuple(Kept(**{**file, "seen": tuple(file["seen"])}) for file in told.pop("files"))
            return Snapshot(**{**told, "files": files, "elsewhere": tuple(told["elsewhere"])})
        except (ValueError, KeyError, TypeError):
            raise damaged(name) from None

    def put_snapshot(self, snapshot: Snapshot) -> None:
        """Enter a snapshot all of whose objects are there."""
        told = json.loads(json.dumps(asdict(snapshot)))
        self._write(f"{SNAPSHOTS}/{snapshot.id}.json", [json.dumps({**told, "digest": _digest(told)}).encode()])

    def put(self, path: Path, digest: str) -> str:
        """Keep the content of a file, unless it is kept already; the object's name."""
        name = self.object_name(digest)
        if not self.place.has(name):
            self._write(name, _pieces(path))
        return name

    def object_name(self, digest: str) -> str:
        """Where a content lies, by its SHA-256."""
        name = self.seal.name(digest) if self.seal else digest
        return f"{OBJECTS}/{name[:2]}/{name}"

    def content(self, file: Kept) -> Iterator[bytes]:
        """A file's content in pieces; the last comes only where all of it is what was put there.

        Raises:
            CustodyError: ``backup.damaged``.
        """
        sofar, size, held = hashlib.sha256(), 0, b""
        for piece in self._opened(file.object):
            if held:
                yield held
            sofar.update(piece)
            size, held = size + len(piece), piece
        if (sofar.hexdigest(), size) != (file.digest, file.size):
            raise damaged(file.object)
        if held:
            yield held

    def prune(self, keep: int, grace: timedelta) -> tuple[list[str], int]:
        """Take away all snapshots but the newest ``keep``, and objects that none names.

        Args:
            grace: objects younger than this stay: a backup that is under way has not named them yet.

        Returns:
            Ids of the snapshots, and how many objects went.
        """
        gone = self.ids()[: -max(keep, 1)]
        for id in gone:
            self.place.remove(f"{SNAPSHOTS}/{id}.json")
        named = {file.object for id in self.ids() for file in self.snapshot(id).files}
        before = datetime.now(UTC) - grace
        unnamed = [name for name, written in self.place.names(OBJECTS) if name not in named and written < before]
        for name in unnamed:
            self.place.remove(name)
        return gone, len(unnamed)

    def _write(self, name: str, pieces: Iterable[bytes]) -> None:
        self.place.write(name, self.seal.sealed(name, pieces) if self.seal else pieces)

    def _opened(self, name: str) -> Iterator[bytes]:
        try:
            stored = self.place.read(name)
            yield from self.seal.opened(name, stored) if self.seal else stored
        except FileNotFoundError:
            raise damaged(name) from None


def store_file(vault: Vault, folder: Path, path: Path, former: Mapping[str, Kept]) -> Kept:
    """Keep one file of a captured home; one that the former snapshot has seen as it is, is not read again.

    Args:
        folder: of the captured home.
        former: path → file, of the former snapshot.
    """
    status, name = path.stat(), path.relative_to(folder).as_posix()
    seen = (status.st_ino, status.st_mtime_ns)
    known = former.get(name)
    is_known = known is not None and (known.seen, known.size) == (seen, status.st_size)
    digest = known.digest if is_known and known else _digest_of(path)
    kept = vault.put(path, digest)
    return Kept(name, status.st_size, status.st_mode & 0o777, digest, kept, seen)


def restore_file(vault: Vault, file: Kept, target: Path) -> None:
    """Write a kept file to a path where there is none, onto the disk, with its mode."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as out:
        for piece in vault.content(file):
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    target.chmod(file.mode)
    sync_file(target)


def newest_of(place: Place) -> datetime | None:
    """When the newest snapshot of a place was taken, which needs no key; None where there is none."""
    stems = [PurePosixPath(name).stem for name, _ in place.names(SNAPSHOTS)]
    stamps = [stem.partition("Z-")[0] for stem in stems if _ID.match(stem)]
    return datetime.strptime(max(stamps), "%Y%m%dT%H%M%S").replace(tzinfo=UTC) if stamps else None


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(CHUNK), b"")


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _no_vault() -> CustodyError:
    return CustodyError(
        "there is no backup of this platform, and the place is not an empty one",
        code="backup.no_vault",
        remedy="name the place that `kobe backup --to` was given, or an empty one for a new backup",
        ja="バックアップの場所ではありません",
    )


def _wrong_key(sealed: bool) -> CustodyError:
    return CustodyError(
        "the vault is sealed with another key" if sealed else "the vault is not sealed",
        code="backup.wrong_key",
        remedy="give --key with the file that the first backup was given" if sealed else "leave --key out",
        ja="バックアップの鍵が違います",
    )
