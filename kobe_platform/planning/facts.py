"""Defines the facts that the plan compares, all of them read from the disk and none from Dagster's events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from kobe_platform.contracts import Contract
from kobe_platform.lake.heads import Heads
from kobe_platform.planning.steps import Cause

if TYPE_CHECKING:
    from kobe_platform.statistics import Statistic

FailureKind = Literal["code", "installation", "lost"]
MOST_LOST = 5
"""Processes that may be lost over one and the same input before a person has to look: memory, a crash in a library."""


NO_CAUSE = Cause("", "")


TURNED_AWAY = ("rejected", "refused")
"""What only another delivery of their sender cures."""


@dataclass(frozen=True)
class DeliveryFact:
    """A delivery as it lies in the inbox, and the receipts of exactly this content.

    Attributes:
        turned: ``rejected``; ``held`` where no operator has decided yet; ``refused`` where one has; ``withdrawn``.
        receipted: whether its acceptance has a receipt.
        cause: of a rejected or held one, from its receipt.
        kind: as its manifest says.
        judged_with: of a difference that was turned away, digest of what it was judged with (the base, too).
    """

    source: str
    month: str
    content_hash: str
    turned: Literal["", "rejected", "held", "refused", "withdrawn"] = ""
    receipted: bool = False
    cause: Cause | None = None
    kind: str = ""
    judged_with: str = ""


@dataclass(frozen=True)
class Failure:
    """What became of the last attempt at a step that did not succeed.

    Attributes:
        step, inputs: which step, made from what: with other inputs the failure is over.
        engine: version of the code; with mended code the failure is over.
        kind: of the ``code`` (tried again when input, definition or code change), of the ``installation`` (uses up no
            attempt), or ``lost``: the process is gone, or still at work.
        times: processes lost in a row; 1 for other kinds.
        at: UTC, ISO 8601.
        pauses: failures of the installation in a row.
        not_before: of the installation: when the daemon tries again; UTC, ISO 8601.
    """

    step: str
    inputs: str
    engine: str
    kind: FailureKind
    times: int
    at: str
    cause: Cause = NO_CAUSE
    pauses: int = 0
    not_before: str = ""


@dataclass(frozen=True)
class ReleaseFact:
    """The newest release as its record of inputs tells it.

    Attributes:
        inputs: ``tables``, ``pages``, ``withheld`` → digest; empty before the first release.
        stands: whether it is in force, or an operator has rolled back from it.
        pages: digest of all that pages are built from, as it is now.
        withheld: pages that may not be shown today.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    stands: bool = False
    pages: str = ""
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True)
class InstallationFault(Cause):
    """What keeps anything from being tried: no keys, no inbox, no room on the disk."""


@dataclass(frozen=True)
class Scope:
    """Which deliveries a call is limited to; empty fields do not limit.

    Attributes:
        impatient: a person asks: what failed by the installation is tried now.
    """

    source: str = ""
    first: str = ""
    last: str = ""
    impatient: bool = False

    def includes(self, source: str, month: str) -> bool:
        """Whether a delivery of ``source`` for ``month`` is inside."""
        if self.source and source != self.source:
            return False
        return (not self.first or month >= self.first) and (not self.last or month <= self.last)


@dataclass(frozen=True)
class Facts:
    """What is there, at one moment.

    Attributes:
        today: the day in Japan; ``now`` the moment.
        pages: slug → published tables that its queries read.
        withdrawn: (source, month) whose rows in the lake their sender has withdrawn: nothing new is made from them.
        under_way: names of the work whose lock a living process holds.
        start: first month of the platform's series.
        engine: version of all code: failures of another one are over.
    """

    today: date
    contracts: Mapping[str, Contract]
    statistics: Mapping[str, Statistic]
    heads: Heads
    deliveries: tuple[DeliveryFact, ...] = ()
    withdrawn: frozenset[tuple[str, str]] = frozenset()
    pages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    release: ReleaseFact = ReleaseFact()
    failures: Mapping[str, Failure] = field(default_factory=dict)
    under_way: frozenset[str] = frozenset()
    faults: tuple[InstallationFault, ...] = ()
    start: str = "2010-10"
    scope: Scope = Scope()
    engine: str = ""
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    @cached_property
    def by_place(self) -> Mapping[tuple[str, str], DeliveryFact]:
        """Deliveries by source and month."""
        return {(delivery.source, delivery.month): delivery for delivery in self.deliveries}
