"""Stores every version of every key in one signed private file, the key ring, which is replaced in one step.

It also remembers a rotation that is under way, so that an interrupted one is continued and not started again.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from kobe_platform.custody.durable import clear_asides, locked, private_folder, storage_errors, write_private
from kobe_platform.errors import CustodyError
from kobe_platform.objects import Objects

ACTIVE, RETIRED, REVOKED = "active", "retired", "revoked"
SHARED = "keys/keyring.json"
"""The ring among the objects that machines share: its keys are wrapped there as they are in the file."""
FRESH_SECONDS = 2.0
"""So long a copy of a shared ring serves who uses a key; who changes the ring reads it at once."""
CHANGED = "custody.keyring_changed"


@dataclass(frozen=True)
class KeyRecord:
    """One version of a purpose key. ``state``: active (wraps), retired (only unwraps) or revoked (neither).

    ``wrapped`` is what the back end needs to use it: the wrapped key in hex, or the name of a key of AWS KMS; None once
    it is revoked. The states are those of NIST SP 800-57 part 1, section 7: active, deactivated, destroyed.
    """

    key_id: str
    purpose: str
    state: str
    created_at: str
    wrapped: str | None

    def revoked(self) -> KeyRecord:
        """This version without its material."""
        return replace(self, state=REVOKED, wrapped=None)


@dataclass(frozen=True)
class RingState:
    """What the ring file says: all versions, and the purposes that a rotation has still to rewrap."""

    records: tuple[KeyRecord, ...] = ()
    pending: tuple[str, ...] = ()

    def active(self, purpose: str) -> KeyRecord | None:
        """The version that wraps for ``purpose``, or None."""
        return next((r for r in self.records if r.purpose == purpose and r.state == ACTIVE), None)

    def newest(self, purpose: str) -> KeyRecord:
        """:meth:`active` of a purpose that has one; LookupError where it has none."""
        found = self.active(purpose)
        if found is None:
            raise LookupError(purpose)
        return found

    def find(self, key_id: str) -> KeyRecord | None:
        """One version by its name."""
        return next((record for record in self.records if record.key_id == key_id), None)

    def next_id(self, purpose: str) -> str:
        """Name of a further version of a purpose's key."""
        return f"{purpose}#{1 + sum(record.purpose == purpose for record in self.records)}"

    def adding(self, record: KeyRecord) -> RingState:
        """With a new version in force: the former one of its purpose only unwraps."""
        former = self.active(record.purpose)
        kept = [replace(r, state=RETIRED) if r is former else r for r in self.records]
        return replace(self, records=(*kept, record))

    def revoking(self, key_id: str) -> RingState:
        """With one version gone: its material is no longer in the ring."""
        gone = [record.revoked() if record.key_id == key_id else record for record in self.records]
        return replace(self, records=tuple(gone))


class KeyRing:
    """The ring file of one installation.

    Args:
        path: ``keyring.json`` in the key store's folder.
        secret: key that signs it (32 bytes).
        shared: where machines share the ring; the file is then a copy of it.
    """

    def __init__(self, path: Path, secret: bytes, shared: Objects | None = None) -> None:
        self.path = path
        self._shared = shared
        self._tag: str | None = None
        self._looked_at = -FRESH_SECONDS
        self._secret = secret
        self._last: tuple[bytes, RingState] | None = None  # the bytes that authenticated last, and what they say

    @property
    def is_copy(self) -> bool:
        """Whether other machines may have changed the ring since it was read."""
        return self._shared is not None

    def read(self) -> RingState:
        """The ring as it stands.

        Raises:
            CustodyError: it does not authenticate (``custody.keyring``), or cannot be read (see
                :func:`~kobe_platform.custody.durable.storage_errors`).
        """
        if self._shared is not None and monotonic() - self._looked_at >= FRESH_SECONDS:
            with storage_errors(self.path.name), locked(self.path.with_name(".lock")):
                self._copy(self._shared)
        return self._read()

    def _read(self) -> RingState:
        with storage_errors(self.path.name):
            data = self.path.read_bytes()
        last = self._last
        if last is not None and last[0] == data:  # opening thousands of files asks for it thousands of times
            return last[1]
        try:
            ring = json.loads(data)
            body = {"keys": ring["keys"], "pending": ring["pending"]}
            sound = hmac.compare_digest(ring["mac"], self._mac(body))
        except (ValueError, KeyError, TypeError):
            sound, body = False, {}
        if not sound:
            raise CustodyError(
                "the key ring is damaged, or was written by another installation",
                code="custody.keyring",
                at={"file": self.path.name},
                remedy="restore the key store from its backup",
                ja="鍵束が壊れているか、別の環境のものです",
            )
        state = RingState(tuple(KeyRecord(**record) for record in body["keys"]), tuple(body["pending"]))
        self._last = data, state
        return state

    def found(self) -> None:
        """Write the empty ring of a new installation.

        Raises:
            CustodyError: the place that machines share has one already (``store.taken``), or does not keep to
                conditions of writes (``store.conditions``).
        """
        if self._shared is not None:
            if self._shared.get(SHARED) is not None:
                raise taken()
            self._shared.check_conditions()
        self.save(RingState())

    def save(self, state: RingState) -> None:
        """Replace the ring file; where machines share the ring, only what :meth:`held` gave.

        Raises:
            CustodyError: another machine changed it meanwhile (``custody.keyring_changed``): nothing is changed.
        """
        body = {"keys": [asdict(record) for record in state.records], "pending": list(state.pending)}
        data = json.dumps({"version": 1, **body, "mac": self._mac(body)}, indent=1).encode()
        if self._shared is not None:
            tag = self._shared.exchange(SHARED, data, self._tag)
            if tag is None:
                self._looked_at = -FRESH_SECONDS
                raise _changed()
            self._tag = tag
        with storage_errors(self.path.name):
            write_private(self.path, data)

    def _copy(self, shared: Objects) -> None:
        """Make the file what machines share; callers hold the lock."""
        found = shared.get(SHARED)
        if found is None:
            raise CustodyError(
                "the store holds no key ring: it is empty, or another than this machine's keys belong to",
                code="store.no_ring",
                at={"object": SHARED},
                remedy="check KOBE_STORE_URL; a new installation begins with `kobe keys init`",
                ja="共有の保管場所に鍵束がありません",
            )
        self._tag, self._looked_at = found.tag, monotonic()
        if not self.path.exists() or self.path.read_bytes() != found.data:
            private_folder(self.path.parent)
            write_private(self.path, found.data)

    @contextmanager
    def held(self) -> Iterator[RingState]:
        """The ring as it stands, while no other process changes it."""
        with contextlib.ExitStack() as stack:
            with storage_errors(self.path.name):
                stack.enter_context(locked(self.path.with_name(".lock")))
                clear_asides(self.path.parent)
                if self._shared is not None:
                    self._copy(self._shared)
            yield self._read()

    def _mac(self, body: dict[str, Any]) -> str:
        return hmac.new(self._secret, json.dumps(body, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def taken() -> CustodyError:
    """The place that machines share belongs to another installation."""
    return CustodyError(
        "the store holds another installation, or one that was never finished",
        code="store.taken",
        remedy="copy the key store of that installation to this machine, or name an empty place in KOBE_STORE_URL",
        ja="共有の保管場所は別の環境が使っています",
    )


def _changed() -> CustodyError:
    return CustodyError(
        "another machine changed the key ring meanwhile",
        code=CHANGED,
        at={"object": SHARED},
        remedy="run the command again: it goes on from the ring as it is now",
        ja="ほかの機械が鍵束を先に変更しました",
    )


@contextmanager
def only_rotation(keys: Path) -> Iterator[None]:
    """Keep rotations away; the system lets go of the lock when its process ends, however it ends.

    Args:
        keys: folder of the key store.

    Raises:
        CustodyError: a rotation, or a backup, is under way (``custody.rotation_under_way``).
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(keys / ".rotation.lock", wait=False))
        except BlockingIOError:
            raise CustodyError(
                "a rotation of keys, or a backup, is under way",
                code="custody.rotation_under_way",
                at={"folder": keys.name},
                remedy="wait until it ends, or end its process; an ended rotation goes on with `kobe keys rotate`",
                ja="鍵の交換かバックアップがすでに実行中です",
            ) from None
        yield
