"""Identities that population figures obey (domain: wards sum to the city; what was, came and went is what is).

Each function returns what does not hold, as coordinates and a difference in counts; nothing when all is well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from kobe_platform.statistics.definition import Statistic
from kobe_platform.statistics.trees import tree
from kobe_platform.vocabulary import Hierarchy

NOT_DEMOGRAPHIC = "non_demographic"


@dataclass(frozen=True)
class Imbalance:
    """An identity that does not hold: its name, where, and by how many persons or events."""

    identity: str
    at: Mapping[str, str]
    difference: int


def totals_hold(statistic: Statistic, table: pl.DataFrame, areas: Hierarchy | None) -> list[Imbalance]:
    """Every published total against its published parts, along every dimension.

    Where all parts are shown and none is residual they must add up to it; where some are residual they may fall short.

    Args:
        table: published form (dimension columns, ``value``, ``status``), one period.
    """
    found: list[Imbalance] = []
    for column, name in statistic.dimensions.items():
        hierarchy = tree(name, areas)
        others = [other for other in statistic.dimensions if other != column]
        shown = {code.code for code in hierarchy.codes} - set(hierarchy.residual)
        links = [(c.code, c.parent) for c in hierarchy.codes if c.parent is not None and c.code in shown]
        if not links:
            continue
        short = {code.parent for code in hierarchy.codes if code.code in hierarchy.residual}
        parents = pl.DataFrame(links, schema={column: pl.String, "parent": pl.String}, orient="row")
        parts = (
            table.join(parents, on=column)
            .group_by("parent", *others)
            .agg(pl.col("value").sum().alias("parts"), (pl.col("status") == "published").all().alias("whole"))
            .rename({"parent": column})
        )
        compared = table.filter(pl.col("status") == "published").join(parts, on=[column, *others]).filter("whole")
        difference = pl.col("value") - pl.col("parts")
        may_fall_short = pl.col(column).is_in(sorted(short))
        wrong = compared.filter((difference < 0) | ((difference > 0) & ~may_fall_short))
        found += [
            Imbalance(f"{statistic.name}: {column}", {c: row[c] for c in statistic.dimensions}, row["off"])
            for row in wrong.with_columns(difference.alias("off")).iter_rows(named=True)
        ]
    return found


def stock_and_flow(
    before: pl.DataFrame, now: pl.DataFrame, movements: pl.DataFrame, *, tolerance: int = 0
) -> list[Imbalance]:
    """Residents now = residents before + came − went, by ward and for the city.

    Args:
        before, now: ``ward`` of every resident at the end of the former month and of this one.
        movements: ``reason, ward_before, ward_after`` of this month's events.
        tolerance: rows that were set aside or came late in the three partitions: a ward may be off by as many.
    """
    flows = ward_flows(movements)
    frame = (
        now.group_by("ward")
        .len("now")
        .join(before.group_by("ward").len("before"), on="ward", how="full", coalesce=True)
        .join(flows, on="ward", how="full", coalesce=True)
        .fill_null(0)
        .with_columns(
            (pl.col("now").cast(pl.Int64) - pl.col("before").cast(pl.Int64) - pl.col("net")).alias("difference")
        )
        .sort("ward")
    )
    found = [
        Imbalance("stock and flow", {"ward": ward}, difference)
        for ward, difference in frame.select("ward", "difference").iter_rows()
        if abs(difference) > tolerance
    ]
    city = int(frame["difference"].sum())
    return [*found, Imbalance("stock and flow", {"ward": "city"}, city)] if abs(city) > tolerance else found


def ward_flows(movements: pl.DataFrame) -> pl.DataFrame:
    """``ward, net``: arrivals less departures of every ward, moves within it counting nothing."""
    counted = movements.filter(pl.col("reason") != NOT_DEMOGRAPHIC)
    came = counted.select(pl.col("ward_after").alias("ward"), pl.lit(1, pl.Int64).alias("net"))
    went = counted.select(pl.col("ward_before").alias("ward"), pl.lit(-1, pl.Int64).alias("net"))
    return pl.concat([came, went]).drop_nulls("ward").group_by("ward").agg(pl.col("net").sum()).sort("ward")


def ward_moves_balance(arrivals: pl.DataFrame, departures: pl.DataFrame, city: str) -> list[Imbalance]:
    """Moves between wards: what all wards took in is what all gave (published tables ``area, value, status``)."""
    sums = []
    for table in (arrivals, departures):
        total = table.filter((pl.col("area") == city) & (pl.col("status") == "published"))["value"]
        if total.len() == 0:
            return []
        sums.append(int(total[0]))
    difference = sums[0] - sums[1]
    return [Imbalance("moves between wards", {"ward": "city"}, difference)] if difference else []
