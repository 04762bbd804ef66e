"""Makes a month of usual ranges from audited published partitions and commits it: what its asset calls."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from kobe_platform.lake import Partition, PartitionId, PartitionStore
from kobe_platform.release.collect import content_digest
from kobe_platform.statistics import Statistic
from kobe_platform.tabulation.forecasting import audited, basis_of, counted
from kobe_platform.unusual.inputs import past_partitions, usual_inputs, watched_partitions
from kobe_platform.unusual.months import month_of
from kobe_platform.unusual.tables import ACTUAL, EXPECTED, FIGURE, RANK, WATCHED, UsualRanges


def make_usual_ranges(
    store: PartitionStore, table: UsualRanges, month: str, statistics: Mapping[str, Statistic]
) -> Partition:
    """Make a month of usual ranges and commit it; what would be as it is stays.

    Raises:
        LakeError: none of the tables that are watched is there. DisclosureError: ``forecast.unaudited``.
    """
    id, inputs = PartitionId("published", table.name, month), usual_inputs(store, table, month)
    held = store.settled(id)
    if held is not None and dict(held.inputs) == inputs:
        return held
    watched = watched_partitions(store, table, month)
    if not watched:
        store.present(PartitionId("published", table.inputs[0], month))
    sources = [statistics[one.source] for one in watched]
    published = {source.name: audited(store, source, [month])[month] for source in sources}
    earlier = past_partitions(store, table, month)
    past = dict(zip([one.month for one in earlier], store.read_all(earlier), strict=True))
    rows = month_of(table, month, published, past)
    basis = {basis_of(store, source, [month]) for source in sources}
    told = {"month": month, "first": min([*past, month]), **_numbers(rows)}
    facts = {
        **counted(rows),
        "content": content_digest(rows),
        "basis": "synthetic" if "synthetic" in basis else "register",
        WATCHED: told,
    }
    return store.write(id, rows, facts=facts, inputs=inputs)


def _numbers(rows: pl.DataFrame) -> dict[str, int]:
    """How many series the month has, how many of them were judged, and how many are listed."""
    figures = rows[FIGURE].value_counts()
    found = dict(zip(figures[FIGURE], figures["count"], strict=True))
    return {"series": found.get(ACTUAL, 0), "judged": found.get(EXPECTED, 0), "listed": found.get(RANK, 0)}
