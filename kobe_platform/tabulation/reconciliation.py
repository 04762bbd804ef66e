"""Compares the figures that must be equal (domain design §3), and says where they differ.

Results are counts of comparisons and of differing ones, never the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.relations import Includes, StockAndFlow, Summand, Sums, statements
from kobe_platform.tabulation.steps import areas_of
from kobe_platform.vocabulary.codes import Hierarchy
from kobe_platform.vocabulary.months import month_before


@dataclass(frozen=True)
class Identity:
    """What came of comparing: ``compared`` figures, of which ``differing`` are not what they must be.

    ``tolerated`` is how far stock and flow may be apart because rows were set aside by name, or as the contract says;
    ``apart`` how far they are, ``by_ward`` where and by how many.
    """

    compared: int
    differing: int
    apart: int = 0
    tolerated: int = 0
    by_ward: Mapping[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the identity holds."""
        return self.differing == 0


def common_margins(store: PartitionStore, members: Sequence[Statistic], month: str) -> dict[str, Identity]:
    """Whether the counts of a group agree ward by ward: tables of one population, and what relations say of several.

    Each table is compared with the first of its population; a relation's comparisons stand with the first table of its
    first population.
    """
    areas = areas_of(store, members, month)
    counted = [member for member in members if member.kind == "frequency"]
    cells = store.read_all([PartitionId("statistics", member.name, month) for member in counted])
    totals = {member.name: by_ward(rows, member, areas) for member, rows in zip(counted, cells, strict=True)}
    results = {member.name: Identity(0, 0) for member in members}
    first: dict[str, Statistic] = {}
    for member in counted:
        base = first.setdefault(member.population, member)
        same_role = member.roles.get("area", "") == base.roles.get("area", "")
        results[member.name] = _compared([totals[base.name]], [totals[member.name]], int.__ne__, by_area=same_role)
    for name, further in _stated(counted, totals):
        results[name] = Identity(results[name].compared + further.compared, results[name].differing + further.differing)
    return results


def _stated(counted: Sequence[Statistic], totals: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, Identity]]:
    """(table, what came of comparing) of every relation between the populations of a group."""
    for told in statements(counted):
        if isinstance(told, Includes):
            sides: tuple[tuple[Summand, ...], ...] = (
                (Summand(population=told.part),),
                (Summand(population=told.whole),),
            )
        elif isinstance(told, Sums):
            sides = told.left, told.right
        else:
            continue
        tables = [[table for term in side if (table := _table_of(term, counted))] for side in sides]
        if [len(side) for side in tables] != [len(side) for side in sides]:
            continue
        broken = int.__ne__ if told.kind == "balances" else int.__gt__
        left, right = ([totals[table.name] for table in side] for side in tables)
        yield tables[0][0].name, _compared(left, right, broken, by_area=isinstance(told, Includes) or bool(told.on))


def _table_of(term: Summand, counted: Sequence[Statistic]) -> Statistic | None:
    """The first table of a summand's population and role; None where it is a part of one, or there is none."""
    fitting = [s for s in counted if s.population == term.population and term.role in ("", *s.roles.values())]
    return fitting[0] if fitting and not term.at else None


def _compared(
    left: Sequence[Mapping[str, int]],
    right: Sequence[Mapping[str, int]],
    broken: Callable[[int, int], bool],
    *,
    by_area: bool,
) -> Identity:
    """Sums of both sides by ward, or in all where one of them has no wards."""
    every = [*left, *right]
    by_area = by_area and all(totals and "" not in totals for totals in every)
    wards = sorted({ward for totals in every for ward in totals}) if by_area else [""]
    sums = [(sum(_figure(t, ward) for t in left), sum(_figure(t, ward) for t in right)) for ward in wards]
    return Identity(len(sums), sum(broken(*pair) for pair in sums))


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


def stock_and_flow(store: PartitionStore, table: Statistic, month: str, tolerance: float = 0.0) -> Identity | None:
    """stock(t) = stock(t−1) + births + in − deaths − out + net moves between wards, ward by ward.

    Rows that were set aside by name may account for a difference, and for no more than their number.

    Args:
        table: the statistic of the stock that carries the identity (:attr:`Statistic.stock_and_flow`).
        tolerance: share of the stock by which the two sources may be apart beyond that.

    Returns:
        None where one of the three partitions is not there, or the table carries no identity.
    """
    told, stock = table.stock_and_flow, table.sources[0]
    if told is None:
        return None
    before, now = PartitionId("lake", stock, month_before(month)), PartitionId("lake", stock, month)
    flows = PartitionId("lake", told.flows, month)
    partitions = [found for identity in (before, now, flows) if (found := store.current(identity))]
    if len(partitions) < 3:
        return None
    stocks = [
        dict(store.read(identity, [told.area])[told.area].cast(pl.String).value_counts().iter_rows())
        for identity in (before, now)
    ]
    net = net_flows(store.read(flows, [told.event, told.before, told.after]), told)
    wards = sorted({*stocks[0], *stocks[1], *net})
    by_ward = {w: abs(stocks[1].get(w, 0) - stocks[0].get(w, 0) - net.get(w, 0)) for w in wards}
    apart = sum(by_ward.values())
    # A set-aside row shows in one stock, in two wards of a move, or in the month after it: twice its number at most.
    tolerated = 2 * sum(sum(partition.facts.get("set_aside", {}).values()) for partition in partitions)
    tolerated += int(tolerance * sum(stocks[1].values()))
    where = {f"ward.{ward}": people for ward, people in by_ward.items() if people}
    return Identity(len(wards), int(apart > tolerated), apart, tolerated, where)


def net_flows(movements: pl.DataFrame, told: StockAndFlow) -> dict[str, int]:
    """Arrivals less departures by ward.

    Args:
        movements: the columns of events and of both areas that ``told`` names.
    """
    event = pl.col(told.event).cast(pl.String)
    arrived = movements.filter(event.is_in(told.entering))[told.after].cast(pl.String).value_counts()
    left = movements.filter(event.is_in(told.leaving))[told.before].cast(pl.String).value_counts()
    net = {ward: int(count) for ward, count in arrived.iter_rows() if ward is not None}
    for ward, count in left.iter_rows():
        if ward is not None:
            net[ward] = net.get(ward, 0) - int(count)
    return net
