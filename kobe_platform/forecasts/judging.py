"""Judges by its back-test whether a forecast is fit to be shown, and what to watch where it is."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from kobe_platform.forecasts.backtest import comparable, scores

FEWEST_ORIGINS = 6
"""Past origins below which a back-test says too little for a forecast to be shown."""
COVERAGE = (65.0, 95.0)
"""Coverage in percent, of intervals that are to hold 80, outside which they are warned of as too narrow or too wide."""


def judged(
    past: pl.DataFrame,
    benchmark: pl.DataFrame,
    by: Sequence[str] = ("horizon",),
    *,
    fewest_origins: int = FEWEST_ORIGINS,
) -> pl.DataFrame:
    """Errors of a forecast beside those of its benchmark, and whether they let it be shown.

    Args:
        past: rows of ``past_forecasts`` of the forecast.
        benchmark: the same origins, horizons and cells of its benchmark.
        by: columns whose values are judged apart.
        fewest_origins: origins that a back-test needs.

    Returns:
        The columns of ``scores``, over the rows that both forecast; ``ratio`` (WAPE ÷ the benchmark's; null where the
        benchmark has no error or none is known); ``withheld``, why it may not be shown (the first of ``not_finite``,
        ``negative``, ``origins``, ``worse``), null where it may; ``warning``, ``coverage`` or null. What has no row to
        compare is withheld for its ``origins``.
    """
    fit = comparable({"forecast": past, "benchmark": benchmark})
    plain = scores(fit["benchmark"], by).select(*by, _plain="wape")
    broken = past.group_by(*by).agg(
        _infinite=pl.col("forecast").is_infinite().any(), _negative=(pl.col("forecast") < 0).any()
    )
    ratio = pl.when(pl.col("_plain") > 0).then(pl.col("wape") / pl.col("_plain"))
    withheld = (
        pl.when("_infinite")
        .then(pl.lit("not_finite"))
        .when("_negative")
        .then(pl.lit("negative"))
        .when(pl.col("origins").fill_null(0) < fewest_origins)
        .then(pl.lit("origins"))
        .when(pl.col("wape").is_null() | (pl.col("wape") > pl.col("_plain")))
        .then(pl.lit("worse"))
    )
    watched = pl.when(~pl.col("coverage").is_between(*COVERAGE)).then(pl.lit("coverage"))
    return (
        broken.join(scores(fit["forecast"], by), on=by, how="left")
        .join(plain, on=by, how="left")
        .with_columns(ratio=ratio, withheld=withheld, warning=watched)
        .drop("_plain", "_infinite", "_negative")
        .sort(*by)
    )
