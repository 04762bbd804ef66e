"""Checks on statistics the sums that must hold between figures."""

from collections.abc import Mapping, Sequence

import dagster as dg

from checks.factory import CheckedAsset, Verdict, monthly_check
from kobe_platform.contracts import Contract
from kobe_platform.lake import PartitionId
from kobe_platform.statistics import Statistic, groups
from kobe_platform.tabulation.reconciliation import Identity, common_margins, stock_and_flow
from resources import Lake


def identity_checks(
    statistics: Mapping[str, Statistic], contracts: Mapping[str, Contract], months: dg.PartitionsDefinition
) -> list[dg.AssetChecksDefinition]:
    """``common_margins`` (blocking) on every statistic; ``stock_and_flow`` on those that a relation names.

    The second says by ward how far the two sources are apart; the contract of the stock says how far they may be.
    """
    margins = [_margins(key, members, months) for key, members in groups(statistics.values()).items()]
    stocks = [statistic for statistic in statistics.values() if statistic.stock_and_flow]
    return [*margins, *(_stock_and_flow(one, contracts[one.sources[0]], months) for one in stocks)]


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
        description="同じ母集団の表は区別合計が一致し、定義上の関係(含む・等しい)が成り立つ",
        blocking=True,
    )


def _stock_and_flow(table: Statistic, stock: Contract, months: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    asset = CheckedAsset("statistics", table.name)

    def judge(lake: Lake, month: str) -> dict[CheckedAsset, Verdict]:
        identity = stock_and_flow(lake.store, table, month, stock.thresholds.stock_and_flow)
        return {asset: Verdict(True, {"due": False}) if identity is None else _verdict(identity)}

    return monthly_check(
        "stock_and_flow",
        table.key.replace("/", "_"),
        [asset],
        judge,
        months=months,
        description="前月人口+出生−死亡+転入−転出±区間移動=当月人口(区別)",
        blocking=False,
    )


def _verdict(identity: Identity) -> Verdict:
    facts: dict[str, object] = {"compared": identity.compared, "differing": identity.differing}
    facts |= {"apart": identity.apart, "tolerated": identity.tolerated}
    return Verdict(identity.holds, {**facts, **({"by_ward": identity.by_ward} if identity.by_ward else {})})
