"""Checks that every row of an extract is accounted for: in the lake, set aside by a rule, superseded or filtered."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from checks.factory import CheckedAsset, Judge, Verdict, row_checks
from kobe_platform.contracts import Contract
from kobe_platform.lake import Partition, PartitionId
from kobe_platform.reception.accounting import balance
from resources import Lake


def delivery_checks(
    contracts: Mapping[str, Contract], months: dg.PartitionsDefinition
) -> list[dg.AssetChecksDefinition]:
    """``rows_accounted`` on raw, abstracted and lake of each personal source; blocking."""
    return row_checks(
        "rows_accounted",
        contracts,
        _judge,
        months=months,
        description="全行の行方が件数で説明できる(有効・除外(規則名)・置換・対象外)",
    )


def _judge(asset: CheckedAsset, contract: Contract) -> Judge:
    def judge(lake: Lake, month: str) -> dict[CheckedAsset, Verdict]:
        return {asset: accounted(lake.store.current(PartitionId(asset.stage, contract.name, month)))}

    return judge


def accounted(partition: Partition | None) -> Verdict:
    """Whether a partition's facts explain each delivered row, and its file holds the rows that they say."""
    if partition is None:
        return Verdict(False, {"present": False})
    unexplained = balance(partition.facts)
    differing = partition.rows - int(partition.facts["kept"])
    facts = {"rows": partition.rows, "unexplained": unexplained, "differing": differing}
    return Verdict(unexplained == 0 and differing == 0, facts)
