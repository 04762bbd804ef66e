"""Checks the lake's partitions against the expectations that follow from each contract."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from checks.factory import CheckedAsset, Verdict, monthly_check
from kobe_platform.contracts import Contract
from kobe_platform.lake import PartitionId
from kobe_platform.quality import validate_month
from resources import Lake


def quality_checks(
    contracts: Mapping[str, Contract], months: dg.PartitionsDefinition
) -> list[dg.AssetChecksDefinition]:
    """``expectations`` on the lake asset of each personal source; it reports, and does not block."""
    return [
        monthly_check(
            "expectations",
            contract.name,
            [CheckedAsset("lake", contract.name)],
            _judge(contract),
            months=months,
            description="契約から導いた品質検査(コード・欠損・一意性・範囲・不明の割合。件数のみを記録)",
            blocking=False,
        )
        for contract in contracts.values()
        if contract.sensitivity == "personal"
    ]


def _judge(contract: Contract):
    asset = CheckedAsset("lake", contract.name)

    def judge(lake: Lake, month: str) -> dict[CheckedAsset, Verdict]:
        if lake.store.current(PartitionId("lake", contract.name, month)) is None:
            return {asset: Verdict(False, {"present": False})}
        judged = validate_month(lake.store, contract, month)
        facts = {"expectations": len(judged.expected), "failed": judged.failed}
        return {asset: Verdict(judged.validation["success"], facts)}

    return judge
