"""Defines the assets of forecasts: vintages made from published tables, and what became of them (見込み)."""

from collections.abc import Mapping

import dagster as dg

from assets.columns import definition_metadata
from assets.conventions import POOL, spec
from assets.reports import partition_result
from kobe_platform.forecasts.tables import ForecastTable, Scoreboard
from kobe_platform.orchestration.months import the_month
from kobe_platform.privacy.border import border
from kobe_platform.statistics import Statistic
from kobe_platform.tabulation.forecasting import make_vintage, score_month
from resources import Lake

FARTHEST = 600
"""Months that a forecast reads back at most: all there are."""


def forecast_assets(statistics: Mapping[str, Statistic], months: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """One asset a forecast, whose partitions are its vintages, and one for what became of them."""
    tables = [one for one in statistics.values() if isinstance(one, ForecastTable)]
    boards = [one for one in statistics.values() if isinstance(one, Scoreboard)]
    return [
        *(_vintages(one, statistics, months) for one in tables),
        *(_board(one, statistics, months) for one in boards),
    ]


def _until(back: int) -> dg.PartitionMapping:
    """A month on those before it and on itself."""
    return dg.TimeWindowPartitionMapping(start_offset=-back, end_offset=0, allow_nonexistent_upstream_partitions=True)


def _vintages(
    table: ForecastTable, statistics: Mapping[str, Statistic], months: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    described = spec(
        "published",
        table.name,
        description=f"{table.title}:{table.description}起点の月ごとに一度作り、そのまま残す。検証に不合格の先は値を出さない。",
        owner=table.owner,
        deps=[
            dg.AssetDep(["published", name], partition_mapping=_until(FARTHEST))
            for name in dict.fromkeys((table.forecast.input.table, *(flow.table for flow in table.forecast.flows)))
        ],
        partitions=months,
        definition=table.digest,
        metadata=definition_metadata(table, "published"),
    )

    @dg.multi_asset(
        name=f"published__{table.name}",
        description=f"{table.title}:公表表だけから見込みを作り、過去の月で検証する。",
        specs=[described],
        pool=POOL,
    )
    def forecast(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
        month = the_month(context)
        with border(stage="published", table=table.name, month=month):
            return partition_result(make_vintage(lake.store, table, month, statistics))

    return forecast


def _board(
    board: Scoreboard, statistics: Mapping[str, Statistic], months: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    ahead = {name: max(table.forecast.horizons) for name, table in board.scored.items()}
    inputs = sorted({table.forecast.input.table for table in board.scored.values()})
    described = spec(
        "published",
        board.name,
        description=f"{board.title}:{board.description}",
        owner=board.owner,
        deps=[
            *(dg.AssetDep(["published", name], partition_mapping=_until(back)) for name, back in ahead.items()),
            *(dg.AssetDep(["published", name]) for name in inputs),
        ],
        partitions=months,
        definition=board.digest,
        metadata=definition_metadata(board, "published"),
    )

    @dg.multi_asset(
        name=f"published__{board.name}",
        description="過去の見込みと、その月に公表した値を比べる。",
        specs=[described],
    )
    def score(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
        month = the_month(context)
        with border(stage="published", table=board.name, month=month):
            return partition_result(score_month(lake.store, board, month, statistics))

    return score
