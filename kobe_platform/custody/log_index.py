"""Collects from the log of key use which partitions were committed or destroyed and which keys were made.

So that a process does not read ten years of entries when it starts, the log keeps what it has collected in a file
beside it, signed with the place up to which it was read. The file is a shortcut: without it, or with one that does not
fit, the log is read from its beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COMMIT, DESTROYED, REVOKED = "commit", "destroyed", "revoked"
TOKENS_KEPT = 2
_SETS = ("destroyed", "created", "revoked")


@dataclass
class LogIndex:
    """Facts of all entries so far.

    Attributes:
        committed: partition → the highest generation that was committed.
        places: what partitions are called but for their last part → their last parts (months).
        destroyed: generations (``partition/number``) whose rows were destroyed.
        created: names of the keys that were made: those that any entry names.
        revoked: names of the keys whose revocation was completed.
        commits: how many entries are commits: while it stays, what is in force stays.
        tokens: partition → generation → what tells it from others of its number in a store that machines share, of
            the last :data:`TOKENS_KEPT` generations.
    """

    committed: dict[str, int] = field(default_factory=dict)
    places: dict[str, set[str]] = field(default_factory=dict)
    destroyed: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    commits: int = 0
    tokens: dict[str, dict[int, str]] = field(default_factory=dict)

    def take(self, entry: dict[str, Any]) -> None:
        """Take in one authenticated entry."""
        if entry["action"] == COMMIT:
            self.commits += 1
            name, _, generation = entry["object"].rpartition("/")
            self._commit(name, max(int(generation), self.committed.get(name, 0)))
            if entry["key"]:
                of_partition = {**self.tokens.get(name, {}), int(generation): entry["key"]}
                self.tokens[name] = dict(sorted(of_partition.items())[-TOKENS_KEPT:])
        elif entry["action"] == DESTROYED:
            self.destroyed.add(entry["object"])
        elif entry["action"] == REVOKED:
            self.revoked.add(entry["key"])
        if entry["key"] and entry["action"] != COMMIT:
            self.created.add(entry["key"])

    def _commit(self, name: str, generation: int) -> None:
        self.committed[name] = generation
        place, _, month = name.rpartition("/")
        self.places.setdefault(place, set()).add(month)

    def record(self) -> dict[str, Any]:
        """As a file keeps it."""
        kept = {name: sorted(getattr(self, name)) for name in _SETS}
        tokens = {"tokens": self.tokens} if self.tokens else {}
        return {"committed": self.committed, "commits": self.commits, **kept, **tokens}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> LogIndex:
        """From what :meth:`record` gave."""
        destroyed, created, revoked = (set(record[name]) for name in _SETS)
        index = cls(destroyed=destroyed, created=created, revoked=revoked, commits=record["commits"])
        for name, generation in record["committed"].items():
            index._commit(name, generation)
        for name, tokens in record.get("tokens", {}).items():
            index.tokens[name] = {int(generation): token for generation, token in tokens.items()}
        return index
