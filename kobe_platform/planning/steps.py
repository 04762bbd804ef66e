"""Defines a step of the plan: what is to be done, why, and its state; and the runs that execute steps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Kind = Literal["take_in", "tabulate", "release"]
State = Literal["ready", "under_way", "waiting", "later", "held", "failed", "blocked"]
Reason = Literal[
    "new delivery",
    "input changed",
    "definition changed",
    "rows needed again",
    "receipt missing",
    "not made yet",
    "check missing",
    "check failed",
    "tables changed",
    "pages changed",
    "approvals changed",
    "no longer in force",
    "withdrawn",
]


@dataclass(frozen=True)
class Cause:
    """Why a step does not go on by itself: the code of a rule or error, coordinates as text, what to do next.

    ``where``: of a delivery that was turned away, its coordinates in Japanese, as they stand behind ``ja``.
    """

    code: str
    text: str
    remedy: str = ""
    ja: str = ""
    where: str = ""


@dataclass(frozen=True)
class TurnedAway:
    """A delivery that was rejected and lies in the inbox still: nothing is outstanding, but its sender's correction.

    Attributes:
        title: of the source, in Japanese.
        cause: from its receipt.
    """

    source: str
    title: str
    month: str
    cause: Cause | None


@dataclass(frozen=True)
class Step:
    """One thing that is wanted and not there.

    Attributes:
        kind: ``take_in`` a delivery, ``tabulate`` (count and protect) a month, make the ``release``.
        unit: the source; the protection group or public table; ``release``.
        month: YYYY-MM; empty for the release.
        inputs: digest of what it would be made from: attempts belong to it, so new input begins afresh.
        state: ``ready`` may be tried; ``under_way`` a process is at it; ``waiting`` for other steps or for something
            from outside; ``later`` not wanted yet; ``held`` for an operator's word; ``failed`` for mended input or
            code; ``blocked`` by a check that failed.
        delivery: content hash of the delivery that it takes in.
        waits_for: ids of steps, or conditions such as ``delivery:SOURCE:MONTH``, ``approval``, ``month_end``.
    """

    kind: Kind
    unit: str
    month: str
    inputs: str
    reason: Reason
    state: State = "ready"
    waits_for: tuple[str, ...] = ()
    cause: Cause | None = None
    delivery: str = ""

    @cached_property
    def id(self) -> str:
        """Names the step, whatever its inputs: ``take_in:resident_register:2025-07``."""
        return ":".join(part for part in (self.kind, self.unit if self.kind != "release" else "", self.month) if part)

    @property
    def work(self) -> str:
        """The run that executes it: one a delivery, one a month, one a release."""
        return f"tabulate:{self.month}" if self.kind == "tabulate" else self.id


@dataclass(frozen=True)
class Work:
    """Steps that one run executes.

    Attributes:
        name: of the run, and of the lock that its process holds.
        units: what is selected of its job: a source, groups and public tables, nothing for the release.
    """

    name: str
    kind: Kind
    month: str
    steps: tuple[Step, ...]

    @property
    def units(self) -> tuple[str, ...]:
        """The units of its steps, in their order."""
        return tuple(step.unit for step in self.steps)

    @cached_property
    def key(self) -> str:
        """Name and digest of all inputs: the same key is the same work."""
        told = "\n".join(f"{step.id} {step.inputs} {step.reason}" for step in self.steps)
        return f"{self.name}:{hashlib.sha256(told.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Plan:
    """All that is outstanding, in the order in which it is done.

    Attributes:
        faults: what is wrong with the installation; while there are any, nothing is ready.
        turned_away: rejected deliveries, which nobody but their senders can go on with.
    """

    steps: tuple[Step, ...]
    faults: tuple[Cause, ...] = ()
    turned_away: tuple[TurnedAway, ...] = ()

    @property
    def outstanding(self) -> tuple[Step, ...]:
        """The steps that are wanted by now."""
        return tuple(step for step in self.steps if step.state != "later")

    @property
    def empty(self) -> bool:
        """Whether nothing is outstanding and nothing is wrong with the installation."""
        return not self.outstanding and not self.faults

    def of(self, *kinds: Kind) -> tuple[Step, ...]:
        """Steps of some kinds."""
        return tuple(step for step in self.steps if step.kind in kinds)

    def works(self) -> list[Work]:
        """What can be executed now, in order; a month may follow earlier ones of the same list."""
        works = [Work(s.work, s.kind, s.month, (s,)) for s in self.of("take_in") if s.state == "ready"]
        chosen: set[str] = set()
        for month in sorted({step.month for step in self.of("tabulate")}):
            steps = _executable([step for step in self.of("tabulate") if step.month == month], chosen)
            if steps:
                works.append(Work(steps[0].work, "tabulate", month, tuple(steps)))
        return works + [Work(s.work, s.kind, "", (s,)) for s in self.of("release") if s.state == "ready"]


def _executable(steps: Sequence[Step], chosen: set[str]) -> list[Step]:
    """The steps of one month that are ready, or wait for chosen ones only; they are added to ``chosen``."""
    taken: list[Step] = []
    while True:
        more = [
            step
            for step in steps
            if step.id not in chosen
            and (step.state == "ready" or (step.state == "waiting" and step.waits_for and chosen >= {*step.waits_for}))
        ]
        if not more:
            return taken
        taken += more
        chosen |= {step.id for step in more}
