"""Decides which means are shown: they are published as values, not derived from counts in a browser.

A mean is shown where at least ``minimum_frequency`` persons of known age stand behind it and the count of the same
cell is shown; it is rounded to one decimal. With 100 persons or more, one person moves it by less than a year.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import polars as pl

from kobe_platform.disclosure import PUBLISHED, SUPPRESSED, Mean
from kobe_platform.statistics.definition import Statistic
from kobe_platform.statistics.trees import tree
from kobe_platform.vocabulary.codes import Hierarchy, hierarchies

DECIMALS = 1


def published_means(
    statistic: Statistic, cells: pl.DataFrame, areas: Hierarchy | None, counts: pl.DataFrame | None
) -> pl.DataFrame:
    """The mean of every cell and margin.

    Args:
        cells: finest cells with ``total`` (sum of the measured) and ``persons`` (how many were measured).
        counts: published counts over the same columns with their ``status``; None where there are none.

    Returns:
        dimension columns, ``value`` (Float64, null when suppressed), ``status``.
    """
    columns = list(statistic.dimensions)
    trees = {column: tree(name, areas) for column, name in statistic.dimensions.items()}
    sums = with_margins(cells, trees, ["total", "persons"])
    shown = {column: _shown(trees[column]) for column in columns}
    frame = pl.DataFrame(list(product(*shown.values())), schema={c: pl.String for c in columns}, orient="row")
    frame = frame.join(sums, on=columns, how="left", maintain_order="left")
    enough = pl.col("persons").fill_null(0) >= statistic.minimum_frequency
    if counts is not None:
        frame = frame.join(counts, on=columns, how="left", maintain_order="left")
        enough &= pl.col("status").fill_null("published") == "published"
    mean = (pl.col("total") / pl.col("persons")).round(DECIMALS, mode="half_away_from_zero")
    return frame.select(
        *columns,
        pl.when(enough).then(mean).otherwise(None).cast(pl.Float64).alias("value"),
        pl.when(enough).then(pl.lit("published")).otherwise(pl.lit("suppressed")).alias("status"),
    )


def mean_rule(statistic: Statistic, counts: Sequence[Statistic]) -> Mean | None:
    """What the published means say of the counts behind them, for the audit; None where these are not in the group.

    Every band of the averaged column reaches from its lower bound to the next one's, the last to the largest number.
    """
    told = statistic.averages
    counted = next((s for s in counts if told is not None and s.name == told.table), None)
    if told is None or counted is None:
        return None
    bands = hierarchies()[counted.dimensions[told.column]]
    ends = [*(low - 1 for low in bands.breaks[1:]), told.most]
    return Mean(
        table=statistic.name,
        of=counted.name,
        dimension=told.column,
        values=dict(zip(bands.leaves, zip(bands.breaks, ends, strict=True), strict=True)),
        decimals=DECIMALS,
        on=tuple(statistic.dimensions),
    )


def telling_means(mean: Mean, table: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """Codes of the published means that have a hidden count among their bands: the others say nothing new.

    Args:
        table, counts: the published tables.
    """
    bands = counts.filter(pl.col(mean.dimension).is_in(list(mean.values)), pl.col("status") == SUPPRESSED)
    shown = table.filter(pl.col("status") == PUBLISHED)
    return shown.join(bands.select(mean.on).unique(), on=list(mean.on), how="semi").select(mean.on)


def without(table: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """A published table with these rows suppressed."""
    marked = table.join(rows.with_columns(gone=True), on=rows.columns, how="left", maintain_order="left")
    gone = pl.col("gone").fill_null(False)
    return marked.with_columns(
        pl.when(~gone).then("value").alias("value"),
        pl.when(gone).then(pl.lit(SUPPRESSED)).otherwise("status").alias("status"),
    ).drop("gone")


def with_margins(cells: pl.DataFrame, trees: Mapping[str, Hierarchy], measures: list[str]) -> pl.DataFrame:
    """Finest cells plus every margin of the hierarchies, summed."""
    result = cells
    for column, hierarchy in trees.items():
        above = pl.DataFrame(list(_ancestry(hierarchy)), schema={column: pl.String, "node": pl.String}, orient="row")
        result = (
            result.join(above, on=column)
            .drop(column)
            .rename({"node": column})
            .group_by(list(trees))
            .agg(pl.col(measures).sum())
        )
    return result.select(*trees, *measures).sort(list(trees))


def _ancestry(hierarchy: Hierarchy) -> Iterator[tuple[str, str]]:
    """(finest code, itself and each code above it), residual codes included."""
    parents = {code.code: code.parent for code in hierarchy.codes}
    for leaf in (*hierarchy.leaves, *hierarchy.residual):
        node: str | None = leaf
        while node is not None:
            yield leaf, node
            node = parents[node]


def _shown(hierarchy: Hierarchy) -> list[str]:
    return [code.code for code in hierarchy.codes if code.code not in hierarchy.residual]
