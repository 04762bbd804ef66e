"""Makes up vintages and scores of forecasts from a seed, for trials of pages: nothing was forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from kobe_platform.forecasts.panel import VALUE
from kobe_platform.forecasts.series import cells, order, shown
from kobe_platform.forecasts.tables import AGE, AREA, FIGURE, TARGET, ForecastTable, Scoreboard
from kobe_platform.forecasts.vintages import FIGURES, SHOWN
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.months import shifted


def made_up_forecast(
    statistic: ForecastTable | Scoreboard,
    tables: Mapping[str, pl.DataFrame],
    months: Sequence[str],
    rng: np.random.Generator,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Rows and facts of a forecast's table, or of the scoreboard, as if the back-test had let everything pass.

    Args:
        tables: published tables by name, those that are forecast among them.
        months: origins; of scores, target months.
    """
    if isinstance(statistic, Scoreboard):
        return _scores(statistic, months, rng), statistic.facts()
    origins = [month for month in months if statistic.forecast.is_origin(month)] or list(months[-1:])
    horizons = [{"horizon": ahead, "state": SHOWN, "origins": 12, "rows": 108, "wape": 0.6, "bias": 0.1,
                 "coverage": 80.0, "ratio": 0.8, "warning": None} for ahead in statistic.forecast.horizons]  # fmt: skip
    for one, name in zip(horizons, statistic.forecast.parameters.among, strict=False):
        one["method"] = name
    told = {"origin": origins[-1], "first": "2013-01", "months": 60, "horizons": horizons,
            "released": {"months": 59, "digest": "0" * 16}}  # fmt: skip
    known = tables[statistic.forecast.input.table]
    rows = pl.concat([_vintage(statistic, known.filter(period=origin), origin, rng) for origin in origins])
    return rows, {**statistic.facts(), "backtest": told}


def _vintage(table: ForecastTable, known: pl.DataFrame, origin: str, rng: np.random.Generator) -> pl.DataFrame:
    """Figures about those of the origin, a little fewer each month; what is hidden there is made up as a hundred."""
    found = shown(table, cells(table, known), (VALUE,)).sort(order(table)[:-2])
    level = found[VALUE].fill_null(100).to_numpy() * rng.uniform(0.99, 1.01, found.height)
    keys = found.drop(VALUE)
    root = keys.filter(pl.all_horizontal(pl.col(AREA) == table.areas.root, *_all_ages(table)))
    blocks = []
    for ahead in table.forecast.horizons:
        target = pl.lit(shifted(origin, ahead)).alias(TARGET)
        for figure, factor in zip(FIGURES, (1.0, 0.97, 1.03, 1.01), strict=True):
            value = pl.Series("value", (level * factor * (1 - 0.002 * ahead)).astype("int64"))
            blocks.append(keys.with_columns(target, pl.lit(figure).alias(FIGURE), value))
        blocks.append(root.with_columns(target, pl.lit(SHOWN).alias(FIGURE), pl.lit(12, pl.Int64).alias("value")))
    rows = pl.concat(blocks).with_columns(pl.lit(origin).alias("period"), pl.lit("published").alias("status"))
    return rows.select("period", *order(table), "value", "status").sort(order(table))


def _all_ages(table: ForecastTable) -> list[pl.Expr]:
    return [pl.col(AGE) == hierarchies()[table.forecast.grouped].root] if table.forecast.grouped else []


def _scores(board: Scoreboard, months: Sequence[str], rng: np.random.Generator) -> pl.DataFrame:
    rows = [
        (month, name, str(ahead), size, score, round(float(value * (1 + ahead / 24)), 2), "published")
        for month in months
        for name, table in board.scored.items()
        for ahead in table.forecast.horizons
        for size in ("total", "100-999", "1000-9999")
        for score, value in zip(("wape", "bias", "coverage", "ratio", "cells"),
                                (*rng.uniform(0.3, 0.9, 2), 80.0, rng.uniform(0.6, 1.0), 9.0), strict=True)
    ]  # fmt: skip
    columns = ["period", "forecast", "horizon", "size", "score", "value", "status"]
    return pl.DataFrame(rows, schema=columns, orient="row")
