"""Lists what vintages and scores are made from, by name and content, for the steps and the plan.

A vintage is kept for good. It is made once, when its origin's input is there, and made again only while its origin is
the newest one (:func:`is_newest`): a correction that comes later changes what happened, not what was forecast.
"""

from __future__ import annotations

from collections.abc import Iterable

from kobe_platform.code_version import engine_version
from kobe_platform.forecasts.tables import ForecastTable, Scoreboard
from kobe_platform.lake.partitions import ENGINE, PartitionId
from kobe_platform.lake.shelf import Shelf
from kobe_platform.vocabulary.months import shifted

_ROOMS = ("forecasts", "vocabulary")


def input_months(shelf: Shelf, table: ForecastTable, origin: str) -> list[str]:
    """The published months of a forecast's input that its series of an origin consists of."""
    begins = table.forecast.begins(origin)
    return [month for month in shelf.months("published", table.forecast.input.table) if begins <= month <= origin]


def flow_years(shelf: Shelf, table: ForecastTable, origin: str) -> dict[str, list[str]]:
    """The published years (as Decembers) of each of a forecast's tables of events that its origin may know."""
    begins = table.forecast.begins(origin)
    return {
        flow.table: [
            month for month in shelf.months("published", flow.table) if begins <= f"{month[:4]}-01" and month <= origin
        ]
        for flow in table.forecast.flows
    }


def is_newest(table: ForecastTable, origin: str, months: Iterable[str]) -> bool:
    """Whether no later month of the input is an origin.

    Args:
        months: of the input, those included that are on their way.
    """
    return not any(month > origin and table.forecast.is_origin(month) for month in months)


def vintage_inputs(shelf: Shelf, table: ForecastTable, origin: str) -> dict[str, str]:
    """Inputs of a vintage: the published months of its series, and its definition."""
    ids = [PartitionId("published", table.forecast.input.table, m) for m in input_months(shelf, table, origin)]
    ids += [PartitionId("published", name, m) for name, ms in flow_years(shelf, table, origin).items() for m in ms]
    return {**_contents(shelf, ids), "definition": table.digest, ENGINE: engine_version(*_ROOMS)}


def scored_vintages(shelf: Shelf, board: Scoreboard, target: str) -> list[tuple[str, int]]:
    """The vintages (forecast, months ahead) that said something of a month whose figures are there.

    A vintage from before a break of its series is not compared with figures after it.
    """
    return [
        (name, ahead)
        for name, table in board.scored.items()
        if shelf.current(PartitionId("published", table.forecast.input.table, target)) is not None
        for ahead in table.forecast.horizons
        if shelf.current(PartitionId("published", name, shifted(target, -ahead))) is not None
        and table.forecast.begins(target) <= shifted(target, -ahead)
    ]


def score_inputs(shelf: Shelf, board: Scoreboard, target: str) -> dict[str, str]:
    """Inputs of the scores of a month: the vintages that said something of it, its figures, the definitions."""
    ids = [
        PartitionId("published", name, shifted(target, -ahead)) for name, ahead in scored_vintages(shelf, board, target)
    ]
    tables = {board.scored[id.source].forecast.input.table for id in ids}
    ids += [PartitionId("published", table, target) for table in sorted(tables)]
    return {**_contents(shelf, ids), "definition": board.digest, ENGINE: engine_version(*_ROOMS)}


def _contents(shelf: Shelf, ids: Iterable[PartitionId]) -> dict[str, str]:
    held = {id: shelf.current(id) for id in ids}
    return {str(id): one.content for id, one in held.items() if one is not None}
