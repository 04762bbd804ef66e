"""Checks forecasts: what their back-test withholds, whether areas sum to the city, how often intervals were right.

None of them blocks: figures that the back-test does not let pass are not in the table, and the release goes on.
"""

from collections.abc import Callable, Mapping

import dagster as dg

from checks.factory import CheckedAsset, Verdict, monthly_check
from kobe_platform.forecasts.tables import ForecastTable
from kobe_platform.forecasts.vintages import incoherent
from kobe_platform.lake import Partition, PartitionId
from kobe_platform.release.collect import BACKTEST
from kobe_platform.statistics import Statistic
from resources import Lake

_WORDS = {
    "backtest": "過去の月で検証し、単純な見込みより悪い・検証が足りない・負や無限大になる先の値は出さない",
    "coherent": "区の見込みの合計が市の見込みと一致する",
    "coverage": "80%区間に入った過去の値の割合が65%〜95%にある",
}


def forecast_checks(
    statistics: Mapping[str, Statistic], months: dg.PartitionsDefinition
) -> list[dg.AssetChecksDefinition]:
    """``backtest``, ``coherent`` and ``coverage`` on each forecast."""
    tables = [one for one in statistics.values() if isinstance(one, ForecastTable)]
    return [_check(table, name, months) for table in tables for name in _WORDS]


def _check(table: ForecastTable, name: str, months: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    asset = CheckedAsset("published", table.name)

    def judge(lake: Lake, month: str) -> dict[CheckedAsset, Verdict]:
        partition = lake.store.current(PartitionId("published", table.name, month))
        if partition is None:
            return {asset: Verdict(False, {"present": False})}
        return {asset: _JUDGES[name](table, partition, lake)}

    return monthly_check(name, table.name, [asset], judge, months=months, description=_WORDS[name], blocking=False)


def _backtest(table: ForecastTable, partition: Partition, lake: Lake) -> Verdict:
    """Passed where every horizon has figures, or where the series is still too short for any."""
    states = [one["state"] for one in partition.facts[BACKTEST]["horizons"]]
    counts = {state: states.count(state) for state in sorted(set(states))}
    return Verdict(set(states) <= {"shown", "origins"}, {"horizons": len(states), **counts})


def _coherent(table: ForecastTable, partition: Partition, lake: Lake) -> Verdict:
    compared, differing = incoherent(table, lake.store.read(partition.id))
    return Verdict(not differing, {"compared": compared, "differing": differing})


def _coverage(table: ForecastTable, partition: Partition, lake: Lake) -> Verdict:
    warned = [one["horizon"] for one in partition.facts[BACKTEST]["horizons"] if one["warning"]]
    return Verdict(not warned, {"warned": len(warned)})


_JUDGES: Mapping[str, Callable[[ForecastTable, Partition, Lake], Verdict]] = {
    "backtest": _backtest,
    "coherent": _coherent,
    "coverage": _coverage,
}
