"""Defines the assets ``statistics``: encrypted counts of the finest cells (統計化), and public sources as they are."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import dagster as dg

from assets.acceptance import acceptance_check, accepted
from assets.columns import definition_metadata
from assets.conventions import POOL, spec, titles, year_to_date
from assets.reports import partition_result
from kobe_platform.contracts import Contract
from kobe_platform.lake import Partition
from kobe_platform.orchestration.months import the_month
from kobe_platform.privacy.border import border
from kobe_platform.statistics import Statistic, groups
from kobe_platform.statistics.inputs import definition_of
from kobe_platform.tabulation.steps import count_group, take_in_public
from resources import Inbox, Lake


def statistics_assets(
    statistics: Mapping[str, Statistic], contracts: Mapping[str, Contract], months: dg.PartitionsDefinition
) -> list[dg.AssetsDefinition]:
    """One asset a statistic; those of one group and period are counted over the same rows in one step."""
    return [_group(key, members, contracts, months) for key, members in groups(statistics.values()).items()]


def step_name(key: str) -> str:
    """A group's key as part of a step's name."""
    return key.replace("/", "_")


def _group(
    key: str, members: Sequence[Statistic], contracts: Mapping[str, Contract], months: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    sources = sorted({source for member in members for source in member.sources})
    yearly = members[0].period == "year"
    mapping = year_to_date() if yearly else None
    upstream = [dg.AssetDep(["lake", source], partition_mapping=mapping) for source in sources]
    specs = [
        spec(
            "statistics",
            member.name,
            description=f"{member.title}(秘匿前):{member.description}",
            owner=member.owner,
            deps=upstream,
            partitions=months,
            definition=definition_of(members),
            metadata=definition_metadata(member, "statistics", contracts),
        )
        for member in members
    ]

    @dg.multi_asset(
        name=f"statistics__{step_name(key)}",
        description=f"レイクの1か月を数える(秘匿前):{titles(members)}。",
        specs=specs,
        pool=POOL,
    )
    def count(context: dg.AssetExecutionContext, lake: Lake):
        month = the_month(context)
        with border(stage="statistics", group=key, month=month):
            partitions = count_group(lake.store, members, month)
        for partition in partitions:
            yield partition_result(partition)

    return count


def public_assets(contracts: Mapping[str, Contract], months: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """One asset a public source of figures; its deliveries need no abstraction, encryption being one format for all."""
    return [_public(contract, months) for contract in contracts.values() if contract.use == "statistics"]


def _public(contract: Contract, months: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    described = spec(
        "statistics",
        contract.name,
        description=f"{contract.title}:公表済みの統計。抽象化も秘匿もせず、そのまま統計の段階に入る。",
        owner=contract.legal.owner_section,
        partitions=months,
        public=True,
        skippable=True,
        metadata=definition_metadata(contract, "statistics"),
    )

    @dg.multi_asset(
        name=f"statistics__{contract.name}",
        description=f"{contract.title}:公表済みの統計の提供データを検査し、そのまま取り込む。",
        specs=[described],
        check_specs=[acceptance_check(described.key, months)],
    )
    def take_in(context: dg.AssetExecutionContext, inbox: Inbox, lake: Lake) -> Iterator:
        month = the_month(context)

        def step() -> Partition:
            delivery = inbox.present(contract.name, month)
            return take_in_public(delivery, contract, lake.store, Path(inbox.home))

        yield from accepted(["statistics", contract.name], step, stage="statistics", source=contract.name, month=month)

    return take_in
