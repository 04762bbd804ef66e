"""Defines what can be asked of partitions without opening them; the store and the index of heads answer it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

from kobe_platform.lake.partitions import PartitionId


class Held(Protocol):
    """A partition in force, as far as planning needs to know it.

    Attributes:
        content: see :attr:`kobe_platform.lake.Partition.content`.
        facts: counts and identifiers; the index keeps ``content_hash`` and ``basis`` only.
        destroyed_at: empty while its rows are there.
    """

    @property
    def content(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...

    @property
    def destroyed_at(self) -> str: ...


class Shelf(Protocol):
    """Partitions in force: :class:`kobe_platform.lake.PartitionStore` or :class:`kobe_platform.lake.heads.Heads`."""

    def current(self, id: PartitionId) -> Held | None:
        """The partition in force, or None."""

    def months(self, stage: str, source: str) -> list[str]:
        """Months that have a partition in force, ascending."""


H = TypeVar("H", bound=Held)
_H = TypeVar("_H", bound=Held, covariant=True)


class _Asked(Protocol[_H]):
    def current(self, id: PartitionId) -> _H | None: ...

    def months(self, stage: str, source: str) -> list[str]: ...


class SteadyShelf(Generic[H]):
    """A shelf as it was when it was first asked for each partition: work that asks several times reads files once."""

    def __init__(self, shelf: _Asked[H]) -> None:
        self._shelf = shelf
        self._held: dict[PartitionId, H | None] = {}
        self._months: dict[tuple[str, str], list[str]] = {}

    def current(self, id: PartitionId) -> H | None:
        """The partition in force, or None."""
        if id not in self._held:
            self._held[id] = self._shelf.current(id)
        return self._held[id]

    def months(self, stage: str, source: str) -> list[str]:
        """Months that have a partition in force, ascending."""
        place = stage, source
        if place not in self._months:
            self._months[place] = self._shelf.months(stage, source)
        return self._months[place]


def latest_month(shelf: Shelf, stage: str, source: str, month: str) -> str | None:
    """The month of the latest partition at or before ``month``, as references hold until the next; None before any."""
    earlier = [held for held in shelf.months(stage, source) if held <= month]
    return earlier[-1] if earlier else None
