"""The interface of a place of objects, which the log of key use, the key ring, the lake and the releases call.

What a writer has to reckon with: an answer may be lost after the object was written, and the request is then made a
second time. A conditional write that is refused therefore looks whether what stands there is its own bytes, and counts
as done if so. Writers whose bytes could be those of another writer put a random number into them.
"""

from __future__ import annotations

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
        return stands.tag if stands is not None and stands.data == data else None


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
