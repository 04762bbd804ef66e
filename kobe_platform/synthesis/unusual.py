"""Makes up usual ranges around made-up published figures, for trials of pages: nothing was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from kobe_platform.unusual.judging import LEAST
from kobe_platform.unusual.months import figures
from kobe_platform.unusual.tables import (
    ACTUAL,
    AREA,
    EXPECTED,
    FIGURE,
    LOWER,
    RANK,
    SERIES,
    UPPER,
    WATCHED,
    UsualRanges,
)

LISTED = 3
"""Figures of each month that are made to stand out."""


def made_up_ranges(
    table: UsualRanges, published: Mapping[str, pl.DataFrame], months: Sequence[str], rng: np.random.Generator
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Rows and facts of the table of usual ranges, as if years had gone before.

    Args:
        published: made-up tables by name, those that are watched among them.
    """
    blocks = [_month(table, published, month, rng) for month in months]
    rows = pl.concat(blocks)
    last = blocks[-1][FIGURE].to_list()
    told = {"month": months[-1], "first": "2019-01", "series": last.count(ACTUAL), "judged": last.count(EXPECTED),
            "listed": last.count(RANK)}  # fmt: skip
    return rows, {**table.facts(), WATCHED: told}


def _month(
    table: UsualRanges, published: Mapping[str, pl.DataFrame], month: str, rng: np.random.Generator
) -> pl.DataFrame:
    of_month = {name: published[name].filter(pl.col("period") == month) for name in table.inputs}
    blocks = [figures(table, name, of_month[watch.input.table]) for name, watch in table.watches.items()]
    now = pl.concat(blocks).sort(SERIES, AREA).rename({"value": ACTUAL})
    usual = now[ACTUAL].to_numpy() >= LEAST
    out = np.zeros(now.height, dtype=bool)
    out[rng.choice(np.flatnonzero(usual), min(LISTED, int(usual.sum())), replace=False)] = True
    expected = np.round(now[ACTUAL].to_numpy() * np.where(out, 1.4, rng.uniform(0.97, 1.03, now.height)))
    rank = np.where(out, np.cumsum(out), np.nan)
    columns = {EXPECTED: expected, LOWER: np.ceil(expected * 0.9), UPPER: np.floor(expected * 1.1), RANK: rank}
    wide = now.with_columns(
        pl.Series(name, np.where(usual, values, np.nan), nan_to_null=True).cast(pl.Int64)
        for name, values in columns.items()
    )
    long = wide.unpivot([ACTUAL, *columns], index=[SERIES, AREA], variable_name=FIGURE, value_name="value")
    told = long.drop_nulls("value").with_columns(pl.lit(month).alias("period"), pl.lit("published").alias("status"))
    return told.select("period", SERIES, AREA, FIGURE, "value", "status").sort(SERIES, AREA, FIGURE)
