"""Encrypts streams with a key of the vault's own: AES-256-GCM in chunks, each bound to its object, place and end.

An object is ``KOBESEAL`` and 16 random bytes, then chunks of 1 MiB, each with its tag of 16 bytes. Its key is
HKDF-SHA-256 of the vault's key with those random bytes; a chunk's nonce is its number and whether it is the last one
(the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015); the object's name is authenticated with every
chunk. So a chunk that was changed, left out, repeated or exchanged, a cut-off end and another object's content are all
refused.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kobe_platform.custody.durable import check_private, storage_errors
from kobe_platform.errors import CustodyError

KEY_BYTES = 32
CHUNK = 1024 * 1024
TAG = 16
MAGIC = b"KOBESEAL"
SALT = 16
_SEALED, _NAMES = b"kobe backup object", b"kobe backup names"


class Seal:
    """Seals and opens objects of one vault.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._names = HKDF(SHA256(), KEY_BYTES, None, _NAMES).derive(key)

    def name(self, digest: str) -> str:
        """The name of a content in the vault: who lacks the key cannot tell which files are there."""
        return hmac.new(self._names, digest.encode(), hashlib.sha256).hexdigest()

    def sealed(self, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
        """The object's bytes from its content, in pieces of any size."""
        salt = secrets.token_bytes(SALT)
        yield MAGIC + salt
        cipher = self._cipher(salt)
        for number, (chunk, is_last) in enumerate(_with_end(_chunks(content, CHUNK))):
            yield cipher.encrypt(_nonce(number, is_last), chunk, name.encode())

    def opened(self, name: str, stored: Iterable[bytes]) -> Iterator[bytes]:
        """The content of an object; each piece is authentic when it comes, the whole only at the end.

        Raises:
            CustodyError: ``backup.damaged``.
        """
        pieces = _chunks(stored, CHUNK + TAG, first=len(MAGIC) + SALT)
        head = next(pieces, b"")
        if len(head) != len(MAGIC) + SALT or not head.startswith(MAGIC):
            raise damaged(name)
        cipher = self._cipher(head[len(MAGIC) :])
        for number, (chunk, is_last) in enumerate(_with_end(pieces)):
            try:
                yield cipher.decrypt(_nonce(number, is_last), chunk, name.encode())
            except InvalidTag:
                raise damaged(name) from None

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), KEY_BYTES, salt, _SEALED).derive(self._key))


def read_key(path: Path) -> bytes:
    """The vault's key from its file, which nobody but its owner may read.

    Raises:
        CustodyError: the file is absent, may be read by others (``custody.permissions``), or holds no key
            (``backup.key``).
    """
    with storage_errors(path.name):
        check_private(path)
        text = path.read_text("ascii", errors="replace").strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise CustodyError(
            "the file holds no key of a backup",
            code="backup.key",
            at={"file": path.name},
            remedy="it is 64 hexadecimal digits, as `kobe backup key FILE` writes them",
            ja="バックアップの鍵のファイルではありません",
        )
    return key


def make_key(path: Path) -> None:
    """Write a new key to a file that is not there yet (0600).

    Raises:
        CustodyError: there is a file (``backup.key_exists``), or it cannot be written.
    """
    try:
        with storage_errors(path.name):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except CustodyError:
        if not path.exists():
            raise
        raise CustodyError(
            "there is a file already",
            code="backup.key_exists",
            at={"file": path.name},
            remedy="name a new file: without its key a vault can never be opened again",
            ja="鍵のファイルがすでにあります",
        ) from None
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(handle)


def damaged(name: str) -> CustodyError:
    """An object of a vault is not what was put there."""
    return CustodyError(
        "an object of the backup is missing, damaged or not its own",
        code="backup.damaged",
        at={"object": name},
        remedy="take another snapshot of this vault, or another vault; then make a new backup into an empty place",
        ja="バックアップが壊れています",
    )


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _chunks(pieces: Iterable[bytes], size: int, *, first: int = 0) -> Iterator[bytes]:
    """The same bytes in pieces of ``size`` (before them one of ``first``), the last one shorter."""
    wanted, held = first or size, bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= wanted:
            yield bytes(held[:wanted])
            del held[:wanted]
            wanted = size
    if held:
        yield bytes(held)


def _with_end(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each chunk, and whether it is the last; without any, one that is empty."""
    former = next(chunks, b"")
    for chunk in chunks:
        yield former, False
        former = chunk
    yield former, True
