"""Collects from the log of key use which partitions were committed or destroyed and which keys were made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

COMMIT, DESTROYED, REVOKED = "commit", "destroyed", "revoked"


@dataclass
class LogIndex:
    """Facts of all entries so far.

    Attributes:
        committed: partition → the highest generation that was committed.
        places: what partitions are called but for their last part → their last parts (months).
        destroyed: generations (``partition/number``) whose rows were destroyed.
        created: names of the keys that were made: those that any entry names.
        revoked: names of the keys whose revocation was completed.
    """

    committed: dict[str, int] = field(default_factory=dict)
    places: dict[str, set[str]] = field(default_factory=dict)
    destroyed: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)

    def take(self, entry: dict[str, Any]) -> None:
        """Take in one authenticated entry."""
        if entry["action"] == COMMIT:
            name, _, generation = entry["object"].rpartition("/")
            self.committed[name] = max(int(generation), self.committed.get(name, 0))
            place, _, month = name.rpartition("/")
            self.places.setdefault(place, set()).add(month)
        elif entry["action"] == DESTROYED:
            self.destroyed.add(entry["object"])
        elif entry["action"] == REVOKED:
            self.revoked.add(entry["key"])
        if entry["key"]:
            self.created.add(entry["key"])
