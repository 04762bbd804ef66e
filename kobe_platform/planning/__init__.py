"""Computes which steps are outstanding from what is stored; nothing is remembered from events.

``facts`` defines what is compared, ``rules`` compares it and lists the outstanding steps (with ``delivery_rules``,
``table_rules`` and ``states``), ``steps`` defines a step and a plan. These are pure: no Dagster, no clock, no files.
``observing`` reads the facts of an installation. ``failures`` and ``leases`` store the only two facts that cannot be
seen from partitions: what failed, and what is under way in which process. The checks that a partition needs are listed
in ``release``. Steps are executed by the sensors and by ``kobe run``, with the same jobs.
"""

from typing import TYPE_CHECKING

from kobe_platform.lazily import attribute
from kobe_platform.planning.facts import DeliveryFact, Facts, Failure, InstallationFault, ReleaseFact, Scope
from kobe_platform.planning.steps import Cause, Plan, Step, Work

if TYPE_CHECKING:
    from kobe_platform.planning.rules import outstanding

__all__ = [
    "Cause",
    "DeliveryFact",
    "Facts",
    "Failure",
    "InstallationFault",
    "Plan",
    "ReleaseFact",
    "Scope",
    "Step",
    "Work",
    "outstanding",
]

_ROOMS = {"rules": ("outstanding",)}
"""What computes a whole plan: loaded when it is used, as what became of deliveries is told without it."""


def __getattr__(name: str) -> object:
    return attribute(__name__, _ROOMS, name)
