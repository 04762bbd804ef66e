"""Keeps keys on this machine: in a private folder, wrapped by a root key.

The root key wraps every purpose key (AES key wrap, RFC 3394; NIST SP 800-38F) and is itself a key file (0600) by
default, or wrapped by a passphrase through Argon2id (RFC 9106). A data key is wrapped by HKDF(purpose key, identity).
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from kobe_platform.custody.durable import storage_errors, write_private
from kobe_platform.custody.folder import check_store, new_folder
from kobe_platform.custody.keyring import KeyRecord
from kobe_platform.custody.service import KEY_BYTES, KeyService, RingKeyService, WrappedKey, derived, key_fault
from kobe_platform.errors import CustodyError
from kobe_platform.objects import Objects

__all__ = ["KEY_BYTES", "KeyRecord", "KeyService", "LocalKeyStore", "WrappedKey"]

ARGON2ID = {"iterations": 3, "lanes": 4, "memory_cost": 64 * 1024}
"""RFC 9106, second recommended option: 64 MiB, three passes, four lanes."""
LEAST_PASSPHRASE = 12
"""Characters; the 8 of NIST SP 800-63B (revision 3) assume that guesses are throttled, which offline ones are not."""


class LocalKeyStore(RingKeyService):
    """Keys of one installation in a folder (0700) of private files (0600)."""

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: str | None = None,
        *,
        log: Path | None = None,
        principal: str = "platform",
        shared: Objects | None = None,
    ) -> LocalKeyStore:
        """Make a new store at ``path``, opened by a key file or by ``passphrase``.

        The log is begun first and ``root.json`` written last: a store that is there is whole.

        Raises:
            CustodyError: there is one already (``custody.exists``), or the passphrase is shorter than
                :data:`LEAST_PASSPHRASE` (``custody.weak_passphrase``), or the place that machines share
                belongs to another installation (``store.taken``).
        """
        if passphrase is not None and len(passphrase) < LEAST_PASSPHRASE:
            raise CustodyError(
                "the passphrase is too short",
                code="custody.weak_passphrase",
                at={"least": LEAST_PASSPHRASE},
                remedy="take several words: who copies the key store may guess for as long as he likes",
                ja=f"パスフレーズは{LEAST_PASSPHRASE}文字以上にしてください",
            )
        with storage_errors(path.name):
            new_folder(path)
            root = secrets.token_bytes(KEY_BYTES)
            store = cls(path, root, principal=principal, log=log or path / "key_use.jsonl", shared=shared)
            store._begin()
            record = _sealed_root(path, root, passphrase)
            write_private(path / "root.json", json.dumps(record).encode())
        return store

    @classmethod
    def open(
        cls,
        path: Path,
        passphrase: str | None = None,
        *,
        log: Path | None = None,
        principal: str = "platform",
        shared: Objects | None = None,
    ) -> LocalKeyStore:
        """Open the store at ``path``.

        Raises:
            CustodyError: it is absent, its files belong to others, may be read by others or are links, or the
                passphrase is wrong (``custody.passphrase``).
        """
        check_store(path)
        with storage_errors(path.name):
            root = _root(path, passphrase)
        store = cls(path, root, principal=principal, log=log or path / "key_use.jsonl", shared=shared)
        store.versions()
        return store

    def _make(self, purpose: str) -> str:
        return aes_key_wrap(derived(self._root, "keyring wrap"), secrets.token_bytes(KEY_BYTES)).hex()

    def _seal(self, record: KeyRecord, key: bytes, identity: str) -> bytes:
        return aes_key_wrap(_bound(self._material(record), identity), key)

    def _unseal(self, record: KeyRecord, sealed: bytes, identity: str) -> bytes:
        try:
            return aes_key_unwrap(_bound(self._material(record), identity), sealed)
        except InvalidUnwrap:
            raise key_fault("a wrapped key belongs to another file", "custody.swapped", identity) from None

    def _destroy(self, record: KeyRecord) -> None:
        """Nothing lies outside the ring."""

    def _material(self, record: KeyRecord) -> bytes:
        if record.wrapped is None:
            raise key_fault("a key was revoked", "custody.revoked", record.key_id)
        return aes_key_unwrap(derived(self._root, "keyring wrap"), bytes.fromhex(record.wrapped))


def _bound(key: bytes, identity: str) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"wrap {identity}".encode()).derive(key)


def _sealed_root(path: Path, root: bytes, passphrase: str | None) -> dict[str, object]:
    """What ``root.json`` says; a key file is written beside it first."""
    if passphrase is None:
        write_private(path / "root.key", root.hex().encode())
        return {"kind": "key file"}
    salt = secrets.token_bytes(16)
    wrapped = aes_key_wrap(_from_passphrase(passphrase, salt, ARGON2ID), root)
    return {"kind": "passphrase", "salt": salt.hex(), "argon2id": ARGON2ID, "wrapped": wrapped.hex()}


def _from_passphrase(passphrase: str, salt: bytes, parameters: dict[str, int]) -> bytes:
    iterations, lanes, memory_cost = (parameters[cost] for cost in ("iterations", "lanes", "memory_cost"))
    derivation = Argon2id(salt=salt, length=KEY_BYTES, iterations=iterations, lanes=lanes, memory_cost=memory_cost)
    return derivation.derive(passphrase.encode())


def _root(path: Path, passphrase: str | None) -> bytes:
    try:
        record = json.loads((path / "root.json").read_bytes())
        if record["kind"] == "key file":
            root = bytes.fromhex(os.fsdecode((path / "root.key").read_bytes()))
            if len(root) != KEY_BYTES:
                raise ValueError
            return root
        salt, wrapped = bytes.fromhex(record["salt"]), bytes.fromhex(record["wrapped"])
        parameters = {cost: record["argon2id"][cost] for cost in ARGON2ID}
    except (ValueError, KeyError, TypeError):
        raise CustodyError(
            "the key store cannot be understood: it is damaged, or belongs to another key service",
            code="custody.store_damaged",
            at={"file": "root.json"},
            remedy="restore the key store from its backup; see KOBE_KEY_SERVICE",
            ja="鍵ストアを読み取れません",
        ) from None
    try:
        return aes_key_unwrap(_from_passphrase(passphrase or "", salt, parameters), wrapped)
    except (InvalidUnwrap, ValueError, TypeError):
        raise CustodyError(
            "the passphrase does not open the key store",
            code="custody.passphrase",
            at={"folder": path.name},
            remedy="give the passphrase in KOBE_PASSPHRASE_FILE",
            ja="パスフレーズが違います",
        ) from None
