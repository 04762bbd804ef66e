"""The identities of the domain, as checks on the statistics."""

from collections.abc import Mapping, Sequence

import dagster as dg

from checks.factory import CheckedAsset, Verdict, monthly_check
from kobe_platform.lake import PartitionId
from kobe_platform.reconciliation import Identity, common_margins, moves_between_wards, stock_and_flow
from kobe_platform.statistics import Statistic, groups
from resources import Lake


def identity_checks(
    statistics: Mapping[str, Statistic], months: dg.PartitionsDefinition
) -> list[dg.AssetChecksDefinition]:
    """``common_margins`` (blocking) on every statistic; ``stock_and_flow`` and ``moves_balance`` where they apply."""
    checks = [_margins(key, members, months) for key, members in groups(statistics.values()).items()]
    if "population_ward" in statistics:
        checks.append(
            _single(
                "stock_and_flow",
                statistics["population_ward"],
                lambda lake, month: stock_and_flow(lake.store, month),
                "前月人口+出生−死亡+転入−転出±区間移動=当月人口(区別)",
                months,
            )
        )
    if {"ward_moves_in_month", "ward_moves_out_month"} <= set(statistics):
        checks.append(
            _single(
                "moves_balance",
                statistics["ward_moves_in_month"],
                lambda lake, month: moves_between_wards(lake.store, month),
                "区間移動の転入計=転出計",
                months,
            )
        )
    return checks


def _margins(key: str, members: Sequence[Statistic], months: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    assets = [CheckedAsset("statistics", member.name) for member in members]

    def judge(lake: Lake, month: str) -> dict[CheckedAsset, Verdict]:
        if any(lake.store.current(PartitionId("statistics", asset.name, month)) is None for asset in assets):
            return {asset: Verdict(False, {"present": False}) for asset in assets}
        found = common_margins(lake.store, members, month)
        return {asset: _verdict(found[asset.name]) for asset in assets}

    return monthly_check(
        "common_margins",
        key.replace("/", "_"),
        assets,
        judge,
        months=months,
        description="同じ母集団の表は区別合計が一致する",
        blocking=True,
    )


def _single(
    name: str, table: Statistic, compare, description: str, months: dg.PartitionsDefinition
) -> dg.AssetChecksDefinition:
    asset = CheckedAsset("statistics", table.name)

    def judge(lake: Lake, month: str) -> dict[CheckedAsset, Verdict]:
        identity = compare(lake, month)
        return {asset: Verdict(True, {"due": False}) if identity is None else _verdict(identity)}

    return monthly_check(
        name, table.key.replace("/", "_"), [asset], judge, months=months, description=description, blocking=False
    )


def _verdict(identity: Identity) -> Verdict:
    facts = {"compared": identity.compared, "differing": identity.differing}
    return Verdict(identity.holds, {**facts, "apart": identity.apart, "tolerated": identity.tolerated})
