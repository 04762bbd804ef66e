"""Compares each vintage with what came: errors by forecast, horizon and size class, one target month at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from kobe_platform.forecasts.intervals import SIZE_CLASSES
from kobe_platform.forecasts.panel import VALUE
from kobe_platform.forecasts.series import cells, is_finest, shown
from kobe_platform.forecasts.tables import AGE, AREA, FIGURE, TARGET, ForecastTable, Scoreboard
from kobe_platform.vocabulary.codes import band_codes
from kobe_platform.vocabulary.months import shifted

KEYS = ("forecast", "horizon", "size", "score")


def month_scores(
    board: Scoreboard,
    target: str,
    vintages: Mapping[tuple[str, int], pl.DataFrame],
    published: Mapping[str, pl.DataFrame],
) -> pl.DataFrame:
    """The scoreboard of one target month.

    Args:
        vintages: (forecast, months ahead) → its partition of the origin that lies so many months before the target.
        published: forecast → its input's published partition of the target month.

    Returns:
        ``period`` (the target), ``forecast``, ``horizon``, ``size``, ``score``, ``value``, ``status``.
    """
    blocks = []
    for (name, ahead), rows in sorted(vintages.items()):
        table = board.scored[name]
        parted = [
            area for area, month in table.forecast.begins_apart(target).items() if month > shifted(target, -ahead)
        ]
        beside = _beside(table, rows, target, published[name]).filter(~pl.col(AREA).is_in(parted))
        classes = [("total", beside), *((str(key[0]), part) for key, part in beside.group_by("_size"))]
        for size, part in sorted(classes, key=lambda one: one[0]):
            blocks += [
                (target, name, str(ahead), size, score, value, "published")
                for score, value in _scores(part).items()
                if value is not None
            ]
    schema = {"period": pl.String, **dict.fromkeys(KEYS, pl.String), VALUE: pl.Float64, "status": pl.String}
    return pl.DataFrame(blocks, schema=schema, orient="row").sort(KEYS)


def _beside(table: ForecastTable, vintage: pl.DataFrame, target: str, published: pl.DataFrame) -> pl.DataFrame:
    """Forecast, interval and benchmark of each finest cell beside the figure that came; hidden ones are in neither."""
    keys = [name for name in (AREA, AGE) if name == AREA or table.forecast.grouped]
    wide = {name: pl.col(VALUE).filter(pl.col(FIGURE) == name).first() for name in _FIGURES}
    ahead = vintage.filter(pl.col(TARGET) == target).group_by(keys, maintain_order=True).agg(**wide)
    actual = shown(table, cells(table, published), (VALUE,)).rename({VALUE: "actual"})
    place = pl.sum_horizontal([(pl.col("forecast") >= bound).cast(pl.Int32) for bound in SIZE_CLASSES])
    size = pl.lit(pl.Series(_SIZES)).gather(place)
    return (
        ahead.join(actual, on=keys, how="inner")
        .filter(is_finest(table))
        .drop_nulls(["forecast", "benchmark", "actual"])
        .with_columns(_size=size)
    )


_FIGURES = ("forecast", "lower80", "upper80", "benchmark")
_SIZES = band_codes((0, *(int(bound) for bound in SIZE_CLASSES)))


def _scores(rows: pl.DataFrame) -> dict[str, float | None]:
    """Errors of some cells; those that cannot be told (all figures zero, no interval) are None."""
    if rows.is_empty():
        return {}
    forecast, plain, actual = (rows[name].to_numpy().astype(float) for name in ("forecast", "benchmark", "actual"))
    size, own, other = np.abs(actual).sum(), np.abs(forecast - actual).sum(), np.abs(plain - actual).sum()
    ranged = rows.drop_nulls(["lower80", "upper80"])
    inside = ranged["actual"].is_between(ranged["lower80"], ranged["upper80"]).to_numpy()
    found = {
        "cells": float(rows.height),
        "wape": 100 * own / size if size else None,
        "bias": 100 * (forecast - actual).sum() / size if size else None,
        "coverage": 100 * inside.mean() if inside.size else None,
        "ratio": own / other if other else None,
    }
    return {name: None if value is None else round(float(value), 2) for name, value in found.items()}
