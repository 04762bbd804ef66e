"""Refuses a release unless every blocking check of every partition that it shows passed on that generation.

The verdicts are those that stand signed beside the partitions, so the gate needs none of Dagster's databases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kobe_platform.errors import DisclosureError
from kobe_platform.lake import Partition, PartitionId, PartitionStore
from kobe_platform.lake.shelf import SteadyShelf
from kobe_platform.lake.verdicts import green
from kobe_platform.release.required_checks import published_checks
from kobe_platform.statistics import Statistic


def pass_gate(
    store: PartitionStore,
    shown: Mapping[str, Sequence[str]],
    statistics: Mapping[str, Statistic],
    looked: SteadyShelf[Partition] | None = None,
) -> dict[str, int]:
    """Refuse a release unless each blocking check has passed on each partition in ``shown``.

    Args:
        shown: published table → months that the release shows.
        looked: the partitions that the release is collected from; else those that are in force.

    Returns:
        Counts: ``checks`` looked at.

    Raises:
        DisclosureError: a check failed, never ran, or ran on a former generation (coordinates: the first, and
            how many). CustodyError: a verdict is not authentic.
    """
    shelf = looked or store
    looked_at, missing = 0, []
    for name, months in shown.items():
        checks = [check for check, blocks in published_checks(statistics[name]).items() if blocks]
        for month in months:
            partition = shelf.current(PartitionId("published", name, month))
            looked_at += len(checks)
            passed = green(store, partition) if partition is not None else set()
            missing += [(name, check, month) for check in checks if check not in passed]
    if missing:
        name, check, month = missing[0]
        raise DisclosureError(
            "a blocking check of a table is not green",
            code="release.gate",
            at={"table": name, "check": check, "month": month, "not_green": len(missing)},
            remedy="run the checks of this month again, and look at what they found",
            ja="公開前検査に合格していない表があるため、公開しません",
        )
    return {"checks": looked_at}
