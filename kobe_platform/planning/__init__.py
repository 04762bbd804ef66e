"""Planning: what is outstanding, computed from what is stored and never remembered from events.

``facts`` is what is compared, ``rules`` compares and lists the steps that are outstanding, ``steps`` says what a step
and a plan are. These are pure: no Dagster, no clock, no files. Which verdicts a partition needs stands in ``release``.
``observing`` reads the facts of an installation; ``failures`` and ``leases`` keep the two that no partition holds: what
failed, and what is under way in which process. Executing a step is not this room's matter: the sensors and ``kobe run``
do that, with the same jobs.
"""

from kobe_platform.planning.facts import DeliveryFact, Facts, Failure, InstallationFault, ReleaseFact, Scope
from kobe_platform.planning.rules import outstanding
from kobe_platform.planning.steps import Cause, Plan, Step, Work

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
