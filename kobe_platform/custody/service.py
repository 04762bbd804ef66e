"""The interface of the key service that the lake calls, and the code that its back ends have in common.

A data key (DEK) is wrapped by a key of its purpose (``data/raw/resident_register``), bound to the file's identity, so
that it does not open under another name. Pseudonym keys are purposes too (``pseudonym/resident``), so that pseudonyms
of two purposes cannot be joined. Every use is in the log of key use before the caller gets what it asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kobe_platform.custody.key_log import KeyLog
from kobe_platform.custody.keyring import ACTIVE, CHANGED, REVOKED, KeyRecord, KeyRing, RingState
from kobe_platform.custody.shared_log import LogSegments
from kobe_platform.errors import CustodyError
from kobe_platform.objects import Objects

KEY_BYTES = 32
PSEUDONYM = "pseudonym/"
RING_ATTEMPTS = 5
"""How often a key is made where other machines change the ring meanwhile."""


@dataclass(frozen=True)
class WrappedKey:
    """A data key as a manifest keeps it: which purpose key wraps it, and the wrapped bytes in hex."""

    key_id: str
    wrapped: str


class KeyService(Protocol):
    """What the lake asks of a key service; every call that uses a key is logged."""

    log: KeyLog
    principal: str

    def wrap(self, purpose: str, key: bytes, identity: str) -> WrappedKey:
        """Wrap a data key by the purpose's active key, bound to ``identity``."""

    def unwrap(self, purpose: str, wrapped: WrappedKey, identity: str) -> bytes:
        """The data key again."""

    def unwrap_all(self, wanted: Sequence[tuple[str, WrappedKey, str]]) -> list[bytes]:
        """The data keys of several files (purpose, wrapped key, identity of each), logged one by one, synced once."""

    def pseudonym_key(self, purpose: str) -> bytes:
        """The 32-byte key of the pseudonyms of one purpose; the same for as long as the installation lives."""

    def manifest_key(self) -> bytes:
        """The 32-byte key that authenticates manifests."""

    def record(self, action: str, purpose: str, object: str, token: str = "") -> None:
        """Write an entry that uses no key (a commit, a destruction) into the log of key use.

        Args:
            token: of a commit into a store that machines share: what tells the generation from others of its number.
        """

    def versions(self) -> list[KeyRecord]:
        """Every version of every key, without usable material."""

    def pending(self) -> tuple[str, ...]:
        """Purposes that a rotation under way has still to rewrap."""

    def begin_rotation(self, purposes: Sequence[str]) -> tuple[str, ...]:
        """Put new keys in force, or go on with a rotation that was interrupted; the purposes still to rewrap."""

    def rewrapped(self, purpose: str) -> None:
        """Take a purpose from the rotation under way: nothing of it is wrapped by an older key any more."""

    def revoke(self, key_id: str) -> KeyRecord:
        """Destroy one version of a key: what only it wraps can never be read again."""


class RingKeyService(ABC):
    """A key service with a signed ring of versions; a back end says how a version is made, used and destroyed.

    Args:
        path: folder of the ring (0700), whose files are private.
        root: 32-byte secret of the installation, from which the keys that sign ring, log and manifests are derived.
        principal: who is acting.
        log: the log of key use.
        shared: where machines share ring and log, of which the files are then copies; None for a machine alone.
    """

    def __init__(self, path: Path, root: bytes, *, principal: str, log: Path, shared: Objects | None = None) -> None:
        self.path = path
        self.principal = principal
        self._root = root
        self._manifest_key = derived(root, "manifest")
        self._ring = KeyRing(path / "keyring.json", derived(root, "keyring"), shared)
        self.log = KeyLog(log, derived(root, "log head"), LogSegments(shared) if shared is not None else None)

    def _begin(self) -> None:
        """Write the empty ring and the first entry of the log of a new installation."""
        self._ring.found()
        self.log.begin(self.principal)

    @abstractmethod
    def _make(self, purpose: str) -> str:
        """Make a new key; what the ring is to keep of it."""

    @abstractmethod
    def _seal(self, record: KeyRecord, key: bytes, identity: str) -> bytes:
        """Wrap a data key."""

    @abstractmethod
    def _unseal(self, record: KeyRecord, sealed: bytes, identity: str) -> bytes:
        """Unwrap a data key; raises ``custody.swapped`` where it was wrapped for another identity."""

    @abstractmethod
    def _material(self, record: KeyRecord) -> bytes:
        """The 32 bytes of a pseudonym key."""

    @abstractmethod
    def _destroy(self, record: KeyRecord) -> None:
        """Destroy what a back end keeps outside the ring; called before the ring forgets the version."""

    def wrap(self, purpose: str, key: bytes, identity: str) -> WrappedKey:
        """See :class:`KeyService`; raises ``custody.pseudonym`` for a purpose of pseudonyms."""
        refuse_pseudonyms([purpose], "a pseudonym key wraps no data key")
        record = self._active(purpose)
        wrapped = self._seal(record, key, identity)
        self._use("wrap", record, identity)
        return WrappedKey(record.key_id, wrapped.hex())

    def unwrap(self, purpose: str, wrapped: WrappedKey, identity: str) -> bytes:
        """See :class:`KeyService`.

        Raises:
            CustodyError: the key was revoked (``custody.revoked``), is not in this store (``custody.wrong_key``), or
                the wrapped key belongs to another file (``custody.swapped``).
        """
        (key,) = self.unwrap_all([(purpose, wrapped, identity)])
        return key

    def unwrap_all(self, wanted: Sequence[tuple[str, WrappedKey, str]]) -> list[bytes]:
        """See :class:`KeyService`; with an error (as :meth:`unwrap`) no key is given out, and none logged."""
        opened = [self._opened(*one) for one in wanted]
        self.log.append_all(
            [
                self._entry("unwrap", record, identity)
                for (record, _), (_, _, identity) in zip(opened, wanted, strict=True)
            ]
        )
        return [key for _, key in opened]

    def _opened(self, purpose: str, wrapped: WrappedKey, identity: str) -> tuple[KeyRecord, bytes]:
        """The version that wraps a data key, and the data key; the caller logs the use before it hands the key out."""
        refuse_pseudonyms([purpose], "a pseudonym key wraps no data key")
        record = self._known(wrapped.key_id)
        if record is None or record.purpose != purpose:
            raise key_fault("a file's key is not in this key store", "custody.wrong_key", identity)
        if record.state == REVOKED:
            raise key_fault("the key of a file was revoked: it can no longer be read", "custody.revoked", identity)
        try:
            sealed = bytes.fromhex(wrapped.wrapped)
        except ValueError:
            raise key_fault("a wrapped key is not one", "custody.swapped", identity) from None
        return record, self._unseal(record, sealed, identity)

    def pseudonym_key(self, purpose: str) -> bytes:
        """See :class:`KeyService`. Pseudonym keys are never rotated: a new one would part a person's months.

        Raises:
            CustodyError: it was revoked (``custody.revoked``): no other takes its place.
        """
        record = self._active(f"{PSEUDONYM}{purpose}")
        self._use("pseudonym", record, purpose)
        return self._material(record)

    def manifest_key(self) -> bytes:
        """See :class:`KeyService`."""
        return self._manifest_key

    def record(self, action: str, purpose: str, object: str, token: str = "") -> None:
        """See :class:`KeyService`."""
        self.log.append(principal=self.principal, action=action, purpose=purpose, key=token, object=object)

    def versions(self) -> list[KeyRecord]:
        """See :class:`KeyService`; raises ``custody.keyring`` where the ring does not authenticate."""
        return list(self._ring.read().records)

    def pending(self) -> tuple[str, ...]:
        """See :class:`KeyService`."""
        return self._ring.read().pending

    def begin_rotation(self, purposes: Sequence[str]) -> tuple[str, ...]:
        """See :class:`KeyService`. All new keys come into force in one step; a rotation under way is continued.

        Raises:
            CustodyError: pseudonym keys cannot be rotated (``custody.pseudonym``).
        """
        refuse_pseudonyms(purposes, "a pseudonym key cannot be rotated: persons would part from their former months")
        with self._ring.held() as state:
            if not state.pending:
                state = replace(self._with_new(state, purposes), pending=tuple(purposes))
                self._ring.save(state)
            elif revoked := [purpose for purpose in state.pending if state.active(purpose) is None]:
                state = self._with_new(state, revoked)
                self._ring.save(state)
        for purpose in state.pending:
            self._use("rotate", state.newest(purpose), purpose)
        return state.pending

    def rewrapped(self, purpose: str) -> None:
        """See :class:`KeyService`."""
        with self._ring.held() as state:
            self._ring.save(replace(state, pending=tuple(name for name in state.pending if name != purpose)))

    def revoke(self, key_id: str) -> KeyRecord:
        """See :class:`KeyService`. The record of it is on the disk before the key is gone.

        Raises:
            CustodyError: there is no such key (``custody.unknown_key``).
        """
        with self._ring.held() as state:
            record = state.find(key_id)
            if record is None:
                raise CustodyError(
                    "there is no such key",
                    code="custody.unknown_key",
                    at={"key": key_id},
                    remedy="run `kobe keys list`",
                    ja="その鍵はありません",
                )
            self._use("revoke", record, key_id)
            if record.state != REVOKED:
                self._destroy(record)
            revoked = record.revoked()
            self._ring.save(state.revoking(key_id))
            self._use("revoked", record, key_id)
        return revoked

    def _known(self, key_id: str) -> KeyRecord | None:
        """One version as the ring has it, a ring that is older than the log told apart from the present one."""
        record = self._ring.read().find(key_id)
        if record is None and self._ring.is_copy:
            with self._ring.held() as state:  # another machine made it since the ring was read
                record = state.find(key_id)
        if record is None or record.state == REVOKED or not self.log.revoked(key_id):
            return record
        with self._ring.held() as state:  # it was revoked since it was read, or the ring is a former one
            record = state.find(key_id)
        if record is not None and record.state != REVOKED:
            raise _older_ring(key_id)
        return record

    def _active(self, purpose: str) -> KeyRecord:
        state = self._ring.read()
        found = state.active(purpose)
        if found is not None and not self.log.created(state.next_id(purpose)) and not self.log.revoked(found.key_id):
            return found
        for _ in range(RING_ATTEMPTS - 1):
            try:
                return self._made(purpose)
            except CustodyError as error:
                if error.code != CHANGED:  # another machine made a key meanwhile, perhaps this one
                    raise
        return self._made(purpose)

    def _made(self, purpose: str) -> KeyRecord:
        """The version in force by the ring as it is now; the first one is made."""
        with self._ring.held() as state:
            found = state.active(purpose)
            if found is not None:
                if self.log.created(state.next_id(purpose)) or self.log.revoked(found.key_id):
                    raise _older_ring(found.key_id)
                return found
            if purpose.startswith(PSEUDONYM) and any(record.purpose == purpose for record in state.records):
                raise key_fault("a pseudonym key was revoked: no other takes its place", "custody.revoked", purpose)
            state = self._with_new(state, [purpose])
            self._ring.save(state)
        record = state.newest(purpose)
        self._use("create", record, purpose)
        return record

    def _with_new(self, state: RingState, purposes: Iterable[str]) -> RingState:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        for purpose in purposes:
            key_id = state.next_id(purpose)
            if self.log.created(key_id):
                raise _older_ring(key_id)
            state = state.adding(KeyRecord(key_id, purpose, ACTIVE, created, self._make(purpose)))
        return state

    def _use(self, action: str, record: KeyRecord, object: str) -> None:
        self.log.append_all([self._entry(action, record, object)])

    def _entry(self, action: str, record: KeyRecord, object: str) -> dict[str, str]:
        told = {"purpose": record.purpose, "key": record.key_id, "object": object}
        return {"principal": self.principal, "action": action, **told}


def _older_ring(key_id: str) -> CustodyError:
    return CustodyError(
        "the key ring is older than the log of key use: it does not know what became of a key",
        code="custody.keyring_rolled_back",
        at={"key": key_id},
        remedy="restore the newest backup of the key store",
        ja="鍵束が鍵使用記録より古いものです",
    )


def derived(secret: bytes, use: str) -> bytes:
    """A key of its own for each use of a secret: HKDF-SHA256 (RFC 5869) with the use as context."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"kobe-platform {use}".encode()).derive(secret)


def refuse_pseudonyms(purposes: Iterable[str], message: str) -> None:
    """Raise ``custody.pseudonym`` where a pseudonym key is among the purposes: it makes pseudonyms and nothing else."""
    for purpose in purposes:
        if purpose.startswith(PSEUDONYM):
            raise CustodyError(
                message,
                code="custody.pseudonym",
                at={"purpose": purpose},
                remedy="name purposes of data: see `kobe keys list`",
                ja="仮名化の鍵は、交換やデータの暗号化には使えません",
            )


def key_fault(message: str, code: str, identity: str) -> CustodyError:
    """An error about the key of one object."""
    return CustodyError(
        message,
        code=code,
        at={"object": identity},
        remedy="check that KOBE_HOME holds the key store of this installation; see `kobe keys list`",
        ja="データの鍵を開けません",
    )
