"""The log of key use: append-only, hash-chained, synced, with a signed head.

One JSON line an entry: ``seq, time, principal, action, purpose, key, object, prev, hash``. ``hash`` is an HMAC of the
entry and the former hash, so an edit, a deletion, a change of order or an entry by somebody else breaks the chain; the
head (``.head`` beside the log) signs the last hash and the length, so a cut-off end shows too. A log begins with its
key store: one that is gone, head and all, is not begun anew.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from kobe_platform.custody.durable import PRIVATE_FILE, PRIVATE_FOLDER, locked, write_private
from kobe_platform.errors import CustodyError

START = "0" * 64
BEGIN = "begin"
FIELDS = ("seq", "time", "principal", "action", "purpose", "key", "object", "prev")


@dataclass(frozen=True)
class LogVerdict:
    """What :meth:`KeyLog.verify` found: ``entries`` that chain from the start, and the first fault or None."""

    entries: int
    fault: str | None = None
    line: int | None = None

    @property
    def sound(self) -> bool:
        """True when the whole log is as it was written."""
        return self.fault is None


class KeyLog:
    """The log of one installation, safe among threads and processes.

    Args:
        path: the log file; its head and lock stand beside it.
        secret: key that signs the head (32 bytes, from the key store).
    """

    def __init__(self, path: Path, secret: bytes) -> None:
        self.path = path
        self._secret = secret
        self._head_path = path.with_suffix(".head")
        self._lock = path.with_suffix(".lock")
        self._reading = Lock()
        self._read_until, self._read_entries, self._read_hash = 0, 0, START
        self._committed: dict[str, int] = {}
        path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)

    def begin(self, principal: str) -> None:
        """Write the first entry of a new installation's log.

        Raises:
            CustodyError: there is a log already (``custody.log_broken``).
        """
        with locked(self._lock):
            if self.path.exists() or self._head_path.exists():
                raise _broken(self.path)
            head = {"seq": 0, "hash": START, "size": 0}
            self._write(head, principal=principal, action=BEGIN, purpose="", key="", object=self.path.name)

    def append(self, *, principal: str, action: str, purpose: str, key: str, object: str) -> None:
        """Record one use; returns when it is on the disk.

        Raises:
            CustodyError: the log does not end where its head says (``custody.log_broken``): nothing is appended.
        """
        with locked(self._lock):
            head = self._head()
            self._write(head, principal=principal, action=action, purpose=purpose, key=key, object=object)

    def _write(self, head: dict, **told: str) -> None:
        entry = {"seq": head["seq"] + 1, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **told}
        entry["prev"] = head["hash"]
        entry["hash"] = self._hash(entry)
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
        try:
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
        self._sign(entry["seq"], entry["hash"], head["size"] + len(line))

    def committed(self, object: str) -> int:
        """The highest generation of ``object`` (a partition) that the log saw committed; 0 for none.

        Raises:
            CustodyError: what was added since the last call does not continue the log (``custody.log_broken``).
        """
        with self._reading:
            self._read_on()
            return self._committed.get(object, 0)

    def verify(self) -> LogVerdict:
        """Walk the whole log: every hash, every link, the signed end."""
        with locked(self._lock):
            lines = self.path.read_bytes().split(b"\n") if self.path.exists() else [b""]
            head, former, count = self._stored_head(), START, 0
            if head is None:
                return LogVerdict(count, "the head is missing or not signed by this installation")
            for number, line in enumerate(lines[:-1], 1):
                entry = _parsed(line)
                if entry is None or entry["hash"] != self._hash(entry):
                    return LogVerdict(count, "an entry was edited or forged", number)
                if entry["prev"] != former or entry["seq"] != number:
                    return LogVerdict(count, "an entry was removed, inserted or moved", number)
                former, count = entry["hash"], number
                if number == head["seq"] and former != head["hash"]:
                    return LogVerdict(count, "the log is not the one that its head signs", number)
            if lines[-1]:
                return LogVerdict(count, "the last entry is incomplete", len(lines))
            return LogVerdict(count, "the end was cut off", count + 1) if head["seq"] > count else LogVerdict(count)

    def _head(self) -> dict:
        """The signed head, advanced over entries that a crash left without one."""
        head = self._stored_head()
        size = self.path.stat().st_size if self.path.exists() else 0
        if head is None or size < head["size"]:
            raise _broken(self.path)
        return head if size == head["size"] else self._recovered(head)

    def _recovered(self, head: dict) -> dict:
        with self.path.open("r+b") as file:
            file.seek(head["size"])
            tail = file.read()
            whole, _, torn = tail.rpartition(b"\n")
            for line in whole.split(b"\n") if whole else []:
                entry = _parsed(line)
                if entry is None or entry["prev"] != head["hash"] or entry["hash"] != self._hash(entry):
                    raise _broken(self.path)
                head = {"seq": entry["seq"], "hash": entry["hash"], "size": head["size"] + len(line) + 1}
            if torn:
                file.truncate(head["size"])
        return head

    def _stored_head(self) -> dict | None:
        if not self._head_path.exists():
            return None
        try:
            head = json.loads(self._head_path.read_bytes())
            signed = hmac.compare_digest(head.pop("mac"), self._mac(head))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return head if signed else None

    def _sign(self, seq: int, last: str, size: int) -> None:
        head = {"seq": seq, "hash": last, "size": size}
        write_private(self._head_path, json.dumps({**head, "mac": self._mac(head)}).encode())

    def _mac(self, head: dict) -> str:
        return hmac.new(self._secret, json.dumps(head, sort_keys=True).encode(), hashlib.sha256).hexdigest()

    def _read_on(self) -> None:
        """Read what was added, entry by entry along the chain, and at least up to the signed head."""
        head = self._stored_head()
        if head is None:
            raise _broken(self.path)
        with self.path.open("rb") as file:
            file.seek(self._read_until)
            whole, newline, _ = file.read().rpartition(b"\n")
        for line in whole.split(b"\n") if whole else []:
            entry = _parsed(line)
            if entry is None or entry["prev"] != self._read_hash or entry["hash"] != self._hash(entry):
                raise _broken(self.path)
            self._read_hash, self._read_entries = entry["hash"], entry["seq"]
            if entry["action"] == "commit":
                name, _, generation = entry["object"].rpartition("/")
                self._committed[name] = max(int(generation), self._committed.get(name, 0))
        self._read_until += len(whole) + len(newline)
        if self._read_entries < head["seq"] or self.path.stat().st_size < self._read_until:
            raise _broken(self.path)

    def _hash(self, entry: dict) -> str:
        text = json.dumps([entry[name] for name in FIELDS], ensure_ascii=False, separators=(",", ":"))
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _parsed(line: bytes) -> dict | None:
    try:
        entry = json.loads(line)
        return entry if {*FIELDS, "hash"} <= entry.keys() else None
    except (ValueError, AttributeError):
        return None


def _broken(path: Path) -> CustodyError:
    return CustodyError(
        "the log of key use does not end where its signed head says",
        code="custody.log_broken",
        at={"file": path.name},
        remedy="run `kobe log verify` and have the privacy officer look into it before work goes on",
        ja="鍵使用記録の末尾が署名と一致しません",
    )
