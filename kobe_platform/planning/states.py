"""Decides the state of each outstanding step: ready, waiting for other steps, under way, failed or stopped.

The rules of deliveries, tables and the release find which steps are outstanding; what is decided here holds for all of
them. The steps must be added in the order in which they are done, since each looks at the ones before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from kobe_platform.lake.partitions import PartitionId
from kobe_platform.planning.facts import MOST_LOST, Facts, Failure
from kobe_platform.planning.steps import Cause, Step

MOVING = ("ready", "under_way")
"""States of steps that proceed without a person; steps that come after such a step wait for it."""


class Found:
    """The steps whose state is already decided.

    Attributes:
        moving: ids of the steps that proceed without a person, and of those that wait for nothing but such steps.
        of_unit: unit → its steps.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.moving: dict[str, Step] = {}
        self.of_unit: dict[str, list[Step]] = {}

    def add(self, step: Step) -> None:
        """Add a step whose state is decided."""
        waits = step.state == "waiting" and step.waits_for and all(name in self.moving for name in step.waits_for)
        if step.state in MOVING or waits:
            self.moving[step.id] = step
        self.steps.append(step)
        self.of_unit.setdefault(step.unit, []).append(step)


def settled(facts: Facts, step: Step, before: Found) -> Step:
    """The step with its state: under way, failed, stopped by the installation, waiting for other steps, or ready."""
    if step.work in facts.under_way:
        return replace(step, state="under_way", waits_for=())
    if step.state != "ready":
        return step
    if facts.faults:
        return replace(step, state="waiting", waits_for=tuple(f"installation:{f.code}" for f in facts.faults))
    failure = facts.failures.get(step.id)
    if failure is not None and (failure.inputs, failure.engine) == (step.inputs, facts.engine):
        return _after_failure(facts, step, failure, before)
    return _waiting(step, before)


def _after_failure(facts: Facts, step: Step, failure: Failure, before: Found) -> Step:
    if failure.kind == "code" or (failure.kind == "lost" and failure.times >= MOST_LOST):
        return replace(step, state="failed", waits_for=("mended_input_or_code",), cause=failure.cause)
    backing_off = failure.kind == "installation" and not facts.scope.impatient and _moment(failure) > facts.now
    if backing_off:
        return replace(step, state="waiting", waits_for=(f"time:{failure.not_before}",), cause=failure.cause)
    return _waiting(step, before)


def _moment(failure: Failure) -> datetime:
    return datetime.fromisoformat(failure.not_before) if failure.not_before else datetime.min.replace(tzinfo=UTC)


def _waiting(step: Step, before: Found) -> Step:
    """The step, waiting for those of its ``waits_for`` that proceed without a person; ready where there are none."""
    waits = tuple(name for name in step.waits_for if name in before.moving)
    return replace(step, state="waiting" if waits else "ready", waits_for=waits)


def red_cause(place: PartitionId, checks: Sequence[str]) -> Cause:
    """Why a step is blocked: these checks of the partition failed."""
    return Cause(
        "check.failed",
        f"a blocking check failed: {', '.join(checks)} ({place})",
        "look at the check in the Dagster UI; mend the delivery, the definition or the code",
        f"公表を止める検査に合格していません: {', '.join(checks)}({place})",
    )
