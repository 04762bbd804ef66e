"""Defines the assets ``published``: tables with every margin, protected by group and audited (秘匿)."""

from collections.abc import Mapping, Sequence

import dagster as dg

from assets.columns import definition_metadata
from assets.conventions import spec, titles, year_to_date
from assets.reports import partition_result
from assets.statistics import step_name
from kobe_platform.contracts import Contract
from kobe_platform.orchestration.months import the_month
from kobe_platform.privacy.border import border
from kobe_platform.statistics import Statistic, groups
from kobe_platform.statistics.inputs import definition_of
from kobe_platform.tabulation.steps import protect_counts, publish_public
from resources import Lake


def published_assets(
    statistics: Mapping[str, Statistic], contracts: Mapping[str, Contract], months: dg.PartitionsDefinition
) -> list[dg.AssetsDefinition]:
    """One asset a table; those of one protection group are protected jointly in one step."""
    protected = [
        _group(key, members, statistics, contracts, months) for key, members in groups(statistics.values()).items()
    ]
    public = [_public(statistic, contracts, months) for statistic in statistics.values() if statistic.kind == "public"]
    return [*protected, *public]


def _group(
    key: str,
    members: Sequence[Statistic],
    statistics: Mapping[str, Statistic],
    contracts: Mapping[str, Contract],
    months: dg.PartitionsDefinition,
) -> dg.AssetsDefinition:
    ties = sorted({tie.table for member in members for tie in member.ties} & set(statistics))
    upstream = [dg.AssetDep(["statistics", member.name]) for member in members]
    upstream += [dg.AssetDep(["published", name], partition_mapping=year_to_date()) for name in ties]
    specs = [
        spec(
            "published",
            member.name,
            description=f"{member.title}(秘匿済み):{member.description}",
            owner=member.owner,
            deps=upstream,
            partitions=months,
            definition=definition_of(members),
            metadata=definition_metadata(member, "published", contracts),
        )
        for member in members
    ]

    @dg.multi_asset(
        name=f"published__{step_name(key)}",
        description=f"同じ母集団の表をまとめて秘匿し、監査する:{titles(members)}。",
        specs=specs,
        pool="protection",
    )
    def protect(context: dg.AssetExecutionContext, lake: Lake):
        month = the_month(context)
        with border(stage="published", group=key, month=month):
            partitions = protect_counts(lake.store, members, month, statistics, lake.history_months)
        for partition in partitions:
            yield partition_result(partition)

    return protect


def _public(
    statistic: Statistic, contracts: Mapping[str, Contract], months: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    described = spec(
        "published",
        statistic.name,
        description=f"{statistic.title}:{statistic.description}",
        owner=statistic.owner,
        deps=[dg.AssetDep(["statistics", source]) for source in statistic.sources],
        partitions=months,
        definition=definition_of([statistic]),
        metadata=definition_metadata(statistic, "published", contracts),
        public=True,
    )

    @dg.multi_asset(
        name=f"published__{statistic.name}",
        description=f"{statistic.title}:公表済みの統計から公表表を作る。",
        specs=[described],
    )
    def publish(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
        month = the_month(context)
        with border(stage="published", table=statistic.name, month=month):
            return partition_result(publish_public(lake.store, statistic, month))

    return publish
