"""Checks published totals against their published parts: wards and the city, ages, sexes and their total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from kobe_platform.statistics.definition import Statistic
from kobe_platform.statistics.trees import tree
from kobe_platform.vocabulary.codes import Hierarchy


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
