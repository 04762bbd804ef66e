"""The inbox: which deliveries lie there, whether they are what their manifests say, and what became of them.

A delivery is a folder ``MUNICIPALITY/SOURCE/YYYY-MM/`` with data files and, written last, ``manifest.json``. The
platform only reads it and takes nothing in it for granted: a manifest may be broken, and the share may go away.

Receipts below ``KOBE_HOME`` hold coordinates and counts, never values. A power cut leaves the former one or the new
one. A receipt that cannot be read counts as absent: its delivery is due again.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import re
import stat
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from kobe_platform.contracts import Contract
from kobe_platform.custody.durable import locked, private_folder, storage_errors, write_private
from kobe_platform.errors import ConfigurationError, DeliveryRejected, PlatformError
from kobe_platform.vocabulary import months
from kobe_platform.vocabulary.rules import rejection

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 1 << 20
"""Bytes that are read of a manifest; one that is larger counts as broken (most have a few hundred)."""
LARGEST_DELIVERY = 8 << 30
"""Bytes of all files of a delivery: each is read whole, and verified before anything is parsed."""
MOST_FILES = 1000
LONGEST_NAME = 255
"""Bytes of a file's name in UTF-8: what file systems allow."""
Status = Literal["accepted", "rejected", "held"]
Count = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
SOURCE = re.compile(r"[a-z][a-z0-9_]*")
_NOT_PLAIN = {errno.EISDIR, errno.ELOOP, errno.ENXIO}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_UNREADABLE = _NOT_PLAIN | _FORBIDDEN
"""Errors of a file that is there but cannot be read. Any other error means that it, or the share, has gone away."""
ON_DISK = ("file.missing", "file.plain", "file.forbidden", "file.bytes", "file.hash")
"""Rules that judge files as they lie there: other files under the same manifest are looked at again."""
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
_SETTLED = 3_000_000_000
"""Nanoseconds: a file changed more recently could change again without a new time (some shares keep whole seconds)."""


class ManifestFile(BaseModel):
    """One data file: ``rows`` are data rows (header and trailer not counted)."""

    model_config = ConfigDict(frozen=True)

    name: str
    rows: Count
    sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}$")
    bytes: Count

    @field_validator("name")
    @classmethod
    def _stays_in_its_folder(cls, name: str) -> str:
        if not name or name != Path(name).name or name in (".", "..", MANIFEST) or "\\" in name:
            raise ValueError("not a plain file name")
        if len(name.encode("utf-8", "replace")) > LONGEST_NAME or any(map(_control, name)):
            raise ValueError("too long, or with characters that no file name has")
        return name


class Manifest(BaseModel):
    """What the sender says of a delivery."""

    model_config = ConfigDict(frozen=True)

    municipality: str = Field(pattern=r"^[0-9]{5}$")
    source: str = Field(pattern=rf"^{SOURCE.pattern}$")
    month: str = Field(pattern=rf"^{months.FORM}$")
    kind: Literal["snapshot", "events", "difference", "public"]
    sequence: Count
    created_at: str
    encoding: str = Field(pattern=r"^[A-Za-z0-9_-]{1,20}$")
    layout: Literal["delimited", "fixed", "workbook"] | None = None
    files: tuple[ManifestFile, ...] = Field(min_length=1, max_length=MOST_FILES)

    @field_validator("files")
    @classmethod
    def _each_once(cls, files: tuple[ManifestFile, ...]) -> tuple[ManifestFile, ...]:
        if len({unicodedata.normalize("NFC", file.name) for file in files}) < len(files):
            raise ValueError("a file is listed twice")
        return files

    @property
    def rows(self) -> int:
        """Data rows of all files."""
        return sum(file.rows for file in self.files)


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
        raw = b""
        while len(raw) <= LARGEST_MANIFEST and (more := os.read(handle, LARGEST_MANIFEST + 1 - len(raw))):
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


def parsed(raw: bytes) -> Manifest | str:
    """A manifest, or its fault: key and kind; the parser itself limits nesting and the length of numbers."""
    if len(raw) > LARGEST_MANIFEST:
        return "too_large"
    try:
        return Manifest.model_validate_json(raw.removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))} {first['type']}".strip()
    except ValueError:
        return "json_invalid"


def _control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")


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
    if hashlib.sha256(data).hexdigest() != file.sha256.lower():
        raise rejection("file.hash", **at)
    return data


def _absence(error: OSError) -> str:
    """The rule by which a file that cannot be opened is refused."""
    if error.errno in _NOT_PLAIN:
        return "file.plain"
    return "file.forbidden" if error.errno in _FORBIDDEN else "file.missing"


# ── receipts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def receipts(home: Path, delivery: Delivery) -> Path:
    """The folder of a delivery's receipts."""
    return Path(home, "receipts", delivery.municipality, delivery.source, delivery.month)


def receipt(home: Path, delivery: Delivery, status: Status | Literal["approved"]) -> dict | None:
    """The receipt (or approval) of exactly this content with this status; None as in :func:`read_receipt`."""
    return read_receipt(_receipt_path(home, delivery, status))


def read_receipt(path: Path) -> dict | None:
    """A receipt or an approval; None where it is absent or unreadable.

    A file is unreadable if it is empty or broken, as a power cut can leave it, or if its content does not belong to
    the content hash and the status in its name.
    """
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and _fits(record, path.name) else None


def _fits(record: Mapping[str, object], name: str) -> bool:
    """Whether a record belongs to its file's name and has the entries that readers rely on."""
    stem, _, status = name.removesuffix(".json").partition(".")
    content_hash, moment, error = record.get("content_hash"), record.get("at"), record.get("error")
    if not (isinstance(content_hash, str) and content_hash.startswith(stem) and isinstance(moment, str)):
        return False
    if status == "approved":
        return True
    if record.get("status") != status or not {"source", "month", "sequence"} <= record.keys():
        return False
    if status == "accepted":
        return isinstance(record.get("facts"), dict)
    return isinstance(error, dict) and {"code", "ja"} <= error.keys() and isinstance(error.get("at"), dict)


def accepted_receipts(folder: Path) -> list[dict]:
    """The receipts of accepted deliveries in a folder of receipts, oldest first."""
    named = [name for name in names_in(folder) if name.endswith(".accepted.json")]
    records = [record for name in named if (record := read_receipt(folder / name)) is not None]
    return sorted(records, key=lambda record: record["at"])


def write_receipt(home: Path, delivery: Delivery, status: Status, result: Mapping[str, object] | PlatformError) -> Path:
    """Records what became of a delivery: ``result`` is its facts (counts) or the error that refused or held it.

    The file is ``<first 12 of content hash>.<status>.json``, replaced whole and forced onto the disk; a former receipt
    of the same content with another status stays.

    Raises:
        CustodyError: ``custody.*``: the disk does not take it.
    """
    manifest = delivery.manifest
    record: dict[str, object] = {
        "status": status,
        "municipality": delivery.municipality,
        "source": delivery.source,
        "month": delivery.month,
        "kind": delivery.kind,
        "content_hash": delivery.content_hash,
        "sequence": manifest.sequence if manifest else None,
        "files": [{"name": f.name, "rows": f.rows, "bytes": f.bytes} for f in manifest.files] if manifest else [],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    record["error" if isinstance(result, PlatformError) else "facts"] = (
        result.as_record() if isinstance(result, PlatformError) else dict(result)
    )
    if isinstance(result, PlatformError) and result.code in ON_DISK:
        record["found"] = _found(delivery)
    return _write(home, delivery, status, record)


def changed_since(delivery: Delivery, refusal: Mapping) -> bool:
    """Whether other files lie under the same manifest than when they were refused: a sender may write it too early."""
    return "found" in refusal and refusal["found"] != _found(delivery)


def _found(delivery: Delivery) -> dict[str, list[int]]:
    """Size and time of each file of a delivery that is there."""
    found = {}
    for file in delivery.manifest.files if delivery.manifest else ():
        try:
            info = os.lstat(delivery.path / file.name)
        except OSError:
            continue
        found[file.name] = [info.st_size, info.st_mtime_ns]
    return found


def approve(home: Path, delivery: Delivery, principal: str) -> Path:
    """An operator's word that a held delivery may be taken; it holds for exactly this content."""
    record = {"content_hash": delivery.content_hash, "principal": principal}
    record["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    return _write(home, delivery, "approved", record)


def is_approved(home: Path, delivery: Delivery) -> bool:
    """Whether :func:`approve` was called for this content."""
    return receipt(home, delivery, "approved") is not None


def previous_sequence(home: Path, delivery: Delivery) -> int | None:
    """Sequence of the last accepted delivery of the same source before this month; None where there is none."""
    source = receipts(home, delivery).parent
    earlier = [name for name in names_in(source) if months.is_month(name) and name < delivery.month]
    latest = (records[-1] for month in reversed(earlier) if (records := accepted_receipts(source / month)))
    return next((record["sequence"] for record in latest), None)


def _receipt_path(home: Path, delivery: Delivery, status: str) -> Path:
    return receipts(home, delivery) / f"{delivery.content_hash[:12]}.{status}.json"


def _write(home: Path, delivery: Delivery, status: str, record: Mapping[str, object]) -> Path:
    path = _receipt_path(home, delivery, status)
    data = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    with storage_errors(delivery.name), locked(Path(home) / "receipts" / ".lock"):
        private_folder(path.parent)
        write_private(path, data.encode())
    return path


__all__ = [
    "Delivery",
    "DeliveryRejected",
    "Manifest",
    "ManifestFile",
    "accepted_receipts",
    "approve",
    "find",
    "find_one",
    "is_approved",
    "previous_sequence",
    "read_receipt",
    "read_verified",
    "receipt",
    "verify",
    "verify_manifest",
    "write_receipt",
]
