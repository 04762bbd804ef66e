"""Writes and verifies the log of key use, which is append-only, hash-chained, synced and has a signed head.

One JSON line an entry: ``seq, time, principal, action, purpose, key, object, prev, hash``. ``hash`` is an HMAC of the
entry and the former hash, so an edit, a deletion, a change of order or an entry by somebody else breaks the chain; the
head (``.head`` beside the log) signs the last hash and the length, so a cut-off end shows too. An entry counts from
the moment the head signs it. What a crash left behind the head is either a whole entry of this installation, which
the next writer signs, or a torn line, which it drops. A log begins with its key store: one that is gone, head and all,
is not started again. Where log and head are both put back to an earlier state, a caller that wrote down a later head
finds it (:meth:`KeyLog.verify` with an anchor).

Where several machines share one log (:mod:`kobe_platform.custody.shared_log`), the files here are this machine's copy
of it: an entry is first written there, then here, and what others entered is read there before anything is decided.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, local
from time import monotonic
from typing import Any, cast

from kobe_platform.custody.durable import (
    PRIVATE_FILE,
    file_bytes,
    locked,
    private_folder,
    storage_errors,
    write_all,
    write_private,
)
from kobe_platform.custody.keyring import taken
from kobe_platform.custody.log_index import COMMIT, LogIndex
from kobe_platform.custody.shared_log import LogSegments
from kobe_platform.errors import CustodyError

START = "0" * 64
KEPT_EVERY = 2000
"""So many entries after the ones that the index beside the log was made of, it is made anew."""
BEGIN = "begin"
FRESH_SECONDS = 2.0
"""So long what was read of a shared log serves readers; who writes, or asks ``anew``, reads on at once."""
ATTEMPTS = 100
"""How often an entry is tried while other machines enter theirs."""
FIELDS = ("seq", "time", "principal", "action", "purpose", "key", "object", "prev")


@dataclass(frozen=True)
class LogVerdict:
    """What :meth:`KeyLog.verify` found.

    Attributes:
        entries: how many chain from the start.
        fault, line: the first fault and where it is, or None.
        last: hash of the last entry: with ``entries``, an anchor to write down elsewhere.
        last_time: when the last entry was written (ISO 8601); empty where there is none.
        unsigned: bytes behind the signed end that a crash left; the next entry settles them.
    """

    entries: int
    fault: str | None = None
    line: int | None = None
    last: str = START
    unsigned: int = 0
    last_time: str = ""

    @property
    def sound(self) -> bool:
        """True when the whole log is as it was written."""
        return self.fault is None


class KeyLog:
    """The log of one installation, safe among threads and processes.

    Args:
        path: the log file; its head and lock stand beside it.
        secret: key that signs entries and head (32 bytes, from the key store).
        shared: the log of which this one is a copy; None where this one is all there is.
    """

    def __init__(self, path: Path, secret: bytes, shared: LogSegments | None = None) -> None:
        self.path = path
        self._shared = shared
        self._looked_at = -FRESH_SECONDS
        self._secret = secret
        self._head_path = path.with_suffix(".head")
        self._lock = path.with_suffix(".lock")
        self._reading = Lock()
        self._looking = local()
        self._kept_path = path.with_suffix(".index")
        self._last_head: tuple[bytes, dict[str, Any]] = b"", {}
        self._forget()
        with storage_errors(path.name):
            private_folder(path.parent)

    def begin(self, principal: str) -> None:
        """Write the first entry of a new installation's log.

        A log with that entry alone, left by a key store that was never finished, is written over.

        Raises:
            CustodyError: there is a log already (``custody.log_broken``).
        """
        with storage_errors(self.path.name), locked(self._lock):
            if self.path.exists() and self.path.read_bytes().count(b"\n") > 1:
                raise _broken(self.path)
            self._head_path.unlink(missing_ok=True)
            write_private(self.path, b"")
            head = {"seq": 0, "hash": START, "size": 0}
            begun = {"principal": principal, "action": BEGIN, "purpose": "", "key": "", "object": self.path.name}
            following, lines = self._chained(head, [begun])
            if self._shared is not None and not self._shared.add(1, lines):
                raise taken()
            self._write(head, following, lines)

    def append(self, *, principal: str, action: str, purpose: str, key: str, object: str) -> None:
        """Record one use; returns when it is on the disk; errors as :meth:`append_all`."""
        self.append_all([{"principal": principal, "action": action, "purpose": purpose, "key": key, "object": object}])

    def append_all(self, uses: Sequence[Mapping[str, str]]) -> None:
        """Record several uses, an entry each; returns when all are on the disk, which they reach and leave together.

        Args:
            uses: ``principal, action, purpose, key, object`` of each.

        Raises:
            CustodyError: the log does not end where its head says (``custody.log_broken``), or it cannot be written
                (``custody.disk_full`` …): nothing is appended. Of a shared log: another machine was first to commit
                this generation (``custody.superseded``).
        """
        if uses:
            with storage_errors(self.path.name), locked(self._lock):
                if self._shared is None:
                    head = self._head()
                    self._write(head, *self._chained(head, uses))
                else:
                    self._enter(self._shared, uses)

    def _enter(self, shared: LogSegments, uses: Sequence[Mapping[str, str]]) -> None:
        """Write entries into the shared log, and then into this copy of it."""
        head = self._head() if self.path.exists() else self._pulled(shared)
        for _ in range(ATTEMPTS):
            self._refuse_superseded(uses)
            following, lines = self._chained(head, uses)
            if shared.add(head["seq"] + 1, lines):
                return self._write(head, following, lines)
            head = self._pulled(shared)  # others entered something since this copy was read
        raise CustodyError(
            "other machines write into the log of key use all the time",
            code="custody.log_busy",
            at={"attempts": ATTEMPTS},
            remedy="run the step again when less is going on",
            ja="鍵使用記録への書き込みが混み合っています",
        )

    def _refuse_superseded(self, uses: Sequence[Mapping[str, str]]) -> None:
        """Refuse a commit of a generation that is not the next one by now; the copy holds all that was entered."""
        wanted = [told["object"].rpartition("/") for told in uses if told["action"] == COMMIT]
        if not wanted:
            return
        with self._reading:
            committed = self._read_anew().committed
        for name, _, generation in wanted:
            if committed.get(name, 0) != int(generation) - 1:
                raise CustodyError(
                    "another machine committed this partition meanwhile: its rows are in force",
                    code="custody.superseded",
                    at={"object": name},
                    remedy="run the step again: it goes on from what is in force now",
                    ja="ほかの機械が同じ区画を先に書き込みました",
                )

    def refresh(self, *, anew: bool = True) -> None:
        """Read what other machines have entered; nothing where no other shares this log.

        Args:
            anew: also where it was read :data:`FRESH_SECONDS` ago or less.
        """
        if self._shared is None or (not anew and monotonic() - self._looked_at < FRESH_SECONDS):
            return
        with storage_errors(self.path.name), locked(self._lock):
            self._pulled(self._shared)

    def _pulled(self, shared: LogSegments) -> dict[str, Any]:
        """Add to this copy what others have entered; its head then. Callers hold the lock."""
        if not self.path.exists():
            self._write({"seq": 0, "hash": START, "size": 0}, {"seq": 0, "hash": START, "size": 0}, b"")
        head = before = self._head()
        found = []
        for lines in shared.after(head["seq"]):
            head = self._continued(head, lines.split(b"\n")[:-1])
            found.append(lines)
        if found or head != self._stored_head():
            self._write(before, head, b"".join(found))
        self._looked_at = monotonic()
        return head

    def settle(self) -> None:
        """Sign, or drop, what a crash left behind the signed end.

        Raises:
            CustodyError: what stands there was not written by this installation (``custody.log_broken``).
        """
        self._looking.index = None  # who settles goes on to decide what to remove: by the log as it is now
        self.refresh()
        with storage_errors(self.path.name), locked(self._lock):
            stored, head = self._stored_head(), self._head()
            if head != stored:
                self._sign(head)

    @contextlib.contextmanager
    def read_once(self) -> Iterator[None]:
        """Within this context the calling thread reads the log once, for questions about thousands of partitions.

        What is added meanwhile counts as if it came afterwards, but for :meth:`committed` with ``anew`` and after
        :meth:`settle`, with which each change of a partition begins.
        """
        self._looking.once, self._looking.index = True, None
        try:
            yield
        finally:
            self._looking.once, self._looking.index = False, None

    def committed(self, object: str, *, anew: bool = False) -> int:
        """The highest generation of ``object`` (a partition) that the log saw committed; 0 for none.

        Args:
            anew: read the log again also within :meth:`read_once`.

        Raises:
            CustodyError: what was added since the last call does not continue the log (``custody.log_broken``).
        """
        self._look(anew=anew)
        with self._reading:
            return self._read_on(anew=anew).committed.get(object, 0)

    def token(self, object: str, generation: int) -> str:
        """What tells a committed generation from others of its number in a shared store; empty where none is."""
        self._look()
        with self._reading:
            return self._read_on().tokens.get(object, {}).get(generation, "")

    def partitions(self) -> list[str]:
        """Every object (partition) of which the log saw a commit; errors as :meth:`committed`."""
        self._look()
        with self._reading:
            return list(self._read_on().committed)

    def places(self) -> dict[str, set[str]]:
        """Place (``municipality/stage/source``) → months of which the log saw a commit; errors as :meth:`committed`."""
        self._look()
        with self._reading:
            return {place: set(months) for place, months in self._read_on().places.items()}

    def commits(self) -> int:
        """How many commits the log saw: while the number stays, what is in force stays; errors as :meth:`committed`."""
        self._look()
        with self._reading:
            return self._read_on().commits

    def generations(self) -> dict[str, int]:
        """:meth:`committed` of every partition of which the log saw a commit."""
        self._look()
        with self._reading:
            return dict(self._read_on().committed)

    def destroyed(self, object: str) -> bool:
        """Whether the log saw the destruction of a generation (``partition/number``); errors as :meth:`committed`."""
        self._look()
        with self._reading:
            return object in self._read_on().destroyed

    def all_destroyed(self) -> set[str]:
        """Every generation of which the log saw the destruction; errors as :meth:`committed`."""
        self._look()
        with self._reading:
            return set(self._read_on().destroyed)

    def created(self, key_id: str) -> bool:
        """Whether the log saw a version of a key being made; errors as :meth:`committed`."""
        self._look()
        with self._reading:
            return key_id in self._read_on().created

    def revoked(self, key_id: str) -> bool:
        """Whether the log saw the revocation of a key completed; errors as :meth:`committed`."""
        self._look()
        with self._reading:
            return key_id in self._read_on().revoked

    def verify(self, anchor: tuple[int, str] | None = None) -> LogVerdict:
        """Walk the whole log: every hash, every link, the signed end, and an entry that somebody wrote down.

        Args:
            anchor: sequence number and hash of an entry that must still be there.
        """
        self.refresh()
        with storage_errors(self.path.name), locked(self._lock):
            data = self.path.read_bytes() if self.path.exists() else b""
            head = self._stored_head()
        if self._shared is not None and not b"".join(self._shared.after(0)).startswith(data):
            return LogVerdict(0, "the log that machines share is not the one that this machine has read")
        if head is None:
            return LogVerdict(0, "the head is missing or not signed by this installation")
        if anchor and anchor[0] < 1:
            return LogVerdict(0, "what was written down names no entry: they are numbered from 1")
        verdict = self._walked(data, head, anchor)
        if verdict.sound and anchor and verdict.entries < anchor[0]:
            return LogVerdict(verdict.entries, "the log ends before the entry that was written down", verdict.entries)
        return verdict

    def _walked(self, data: bytes, head: dict[str, Any], anchor: tuple[int, str] | None) -> LogVerdict:
        former, count, end, time = START, 0, 0, ""
        lines = data.split(b"\n")[:-1]
        for number, line in enumerate(lines, 1):
            entry, end = _parsed(line), end + len(line) + 1
            if entry is None or entry["hash"] != self._hash(entry):
                return LogVerdict(count, "an entry was edited or forged", number, former)
            if entry["prev"] != former or entry["seq"] != number:
                return LogVerdict(count, "an entry was removed, inserted or moved", number, former)
            former, count, time = entry["hash"], number, entry["time"]
            if number == head["seq"] and (former, end) != (head["hash"], head["size"]):
                return LogVerdict(count, "the log is not the one that its head signs", number, former)
            if anchor and number == anchor[0] and former != anchor[1]:
                return LogVerdict(count, "an entry is not the one that was written down", number, former)
        if head["seq"] > count:
            return LogVerdict(count, "the end was cut off", count + 1, former)
        return LogVerdict(count, last=former, unsigned=len(data) - head["size"], last_time=time)

    def _look(self, *, anew: bool = False) -> None:
        """Before a question: read what other machines have entered, if that was not done a moment ago."""
        if self._shared is not None and (anew or not self._looks_once()):
            self.refresh(anew=anew)

    def _looks_once(self) -> bool:
        """Whether the calling thread reads the log once, and has read it."""
        return getattr(self._looking, "once", False) and self._looking.index is not None

    def _write(self, head: dict[str, Any], following: dict[str, Any], lines: bytes) -> None:
        """Add lines to the file that ends with ``head``, and sign the end that they make."""
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, PRIVATE_FILE)
        try:
            if os.fstat(handle).st_size != head["size"]:
                os.ftruncate(handle, head["size"])  # a torn line, after which nothing may follow
            write_all(handle, lines)
            os.fsync(handle)
            self._sign(following)
        except OSError:
            self._undo(handle, head)
            raise
        finally:
            os.close(handle)

    def _chained(self, head: dict[str, Any], uses: Sequence[Mapping[str, str]]) -> tuple[dict[str, Any], bytes]:
        """The head after some further entries, and their lines."""
        now, lines = datetime.now(UTC).isoformat(timespec="milliseconds"), []
        seq, former = head["seq"], head["hash"]
        for told in uses:
            seq += 1
            entry = {"seq": seq, "time": now, **told, "prev": former}
            former = entry["hash"] = self._hash(entry)
            lines.append(_line(entry) + b"\n")
        written = b"".join(lines)
        return {"seq": seq, "hash": former, "size": head["size"] + len(written)}, written

    def _undo(self, handle: int, head: dict[str, Any]) -> None:
        """Take back an entry that could not be completed, so that it does not count later (best effort)."""
        if (self._stored_head() or head)["seq"] <= head["seq"]:
            os.ftruncate(handle, head["size"])

    def _head(self) -> dict[str, Any]:
        """The signed head, advanced over whole entries that a crash left without one."""
        head = self._stored_head()
        size = self.path.stat().st_size if self.path.exists() else 0
        if head is None or size < head["size"]:
            raise _broken(self.path)
        return head if size == head["size"] else self._recovered(head)

    def _recovered(self, head: dict[str, Any]) -> dict[str, Any]:
        with self.path.open("rb") as file:
            file.seek(head["size"])
            whole, _, _ = file.read().rpartition(b"\n")
        return self._continued(head, whole.split(b"\n") if whole else [])

    def _continued(self, head: dict[str, Any], lines: Sequence[bytes]) -> dict[str, Any]:
        """The head with further entries, each of which must be of this installation and follow the one before."""
        for line in lines:
            entry = _parsed(line)
            if entry is None or entry["prev"] != head["hash"] or entry["hash"] != self._hash(entry):
                raise _broken(self.path)
            head = {"seq": entry["seq"], "hash": entry["hash"], "size": head["size"] + len(line) + 1}
        return head

    def _stored_head(self) -> dict[str, Any] | None:
        try:
            data = file_bytes(self._head_path)
            last, known = self._last_head
            if data == last:
                return known
            head: dict[str, Any] = json.loads(data)
            signed = hmac.compare_digest(head.pop("mac"), self._mac(head))
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if not signed:
            return None
        self._last_head = data, head
        return head

    def _sign(self, head: dict[str, Any]) -> None:
        write_private(self._head_path, json.dumps({**head, "mac": self._mac(head)}).encode())

    def _mac(self, head: dict[str, Any]) -> str:
        return hmac.new(self._secret, json.dumps(head, sort_keys=True).encode(), hashlib.sha256).hexdigest()

    def _read_on(self, *, anew: bool = False) -> LogIndex:
        """Read what was added and signed, entry by entry along the chain; after a fault, from the start again."""
        once = getattr(self._looking, "once", False)
        if once and self._looking.index is not None and not anew:
            return cast(LogIndex, self._looking.index)
        index = self._read_anew()
        if once:
            self._looking.index = index
        return index

    def _read_anew(self) -> LogIndex:
        head = self._stored_head()
        if head is None or head["size"] < self._read_until:
            raise _broken(self.path)
        if (self._read_until, self._read_hash) == (head["size"], head["hash"]):
            return self._index
        if self._read_until == 0 and self._take_kept(head):
            try:
                return self._read_up_to(head)
            except CustodyError:  # what was kept is of another log than this one, as after a restoration
                self._forget()
        return self._read_up_to(head)

    def _read_up_to(self, head: dict[str, Any]) -> LogIndex:
        try:
            self._read_entries(head["size"])
            if (self._read_until, self._read_hash) != (head["size"], head["hash"]):
                raise _broken(self.path)
        except CustodyError:
            self._forget()
            raise
        if self._since_kept >= KEPT_EVERY:
            self._keep()
        return self._index

    def _forget(self) -> None:
        self._read_until, self._read_hash, self._index, self._since_kept = 0, START, LogIndex(), 0

    def _take_kept(self, head: dict[str, Any]) -> bool:
        """Begin with what a process before has collected, if this installation signed it and the log reaches so far."""
        try:
            signature, _, text = self._kept_path.read_bytes().partition(b"\n")
            if not hmac.compare_digest(signature, self.signature("index", text)):
                return False
            kept = json.loads(text)
            if kept["size"] > head["size"]:
                return False
            index = LogIndex.of(kept)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False
        self._read_until, self._read_hash, self._index, self._since_kept = kept["size"], kept["hash"], index, 0
        return True

    def _keep(self) -> None:
        """Write down what was collected (best effort: it is only a shortcut)."""
        told = {"size": self._read_until, "hash": self._read_hash, **self._index.record()}
        text = json.dumps(told, ensure_ascii=False).encode()
        self._since_kept = 0
        with contextlib.suppress(OSError, CustodyError), locked(self._kept_path.with_suffix(".index.lock"), wait=False):
            write_private(self._kept_path, self.signature("index", text) + b"\n" + text)

    def signature(self, purpose: str, text: bytes) -> bytes:
        """What this installation signs of its own that is kept beside the log, in hex.

        Args:
            purpose: a word. Entries and heads are JSON lists and objects, so that none of them is taken for it.
        """
        return hmac.new(self._secret, purpose.encode() + b" " + text, hashlib.sha256).hexdigest().encode()

    def _read_entries(self, size: int) -> None:
        with storage_errors(self.path.name), self.path.open("rb") as file:
            file.seek(self._read_until)
            while self._read_until < size:
                self._take(file.readline())

    def _take(self, line: bytes) -> None:
        entry = _parsed(line.removesuffix(b"\n"))
        if entry is None or not line.endswith(b"\n"):
            raise _broken(self.path)
        if entry["prev"] != self._read_hash or entry["hash"] != self._hash(entry):
            raise _broken(self.path)
        self._index.take(entry)
        self._since_kept += 1
        self._read_until, self._read_hash = self._read_until + len(line), entry["hash"]

    def _hash(self, entry: dict[str, Any]) -> str:
        text = json.dumps([entry[name] for name in FIELDS], ensure_ascii=False, separators=(",", ":"))
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _line(entry: dict[str, Any]) -> bytes:
    """An entry as it stands in the file: one form only, so that nothing can be added to it unseen."""
    told = {name: entry[name] for name in (*FIELDS, "hash")}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
        return entry if _line(entry) == line else None
    except (ValueError, KeyError, TypeError):
        return None


def _broken(path: Path) -> CustodyError:
    return CustodyError(
        "the log of key use does not end where its signed head says",
        code="custody.log_broken",
        at={"file": path.name},
        remedy="run `kobe log verify` and have the privacy officer look into it before work goes on",
        ja="鍵使用記録の末尾が署名と一致しません",
    )
