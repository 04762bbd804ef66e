"""Lists the checks that a partition needs; the plan, the gate and a test of the graph read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kobe_platform.contracts import Contract
from kobe_platform.lake.heads import HeadEntry, HeadVerdict

if TYPE_CHECKING:
    from kobe_platform.statistics import Statistic

BLOCKING, REPORTING = True, False
_LAKE = {"rows_accounted": BLOCKING, "no_identifiers": BLOCKING, "expectations": REPORTING}
_STATISTICS = {"common_margins": BLOCKING, "stock_and_flow": REPORTING}
_PUBLISHED = {"disclosure": BLOCKING, "no_identifiers": BLOCKING}
_FORECAST = {"no_identifiers": BLOCKING, "backtest": REPORTING, "coherent": REPORTING, "coverage": REPORTING}
_USUAL = {"no_identifiers": BLOCKING, "usual": REPORTING}
_STAGES = {"published": {**_PUBLISHED, **_FORECAST, **_USUAL}, "statistics": _STATISTICS, "lake": _LAKE}
STAGE_OF = {check: stage for stage, checks in _STAGES.items() for check in checks}
"""Check → the first of the stages that it judges."""


def lake_checks(contract: Contract) -> dict[str, bool]:
    """Checks of a source's lake partition → whether they block."""
    return dict(_LAKE) if contract.sensitivity == "personal" else {}


def statistics_checks(statistic: Statistic) -> dict[str, bool]:
    """Checks of a statistic's counts before protection → whether they block."""
    if not statistic.is_protected:
        return {}
    return {
        name: blocks for name, blocks in _STATISTICS.items() if name != "stock_and_flow" or statistic.stock_and_flow
    }


def published_checks(statistic: Statistic) -> dict[str, bool]:
    """Checks of a table that may leave → whether they block; a forecast's own checks hold up no release."""
    from kobe_platform.forecasts.tables import ForecastTable
    from kobe_platform.unusual.tables import UsualRanges

    if isinstance(statistic, ForecastTable):
        return dict(_FORECAST)
    if isinstance(statistic, UsualRanges):
        return dict(_USUAL)
    return {name: blocks for name, blocks in _PUBLISHED.items() if name != "disclosure" or statistic.is_protected}


def missing(entry: HeadEntry, checks: Iterable[str], engine: str) -> list[str]:
    """Checks that never ran on this generation, or that blocked it by another version of the code than ``engine``."""
    return [
        name for name in checks if (found := entry.verdict(name)) is None or (_blocks(found) and found.engine != engine)
    ]


def red(entry: HeadEntry, engine: str) -> list[str]:
    """Blocking checks that failed on this generation, by this version of the code."""
    return [name for name, judged_by in entry.stopped_by if judged_by == engine]


def _blocks(verdict: HeadVerdict) -> bool:
    return verdict.blocking and not verdict.passed
