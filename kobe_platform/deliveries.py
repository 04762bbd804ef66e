"""The inbox: which deliveries lie there, whether they are what their manifests say, and what became of them.

A delivery is a folder ``MUNICIPALITY/SOURCE/YYYY-MM/`` with data files and, written last, ``manifest.json``. The
platform only reads it. Receipts below ``KOBE_HOME`` hold coordinates and counts, never values.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from kobe_platform.contracts import Contract
from kobe_platform.errors import DeliveryHeld, DeliveryRejected, PlatformError
from kobe_platform.rules import hold, rejection

MANIFEST = "manifest.json"
Status = Literal["accepted", "rejected", "held"]


class ManifestFile(BaseModel):
    """One data file: ``rows`` are data rows (header and trailer not counted)."""

    model_config = ConfigDict(frozen=True)

    name: str
    rows: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}$")
    bytes: int = Field(ge=0)

    @field_validator("name")
    @classmethod
    def _stays_in_its_folder(cls, name: str) -> str:
        if not name or name != Path(name).name or name in (".", "..", MANIFEST) or "\\" in name or "\0" in name:
            raise ValueError("not a plain file name")
        return name


class Manifest(BaseModel):
    """What the sender says of a delivery."""

    model_config = ConfigDict(frozen=True)

    municipality: str = Field(pattern=r"^\d{5}$")
    source: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    month: str = Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    kind: Literal["snapshot", "events", "difference", "public"]
    sequence: int = Field(ge=0)
    created_at: str
    encoding: str = Field(pattern=r"^[A-Za-z0-9_-]{1,20}$")
    layout: Literal["delimited", "fixed"] | None = None
    files: tuple[ManifestFile, ...] = Field(min_length=1)

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
    """

    municipality: str
    source: str
    month: str
    kind: str
    content_hash: str
    path: Path
    manifest: Manifest | None

    @property
    def name(self) -> str:
        """Coordinates for errors: ``source/month``."""
        return f"{self.source}/{self.month}"

    @property
    def at(self) -> dict[str, str]:
        """Coordinates that every error about this delivery starts with."""
        return {"delivery": self.name}


def find(inbox: Path, contracts: Mapping[str, Contract], municipality: str) -> list[Delivery]:
    """Every delivery of the contracted sources that has its manifest, by source and month.

    Reads manifests only. A folder without one is still being uploaded and waits (quirk 26); a broken one is listed, so
    that it gets its rejection.
    """
    found: list[Delivery] = []
    for source in sorted(contracts):
        folder = Path(inbox) / municipality / source
        if not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            if _is_month(path.name) and (path / MANIFEST).is_file():
                found.append(_delivery(path, municipality, source))
    return found


def _is_month(name: str) -> bool:
    return len(name) == 7 and name[4] == "-" and (name[:4] + name[5:]).isdecimal() and "01" <= name[5:] <= "12"


def _delivery(path: Path, municipality: str, source: str) -> Delivery:
    raw = (path / MANIFEST).read_bytes()
    try:
        manifest = Manifest.model_validate(json.loads(raw.decode("utf-8-sig")))
    except (ValidationError, ValueError):
        return Delivery(municipality, source, path.name, "", hashlib.sha256(raw).hexdigest(), path, None)
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
        DeliveryRejected: rules ``manifest.*`` and ``file.missing``, ``file.bytes``, ``file.hash``, ``file.empty``.
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
        raise rejection("manifest.unreadable", **at)
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
    if manifest.rows == 0 and manifest.kind != "difference":
        raise rejection("file.empty", **at)
    return manifest


def read_verified(delivery: Delivery, file: ManifestFile) -> bytes:
    """A data file's bytes, read once, so that what is parsed is what was verified.

    Raises:
        DeliveryRejected: ``file.missing``, ``file.bytes``, ``file.hash``.
    """
    at = {**delivery.at, "file": file.name}
    try:
        data = (delivery.path / file.name).read_bytes()
    except OSError:
        raise rejection("file.missing", **at) from None
    if len(data) != file.bytes:
        raise rejection("file.bytes", **at, bytes=len(data), manifest=file.bytes)
    if hashlib.sha256(data).hexdigest() != file.sha256.lower():
        raise rejection("file.hash", **at)
    return data


# ── receipts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def receipts(home: Path, delivery: Delivery) -> Path:
    """The folder of a delivery's receipts."""
    return Path(home) / "receipts" / delivery.municipality / delivery.source / delivery.month


def write_receipt(home: Path, delivery: Delivery, status: Status, result: Mapping[str, object] | PlatformError) -> Path:
    """Records what became of a delivery: ``result`` is its facts (counts) or the error that refused or held it.

    The file is ``<first 12 of content hash>.<status>.json``, replaced whole; a former receipt of the same content with
    another status stays.
    """
    manifest = delivery.manifest
    record = {
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
    return _write(receipts(home, delivery) / f"{delivery.content_hash[:12]}.{status}.json", record)


def approve(home: Path, delivery: Delivery, principal: str) -> Path:
    """An operator's word that a held delivery may be taken; it holds for exactly this content."""
    record = {"content_hash": delivery.content_hash, "principal": principal}
    record["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    return _write(receipts(home, delivery) / f"{delivery.content_hash[:12]}.approved.json", record)


def is_approved(home: Path, delivery: Delivery) -> bool:
    """Whether :func:`approve` was called for this content."""
    return (receipts(home, delivery) / f"{delivery.content_hash[:12]}.approved.json").is_file()


@dataclass(frozen=True)
class Standing:
    """How a delivery stands to what was accepted for its month before.

    Attributes:
        status: ``new``, ``same`` (nothing to do, quirk 22) or ``revised`` (a new vintage, quirk 23).
        former: the facts of the vintage in force, where there is one.
    """

    status: Literal["new", "same", "revised"]
    former: Mapping[str, object]


def standing(home: Path, delivery: Delivery) -> Standing:
    """Compares a delivery with the latest accepted one of its source and month."""
    accepted = _accepted(receipts(home, delivery))
    if not accepted:
        return Standing("new", {})
    same = accepted[-1]["content_hash"] == delivery.content_hash
    return Standing("same" if same else "revised", accepted[-1].get("facts", {}))


def hold_revision(home: Path, delivery: Delivery) -> None:
    """Holds a delivery that would replace an accepted month with other content until an operator approves it.

    Raises:
        DeliveryHeld: ``delivery.revised``, with the rows of both vintages.
    """
    stands = standing(home, delivery)
    if stands.status == "revised" and not is_approved(home, delivery):
        rows = delivery.manifest.rows if delivery.manifest else 0
        raise hold("delivery.revised", **delivery.at, rows=rows, former_rows=int(stands.former.get("rows", 0)))


def previous_sequence(home: Path, delivery: Delivery) -> int | None:
    """Sequence of the last accepted delivery of the same source before this month; None where there is none."""
    source = receipts(home, delivery).parent
    months = (
        sorted(p.name for p in source.iterdir() if p.is_dir() and p.name < delivery.month) if source.is_dir() else []
    )
    sequences = [record["sequence"] for month in months for record in _accepted(source / month)]
    return sequences[-1] if sequences else None


def _accepted(folder: Path) -> list[dict]:
    if not folder.is_dir():
        return []
    records = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.accepted.json"))]
    return sorted(records, key=lambda record: record["at"])


def _write(path: Path, record: Mapping[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    os.replace(partial, path)
    return path


__all__ = [
    "Delivery",
    "DeliveryHeld",
    "DeliveryRejected",
    "Manifest",
    "ManifestFile",
    "Standing",
    "approve",
    "find",
    "hold_revision",
    "is_approved",
    "previous_sequence",
    "read_verified",
    "standing",
    "verify",
    "verify_manifest",
    "write_receipt",
]
