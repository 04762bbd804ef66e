"""Makes one month of the table of usual ranges, from the month's published tables and the table's own past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from kobe_platform.unusual.expecting import SEASON, expected
from kobe_platform.unusual.judging import MOST_LINES, Judged, judge, spread_of
from kobe_platform.unusual.tables import (
    ACTUAL,
    APART,
    AREA,
    EXPECTED,
    FIGURE,
    FIGURES,
    LOWER,
    RANK,
    SERIES,
    UPPER,
    UsualRanges,
)
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.months import months_between, shifted

HISTORY = 72
"""Months before a month that are looked at."""
_KEYS = [SERIES, AREA]


def month_of(
    table: UsualRanges, month: str, published: Mapping[str, pl.DataFrame], past: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """The table of one month.

    Args:
        published: watched table → its published partition of the month; tables that have none are left out.
        past: earlier month → this table's own partition.

    Returns:
        ``period``, ``series``, ``area``, ``figure``, ``value`` (Int64), ``status``.
    """
    now = pl.concat(
        [
            figures(table, name, published[watch.input.table])
            for name, watch in table.watches.items()
            if watch.input.table in published
        ]
    ).sort(_KEYS)
    held = {name: rows for name, rows in past.items() if shifted(month, -HISTORY) <= name < month}
    months = months_between(min([*held, month]), month)
    values = _values(now, months, held)
    judged = _judged(table, now, months, values)
    return _rows(now, judged, month)


def figures(table: UsualRanges, name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """A watch's figures of one month: ``series``, ``area``, ``value``; hidden ones have no row."""
    told, wards = table.watches[name].input, hierarchies()["ward"]
    kept = [pl.col(column) == code for column, code in told.at.items()]
    if told.area:
        kept.append(pl.col(told.area).is_in([wards.root, *wards.leaves]))
    if told.by:
        kept.append(pl.col(told.by).is_in(list(hierarchies()[table.hierarchies_by[name]].leaves)))
    code = pl.lit(f"{name}{APART}") + pl.col(told.by) if told.by else pl.lit(name)
    area = pl.col(told.area) if told.area else pl.lit(wards.root)
    shown = rows.filter(pl.col("status") == "published", *kept)
    return shown.select(code.alias(SERIES), area.alias(AREA), pl.col("value").cast(pl.Int64))


def _values(now: pl.DataFrame, months: Sequence[str], past: Mapping[str, pl.DataFrame]) -> np.ndarray:
    """Months × series of this month: what the table says of them, and this month in the last row."""
    places = now.select(_KEYS).with_row_index("_place")
    values = np.full((len(months), now.height), np.nan)
    for row, month in enumerate(months[:-1]):
        if month in past:
            known = past[month].filter(pl.col(FIGURE) == ACTUAL).join(places, on=_KEYS, how="inner")
            values[row, known["_place"].to_numpy()] = known["value"].cast(pl.Float64).to_numpy()
    values[-1] = now["value"].cast(pl.Float64).to_numpy()
    return values


def _judged(table: UsualRanges, now: pl.DataFrame, months: Sequence[str], values: np.ndarray) -> Judged:
    ahead = np.full(values.shape, np.nan)
    names = now[SERIES].str.split(APART).list.first().to_numpy()
    for name, watch in table.watches.items():
        mine = names == name
        if mine.any():
            told = watch.parameters
            ahead[:, mine] = expected(
                values[:, mine], months, watch.method, told.years,
                working_days=told.working_days and watch.method == SEASON,
            )  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.log(values) - ahead
    errors[~np.isfinite(errors)] = np.nan
    spread, number = spread_of(errors[:-1], months[:-1], months[-1])
    flow = np.array([table.watches[name].method == SEASON for name in names], dtype=bool)
    return judge(values[-1], ahead[-1], spread, number, flow)


def _rows(now: pl.DataFrame, judged: Judged, month: str) -> pl.DataFrame:
    rank = np.full(now.height, np.nan)
    rank[list(judged.listed)] = np.arange(1, len(judged.listed) + 1)
    columns = {
        EXPECTED: np.round(judged.expected),
        LOWER: judged.lower,
        UPPER: judged.upper,
        RANK: rank,
    }
    wide = now.rename({"value": ACTUAL}).with_columns(
        pl.Series(name, values, nan_to_null=True).cast(pl.Int64) for name, values in columns.items()
    )
    long = wide.unpivot([ACTUAL, *columns], index=_KEYS, variable_name=FIGURE, value_name="value").drop_nulls("value")
    told = long.with_columns(pl.lit(month).alias("period"), pl.lit("published").alias("status"))
    return told.select("period", *_KEYS, FIGURE, "value", "status").sort(*_KEYS, FIGURE)


def contradictions(rows: pl.DataFrame) -> tuple[int, int]:
    """How many series of a month were compared, and how many contradict themselves.

    A listed figure lies outside its usual range and what is expected within it; ranks are 1, 2, 3 … up to
    :data:`kobe_platform.unusual.judging.MOST_LINES`.
    """
    wide = {name: pl.col("value").filter(pl.col(FIGURE) == name).first() for name in FIGURES}
    judged = rows.group_by(_KEYS).agg(**wide).drop_nulls(EXPECTED)
    within = pl.col(EXPECTED).is_between(pl.col(LOWER) - 1, pl.col(UPPER) + 1)  # both are whole numbers
    outside = pl.col(RANK).is_null() | (pl.col(ACTUAL) < pl.col(LOWER)) | (pl.col(ACTUAL) > pl.col(UPPER))
    wrong = judged.filter(~(within & outside)).height
    ranks = judged[RANK].drop_nulls().sort().to_list()
    wrong += ranks != list(range(1, len(ranks) + 1)) or len(ranks) > MOST_LINES
    return judged.height, wrong
