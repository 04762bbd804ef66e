"""Checks partitions and tables for forbidden columns and for numbers that look like My Numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg
import polars as pl

from checks.factory import CheckedAsset, Judge, Verdict, monthly_check, row_checks
from kobe_platform.contracts import Contract
from kobe_platform.intake.leaks import scan_frame
from kobe_platform.lake import Partition, PartitionId
from resources import Lake

NEVER_IN_LAKE = frozenset({"I", "C", "L", "X"})
"""Classes of extract columns that may not stand in the lake under their own name."""
NOT_DUE = Verdict(True, {"due": False})


def secrecy_checks(
    contracts: Mapping[str, Contract], months: dg.PartitionsDefinition
) -> list[dg.AssetChecksDefinition]:
    """``no_identifiers`` on raw, abstracted and lake of each personal source; blocking."""
    return row_checks(
        "no_identifiers",
        contracts,
        _judge_rows,
        months=months,
        description="法令上の識別番号・氏名等の列がなく、マイナンバーとみられる値もない",
    )


def table_checks(group: str, tables: Sequence[str], months: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    """``no_identifiers`` on the published tables of one protection group; blocking."""
    assets = [CheckedAsset("published", name) for name in tables]

    def judge(lake: Lake, month: str) -> dict[CheckedAsset, Verdict]:
        found = {asset: PartitionId(asset.stage, asset.name, month) for asset in assets}
        held = {asset: identity for asset, identity in found.items() if lake.store.current(identity) is not None}
        rows = dict(zip(held, lake.store.read_all(list(held.values())), strict=True))
        return {asset: _searched(rows[asset], id) if asset in rows else NOT_DUE for asset, id in found.items()}

    return monthly_check(
        "no_identifiers",
        f"published__{group}",
        assets,
        judge,
        months=months,
        description="公表表にマイナンバーとみられる値がない",
        blocking=True,
    )


def _judge_rows(asset: CheckedAsset, contract: Contract) -> Judge:
    def judge(lake: Lake, month: str) -> dict[CheckedAsset, Verdict]:
        partition = lake.store.current(PartitionId(asset.stage, contract.name, month))
        if partition is None:
            return {asset: Verdict(False, {"present": False})}
        forbidden = forbidden_columns(partition, contract)
        if forbidden or asset.stage == "raw":  # raw was searched, with the delivery's own codes, while it was taken in
            return {asset: Verdict(not forbidden, {"forbidden_columns": len(forbidden)})}
        return {asset: leak_free(lake, partition.id, _texts(partition))}

    return judge


def forbidden_columns(partition: Partition, contract: Contract) -> list[str]:
    """Columns of a partition that may not be written at this stage."""
    unread = {column.id for column in contract.columns if not column.read}
    if partition.id.stage == "raw":
        return sorted(unread & set(partition.columns))
    own = {column.id for column in contract.columns if column.class_ in NEVER_IN_LAKE} - set(contract.outputs)
    return sorted((own | unread) & set(partition.columns))


def leak_free(lake: Lake, identity: PartitionId, columns: Sequence[str] | None = None) -> Verdict:
    """Searches a partition's texts for numbers that identify by law; a lone hit is
    counted only (a tenth of all numbers pass the check digit)."""
    if lake.store.current(identity) is None:
        return NOT_DUE
    return _searched(lake.store.read(identity, columns), identity)


def _searched(rows: pl.DataFrame, identity: PartitionId) -> Verdict:
    findings = scan_frame(rows, str(identity))
    refusing = [finding for finding in findings if finding.refuses]
    return Verdict(not refusing, {"findings": len(findings), "refusing": len(refusing)})


def _texts(partition: Partition) -> list[str]:
    """Text columns: what is numeric by schema (pseudonyms, ages) is not written as text anywhere."""
    return [name for name, kind in partition.columns.items() if kind.startswith(("String", "Categorical", "Enum"))]
