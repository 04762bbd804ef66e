"""Checks protected tables before publication, by the independent auditor and by the search for leaked codes."""

from collections.abc import Mapping, Sequence

import dagster as dg

from checks.factory import CheckedAsset, Verdict, monthly_check
from checks.secrecy import table_checks
from kobe_platform.lake import PartitionId
from kobe_platform.statistics import Statistic, groups
from kobe_platform.tabulation.steps import audit_published, passed_audit
from resources import Lake


def disclosure_checks(
    statistics: Mapping[str, Statistic], months: dg.PartitionsDefinition
) -> list[dg.AssetChecksDefinition]:
    """``disclosure`` on each protected table and ``no_identifiers`` on every table; both block."""
    checks = []
    for key, members in groups(statistics.values()).items():
        checks.append(_audited(key, members, statistics, months))
        checks.append(table_checks(key.replace("/", "_"), [member.name for member in members], months))
    others = [statistic.name for statistic in statistics.values() if not statistic.is_protected]
    return [*checks, *(table_checks(name, [name], months) for name in others)]


def _audited(
    key: str, members: Sequence[Statistic], statistics: Mapping[str, Statistic], months: dg.PartitionsDefinition
) -> dg.AssetChecksDefinition:
    assets = [CheckedAsset("published", member.name) for member in members]

    def judge(lake: Lake, month: str) -> dict[CheckedAsset, Verdict]:
        absent = [a.name for a in assets if lake.store.current(PartitionId("published", a.name, month)) is None]
        if absent:
            return {asset: Verdict(False, {"absent": len(absent)}) for asset in assets}
        if passed_audit(lake.store, members, month, statistics, lake.history_months):
            told = {"findings": 0, "audited_when_protected": True}
            return {asset: Verdict(True, {**told, "exposed": _exposed(lake, asset, month)}) for asset in assets}
        report = audit_published(lake.store, members, month, statistics, lake.history_months)
        facts = {"findings": len(report.findings), "seconds": round(report.seconds, 2), **dict(report.counts)}
        out = report.exposed_by_table
        return {asset: Verdict(report.publishable, {**facts, "exposed": out.get(asset.name, 0)}) for asset in assets}

    return monthly_check(
        "disclosure",
        key.replace("/", "_"),
        assets,
        judge,
        months=months,
        description="独立した監査:公表値の組合せから秘匿した値を推定できない",
        blocking=True,
    )


def _exposed(lake: Lake, asset: CheckedAsset, month: str) -> int:
    """Cells of a table that former releases alone give away, as its protection told them."""
    held = lake.store.current(PartitionId("published", asset.name, month))
    return int(held.facts.get("exposed", 0)) if held is not None else 0
