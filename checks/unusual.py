"""Checks usual ranges: what is listed lies outside its range, what is expected within, and the list is short enough.

It does not block: a fault of the list holds up no release.
"""

from collections.abc import Mapping

import dagster as dg

from checks.factory import CheckedAsset, Verdict, monthly_check
from kobe_platform.lake import PartitionId
from kobe_platform.statistics import Statistic
from kobe_platform.unusual.months import contradictions
from kobe_platform.unusual.tables import UsualRanges
from resources import Lake


def unusual_checks(
    statistics: Mapping[str, Statistic], months: dg.PartitionsDefinition
) -> list[dg.AssetChecksDefinition]:
    """``usual`` on the table of usual ranges."""
    return [_check(table, months) for table in statistics.values() if isinstance(table, UsualRanges)]


def _check(table: UsualRanges, months: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    asset = CheckedAsset("published", table.name)

    def judge(lake: Lake, month: str) -> dict[CheckedAsset, Verdict]:
        place = PartitionId("published", table.name, month)
        if lake.store.current(place) is None:
            return {asset: Verdict(False, {"present": False})}
        compared, wrong = contradictions(lake.store.read(place))
        return {asset: Verdict(not wrong, {"compared": compared, "wrong": wrong})}

    words = "一覧にある値はいつもの範囲の外に、見込まれる値は範囲の中にあり、一覧は15件まで"
    return monthly_check("usual", table.name, [asset], judge, months=months, description=words, blocking=False)
