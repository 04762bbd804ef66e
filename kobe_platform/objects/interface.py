"""The interface of a place of objects, which the log of key use, the key ring, the lake and the releases call.

What a writer has to reckon with: an answer may be lost after the object was written, and the request is then made a
second time. A conditional write that is refused therefore looks whether what stands there is its own bytes, and counts
as done if so. Writers whose bytes could be those of another writer put a random number into them.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kobe_platform.errors import CustodyError


@dataclass(frozen=True)
class StoredObject:
    """An object's bytes, and the tag that changes with them."""

    data: bytes
    tag: str


@dataclass(frozen=True)
class ListedObject:
    """An object as a list names it: ``modified`` in UTC. A list may be older than a read of the same object."""

    name: str
    tag: str
    modified: datetime


class Objects(ABC):
    """Named objects below one place; each name is a path with ``/``.

    Every method raises CustodyError where the place cannot do what it was asked (``store.unreachable``,
    ``store.denied``), without the words of the library, which name addresses.
    """

    @abstractmethod
    def get(self, name: str) -> StoredObject | None:
        """An object; None where there is none."""

    @abstractmethod
    def fetch(self, name: str, path: Path) -> bool:
        """Write an object's bytes to a file that is there already, piece by piece; False where there is no object."""

    @abstractmethod
    def put(self, name: str, data: bytes | Path) -> None:
        """Write an object, whatever stands there: for names that only one writer uses."""

    @abstractmethod
    def names(self, prefix: str) -> Iterator[ListedObject]:
        """Objects below a folder."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Take an object away; nothing where there is none."""

    @abstractmethod
    def _put_if(self, name: str, data: bytes, tag: str | None) -> str | None:
        """One conditional write: the new tag, or None where it was refused. ``tag`` None: there must be no object."""

    def _put_once_more(self, name: str, data: bytes, tag: str) -> str | None:
        """Called where a write was refused although the object is still the one with ``tag``."""
        return self._put_if(name, data, tag)

    def put_new(self, name: str, data: bytes) -> bool:
        """Write an object where there is none; False where another writer's stands there."""
        return self.exchange(name, data, None) is not None

    def exchange(self, name: str, data: bytes, tag: str | None) -> str | None:
        """Write an object where it is still the one with ``tag`` (None: where there is none).

        Returns:
            The new tag; None where the object is another writer's by now.
        """
        made = self._put_if(name, data, tag)
        if made is not None:
            return made
        stands = self.get(name)  # an answer that was lost: the object may be the one that was to be written
        if stands is None:
            return None
        if stands.data == data:
            return stands.tag
        return self._put_once_more(name, data, tag) if stands.tag == tag else None

    def check_conditions(self) -> None:
        """Make sure that the place keeps to conditions of writes: one that does not would lose what others wrote.

        Raises:
            CustodyError: it does not (``store.conditions``); an object under ``check`` was written and taken away.
        """
        name, first, second = f"check/{secrets.token_hex(8)}", b"first", b"second"
        try:
            tag = self.exchange(name, first, None)
            is_kept = tag is not None and self.exchange(name, second, None) is None
            is_kept = is_kept and self.exchange(name, second, tag) is not None
            is_kept = is_kept and self.exchange(name, first, tag) is None
            found = self.get(name)
        finally:
            self.remove(name)
        if not is_kept or found is None or found.data != second:
            raise CustodyError(
                "the store does not keep to conditions of writes (If-None-Match, If-Match)",
                code="store.conditions",
                remedy="take another server, or a newer version of it; nothing was begun",
                ja="この保管場所は、条件つきの書込みに対応していません",
            )


def unreachable(name: str) -> CustodyError:
    """The place does not answer, or refuses for a reason that passes."""
    return CustodyError(
        "the store does not answer",
        code="store.unreachable",
        at={"object": name},
        remedy="check KOBE_STORE_URL, the network and the store's own state, then run the step again",
        ja="共有の保管場所につながりません",
    )


def denied(name: str) -> CustodyError:
    """The place does not let the platform do this."""
    return CustodyError(
        "the store does not let the platform use an object",
        code="store.denied",
        at={"object": name},
        remedy="check the credentials of this machine and the policy of the bucket",
        ja="共有の保管場所を使う権限がありません",
    )
