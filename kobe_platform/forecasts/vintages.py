"""Makes the vintage of one origin: back-test, verdict, forecast with its interval, as rows of a published table.

A horizon that the back-test does not let pass has no figures, only a row that says why (the *state*): ``origins``,
``worse``, ``negative``, ``not_finite``; one that passes says ``shown``. The state's value is the number of past origins
that were compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from kobe_platform.forecasts.backtest import past_forecasts, rows_ahead
from kobe_platform.forecasts.intervals import with_intervals, with_past_intervals
from kobe_platform.forecasts.judging import judged
from kobe_platform.forecasts.methods import BEST, METHODS, Best
from kobe_platform.forecasts.options import Method
from kobe_platform.forecasts.panel import VALUE, Panel
from kobe_platform.forecasts.series import (
    cells,
    coherent,
    flow_series,
    is_finest,
    margins,
    options,
    order,
    series,
    shown,
)
from kobe_platform.forecasts.tables import AGE, AREA, FIGURE, TARGET, ForecastTable
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.months import shifted

MOST_ORIGINS = 60
"""Past origins that a back-test goes back to at most: five years of months."""
FIGURES = ("forecast", "lower80", "upper80", "benchmark")
SHOWN = "shown"
_AHEAD = ["origin", TARGET, "horizon"]


@dataclass(frozen=True)
class Vintage:
    """A forecast as it was made from one origin.

    Attributes:
        rows: ``period`` (the origin), dimensions, ``value`` (Int64), ``status``.
        horizons: by horizon, the columns of ``judging.judged``, ``state`` and, of ``best``, the ``method`` that won.
        first, months: first month and number of months of the series that it was made from.
    """

    rows: pl.DataFrame
    horizons: tuple[Mapping[str, Any], ...]
    first: str
    months: int


def vintage(
    table: ForecastTable,
    published: Mapping[str, pl.DataFrame],
    origin: str,
    came: Mapping[str, pl.DataFrame],
    flows: Mapping[str, Mapping[str, pl.DataFrame]] | None = None,
) -> Vintage:
    """The vintage of an origin.

    Args:
        published: month → published partition of the input, up to the origin.
        came: the same of target months that are there already, as where a city brings years of history: what they
            hide is not forecast either.
        flows: table of events → December → published partition, whole years up to the origin.

    Raises:
        ConfigurationError: ``forecast.*``: the series cannot be read by the method.
    """
    known = replace(series(table, published, origin), flows=flow_series(table, flows or {}, origin))
    horizons, told = table.forecast.horizons, options(table)
    best = Best(table.forecast.parameters.among, _origins(known)) if table.forecast.method == BEST else None
    method, plain = _methods(table, best or METHODS[table.forecast.method])
    tried = {
        name: shown(table, past_forecasts(one, known, horizons, told, _origins(known)), ("forecast", "actual"))
        for name, one in (("forecast", method), ("benchmark", plain))
    }
    verdicts = _verdicts(table, tried)
    if best:
        won = best.winners(known, horizons, told)
        verdicts = [{**one, "method": name} for one, name in zip(verdicts, won, strict=True)]
    ahead = with_intervals(shown(table, rows_ahead(method, known, horizons, told), ("forecast",)), tried["forecast"])
    benchmark = shown(table, rows_ahead(plain, known, horizons, told), ("forecast",)).rename({"forecast": "benchmark"})
    keys = [name for name in benchmark.columns if name != "benchmark"]
    figures = _whole_numbers(table, ahead.join(benchmark, on=keys, how="left"))
    passed = [one["horizon"] for one in verdicts if one["state"] == SHOWN]
    stated = figures.filter(pl.col("horizon").is_in(passed), *([is_finest(table)] if table.districts else []))
    rows = _long(table, stated, _hidden(table, known, came))
    rows = pl.concat([rows, _states(table, verdicts, origin)]).sort(order(table))
    period = pl.lit(origin).alias("period")
    first, months = known.months[0], len(known.months)
    return Vintage(rows.select(period, pl.all()), tuple(verdicts), first, months)


def incoherent(table: ForecastTable, rows: pl.DataFrame) -> tuple[int, int]:
    """How many totals of areas were compared with the sum of the areas' own forecasts, and how many differ."""
    keys = [name for name in order(table) if name not in (AREA, FIGURE)]
    if table.districts:
        return 0, 0
    own = rows.filter(pl.col(FIGURE) == "forecast")
    upper = own.filter((pl.col(AREA) == table.areas.root) & (pl.col("status") == "published"))
    whole = pl.col("status").eq("published").all() & (pl.len() == len(table.areas.leaves))
    parts = own.filter(pl.col(AREA) != table.areas.root).group_by(keys).agg(_sum=pl.col(VALUE).sum(), _whole=whole)
    both = upper.join(parts.filter("_whole"), on=keys, how="inner")
    return both.height, both.filter(pl.col(VALUE) != pl.col("_sum")).height


def _methods(table: ForecastTable, method: Method) -> tuple[Method, Method]:
    """The method and the benchmark, their parent the sum of its areas; districts have none."""
    plain, parent = METHODS[table.forecast.benchmark], table.areas.root
    return (method, plain) if table.districts else (coherent(method, parent), coherent(plain, parent))


def _origins(known: Panel) -> list[str]:
    return [month for month in known.months if month < known.origin][-MOST_ORIGINS:]


def _verdicts(table: ForecastTable, tried: Mapping[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """What the back-test says of each horizon, over the finest areas and ages."""
    finest = {name: rows.filter(is_finest(table)) for name, rows in tried.items()}
    nothing = pl.lit(None, pl.Float64)
    finest["forecast"] = with_past_intervals(finest["forecast"])  # once, for all that is judged
    finest["benchmark"] = finest["benchmark"].with_columns(lower80=nothing, upper80=nothing)
    told = judged(finest["forecast"], finest["benchmark"])
    by_horizon = {row["horizon"]: row for row in told.iter_rows(named=True)}
    together = None
    if table.forecast.judged == "together" and told.height:
        marked = {name: rows.with_columns(all=pl.lit("")) for name, rows in finest.items()}
        together = judged(marked["forecast"], marked["benchmark"], ("all",)).row(0, named=True)
    found = []
    for horizon in table.forecast.horizons:
        row = by_horizon.get(horizon, {"origins": 0})
        judge = row if together is None or row.get("withheld") == "origins" else together
        state = (judge.get("withheld") or SHOWN) if row.get("origins") else "origins"
        found.append({**row, "horizon": horizon, "origins": row.get("origins") or 0, "state": state})
    return found


def _whole_numbers(table: ForecastTable, rows: pl.DataFrame) -> pl.DataFrame:
    """Figures as whole numbers: the finest are rounded, and every total is the sum of what was rounded."""
    summed = ("forecast", "benchmark")
    rounded = rows.with_columns(
        *(pl.col(name).round().alias(name) for name in summed),
        pl.col("lower80").floor(),
        pl.col("upper80").ceil(),
    )
    finest = rounded.filter(is_finest(table)).drop("lower80", "upper80")
    sums = margins(table, finest, summed).rename({name: f"_{name}" for name in summed})
    keys = [name for name in sums.columns if name not in ("_forecast", "_benchmark")]
    joined = rounded.join(sums, on=keys, how="left")
    return joined.with_columns(
        *(pl.coalesce(f"_{name}", name).alias(name) for name in summed),
    ).drop("_forecast", "_benchmark").with_columns(
        lower80=pl.min_horizontal("lower80", "forecast"), upper80=pl.max_horizontal("upper80", "forecast")
    )  # fmt: skip


def _hidden(table: ForecastTable, known: Panel, came: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Cells that are hidden at the origin (for every target), and at a target month that is there already."""
    blocks = [(known.origin, known.keys.with_columns(pl.Series(VALUE, known.at(known.origin), nan_to_null=True)))]
    blocks += [(month, cells(table, rows)) for month, rows in sorted(came.items())]
    found = []
    for month, rows in blocks:
        lacking = shown(table, rows, (VALUE,)).filter(pl.col(VALUE).is_null()).drop(VALUE)
        if table.districts:
            lacking = lacking.filter(is_finest(table), pl.col(AREA).is_in(known.keys[AREA].unique().implode()))
        targets = table.forecast.horizons if month == known.origin else ()
        months = [shifted(month, ahead) for ahead in targets] or [month]
        found.append(lacking.join(pl.DataFrame({TARGET: months}), how="cross"))
    return pl.concat(found)


def _long(table: ForecastTable, rows: pl.DataFrame, hidden: pl.DataFrame) -> pl.DataFrame:
    """One row a figure. A hidden cell says so once, as its forecast; any other figure that lacks has no row."""
    keys = [name for name in (AREA, AGE, TARGET) if name in rows.columns]
    open_ = rows.join(hidden, on=keys, how="anti")
    long = open_.unpivot(list(FIGURES), index=keys, variable_name=FIGURE, value_name=VALUE).drop_nulls(VALUE)
    long = long.filter(pl.col(VALUE).is_finite())
    targets = rows[TARGET].unique()
    closed = hidden.unique().filter(pl.col(TARGET).is_in(targets.implode())).with_columns(
        pl.lit("forecast").alias(FIGURE), pl.lit(None, pl.Int64).alias(VALUE), pl.lit("suppressed").alias("status")
    )  # fmt: skip
    columns = [*order(table), VALUE, "status"]
    counted = long.with_columns(pl.col(VALUE).cast(pl.Int64), pl.lit("published").alias("status"))
    return pl.concat([counted.select(columns), closed.select(columns)])


def _states(table: ForecastTable, verdicts: list[dict[str, Any]], origin: str) -> pl.DataFrame:
    root = {AREA: table.areas.root}
    if table.forecast.grouped:
        root[AGE] = hierarchies()[table.forecast.grouped].root
    rows = [
        {**root, TARGET: shifted(origin, one["horizon"]), FIGURE: one["state"], VALUE: one["origins"]}
        for one in verdicts
    ]
    schema = {**dict.fromkeys(order(table), pl.String), VALUE: pl.Int64}
    return pl.DataFrame(rows, schema=schema).with_columns(pl.lit("published").alias("status"))


def told(one: Vintage) -> dict[str, Any]:
    """What a partition remembers of its back-test: numbers that follow from published rows."""
    kept = ("horizon", "state", "origins", "rows", "wape", "bias", "coverage", "ratio", "warning")
    won = [{"method": row["method"]} if "method" in row else {} for row in one.horizons]
    horizons = [
        {**{name: _short(row.get(name)) for name in kept}, **own} for row, own in zip(one.horizons, won, strict=True)
    ]
    return {"first": one.first, "months": one.months, "horizons": horizons}


def _short(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return round(value, 3) if math.isfinite(value) else None
