"""Writes and reads the receipts of deliveries, and records what an operator approved.

Receipts below ``KOBE_HOME`` hold coordinates and counts, never values. A power cut leaves the former one or the new
one. A receipt that cannot be read counts as absent: its delivery is due again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from kobe_platform.custody.durable import locked, private_folder, storage_errors, write_private
from kobe_platform.errors import DeliveryHeld, PlatformError
from kobe_platform.intake.deliveries import ON_DISK, Delivery, names_in
from kobe_platform.vocabulary import months

Status = Literal["accepted", "rejected", "held"]
Decision = Literal["approved", "refused", "withdrawn"]
DECISIONS: tuple[Decision, ...] = ("approved", "refused", "withdrawn")
"""What operators decide; their records name the content and who decided, when."""


def receipts(home: Path, delivery: Delivery) -> Path:
    """The folder of a delivery's receipts."""
    return Path(home, "receipts", delivery.municipality, delivery.source, delivery.month)


def receipt(home: Path, delivery: Delivery, status: Status | Decision) -> dict | None:
    """The receipt (or decision) of exactly this content with this status; None as in :func:`read_receipt`."""
    return read_receipt(_receipt_path(home, delivery, status))


def read_receipt(path: Path) -> dict | None:
    """A receipt or a decision; None where it is absent or unreadable.

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
    if status in DECISIONS:
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


def write_receipt(
    home: Path,
    delivery: Delivery,
    status: Status,
    result: Mapping[str, object] | PlatformError,
    *,
    made_from: str = "",
) -> Path:
    """Records what became of a delivery: ``result`` is its facts (counts) or the error that refused or held it.

    Args:
        made_from: digest of what it was judged with, where that may change while the delivery stays the same: a
            difference that was refused over one base may fit another.

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
    if isinstance(result, DeliveryHeld) and result.report:
        record["report"] = dict(result.report)
    if made_from and delivery.kind == "difference":
        record["made_from"] = made_from
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
    return _decided(home, delivery, "approved", principal)


def refuse(home: Path, delivery: Delivery, principal: str) -> Path:
    """An operator's word that a held delivery is not taken: it counts as rejected, and its sender sends another."""
    return _decided(home, delivery, "refused", principal)


def withdraw(home: Path, delivery: Delivery, principal: str) -> Path:
    """The sender's word, through an operator, that a delivery no longer holds."""
    return _decided(home, delivery, "withdrawn", principal)


def _decided(home: Path, delivery: Delivery, decision: Decision, principal: str) -> Path:
    record = {"content_hash": delivery.content_hash, "principal": principal}
    record["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    return _write(home, delivery, decision, record)


def is_approved(home: Path, delivery: Delivery) -> bool:
    """Whether :func:`approve` was called for this content."""
    return receipt(home, delivery, "approved") is not None


def is_withdrawn(home: Path, municipality: str, source: str, month: str, content_hash: str) -> bool:
    """Whether a content that a month was made from was withdrawn since; whatever lies in the inbox now."""
    folder = Path(home, "receipts", municipality, source, month)
    return bool(content_hash) and read_receipt(folder / f"{content_hash[:12]}.withdrawn.json") is not None


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
    "accepted_receipts",
    "approve",
    "is_approved",
    "previous_sequence",
    "read_receipt",
    "receipt",
    "write_receipt",
]
