"""What all assets share – partitions, tags, kinds, owners, freshness, automation – stated once, applied everywhere."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import timedelta
from functools import cache

import dagster as dg
from dagster._core.asset_graph_view.entity_subset import EntitySubset
from dagster._core.definitions.declarative_automation.automation_context import AutomationContext
from dagster._core.definitions.declarative_automation.operands.subset_automation_condition import (
    SubsetAutomationCondition,
)
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._record import record

# Partitioned checks and lenient partition mappings are young in Dagster: they are used knowingly, and pinned
# by the lock.
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
    definition: str = "",
) -> dg.AssetSpec:
    """An asset's specification with all that the house asks for.

    Args:
        stage: raw, abstracted, lake, statistics, published or dashboards.
        name: second part of the key.
        description: Japanese, for the UI.
        owner: the section that owns it; the platform's operators are added.
        public: whether the data was public before it came here.
        definition: digest of the file that the asset is derived from: where it changes, the asset is made anew.
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
        code_version=definition[:16] or None,
    )


def _freshness(stage: str) -> dg.FreshnessPolicy:
    """Extracts come monthly: what has not been made for 40 days is late, for 70 days is stale."""
    late = timedelta(days=40)
    stale = timedelta(days=70) if stage != "raw" else timedelta(days=65)
    return dg.FreshnessPolicy.time_window(fail_window=stale, warn_window=late)


def when_inputs_change() -> dg.AutomationCondition:
    """As soon as an upstream partition of whatever month is new and its blocking checks are green.

    Plain ``eager`` looks at the latest month only, and extracts are late by nature. An upstream asset that is
    requested in the same tick counts as green: it runs in the same run, in which its blocking checks stop what
    is downstream. (Dagster's own ``all_deps_blocking_checks_passed`` asks that of the check, which nobody
    requests by itself.)
    """
    condition = dg.AutomationCondition
    green = condition.all_checks_match(condition.check_passed(), blocking_only=True)
    passed = condition.all_deps_match(green | condition.will_be_requested())
    return _eager() & passed.with_label("all_deps_blocking_checks_passed")


def _eager() -> dg.AutomationCondition:
    """``eager`` for every month, which also notices a changed definition and what was missing when it was first asked.

    Dagster's own takes the first evaluation for handled: a statistic that is added today would never be counted for the
    months that the lake holds already.
    """
    condition = dg.AutomationCondition
    news = condition.newly_missing() | condition.any_deps_updated()
    handled = condition.newly_requested() | condition.newly_updated()
    eager = condition.eager().without(condition.in_latest_time_window())
    return eager.replace(news.since_last_handled(), (news | condition.code_version_changed()).since(handled))


def when_year_closes(needed: Sequence[dg.AssetKey]) -> dg.AutomationCondition:
    """For yearly statistics, whose partition is the December that closes the year and which read the months before it.

    Months that were never delivered do not hinder; December itself must be there in every asset of ``needed``.
    """
    condition = dg.AutomationCondition
    eager = _eager().without(~condition.any_deps_missing())
    return eager & ClosesYear(needed=tuple(needed)) & _no_blocking_check_red()


def year_to_date() -> dg.PartitionMapping:
    """A December on the twelve months that it closes."""
    return dg.TimeWindowPartitionMapping(start_offset=-11, end_offset=0, allow_nonexistent_upstream_partitions=True)


@record
class ClosesYear(SubsetAutomationCondition[dg.AssetKey]):
    """True for Decembers whose partition is there, or will be in the same run, in each of the needed assets."""

    needed: tuple[dg.AssetKey, ...]

    @property
    def name(self) -> str:
        """Shown in the UI."""
        return "closes_year"

    async def compute_subset(self, context: AutomationContext[dg.AssetKey]) -> EntitySubset[dg.AssetKey]:
        """The Decembers among the candidates that fulfil the condition."""
        view = context.asset_graph_view
        candidates = context.candidate_subset.expensively_compute_partition_keys()
        december = {month for month in candidates if month.endswith("-12")}
        for key in self.needed:
            subset = view.get_asset_subset_from_asset_partitions(
                key, {AssetKeyPartitionKey(key, month) for month in december}
            )
            missing = await view.compute_missing_subset(key=key, from_subset=subset)
            requested = context.request_subsets_by_key.get(key)
            coming = requested.expensively_compute_partition_keys() if requested else set()
            december -= missing.expensively_compute_partition_keys() - coming
        return view.get_asset_subset_from_asset_partitions(
            context.key, {AssetKeyPartitionKey(context.key, month) for month in december}
        )


def when_tables_change() -> dg.AutomationCondition:
    """For pages and the release, which stand over all months: any table is new and no blocking check is red.

    Months that never were delivered are missing for ever, so missing ones do not hinder, and a check that
    never ran on them does not either; one that failed does.
    """
    condition = dg.AutomationCondition
    eager = _eager().without(~condition.any_deps_missing())
    return eager & _no_blocking_check_red()


def _no_blocking_check_red() -> dg.AutomationCondition:
    condition = dg.AutomationCondition
    red = condition.any_deps_match(condition.any_checks_match(condition.check_failed(), blocking_only=True))
    return (~red).with_label("no_blocking_check_red")
