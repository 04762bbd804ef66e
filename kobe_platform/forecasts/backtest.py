"""Measures how far a method would have been wrong: forecasts from past origins, compared with what came.

A rolling origin (Tashman, 2000): at each past month the method is given what was published by then and nothing later.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from kobe_platform.forecasts.intervals import with_past_intervals
from kobe_platform.forecasts.options import Method, MethodOptions
from kobe_platform.forecasts.panel import Panel
from kobe_platform.vocabulary.months import shifted


def rows_ahead(method: Method, known: Panel, horizons: Sequence[int], options: MethodOptions) -> pl.DataFrame:
    """Forecasts of one origin.

    Returns:
        ``origin``, ``target`` (``YYYY-MM``), ``horizon`` (months), the dimensions, ``forecast`` (null is none).
    """
    ahead = method(known, horizons, options)
    blocks = [
        known.keys.select(
            pl.lit(known.origin).alias("origin"),
            pl.lit(shifted(known.origin, horizon)).alias("target"),
            pl.lit(horizon).alias("horizon"),
            pl.all(),
            pl.Series("forecast", values, nan_to_null=True),
        )
        for horizon, values in zip(horizons, ahead, strict=True)
    ]
    return pl.concat(blocks)


def past_forecasts(
    method: Method, panel: Panel, horizons: Sequence[int], options: MethodOptions, origins: Sequence[str]
) -> pl.DataFrame:
    """Forecasts of past origins beside what came.

    Args:
        origins: months of the panel from which to forecast; of each, only what came is returned.

    Returns:
        The rows of ``rows_ahead`` and ``actual``, in the order of origin, horizon and cell, where the target's month
        is in the panel. ``forecast`` and ``actual`` are null where there is none.
    """
    blocks = []
    for origin in origins:
        came = [horizon for horizon in horizons if shifted(origin, horizon) in panel.months]
        if came:
            actual = panel.over([shifted(origin, horizon) for horizon in came]).ravel()
            rows = rows_ahead(method, panel.until(origin), came, options)
            blocks.append(rows.with_columns(pl.Series("actual", actual, nan_to_null=True)))
    if blocks:
        return pl.concat(blocks)
    nothing = rows_ahead(method, panel, [horizons[0]], options).clear()
    return nothing.with_columns(actual=pl.lit(None, pl.Float64))


def comparable(tried: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The same rows of each method: those that all of them forecast, and that came. Else errors do not compare."""
    frames = list(tried.values())
    whole = np.logical_and.reduce(
        [(frame["forecast"].is_not_null() & frame["actual"].is_not_null()).to_numpy() for frame in frames]
    )
    return {name: frame.filter(pl.Series(whole)) for name, frame in tried.items()}


def scores(past: pl.DataFrame, by: Sequence[str] = ("horizon",)) -> pl.DataFrame:
    """Errors of past forecasts.

    Args:
        past: rows of ``past_forecasts``; those without forecast or figure are left out.
        by: columns whose values are scored apart.

    Returns:
        ``by``, ``origins`` and ``rows`` (counts), ``wape`` (Σ|forecast − actual| ÷ Σ|actual|, %), ``bias``
        (Σ(forecast − actual) ÷ Σ|actual|, %) and ``coverage`` (share of figures inside the interval that their own
        past gave, %; null where no row had one). Errors are null where all figures are zero.
    """
    rows = past.drop_nulls(["forecast", "actual"])
    ranged = rows if "lower80" in rows.columns else with_past_intervals(rows)
    wrong, size = pl.col("forecast") - pl.col("actual"), pl.col("actual").abs().sum()
    inside = pl.col("actual").is_between("lower80", "upper80")
    share = lambda amount: pl.when(size > 0).then(100 * amount / size)  # noqa: E731
    return (
        ranged.group_by(*by, maintain_order=True)
        .agg(
            origins=pl.col("origin").n_unique(),
            rows=pl.len(),
            wape=share(wrong.abs().sum()),
            bias=share(wrong.sum()),
            coverage=100 * inside.mean(),
        )
        .sort(*by)
    )
