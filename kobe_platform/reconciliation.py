"""The identities that figures must fulfil (domain design §3): what is compared, and what differs.

Results are counts of comparisons and of differing ones, never the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.reception.steps import month_before
from kobe_platform.statistics import Statistic
from kobe_platform.tabulation import areas_of
from kobe_platform.vocabulary import Hierarchy

ARRIVALS = ("birth", "in_domestic", "in_abroad", "admin_in", "ward_move")
DEPARTURES = ("death", "out_domestic", "out_abroad", "admin_out", "ward_move")
REGISTER, MOVEMENTS = "resident_register", "resident_movements"


@dataclass(frozen=True)
class Identity:
    """What came of comparing: ``compared`` figures, of which ``differing`` are not what they must be.

    ``tolerated`` is how far stock and flow may be apart because rows were set aside by name; ``apart`` how far
    they are.
    """

    compared: int
    differing: int
    apart: int = 0
    tolerated: int = 0

    @property
    def holds(self) -> bool:
        """Whether the identity holds."""
        return self.differing == 0


def common_margins(store: PartitionStore, members: Sequence[Statistic], month: str) -> dict[str, Identity]:
    """Whether the tables of one population agree ward by ward, each with the first of its population."""
    areas = areas_of(store, members, month)
    totals = {
        member.name: by_ward(store.read(PartitionId("statistics", member.name, month)), member, areas)
        for member in members
        if member.kind == "frequency"
    }
    roles = {member.name: member.roles.get("area", "") for member in members}
    first: dict[str, str] = {}
    results = {}
    for member in members:
        if member.name not in totals:
            results[member.name] = Identity(0, 0)
            continue
        base = first.setdefault(member.population, member.name)
        reference = totals[base]
        own = totals[member.name]
        same_areas = reference and own and "" not in reference and "" not in own and roles[member.name] == roles[base]
        wards = {*reference, *own} if same_areas else {""}
        pairs = [(_figure(reference, ward), _figure(own, ward)) for ward in sorted(wards)]
        results[member.name] = Identity(len(pairs), sum(a != b for a, b in pairs))
    return results


def by_ward(cells: pl.DataFrame, statistic: Statistic, areas: Hierarchy | None) -> dict[str, int]:
    """Sums of a table's finest cells by ward; one sum under the empty name for a table without areas of its own."""
    column = next((c for c, name in statistic.dimensions.items() if name in ("ward", "district") and c == "area"), None)
    if column is None:
        return {"": int(cells[statistic.measure].sum())}
    ward = pl.col(column)
    if statistic.dimensions[column] == "district" and areas is not None:
        ward = ward.replace({code.code: code.parent for code in areas.codes if code.parent})
    sums = cells.group_by(ward.alias("ward")).agg(pl.col(statistic.measure).sum())
    return {str(name): int(total) for name, total in sums.iter_rows()}


def _figure(totals: Mapping[str, int], ward: str) -> int:
    return totals.get(ward, 0) if ward else sum(totals.values())


def stock_and_flow(store: PartitionStore, month: str) -> Identity | None:
    """stock(t) = stock(t−1) + births + in − deaths − out + net moves between wards, ward by ward.

    Rows that were set aside by name may account for a difference, and for no more than their number.

    Returns:
        None where one of the three partitions is not there.
    """
    before = PartitionId("lake", REGISTER, month_before(month))
    now, flows = PartitionId("lake", REGISTER, month), PartitionId("lake", MOVEMENTS, month)
    partitions = [store.current(identity) for identity in (before, now, flows)]
    if any(partition is None for partition in partitions):
        return None
    stocks = [
        dict(store.read(identity, ["ward"])["ward"].cast(pl.String).value_counts().iter_rows())
        for identity in (before, now)
    ]
    net = net_flows(store.read(flows, ["reason", "ward_before", "ward_after"]))
    wards = sorted({*stocks[0], *stocks[1], *net})
    apart = sum(abs(stocks[1].get(w, 0) - stocks[0].get(w, 0) - net.get(w, 0)) for w in wards)
    # A set-aside row shows in one stock, in two wards of a move, or in the month after it: twice its number at most.
    tolerated = 2 * sum(sum(partition.facts.get("set_aside", {}).values()) for partition in partitions)
    return Identity(len(wards), int(apart > tolerated), apart, tolerated)


def net_flows(movements: pl.DataFrame) -> dict[str, int]:
    """Arrivals less departures by ward.

    Args:
        movements: ``reason, ward_before, ward_after``.
    """
    reason = pl.col("reason").cast(pl.String)
    arrived = movements.filter(reason.is_in(ARRIVALS))["ward_after"].cast(pl.String).value_counts()
    left = movements.filter(reason.is_in(DEPARTURES))["ward_before"].cast(pl.String).value_counts()
    net = {ward: int(count) for ward, count in arrived.iter_rows() if ward is not None}
    for ward, count in left.iter_rows():
        if ward is not None:
            net[ward] = net.get(ward, 0) - int(count)
    return net


def moves_between_wards(store: PartitionStore, month: str) -> Identity | None:
    """Moves between wards: as many in as out, over the city; None where the tables are not there."""
    totals = []
    for name in ("ward_moves_in_month", "ward_moves_out_month"):
        identity = PartitionId("statistics", name, month)
        if store.current(identity) is None:
            return None
        cells = store.read(identity)
        totals.append(int(cells.select(pl.selectors.integer()).to_series(-1).sum()))
    return Identity(1, int(totals[0] != totals[1]), abs(totals[0] - totals[1]))
