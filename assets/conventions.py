"""What all assets share – partitions, tags, kinds, owners, freshness, automation – stated once, applied everywhere."""

from __future__ import annotations

import warnings
from datetime import timedelta
from functools import cache

import dagster as dg

# Partitioned checks and lenient partition mappings are young in Dagster: they are used knowingly, and pinned by the lock.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)

GROUPS = ("raw", "abstracted", "lake", "statistics", "dashboards")
OPERATORS = "team:データ基盤運用"
POOL = "month"
"""Pool of the steps that hold one month of rows in memory."""

SENSITIVITY = {
    "raw": "personal",
    "abstracted": "pseudonymous",
    "lake": "pseudonymous",
    "statistics": "unprotected-counts",
    "published": "protected-counts",
    "dashboards": "staff",
    "public": "public",
}
KINDS = {
    "raw": {"parquet", "pyarrow"},
    "abstracted": {"parquet", "polars"},
    "lake": {"parquet", "polars"},
    "statistics": {"duckdb", "sql"},
    "published": {"parquet", "python"},
    "dashboards": {"markdown", "html"},
}
_GROUP = {"published": "statistics"}


@cache
def months(start: str) -> dg.MonthlyPartitionsDefinition:
    """The one partitions definition of the graph: months ``YYYY-MM`` from ``start`` on."""
    return dg.MonthlyPartitionsDefinition(start_date=start, fmt="%Y-%m", timezone="Asia/Tokyo")


def spec(
    stage: str,
    name: str,
    *,
    description: str,
    owner: str = "",
    deps: object = (),
    partitions: dg.PartitionsDefinition | None = None,
    automation: dg.AutomationCondition | None = None,
    public: bool = False,
) -> dg.AssetSpec:
    """An asset's specification with all that the house asks for.

    Args:
        stage: raw, abstracted, lake, statistics, published or dashboards.
        name: second part of the key.
        description: Japanese, for the UI.
        owner: the section that owns it; the platform's operators are added.
        public: whether the data was public before it came here.
    """
    tags = {"sensitivity": SENSITIVITY["public" if public else stage], "stage": stage}
    return dg.AssetSpec(
        key=[stage, name],
        deps=deps,
        description=description,
        group_name=_GROUP.get(stage, stage),
        owners=[f"team:{owner}", OPERATORS] if owner else [OPERATORS],
        tags=tags,
        kinds=KINDS[stage],
        partitions_def=partitions,
        automation_condition=automation,
        freshness_policy=_freshness(stage),
    )


def _freshness(stage: str) -> dg.FreshnessPolicy:
    """Extracts come monthly: what has not been made for 40 days is late, for 70 days is stale."""
    late = timedelta(days=40)
    stale = timedelta(days=70) if stage != "raw" else timedelta(days=65)
    return dg.FreshnessPolicy.time_window(fail_window=stale, warn_window=late)


def when_inputs_change() -> dg.AutomationCondition:
    """As soon as an upstream partition of whatever month is new and its blocking checks are green.

    Plain ``eager`` looks at the latest month only, and extracts are late by nature.
    """
    condition = dg.AutomationCondition
    eager = condition.eager().without(condition.in_latest_time_window())
    return eager & condition.all_deps_blocking_checks_passed()


def when_tables_change() -> dg.AutomationCondition:
    """For pages and the release, which stand over all months: any table is new and no blocking check is red.

    Months that never were delivered are missing for ever, so missing ones do not hinder, and a check that never ran on them
    does not either; one that failed does.
    """
    condition = dg.AutomationCondition
    eager = condition.eager().without(condition.in_latest_time_window()).without(~condition.any_deps_missing())
    red = condition.any_deps_match(condition.any_checks_match(condition.check_failed(), blocking_only=True))
    return eager & (~red).with_label("no_blocking_check_red")
