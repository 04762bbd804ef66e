"""Records the events of a month in the synthetic city, one for each person, for the extract of movements."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from kobe_platform.synthesis.city import City, first_day

IN_DOMESTIC, IN_ABROAD, BIRTH, ADMIN_ENTRY, OTHER_ENTRY, ENTRY_CANCELLED = 1, 2, 3, 4, 5, 9
OUT_DOMESTIC, OUT_ABROAD, DEATH, ADMIN_REMOVAL, OTHER_REMOVAL, REMOVAL_CANCELLED = 21, 22, 23, 24, 25, 28
MOVE, SPLIT, MERGE, HEAD_CHANGE, ALIAS, CORRECTION, CHANGE_CANCELLED = 41, 42, 43, 44, 45, 49, 59
"""異動事由 as numbers of the two-digit codes. A move inside the city is one event with both addresses."""
CANCELLATIONS = (ENTRY_CANCELLED, REMOVAL_CANCELLED, CHANGE_CANCELLED)
ENTRIES = (IN_DOMESTIC, IN_ABROAD, BIRTH, ADMIN_ENTRY, OTHER_ENTRY)
REMOVALS = (OUT_DOMESTIC, OUT_ABROAD, DEATH, ADMIN_REMOVAL, OTHER_REMOVAL)


@dataclass
class Events:
    """Parallel arrays with one entry for each event. Indices are -1 and dates ``NONE`` where they do not apply.

    ``plot_*``, ``lot_*``, ``sub_*``, ``blank_*`` are the address before and after as it was at the event;
    ``planned`` and ``confirmed`` the 転出先; ``cancels`` the 履歴番号 that a cancellation names, else 0.
    """

    person: np.ndarray
    history: np.ndarray
    reason: np.ndarray
    event_on: np.ndarray
    filed_on: np.ndarray
    processed_on: np.ndarray
    cancels: np.ndarray
    household_before: np.ndarray
    household_after: np.ndarray
    plot_before: np.ndarray
    lot_before: np.ndarray
    sub_before: np.ndarray
    blank_before: np.ndarray
    plot_after: np.ndarray
    lot_after: np.ndarray
    sub_after: np.ndarray
    blank_after: np.ndarray
    counterpart: np.ndarray
    planned: np.ndarray
    confirmed: np.ndarray
    notice: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def take(self, index: np.ndarray) -> Events:
        """The events at ``index`` (or where a mask holds)."""
        return Events(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass
class Journal:
    """Collects one month's events while the city changes; ``close`` sorts them by the day of processing."""

    city: City
    rng: np.random.Generator
    parts: list[dict[str, np.ndarray]] = field(default_factory=list)

    def address(self, households: np.ndarray) -> dict[str, np.ndarray]:
        """The present address of each household; plot -1 for a negative one."""
        h, known = self.city.households, np.maximum(households, 0)
        there = households >= 0
        return {
            "household": households.astype(np.int32),
            "plot": np.where(there, h.plot[known], -1).astype(np.int32),
            "lot": h.lot[known],
            "sub": h.sub[known],
            "blank": h.blank[known],
        }

    def nowhere(self, count: int) -> dict[str, np.ndarray]:
        """The address of people who are not (or no longer) residents."""
        return self.address(np.full(count, -1, dtype=np.int32))

    def record(self, people: np.ndarray, reason: int | np.ndarray, before: dict, after: dict, **more) -> dict:
        """Record one event for each of ``people`` and count up their 履歴番号.

        Args:
            before, after: addresses as :meth:`address` gives them.
            more: ``day`` (processing day; drawn within the month otherwise), ``lag`` (longest delay from the event
                to its processing in days), and ``event_on``, ``counterpart``, ``planned``, ``confirmed``, ``cancels``,
                ``notice`` as in :class:`Events`.

        Returns:
            The recorded arrays, as they will stand in :class:`Events`.
        """
        n = len(people)
        start, end = first_day(self.city.month), self.city.last_day
        processed = more.get("day")
        if processed is None:
            processed = self.rng.integers(start, end + 1, n)
        happened = more.get("event_on")
        if happened is None:
            happened = processed - (self.rng.random(n) ** 2 * (more.get("lag", 10) + 1)).astype(np.int64)
        self.city.residents.history[people] += 1
        part = {
            "person": people,
            "history": self.city.residents.history[people].copy(),
            "reason": np.broadcast_to(reason, n),
            "event_on": happened,
            "filed_on": np.minimum(processed, np.maximum(happened, processed - self.rng.integers(0, 3, n))),
            "processed_on": processed,
            "cancels": more.get("cancels", np.zeros(n)),
            **{f"{name}_before": values for name, values in before.items()},
            **{f"{name}_after": values for name, values in after.items()},
            "counterpart": more.get("counterpart", np.full(n, -1)),
            "planned": more.get("planned", np.full(n, -1)),
            "confirmed": more.get("confirmed", np.full(n, -1)),
            "notice": np.broadcast_to(more.get("notice", False), n),
        }
        part = {f.name: np.asarray(part[f.name]).astype(_KIND[f.name]) for f in fields(Events)}
        self.parts.append(part)
        return part

    def close(self) -> Events:
        """All events by processing day; a person's own stay in the order of their 履歴番号."""
        if not self.parts:
            return Events(**{name: np.zeros(0, dtype=kind) for name, kind in _KIND.items()})
        events = Events(**{name: np.concatenate([part[name] for part in self.parts]) for name in _KIND})
        events = events.take(np.lexsort((events.history, events.person)))
        rank = np.unique(events.person, return_inverse=True)[1].astype(np.int64)
        span = rank * 1_000_000
        events.processed_on = (np.maximum.accumulate(span + events.processed_on) - span).astype(np.int32)
        return events.take(np.lexsort((events.person, events.history, events.processed_on)))


_KIND = {
    f.name: (
        bool
        if f.name in ("notice", "blank_before", "blank_after")
        else np.int16
        if f.name in ("lot_before", "lot_after", "sub_before", "sub_after", "reason")
        else np.int32
    )
    for f in fields(Events)
}
