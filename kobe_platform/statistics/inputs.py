"""Lists what counts and protected tables are made from, by name and content, for the steps and the plan."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from kobe_platform.code_version import engine_version
from kobe_platform.lake.partitions import ENGINE, PartitionId
from kobe_platform.lake.shelf import Shelf, latest_month
from kobe_platform.statistics.definition import Statistic
from kobe_platform.statistics.wishes import wishes_input

REFERENCE = "town_districts"
"""The source of school districts."""
ABSENT = "absent"
_ROOMS = ("statistics", "disclosure", "vocabulary")


def months_of(statistic: Statistic, month: str, available: Sequence[str]) -> list[str]:
    """The lake's months that a partition counts: the month itself, or those of its year that are there."""
    if statistic.period == "month":
        return [month]
    return [held for held in available if held[:4] == month[:4] and held <= month]


def covered_months(shelf: Shelf, members: Sequence[Statistic], month: str) -> list[str]:
    """The months that a group's yearly partition covers: those that every one of its sources has."""
    read = [set(months_of(members[0], month, shelf.months("lake", source))) for source in sources_of(members)]
    return sorted(set.intersection(*read)) if read else []


def sources_of(members: Sequence[Statistic]) -> list[str]:
    """The lake sources that a group counts."""
    return sorted({source for member in members for source in member.sources})


def counting_inputs(shelf: Shelf, members: Sequence[Statistic], month: str) -> dict[str, str]:
    """Inputs of a group's counts: its months of the lake, its definitions and, by district, the districts in force."""
    ids = [
        PartitionId("lake", source, held)
        for source in sources_of(members)
        for held in months_of(members[0], month, shelf.months("lake", source)) or [month]
    ]
    inputs = {str(id): _content(shelf, id) for id in ids}
    reference = reference_of(shelf, members, month)
    inputs["reference"] = _content(shelf, reference) if reference else "none"
    return {**inputs, "definition": definition_of(members), ENGINE: engine_version(*_ROOMS)}


def reference_of(shelf: Shelf, members: Sequence[Statistic], month: str) -> PartitionId | None:
    """The table of districts that a group is counted with; None where it counts no districts, or there is none yet."""
    if not any(member.by_district for member in members):
        return None
    held = latest_month(shelf, "raw", REFERENCE, month)
    return PartitionId("raw", REFERENCE, held) if held else None


def protecting_inputs(
    shelf: Shelf, members: Sequence[Statistic], month: str, statistics: Mapping[str, Statistic]
) -> dict[str, str]:
    """Inputs of a group's protected tables: its counts, the published months that they are sums of, its definitions and
    what is wished of the period's rows, where something is.
    """
    inputs = {f"statistics/{m.name}": _content(shelf, PartitionId("statistics", m.name, month)) for m in members}
    for statistic, held in tied_months(shelf, members, month, statistics):
        inputs[f"published/{statistic.name}/{held}"] = _content(shelf, PartitionId("published", statistic.name, held))
    inputs |= wishes_input(members, month if members[0].period == "month" else month[:4])
    return {**inputs, "definition": definition_of(members), ENGINE: engine_version(*_ROOMS)}


def public_inputs(shelf: Shelf, statistic: Statistic, month: str) -> dict[str, str]:
    """Inputs of a public table: the public figures of the month and its definition."""
    ids = [PartitionId("statistics", source, month) for source in statistic.sources]
    inputs = {f"statistics/{id.source}": _content(shelf, id) for id in ids}
    return {**inputs, "definition": definition_of([statistic]), ENGINE: engine_version(*_ROOMS)}


def tied_months(
    shelf: Shelf, members: Sequence[Statistic], month: str, statistics: Mapping[str, Statistic]
) -> list[tuple[Statistic, str]]:
    """The published months that the yearly tables of a group are sums of."""
    tables = sorted({tie.table for member in members for tie in member.ties} & set(statistics))
    return [
        (statistics[name], held)
        for name in tables
        for held in shelf.months("published", name)
        if held[:4] == month[:4] and held <= month
    ]


def definition_of(members: Sequence[Statistic]) -> str:
    """SHA-256 over the definitions of a group: equal definitions, equal figures from equal rows."""
    return hashlib.sha256("\n".join(member.digest for member in members).encode()).hexdigest()


def _content(shelf: Shelf, id: PartitionId) -> str:
    held = shelf.current(id)
    return held.content if held is not None else ABSENT
