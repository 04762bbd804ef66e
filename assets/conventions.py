"""Defines once what all assets share: partitions, tags, kinds, owners, freshness."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

import dagster as dg

from kobe_platform.statistics import Statistic
from kobe_platform.vocabulary.clock import JAPAN

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
    """The one partitions definition of the graph: months ``YYYY-MM`` from ``start`` on.

    Assets have no backfill policy: a backfill then is one run a month that names its month. Any policy of Dagster's,
    also that of one partition a run, gives runs a range instead, and check results of a range name no partition.
    """
    return Months(start_date=start, fmt="%Y-%m", timezone=str(JAPAN))


class Months(dg.MonthlyPartitionsDefinition):
    """Dagster's months, worked out once: it lists them for each table of a page, and steps back month by month."""

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: Any = None
    ) -> Sequence[str]:
        """Months that are over, in their order."""
        with dg.partition_loading_context(current_time, dynamic_partitions_store) as loading:
            now = loading.effective_dt
            now = now.astimezone(JAPAN) if now.tzinfo else now  # as Dagster takes one without a zone
            return list(_listed(self, now.strftime("%Y-%m")))

    def get_prev_partition_window(self, start_dt: datetime, respect_bounds: bool = True) -> dg.TimeWindow | None:
        """The month before."""
        if respect_bounds:  # what is asked then depends on the hour
            return super().get_prev_partition_window(start_dt, respect_bounds)
        return _before(self, start_dt)


@lru_cache(maxsize=512)
def _before(definition: Months, start: datetime) -> dg.TimeWindow | None:
    return super(Months, definition).get_prev_partition_window(start, respect_bounds=False)


@lru_cache(maxsize=8)
def _listed(definition: Months, month: str) -> tuple[str, ...]:
    """What Dagster lists within a month (``month``: the one that it is)."""
    return tuple(super(Months, definition).get_partition_keys())


def spec(
    stage: str,
    name: str,
    *,
    description: str,
    owner: str = "",
    deps: Iterable[dg.AssetKey | dg.AssetDep] = (),
    partitions: dg.PartitionsDefinition | None = None,
    public: bool = False,
    definition: str = "",
    skippable: bool = False,
    metadata: Mapping[str, object] | None = None,
) -> dg.AssetSpec:
    """An asset's specification with all that the house asks for.

    Args:
        stage: raw, abstracted, lake, statistics, published or dashboards.
        name: second part of the key.
        description: Japanese, for the UI.
        owner: the section that owns it; the platform's operators are added.
        public: whether the data was public before it came here.
        definition: digest of the file that the asset is derived from, shown as its code version.
        metadata: columns and what they are made of (:mod:`assets.columns`).
        skippable: whether a run may end well without it: a delivery that is turned away makes nothing.
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
        freshness_policy=_freshness(stage),
        code_version=definition[:16] or None,
        skippable=skippable,
        metadata=dict(metadata or {}),
    )


def _freshness(stage: str) -> dg.FreshnessPolicy:
    """Extracts come monthly: what has not been made for 40 days is late, for 70 days is stale."""
    late = timedelta(days=40)
    stale = timedelta(days=70) if stage != "raw" else timedelta(days=65)
    return dg.FreshnessPolicy.time_window(fail_window=stale, warn_window=late)


def year_to_date() -> dg.PartitionMapping:
    """A December on the twelve months that it closes."""
    return dg.TimeWindowPartitionMapping(start_offset=-11, end_offset=0, allow_nonexistent_upstream_partitions=True)


def titles(members: Sequence[Statistic]) -> str:
    """The tables of a group in words: the first three, and how many more there are."""
    named = "、".join(member.title for member in members[:3])
    return f"{named} ほか{len(members) - 3}表" if len(members) > 3 else named
