"""Finds the deliveries in the inbox, and verifies them against their manifests.

A delivery is a folder ``MUNICIPALITY/SOURCE/YYYY-MM/`` with data files and, written last, ``manifest.json``. The
platform only reads it and takes nothing in it for granted: a manifest may be broken, and the share may go away.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kobe_platform.contracts import Contract
from kobe_platform.errors import ConfigurationError
from kobe_platform.intake.manifest import LARGEST_MANIFEST, MANIFEST, SOURCE, Manifest, ManifestFile, parsed
from kobe_platform.vocabulary import months
from kobe_platform.vocabulary.rules import rejection

LARGEST_DELIVERY = 8 << 30
"""Bytes of all files of a delivery: each is read whole, and verified before anything is parsed."""
_NOT_PLAIN = {errno.EISDIR, errno.ELOOP, errno.ENXIO}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_UNREADABLE = _NOT_PLAIN | _FORBIDDEN
"""Errors of a file that is there but cannot be read. Any other error means that it, or the share, has gone away."""
ON_DISK = ("file.missing", "file.plain", "file.forbidden", "file.bytes", "file.hash")
"""Rules that judge files as they lie there: other files under the same manifest are looked at again."""
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
_SETTLED = 3_000_000_000
"""Nanoseconds: a file changed more recently could change again without a new time (some shares keep whole seconds)."""


@dataclass(frozen=True)
class Delivery:
    """One delivery in the inbox.

    Attributes:
        municipality, source, month: as the folder names them.
        kind: as the manifest names it; empty where the manifest cannot be read.
        content_hash: SHA-256 over what the delivery holds: the same content sent again has the same.
        path: its folder.
        manifest: None where it cannot be read; :func:`verify` then rejects the delivery.
        fault: why it cannot be read: the key and the kind of fault, or what the file is; never what it holds.
    """

    municipality: str
    source: str
    month: str
    kind: str
    content_hash: str
    path: Path
    manifest: Manifest | None
    fault: str = ""

    @property
    def name(self) -> str:
        """Coordinates for errors: ``source/month``."""
        return f"{self.source}/{self.month}"

    @property
    def at(self) -> dict[str, str]:
        """Coordinates that every error about this delivery starts with."""
        return {"delivery": self.name}


class _Seen(NamedTuple):
    """A delivery and the state of its manifest's file when it was read; an empty state: read it again next time."""

    state: tuple[int, ...]
    delivery: Delivery


_seen: dict[str, dict[str, _Seen]] = {}
"""What :func:`find` read last in this process, by the folder of the source and the month."""
_MOST_FOLDERS = 256


def find(inbox: Path, contracts: Mapping[str, Contract], municipality: str) -> list[Delivery]:
    """Every delivery of the contracted sources that has its manifest, by source and month.

    Reads manifests only, and in one process each of them once as long as its file does not change. A folder without a
    manifest is still being uploaded and waits (quirk 26), also when the manifest goes away while it is read. A broken
    manifest is listed, so that it gets its rejection.

    Raises:
        ConfigurationError: a source's folder is there and cannot be listed.
    """
    found: list[Delivery] = []
    for source in sorted(contracts):
        folder = str(Path(inbox) / municipality / source)
        before, now = _seen.get(folder, {}), {}
        for month in _listed(folder, source):
            if months.is_month(month) and (seen := _look(folder, municipality, source, month, before.get(month))):
                now[month] = seen
                found.append(seen.delivery)
        if len(_seen) >= _MOST_FOLDERS:
            _seen.clear()
        _seen[folder] = now
    return found


def find_one(inbox: Path, municipality: str, source: str, month: str) -> Delivery | None:
    """The delivery of one source and month as it lies there now; None where there is none.

    Reads its manifest and opens no other folder.
    """
    if not (SOURCE.fullmatch(source) and months.is_month(month)):
        return None
    seen = _look(str(Path(inbox) / municipality / source), municipality, source, month)
    return seen.delivery if seen else None


def _listed(folder: str, source: str) -> list[str]:
    try:
        return names_in(folder)
    except OSError as error:
        raise _away(error, source=source) from None


def _away(error: OSError, **at: str) -> ConfigurationError:
    return ConfigurationError(
        "the inbox cannot be read",
        code="inbox.share",
        at={**at, "errno": errno.errorcode.get(error.errno or 0, "unknown")},
        remedy="check that the share (KOBE_INBOX) is mounted and that the platform may read it, then run again",
        ja="受信箱を読めません。共有フォルダの接続と権限を確認してください",
    )


def names_in(folder: Path | str) -> list[str]:
    """Names in a folder, sorted; empty where there is no such folder."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _look(folder: str, municipality: str, source: str, month: str, before: _Seen | None = None) -> _Seen | None:
    """A delivery by its manifest, which is read only if its file changed since ``before``; None without a manifest."""
    path = f"{folder}/{month}/{MANIFEST}"
    try:
        if before and before.state == _state(os.stat(path)):
            return before
        raw, info = _read(path)
    except OSError as error:
        if error.errno not in _UNREADABLE:
            return None
        digest = hashlib.sha256(f"{MANIFEST} {errno.errorcode[error.errno]}".encode()).hexdigest()
        fault = "may_not_be_read" if error.errno in _FORBIDDEN else "not_a_plain_file"
        return _Seen((), Delivery(municipality, source, month, "", digest, Path(folder, month), None, fault))
    settled = time.time_ns() - max(info.st_mtime_ns, info.st_ctime_ns) > _SETTLED
    return _Seen(_state(info) if settled else (), _delivery(raw, Path(folder, month), municipality, source))


def _state(info: os.stat_result) -> tuple[int, ...]:
    return (info.st_dev, info.st_ino, info.st_mtime_ns, info.st_ctime_ns, info.st_size)


@contextmanager
def _opened(path: Path | str) -> Iterator[tuple[int, os.stat_result]]:
    """A plain file of a delivery's folder and what it is now.

    It follows no link, neither the file nor its folder, and does not wait for the writer of a pipe.

    Raises:
        OSError: ``EISDIR`` where it is no plain file, ``ELOOP`` where it or its folder is a link.
    """
    if os.path.islink(os.path.dirname(path)):
        raise OSError(errno.ELOOP, "the folder is a link")
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            raise IsADirectoryError(errno.EISDIR, "not a file")
        yield handle, info
    finally:
        os.close(handle)


def _read(path: str) -> tuple[bytes, os.stat_result]:
    """A manifest's bytes, at most one more than :data:`LARGEST_MANIFEST`."""
    with _opened(path) as (handle, info):
        raw, room = b"", min(info.st_size, LARGEST_MANIFEST) + 1  # no more room than a file of its size needs
        while len(raw) <= LARGEST_MANIFEST and (more := os.read(handle, min(room, LARGEST_MANIFEST + 1 - len(raw)))):
            raw += more
        return raw, info


def _delivery(raw: bytes, path: Path, municipality: str, source: str) -> Delivery:
    manifest = parsed(raw)
    if isinstance(manifest, str):
        return Delivery(municipality, source, path.name, "", hashlib.sha256(raw).hexdigest(), path, None, manifest)
    said = [manifest.municipality, manifest.source, manifest.month, manifest.kind, manifest.encoding, manifest.layout]
    content = [said, manifest.sequence, [[f.name, f.rows, f.bytes, f.sha256.lower()] for f in manifest.files]]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return Delivery(municipality, source, path.name, manifest.kind, digest, path, manifest)


def verify(delivery: Delivery, contract: Contract, *, previous_sequence: int | None = None) -> None:
    """Refuses a delivery whose manifest or files are not what they should be.

    Args:
        previous_sequence: sequence of the delivery before a difference, where one is known (see
            :func:`previous_sequence`): a difference must follow it without a gap (quirk 24).

    Raises:
        DeliveryRejected: rules ``manifest.*``, ``file.empty`` and those of :data:`ON_DISK`.
    """
    manifest = verify_manifest(delivery, contract, previous_sequence=previous_sequence)
    for file in manifest.files:
        read_verified(delivery, file)


def verify_manifest(delivery: Delivery, contract: Contract, *, previous_sequence: int | None = None) -> Manifest:
    """The manifest of a delivery, checked against the folder and the contract; opens no data file.

    Raises:
        DeliveryRejected: rules ``manifest.*`` and ``file.empty``.
    """
    manifest, at = delivery.manifest, {**delivery.at, "file": MANIFEST}
    if manifest is None:
        raise rejection("manifest.unreadable", **at, **({"fault": delivery.fault} if delivery.fault else {}))
    if manifest.municipality != delivery.municipality:
        raise rejection("manifest.city", **at)
    if manifest.source != delivery.source or contract.name != delivery.source:
        raise rejection("manifest.source", **at)
    if manifest.month != delivery.month:
        raise rejection("manifest.month", **at)
    if manifest.kind not in contract.kinds:
        raise rejection("manifest.kind", **at)
    if manifest.encoding not in contract.encodings:
        raise rejection("manifest.encoding", **at)
    if manifest.kind == "difference" and previous_sequence is not None and manifest.sequence != previous_sequence + 1:
        raise rejection("manifest.sequence", **at, expected=previous_sequence + 1, sequence=manifest.sequence)
    if (total := sum(file.bytes for file in manifest.files)) > LARGEST_DELIVERY:
        raise rejection("manifest.bytes", **at, bytes=total, most=LARGEST_DELIVERY)
    if manifest.rows == 0 and manifest.kind != "difference":
        raise rejection("file.empty", **at)
    return manifest


def read_verified(delivery: Delivery, file: ManifestFile) -> bytes:
    """A data file's bytes, read once, so that what is parsed is what was verified.

    Raises:
        DeliveryRejected: one of :data:`ON_DISK`.
        ConfigurationError: ``inbox.share``: the share or the whole delivery went away, so nothing is said of the file.
    """
    data = read_bytes(delivery, file)
    verify_bytes(data, delivery, file)
    return data


def read_bytes(delivery: Delivery, file: ManifestFile) -> bytes:
    """A data file's bytes, as many as its manifest says; errors as :func:`read_verified`, but for ``file.hash``."""
    at, path = {**delivery.at, "file": file.name}, delivery.path / file.name
    try:
        with _opened(path) as (handle, info), open(handle, "rb", closefd=False) as opened:
            data = opened.read() if info.st_size == file.bytes else b""
        size = len(data) or info.st_size
    except OSError as error:
        if error.errno not in _UNREADABLE | _ABSENT or not os.path.exists(delivery.path / MANIFEST):
            raise _away(error, **at) from None
        raise rejection(_absence(error), **at) from None
    if size != file.bytes:
        raise rejection("file.bytes", **at, bytes=size, manifest=file.bytes)
    return data


def verify_bytes(data: bytes, delivery: Delivery, file: ManifestFile) -> None:
    """Refuse bytes that are not those of the manifest.

    Raises:
        DeliveryRejected: ``file.hash``.
    """
    if hashlib.sha256(data).hexdigest() != file.sha256.lower():
        raise rejection("file.hash", **delivery.at, file=file.name)


def _absence(error: OSError) -> str:
    """The rule by which a file that cannot be opened is refused."""
    if error.errno in _NOT_PLAIN:
        return "file.plain"
    return "file.forbidden" if error.errno in _FORBIDDEN else "file.missing"


__all__ = [
    "Delivery",
    "find",
    "find_one",
    "read_verified",
    "verify",
    "verify_manifest",
]
