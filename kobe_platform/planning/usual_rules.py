"""Lists the months of usual ranges that have to be made or checked, each with the reason.

A month is due as soon as any of the tables that are watched has it or is about to. What the table says of a month is
made from its own past too, so that a correction is followed month by month.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kobe_platform.lake.partitions import PartitionId
from kobe_platform.planning.facts import Facts
from kobe_platform.planning.forecast_rules import partition_step
from kobe_platform.planning.states import Found
from kobe_platform.planning.steps import Step
from kobe_platform.statistics import Statistic
from kobe_platform.unusual.inputs import usual_inputs
from kobe_platform.unusual.tables import UsualRanges


def usual_steps(facts: Facts, tabulated: Sequence[Step]) -> Iterator[Step]:
    """The outstanding months.

    Args:
        tabulated: the steps of the tables that are watched.
    """
    for table in facts.statistics.values():
        if isinstance(table, UsualRanges):
            units = set(table.input_groups.values())
            months = {step.month for step in tabulated if step.state == "ready" and step.unit in units}
            for name in table.inputs:
                months |= set(facts.heads.months("published", name))
            for month in sorted(months):
                held = facts.heads.current(PartitionId("published", table.name, month))
                if step := partition_step(facts, table, month, held, usual_inputs(facts.heads, table, month)):
                    yield step


def usual_preceding(step: Step, statistic: Statistic, before: Found) -> Iterator[Step]:
    """What is made before a month of usual ranges: the latest steps of what is watched, up to that month."""
    if isinstance(statistic, UsualRanges):
        for unit in sorted(set(statistic.input_groups.values())):
            moving = [
                one for one in before.of_unit.get(unit, ()) if one.month <= step.month and one.id in before.moving
            ]
            yield from moving[-1:]
