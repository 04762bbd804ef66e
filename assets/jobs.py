"""Defines the jobs that execute the steps of the plan: one for each source, one for the months, one for the release."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from kobe_platform.contracts import Contract
from kobe_platform.statistics import Statistic

TABULATE, RELEASE = "tabulate", "make_release"
ORDER_TAG = ".dagster/kobe_order"
"""Runs with this tag are executed one after the other, in the order in which the plan asked for them (dagster.yaml)."""
MAX_RUNTIME = {"dagster/max_runtime": str(6 * 3600)}
"""Seconds after which a run is taken for lost: the largest month takes minutes."""


_END = {"lake": "レイク", "reference": "原データ", "statistics": "統計"}


def job_name(source: str) -> str:
    """Name of the job that takes in deliveries of one source."""
    return f"take_in_{source}"


def delivery_jobs(contracts: Mapping[str, Contract]) -> list:
    """One job a source: everything between the inbox and the lake (or, for public sources, statistics)."""
    stages = {"lake": ("raw", "abstracted", "lake"), "reference": ("raw",), "statistics": ("statistics",)}
    return [
        dg.define_asset_job(
            job_name(contract.name),
            selection=dg.AssetSelection.assets(*([stage, contract.name] for stage in stages[contract.use])),
            description=f"{contract.title}:受信箱から{_END[contract.use]}まで",
            tags={"kobe/source": contract.name, ORDER_TAG: "work", **MAX_RUNTIME},
        )
        for contract in contracts.values()
    ]


def tabulation_job(statistics: Mapping[str, Statistic]):
    """Counts, protects and checks a month; a run selects the groups that are outstanding."""
    keys = [["published", name] for name in sorted(statistics)]
    keys += [["statistics", name] for name, statistic in sorted(statistics.items()) if statistic.is_protected]
    return dg.define_asset_job(
        TABULATE,
        selection=dg.AssetSelection.assets(*keys),
        description="1か月分の統計化・秘匿・監査",
        tags={ORDER_TAG: "work", **MAX_RUNTIME},
    )


def release_job():
    """Compiles all pages and makes the release."""
    return dg.define_asset_job(
        RELEASE,
        selection=dg.AssetSelection.groups("dashboards"),
        description="全ページの組立てと公開",
        tags={ORDER_TAG: "work", **MAX_RUNTIME},
    )
