"""Lists the months whose tables have to be counted, protected or checked again, each with the reason.

Tables are due when they are missing, when the rows or definitions that they were made from have changed, or when one of
their checks is missing. Public statistics are judged table by table, the others by protection group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from kobe_platform.forecasts.tables import ForecastTable, Scoreboard
from kobe_platform.lake.heads import HeadEntry
from kobe_platform.lake.partitions import PartitionId, made_from
from kobe_platform.planning.facts import Facts
from kobe_platform.planning.forecast_rules import forecast_steps, preceding
from kobe_platform.planning.states import Found, red_cause
from kobe_platform.planning.steps import Reason, Step
from kobe_platform.planning.usual_rules import usual_preceding, usual_steps
from kobe_platform.release.required_checks import missing, published_checks, red, statistics_checks
from kobe_platform.statistics import Statistic, groups
from kobe_platform.statistics.inputs import (
    counting_inputs,
    definition_of,
    protecting_inputs,
    public_inputs,
    reference_of,
    sources_of,
    tied_months,
)
from kobe_platform.statistics.wishes import wishes_input
from kobe_platform.unusual.tables import UsualRanges


def tabulations(facts: Facts, before: Found) -> Iterator[Step]:
    """The months whose tables are missing or out of date, each after the deliveries and months that it depends on."""
    steps: list[Step] = []
    protected = groups(facts.statistics.values())
    for key, members in protected.items():
        steps += _group_steps(facts, key, members)
    for statistic in facts.statistics.values():
        if statistic.kind == "public":
            steps += _public_steps(facts, statistic)
    counted = list(steps)
    steps += [*forecast_steps(facts, counted), *usual_steps(facts, counted)]
    coming = [step for step in before.moving.values() if step.kind == "take_in"]
    steps = [replace(s, state="later", waits_for=("series_start",)) if s.month < facts.start else s for s in steps]
    for step in sorted(steps, key=lambda step: (step.month, _turn(facts, step), step.unit)):
        members = protected.get(step.unit) or (facts.statistics[step.unit],)
        waits = [one.id for one in coming if one.month <= step.month]  # a month is counted in one run
        waits += [one.id for one in _preceding(facts, step, members, before) if one.id in before.moving]
        waits += [one.id for one in preceding(step, members[0], before)]
        waits += [one.id for one in usual_preceding(step, members[0], before)]
        yield replace(step, waits_for=tuple(waits)) if step.state == "ready" else step


def _turn(facts: Facts, step: Step) -> int:
    """Place of a table among those of its month: what it is made from is made before it."""
    statistic = facts.statistics.get(step.unit)
    if isinstance(statistic, Scoreboard):
        return 3
    return 2 if isinstance(statistic, ForecastTable | UsualRanges) else int(step.unit.endswith("/year"))


def _preceding(facts: Facts, step: Step, members: Sequence[Statistic], before: Found) -> Iterator[Step]:
    """What is done first: the latest month before of the same tables (which follows its own), and tables of the year
    that these are sums of.
    """
    own = [one for one in before.of_unit.get(step.unit, ()) if one.kind == "tabulate"]
    earlier = [one for one in own if one.id in before.moving]
    yield from earlier[-1:]
    tables = {tie.table for member in members for tie in member.ties if tie.table in facts.statistics}
    for key in sorted({facts.statistics[name].key for name in tables}):
        yield from before.of_unit.get(key, ())


def _group_steps(facts: Facts, key: str, members: Sequence[Statistic]) -> Iterator[Step]:
    """The months of a protection group whose tables are missing or out of date."""
    heads, sources = facts.heads, sources_of(members)
    yearly = members[0].period == "year"
    months = set.intersection(*(set(heads.months("lake", source)) for source in sources))
    for month in sorted(month for month in months if not yearly or month.endswith("-12")):
        step = _group_step(facts, key, members, month)
        if step is not None:
            yield step


def _group_step(facts: Facts, key: str, members: Sequence[Statistic], month: str) -> Step | None:
    heads = facts.heads
    counting = counting_inputs(heads, members, month)
    rows = [heads.current(_id(name)) for name in counting if name.startswith("lake/")]
    if any(entry is not None and entry.destroyed_at for entry in rows):
        return None  # its rows are past their retention and destroyed: the tables counted from them stay
    protecting = protecting_inputs(heads, members, month, facts.statistics)
    counted = [heads.current(PartitionId("statistics", member.name, month)) for member in members]
    protected = [heads.current(PartitionId("published", member.name, month)) for member in members]
    wanted, definition = (made_from(counting), made_from(protecting)), definition_of(members)
    reason = _group_reason(facts, members, counted, protected, wanted, definition)
    if reason is None:
        return None
    months = tied_months(heads, members, month, facts.statistics)
    tied = [heads.entries[PartitionId("published", table.name, held)].content for table, held in months]
    wishes = wishes_input(members, month[:4] if members[0].period == "year" else month)
    step = Step("tabulate", key, month, made_from({**counting, "tied": " ".join(tied), **wishes}), reason)
    read = (name.split("/") for name in counting if name.startswith("lake/"))
    districts = reference_of(heads, members, month)
    reference = [(districts.source, districts.month)] if districts else []
    withdrawn = _withdrawn(facts, [*((source, held) for _, source, held in read), *reference])
    if withdrawn:
        return replace(step, state="waiting", waits_for=withdrawn)
    there = [entry for entry in (*rows, *counted, *protected) if entry is not None]
    refused = [(entry.id, names) for entry in there if (names := red(entry, facts.engine))]
    lake_refused = [one for one in refused if one[0].stage == "lake"]
    if lake_refused or (reason == "check failed" and refused):
        place, names = (lake_refused or refused)[0]
        return replace(step, reason="check failed", state="blocked", cause=red_cause(place, names))
    return step


def _withdrawn(facts: Facts, places: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """What tables wait for whose source (source, month) was withdrawn by its sender; those that were made stay."""
    gone = [place for place in places if place in facts.withdrawn]
    return tuple(("take_in:" if place in facts.by_place else "delivery:") + ":".join(place) for place in gone)


def _group_reason(
    facts: Facts,
    members: Sequence[Statistic],
    counted: Sequence[HeadEntry | None],
    protected: Sequence[HeadEntry | None],
    wanted: tuple[str, str],
    definition: str,
) -> Reason | None:
    """Why the tables of a month are to be made or checked; None where they are up to date and all checks passed."""
    counts, shown = _all_there(counted), _all_there(protected)
    fresh = counts is not None and all(entry.made_from == wanted[0] for entry in counts)
    if counts is not None and fresh and any(red(entry, facts.engine) for entry in counts):
        return "check failed"  # counts that a check refused are not protected
    if counts is None or shown is None:
        return "not made yet"
    if any(entry.definition != definition for entry in (*counts, *shown)):
        return "definition changed"
    if not fresh or any(entry.made_from != wanted[1] for entry in shown):
        return "input changed"
    return _checks_reason(facts, members, counts, shown)


def _all_there(entries: Sequence[HeadEntry | None]) -> list[HeadEntry] | None:
    """The partitions, or None where one of them was not made yet."""
    there = [entry for entry in entries if entry is not None]
    return there if len(there) == len(entries) else None


def _checks_reason(
    facts: Facts, members: Sequence[Statistic], counts: Sequence[HeadEntry], shown: Sequence[HeadEntry]
) -> Reason | None:
    """Whether a check of up-to-date tables failed or never ran; None where all are green."""
    if any(red(entry, facts.engine) for entry in (*counts, *shown)):
        return "check failed"
    needed = [(entry, statistics_checks(m)) for entry, m in zip(counts, members, strict=True)]
    needed += [(entry, published_checks(m)) for entry, m in zip(shown, members, strict=True)]
    return "check missing" if any(missing(entry, checks, facts.engine) for entry, checks in needed) else None


def _public_steps(facts: Facts, statistic: Statistic) -> Iterator[Step]:
    heads = facts.heads
    for month in sorted(set.intersection(*(set(heads.months("statistics", s)) for s in statistic.sources))):
        wanted = public_inputs(heads, statistic, month)
        held = heads.current(PartitionId("published", statistic.name, month))
        reason: Reason | None = None
        if held is None:
            reason = "not made yet"
        elif held.made_from != made_from(wanted):
            reason = "definition changed" if held.definition != wanted["definition"] else "input changed"
        elif red(held, facts.engine):
            reason = "check failed"
        elif missing(held, published_checks(statistic), facts.engine):
            reason = "check missing"
        if reason is not None:
            step = Step("tabulate", statistic.name, month, made_from(wanted), reason)
            if held is not None and reason == "check failed":
                step = replace(step, state="blocked", cause=red_cause(held.id, red(held, facts.engine)))
            if withdrawn := _withdrawn(facts, [(source, month) for source in statistic.sources]):
                step = replace(step, state="waiting", waits_for=withdrawn, cause=None)
            yield step


def _id(name: str) -> PartitionId:
    return PartitionId(*name.split("/"))
