"""Defines the asset of usual ranges: what stands out in a month's published tables (いつもと違う動き)."""

from collections.abc import Mapping

import dagster as dg

from assets.columns import definition_metadata
from assets.conventions import spec
from assets.reports import partition_result
from kobe_platform.orchestration.months import the_month
from kobe_platform.privacy.border import border
from kobe_platform.statistics import Statistic
from kobe_platform.tabulation.watching import make_usual_ranges
from kobe_platform.unusual.tables import UsualRanges
from resources import Lake


def unusual_assets(statistics: Mapping[str, Statistic], months: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """One asset over all watched series; none without any."""
    return [_ranges(one, statistics, months) for one in statistics.values() if isinstance(one, UsualRanges)]


def _ranges(
    table: UsualRanges, statistics: Mapping[str, Statistic], months: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    described = spec(
        "published",
        table.name,
        description=f"{table.title}:{table.description}公表表とこの表の過去の月だけから作る。",
        owner=table.owner,
        deps=[dg.AssetDep(["published", name]) for name in table.inputs],
        partitions=months,
        definition=table.digest,
        metadata=definition_metadata(table, "published"),
    )

    @dg.multi_asset(
        name=f"published__{table.name}",
        description="公表表の値を、過去から見込まれる値と比べ、いつもの範囲を大きく外れた系列に印を付ける。",
        specs=[described],
    )
    def usual(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
        month = the_month(context)
        with border(stage="published", table=table.name, month=month):
            return partition_result(make_usual_ranges(lake.store, table, month, statistics))

    return usual
