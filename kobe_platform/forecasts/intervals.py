"""Widths of forecasts from the errors of earlier ones: split conformal intervals by horizon and size class.

Of n past relative errors |actual − forecast| ÷ forecast, the ⌈0.8 (n + 1)⌉-th smallest is taken (Lei, G'Sell, Rinaldo,
Tibshirani and Wasserman, 2018). Errors of one horizon count for that horizon alone, those of one size class for it
alone, and an error counts from the month in which its figure came. Fewer than ``FEWEST_ERRORS`` give no interval.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

LEVEL = 0.8
"""Share of figures that an interval is to hold."""
FEWEST_ERRORS = 18
"""Errors below which there is no interval."""
SIZE_CLASSES = (100.0, 1_000.0, 10_000.0, 100_000.0)
"""Lower bounds of the classes of forecasts above the first class."""


def with_intervals(ahead: pl.DataFrame, past: pl.DataFrame) -> pl.DataFrame:
    """Forecasts with ``lower80`` and ``upper80``, null where there are too few errors or no forecast.

    Args:
        ahead: columns ``origin`` (one), ``horizon``, ``forecast``.
        past: rows with ``origin``, ``target``, ``horizon``, ``forecast``, ``actual``; those whose target lies after
            the origin are left out, as their figure was not there yet.
    """
    rows = ahead.with_columns(_size=_size_class())
    if ahead.is_empty():
        return rows.with_columns(lower80=pl.lit(None, pl.Float64), upper80=pl.lit(None, pl.Float64)).drop("_size")
    errors = (
        past.drop_nulls(["forecast", "actual"])
        .filter((pl.col("target") <= ahead["origin"][0]) & (pl.col("forecast") > 0))
        .with_columns(_size=_size_class(), _error=(pl.col("actual") - pl.col("forecast")).abs() / pl.col("forecast"))
    )
    widths = {key: _width(group["_error"].to_numpy()) for key, group in errors.group_by("horizon", "_size")}
    width = pl.Series(
        "_width",
        [widths.get(key) for key in rows.select("horizon", "_size").iter_rows()],
        pl.Float64,
    )
    forecast = pl.col("forecast")
    return (
        rows.with_columns(width)
        .with_columns(
            lower80=(forecast * (1 - pl.col("_width"))).clip(lower_bound=0.0), upper80=forecast * (1 + pl.col("_width"))
        )
        .drop("_size", "_width")
    )


def with_past_intervals(past: pl.DataFrame) -> pl.DataFrame:
    """Past forecasts with the interval that each would have had at its own origin."""
    if past.is_empty():
        return past.with_columns(lower80=pl.lit(None, pl.Float64), upper80=pl.lit(None, pl.Float64))
    blocks = [with_intervals(block, past) for block in past.partition_by("origin", maintain_order=True)]
    return pl.concat(blocks)


def _size_class() -> pl.Expr:
    return pl.sum_horizontal([(pl.col("forecast") >= bound).cast(pl.Int32) for bound in SIZE_CLASSES])


def _width(errors: np.ndarray) -> float | None:
    number = len(errors)
    place = math.ceil(LEVEL * (number + 1))
    return float(np.sort(errors)[place - 1]) if number >= FEWEST_ERRORS else None
