"""Lists the vintages and scores that have to be made or checked, each with the reason.

A vintage is due when its origin's published tables are there or on their way and it is not, and again only while its
origin is the newest one. Scores of a month are due when its figures or the vintages that said something of it changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from kobe_platform.forecasts.inputs import is_newest, score_inputs, vintage_inputs
from kobe_platform.forecasts.tables import ForecastTable, Scoreboard
from kobe_platform.lake.heads import HeadEntry
from kobe_platform.lake.partitions import PartitionId, made_from
from kobe_platform.planning.facts import Facts
from kobe_platform.planning.states import Found, red_cause
from kobe_platform.planning.steps import Reason, Step
from kobe_platform.release.required_checks import missing, published_checks, red
from kobe_platform.statistics import Statistic
from kobe_platform.vocabulary.months import shifted


def forecast_steps(facts: Facts, tabulated: Sequence[Step]) -> Iterator[Step]:
    """The outstanding vintages and scores.

    Args:
        tabulated: the steps of the tables that forecasts read.
    """
    coming: dict[str, set[str]] = {}
    for step in tabulated:
        if step.state == "ready":
            coming.setdefault(step.unit, set()).add(step.month)
    tables = [one for one in facts.statistics.values() if isinstance(one, ForecastTable)]
    origins: dict[str, set[str]] = {}
    for table in tables:
        here = set(facts.heads.months("published", table.forecast.input.table))
        months = here | coming.get(table.input_group, set())
        origins[table.name] = {month for month in months if table.forecast.is_origin(month) and month >= facts.start}
        for month in sorted(origins[table.name]):
            vintage = _vintage_step(facts, table, month, months)
            if vintage is not None:
                yield vintage
    for board in facts.statistics.values():
        if isinstance(board, Scoreboard):
            yield from _score_steps(facts, board, origins, coming)


def preceding(step: Step, statistic: Statistic, before: Found) -> Iterator[Step]:
    """What is made before a vintage or a month's scores: the latest steps of what it reads, up to its month."""
    if isinstance(statistic, ForecastTable):
        units = {statistic.input_group, *statistic.flow_groups}
    elif isinstance(statistic, Scoreboard):
        units = {*statistic.scored, *(table.input_group for table in statistic.scored.values())}
    else:
        units = set()
    for unit in sorted(units):
        moving = [one for one in before.of_unit.get(unit, ()) if one.month <= step.month and one.id in before.moving]
        yield from moving[-1:]


def _vintage_step(facts: Facts, table: ForecastTable, month: str, months: Set[str]) -> Step | None:
    heads = facts.heads
    held = heads.current(PartitionId("published", table.name, month))
    wanted = vintage_inputs(heads, table, month) if held is None or is_newest(table, month, months) else None
    return partition_step(facts, table, month, held, wanted)


def _score_steps(
    facts: Facts, board: Scoreboard, origins: Mapping[str, Set[str]], coming: Mapping[str, Set[str]]
) -> Iterator[Step]:
    """Months of which a vintage, here or on its way, said something, and whose figures are here or on their way."""
    due: set[str] = set()
    for table in board.scored.values():
        here = set(facts.heads.months("published", table.forecast.input.table)) | coming.get(table.input_group, set())
        due |= {
            target
            for origin in origins[table.name]
            for ahead in table.forecast.horizons
            if (target := shifted(origin, ahead)) in here and table.forecast.begins(target) <= origin
        }
    for month in sorted(due):
        held = facts.heads.current(PartitionId("published", board.name, month))
        if step := partition_step(facts, board, month, held, score_inputs(facts.heads, board, month)):
            yield step


def partition_step(
    facts: Facts, statistic: Statistic, month: str, held: HeadEntry | None, wanted: Mapping[str, str] | None
) -> Step | None:
    """The step of a partition; ``wanted``: what it is to be made from, None where it stays as it is."""
    reason: Reason | None = None
    if held is None:
        reason = "not made yet"
    elif wanted is not None and held.made_from != made_from(wanted):
        reason = "definition changed" if held.definition != wanted["definition"] else "input changed"
    elif red(held, facts.engine):
        reason = "check failed"
    elif missing(held, published_checks(statistic), facts.engine):
        reason = "check missing"
    if reason is None:
        return None
    inputs = made_from(wanted) if wanted is not None else held.made_from if held is not None else ""
    step = Step("tabulate", statistic.name, month, inputs, reason)
    if held is not None and reason == "check failed":
        return replace(step, state="blocked", cause=red_cause(held.id, red(held, facts.engine)))
    return step
