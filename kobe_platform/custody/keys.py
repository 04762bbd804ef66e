"""Keys: one root, one versioned key per purpose, one random data key per file.

A data key (DEK) is wrapped by a key of its purpose (``data/raw/resident_register``), bound to the file's identity:
the wrapping key is HKDF(purpose key, identity), the wrap is AES key wrap (RFC 3394), so a wrapped key does not open
under another name. Pseudonym keys are purposes too (``pseudonym/resident``), so that pseudonyms of two purposes cannot
be joined. The local store wraps all purpose keys by a root key: a key file by default, or a passphrase (Argon2id).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import stat
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from kobe_platform.custody.durable import PRIVATE_FOLDER, locked, write_private
from kobe_platform.custody.key_log import KeyLog
from kobe_platform.errors import CustodyError

KEY_BYTES = 32
ARGON2ID = {"iterations": 3, "lanes": 4, "memory_cost": 64 * 1024}
"""RFC 9106, second recommended option: 64 MiB, three passes, four lanes."""


@dataclass(frozen=True)
class WrappedKey:
    """A data key as a manifest keeps it: which purpose key wraps it, and the wrapped bytes in hex."""

    key_id: str
    wrapped: str


@dataclass(frozen=True)
class KeyRecord:
    """One version of a purpose key. ``state``: active (wraps), retired (only unwraps) or revoked (neither)."""

    key_id: str
    purpose: str
    state: str
    created_at: str
    wrapped: str | None


class KeyService(Protocol):
    """What the lake asks of whoever keeps the keys; every call that uses a key is logged."""

    log: KeyLog

    def wrap(self, purpose: str, key: bytes, identity: str) -> WrappedKey:
        """Wrap a data key by the purpose's active key, bound to ``identity``."""

    def unwrap(self, purpose: str, wrapped: WrappedKey, identity: str) -> bytes:
        """The data key again."""

    def pseudonym_key(self, purpose: str) -> bytes:
        """The 32-byte key of the pseudonyms of one purpose; the same for as long as the installation lives."""

    def manifest_key(self) -> bytes:
        """The 32-byte key that authenticates manifests."""

    def record(self, action: str, purpose: str, object: str) -> None:
        """Write an entry that uses no key (a commit) into the log of key use."""


class LocalKeyStore:
    """Keys of one installation in a folder (0700) of private files (0600)."""

    def __init__(self, path: Path, root: bytes, *, principal: str, log: Path) -> None:
        self.path = path
        self.principal = principal
        self._root = root
        self.log = KeyLog(log, self._derived(root, "log head"))

    @classmethod
    def create(
        cls, path: Path, passphrase: str | None = None, *, log: Path | None = None, principal: str = "platform"
    ) -> LocalKeyStore:
        """Make a new store at ``path``.

        Raises:
            CustodyError: there is one already (``custody.exists``).
        """
        if (path / "root.json").exists():
            raise CustodyError(
                "there is a key store already",
                code="custody.exists",
                at={"folder": path.name},
                remedy="use it, or move it away: without it nothing that it protects can be read again",
                ja="鍵ストアはすでにあります",
            )
        path.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        os.chmod(path, PRIVATE_FOLDER)
        root = secrets.token_bytes(KEY_BYTES)
        record: dict[str, object] = {"kind": "key file"}
        if passphrase is None:
            write_private(path / "root.key", root.hex().encode())
        else:
            salt = secrets.token_bytes(16)
            wrapped = aes_key_wrap(_from_passphrase(passphrase, salt, ARGON2ID), root)
            record = {"kind": "passphrase", "salt": salt.hex(), "argon2id": ARGON2ID, "wrapped": wrapped.hex()}
        write_private(path / "root.json", json.dumps(record).encode())
        store = cls(path, root, principal=principal, log=log or path / "key_use.jsonl")
        store._save([])
        store.log.begin(principal)
        return store

    @classmethod
    def open(
        cls, path: Path, passphrase: str | None = None, *, log: Path | None = None, principal: str = "platform"
    ) -> LocalKeyStore:
        """Open the store at ``path``.

        Raises:
            CustodyError: it is absent, its files may be read by others, or the passphrase is wrong.
        """
        if not (path / "root.json").exists():
            raise CustodyError(
                "there is no key store",
                code="custody.no_store",
                at={"folder": path.name},
                remedy="run `kobe keys init`",
                ja="鍵ストアがありません",
            )
        for file in (path, *path.glob("*.json"), *path.glob("*.key")):
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                raise CustodyError(
                    "others than the owner may read the key store",
                    code="custody.permissions",
                    at={"file": file.name},
                    remedy="chmod 700 the folder and 600 its files, then rotate the keys",
                    ja="鍵ストアの権限がゆるすぎます",
                )
        store = cls(path, _root(path, passphrase), principal=principal, log=log or path / "key_use.jsonl")
        store.versions()
        return store

    def wrap(self, purpose: str, key: bytes, identity: str) -> WrappedKey:
        """See :class:`KeyService`."""
        record = self._active(purpose)
        wrapped = aes_key_wrap(_bound(self._opened(record), identity), key)
        self._use("wrap", record, identity)
        return WrappedKey(record.key_id, wrapped.hex())

    def unwrap(self, purpose: str, wrapped: WrappedKey, identity: str) -> bytes:
        """See :class:`KeyService`.

        Raises:
            CustodyError: the key was revoked (``custody.revoked``), is not in this store (``custody.wrong_key``), or
                the wrapped key belongs to another file (``custody.swapped``).
        """
        record = next((r for r in self.versions() if r.key_id == wrapped.key_id and r.purpose == purpose), None)
        if record is None:
            raise _fault("a file's key is not in this key store", "custody.wrong_key", identity)
        if record.state == "revoked":
            raise _fault("the key of a file was revoked: it can no longer be read", "custody.revoked", identity)
        try:
            key = aes_key_unwrap(_bound(self._opened(record), identity), bytes.fromhex(wrapped.wrapped))
        except (InvalidUnwrap, ValueError):
            raise _fault("a wrapped key belongs to another file", "custody.swapped", identity) from None
        self._use("unwrap", record, identity)
        return key

    def pseudonym_key(self, purpose: str) -> bytes:
        """See :class:`KeyService`. Pseudonym keys are never rotated: a new one would part a person's months."""
        record = self._active(f"pseudonym/{purpose}")
        self._use("pseudonym", record, purpose)
        return self._opened(record)

    def manifest_key(self) -> bytes:
        """See :class:`KeyService`."""
        return self._derived(self._root, "manifest")

    def record(self, action: str, purpose: str, object: str) -> None:
        """See :class:`KeyService`."""
        self.log.append(principal=self.principal, action=action, purpose=purpose, key="", object=object)

    def versions(self) -> list[KeyRecord]:
        """Every version of every key, without key material (``wrapped`` is of use to the store alone)."""
        try:
            ring = json.loads((self.path / "keyring.json").read_bytes())
            records = ring["keys"]
            sound = hmac.compare_digest(ring["mac"], self._ring_mac(records))
        except (OSError, ValueError, KeyError, TypeError):
            sound, records = False, []
        if not sound:
            raise CustodyError(
                "the key ring is damaged, or was written by another installation",
                code="custody.keyring",
                at={"file": "keyring.json"},
                remedy="restore the key store from its backup",
                ja="鍵束が壊れているか、別の環境のものです",
            )
        return [KeyRecord(**record) for record in records]

    def rotate(self, purpose: str) -> KeyRecord:
        """Put a new version of the purpose's key in force; the former one still opens what it wrapped.

        Raises:
            CustodyError: pseudonym keys cannot be rotated (``custody.pseudonym``).
        """
        if purpose.startswith("pseudonym/"):
            raise CustodyError(
                "a pseudonym key cannot be rotated: persons would part from their former months",
                code="custody.pseudonym",
                at={"purpose": purpose},
                remedy="rotate keys of data",
                ja="仮名化の鍵は交換できません",
            )
        with locked(self.path / ".lock"):
            records = [_restated(r, "retired") if _is(r, purpose, "active") else r for r in self.versions()]
            record = self._new(purpose, records)
            self._save([*records, record])
        self._use("rotate", record, purpose)
        return record

    def revoke(self, key_id: str) -> KeyRecord:
        """Destroy one version of a key: what only it wraps can never be read again.

        Raises:
            CustodyError: there is no such key (``custody.unknown_key``).
        """
        with locked(self.path / ".lock"):
            records = self.versions()
            if key_id not in {record.key_id for record in records}:
                raise CustodyError(
                    "there is no such key",
                    code="custody.unknown_key",
                    at={"key": key_id},
                    remedy="run `kobe keys list`",
                    ja="その鍵はありません",
                )
            records = [_restated(r, "revoked") if r.key_id == key_id else r for r in records]
            self._save(records)
        record = next(record for record in records if record.key_id == key_id)
        self._use("revoke", record, key_id)
        return record

    def _active(self, purpose: str) -> KeyRecord:
        for record in self.versions():
            if _is(record, purpose, "active"):
                return record
        with locked(self.path / ".lock"):
            records = self.versions()
            found = next((record for record in records if _is(record, purpose, "active")), None)
            if found is not None:
                return found
            record = self._new(purpose, records)
            self._save([*records, record])
        self._use("create", record, purpose)
        return record

    def _new(self, purpose: str, records: list[KeyRecord]) -> KeyRecord:
        number = 1 + sum(record.purpose == purpose for record in records)
        wrapped = aes_key_wrap(self._derived(self._root, "keyring wrap"), secrets.token_bytes(KEY_BYTES)).hex()
        created = datetime.now(UTC).isoformat(timespec="seconds")
        return KeyRecord(f"{purpose}#{number}", purpose, "active", created, wrapped)

    def _opened(self, record: KeyRecord) -> bytes:
        if record.wrapped is None:
            raise _fault("a key was revoked", "custody.revoked", record.key_id)
        return aes_key_unwrap(self._derived(self._root, "keyring wrap"), bytes.fromhex(record.wrapped))

    def _save(self, records: list[KeyRecord]) -> None:
        plain = [asdict(record) for record in records]
        ring = {"version": 1, "keys": plain, "mac": self._ring_mac(plain)}
        write_private(self.path / "keyring.json", json.dumps(ring, indent=1).encode())

    def _ring_mac(self, records: list[dict]) -> str:
        text = json.dumps(records, sort_keys=True).encode()
        return hmac.new(self._derived(self._root, "keyring"), text, hashlib.sha256).hexdigest()

    def _use(self, action: str, record: KeyRecord, object: str) -> None:
        self.log.append(
            principal=self.principal, action=action, purpose=record.purpose, key=record.key_id, object=object
        )

    @staticmethod
    def _derived(root: bytes, use: str) -> bytes:
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"kobe-platform {use}".encode()).derive(root)


def _bound(key: bytes, identity: str) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"wrap {identity}".encode()).derive(key)


def _is(record: KeyRecord, purpose: str, state: str) -> bool:
    return record.purpose == purpose and record.state == state


def _restated(record: KeyRecord, state: str) -> KeyRecord:
    wrapped = None if state == "revoked" else record.wrapped
    return KeyRecord(record.key_id, record.purpose, state, record.created_at, wrapped)


def _from_passphrase(passphrase: str, salt: bytes, parameters: dict[str, int]) -> bytes:
    return Argon2id(salt=salt, length=KEY_BYTES, **parameters).derive(passphrase.encode())


def _root(path: Path, passphrase: str | None) -> bytes:
    record = json.loads((path / "root.json").read_bytes())
    if record["kind"] == "key file":
        return bytes.fromhex((path / "root.key").read_text())
    try:
        key = _from_passphrase(passphrase or "", bytes.fromhex(record["salt"]), record["argon2id"])
        return aes_key_unwrap(key, bytes.fromhex(record["wrapped"]))
    except InvalidUnwrap:
        raise CustodyError(
            "the passphrase does not open the key store",
            code="custody.passphrase",
            at={"folder": path.name},
            remedy="give the passphrase in KOBE_PASSPHRASE_FILE",
            ja="パスフレーズが違います",
        ) from None


def _fault(message: str, code: str, identity: str) -> CustodyError:
    return CustodyError(
        message,
        code=code,
        at={"object": identity},
        remedy="check that KOBE_HOME holds the key store of this installation; see `kobe keys list`",
        ja="データの鍵を開けません",
    )
