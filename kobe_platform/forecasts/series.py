"""Reads a forecast's input from published tables as a panel, and sums single ages to what the forecast shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import polars as pl

from kobe_platform.forecasts.definition import FlowInput
from kobe_platform.forecasts.options import Method, MethodOptions
from kobe_platform.forecasts.panel import MONTH, VALUE, Panel
from kobe_platform.forecasts.tables import AGE, AREA, FIGURE, TARGET, ForecastTable
from kobe_platform.statistics.trees import below
from kobe_platform.vocabulary.codes import Hierarchy, hierarchies


def series(table: ForecastTable, published: Mapping[str, pl.DataFrame], origin: str) -> Panel:
    """The series that is known at an origin: hidden cells are gaps, and nothing before the last break is in it.

    Figures of an area before a break of its own are gaps as well.

    Args:
        published: month → its partition of the input table (dimensions, ``value``, ``status``).

    Returns:
        Cells of ``area`` (finest codes and the root; school districts are those of the origin) and, where the forecast
        is by age, ``age`` (single years, the open-ended one by its lower bound).
    """
    begins = table.forecast.begins(origin)
    blocks = [
        cells(table, rows).with_columns(pl.lit(month).alias(MONTH))
        for month, rows in sorted(published.items())
        if begins <= month <= origin
    ]
    rows = pl.concat(blocks)
    if table.districts:
        rows = rows.filter(pl.col(AREA).is_in(blocks[-1][AREA].unique().implode()))
    for area, month in table.forecast.begins_apart(origin).items():
        former = (pl.col(AREA) == area) & (pl.col(MONTH) < month)
        rows = rows.with_columns(pl.when(~former).then(pl.col(VALUE)).alias(VALUE))
    return Panel.of(rows)


def cells(table: ForecastTable, rows: pl.DataFrame) -> pl.DataFrame:
    """One month's cells of the series: ``area``, ``age`` where it has one, ``value`` (null where hidden)."""
    source, forecast = table.forecast.input, table.forecast
    held = [pl.col(column) == code for column, code in source.at.items()]
    kept = rows.filter(pl.all_horizontal(held)) if held else rows
    kept = kept.with_columns(pl.col(source.area).replace(forecast.renamed).alias(AREA))
    kept = kept.filter(table.is_area)
    keys = [AREA]
    if table.age_hierarchy:
        ages = cohort_ages(hierarchies()[table.age_hierarchy])
        kept = kept.filter(pl.col(source.age).is_in(list(ages))).with_columns(
            pl.col(source.age).replace_strict(ages, return_dtype=pl.Int64).alias(AGE)
        )
        keys.append(AGE)
    return kept.group_by(keys).agg(whole_sum(VALUE)).sort(keys)


def flow_series(
    table: ForecastTable, published: Mapping[str, Mapping[str, pl.DataFrame]], origin: str
) -> dict[str, Panel]:
    """The series of events that are known at an origin, by what happens; a year is the partition of its December.

    Args:
        published: table → December → its partition. An event's year is there where all of its tables have it.

    Returns:
        Cells of ``area`` and ``age`` (lower bounds of bands) as far as the event has them.
    """
    begins = table.forecast.begins(origin)
    found: dict[str, Panel] = {}
    for event in dict.fromkeys(flow.event for flow in table.forecast.flows):
        named = [(f, a) for f, a in zip(table.forecast.flows, table.flow_ages, strict=True) if f.event == event]
        held = [set(published.get(flow.table, {})) for flow, _ in named]
        years = sorted(month for month in set.intersection(*held) if begins <= f"{month[:4]}-01" and month <= origin)
        blocks = [
            _flow_cells(table, flow, ages, published[flow.table][month]).with_columns(pl.lit(month).alias(MONTH))
            for month in years
            for flow, ages in named
        ]
        if not blocks:
            nothing = {"area": AREA, "age": AGE}
            keys = [name for attribute, name in nothing.items() if getattr(named[0][0], attribute)]
            types = {AREA: pl.String, AGE: pl.Int64}
            found[event] = Panel((), pl.DataFrame(schema={name: types[name] for name in keys}), np.empty((0, 0)))
            continue
        rows = pl.concat(blocks)
        keys = [name for name in rows.columns if name != VALUE]
        found[event] = Panel.of(rows.group_by(keys, maintain_order=True).agg(whole_sum(VALUE)))
    return found


def flow_bands(flow: FlowInput, ages: Hierarchy) -> dict[str, int]:
    """Code of each band of age that a table of events is read by → its lower bound."""
    lows = single_years(ages)
    return {code: min(lows[leaf] for leaf in below(ages, code)) for code in flow.ages or ages.leaves}


def _flow_cells(table: ForecastTable, flow: FlowInput, ages: str, rows: pl.DataFrame) -> pl.DataFrame:
    kept, keys = rows, []
    for column, code in flow.at.items():
        kept = kept.filter(pl.col(column) == code)
    if flow.area:
        kept = kept.with_columns(pl.col(flow.area).replace(table.forecast.renamed).alias(AREA))
        kept = kept.filter(table.is_area)
        keys.append(AREA)
    if flow.age:
        bands = flow_bands(flow, hierarchies()[ages])
        kept = kept.filter(pl.col(flow.age).is_in(list(bands))).with_columns(
            pl.col(flow.age).replace_strict(bands, return_dtype=pl.Int64).alias(AGE)
        )
        keys.append(AGE)
    return kept.group_by(keys).agg(whole_sum(VALUE)).with_columns(pl.col(VALUE).cast(pl.Float64)).sort(keys)


def cohort_ages(ages: Hierarchy) -> dict[str, int]:
    """Code of each single year of age → its age: up to the first wider band; where there is none, the open one too."""
    lows = single_years(ages)
    wider = next((at for at, (low, above) in enumerate(pairwise(ages.breaks)) if above != low + 1), len(lows))
    return dict(list(lows.items())[:wider])


def single_years(ages: Hierarchy) -> dict[str, int]:
    """Finest code of a hierarchy of ages → its lower bound."""
    return dict(zip(ages.leaves, ages.breaks, strict=True))


def whole_sum(column: str) -> pl.Expr:
    """Sum of a column, null where a part is: ages of which one is hidden have no sum."""
    return pl.when(pl.col(column).is_not_null().all()).then(pl.col(column).sum()).alias(column)


def options(table: ForecastTable) -> MethodOptions:
    """What a forecast's methods are told."""
    told = table.forecast.parameters
    ages = hierarchies()[table.age_hierarchy] if table.age_hierarchy else None
    return MethodOptions(
        area=AREA,
        age=AGE,
        parent=table.areas.root,
        top_age=ages.breaks[-1] if ages and len(cohort_ages(ages)) == len(ages.breaks) else None,
        variant=told.variant,
        pseudo_persons=told.pseudo_persons,
        smoothing=told.smoothing,
        controlled=told.controlled,
        years=told.years,
    )


def coherent(method: Method, parent: str) -> Method:
    """A method whose parent is the sum of its areas wherever all of them have a forecast; elsewhere its own."""

    def summed(known: Panel, horizons: Sequence[int], told: MethodOptions) -> np.ndarray:
        ahead = method(known, horizons, told)
        areas = known.keys[told.area]
        rest = [name for name in known.keys.columns if name != told.area]
        groups = known.keys.select(pl.struct(rest).rank("dense") if rest else pl.lit(1)).to_series().to_numpy()
        upper = (areas == parent).to_numpy()
        for group in np.unique(groups):
            parts, whole = (groups == group) & ~upper, (groups == group) & upper
            total = ahead[:, parts].sum(axis=1)
            if parts.any() and whole.any():
                ahead[:, whole] = np.where(np.isnan(total), ahead[:, whole].ravel(), total)[:, None]
        return ahead

    return summed


def shown(table: ForecastTable, rows: pl.DataFrame, figures: Sequence[str]) -> pl.DataFrame:
    """Rows by single ages as rows by what the forecast shows, totals among them; a sum lacks where one age does.

    Args:
        rows: ``area``, ``age`` where the series has one, other keys, and columns of figures.
        figures: the columns that are summed.
    """
    if not table.age_hierarchy:
        return rows
    keys = [name for name in rows.columns if name not in (AGE, *figures)]
    coded = rows.rename({AGE: "_age"}).join(_age_codes(table), on="_age", how="inner")
    by = [*keys, AGE] if table.forecast.grouped else keys
    return coded.group_by(by, maintain_order=True).agg(whole_sum(name) for name in figures)


def is_finest(table: ForecastTable) -> pl.Expr:
    """True of rows of areas and ages that no others are parts of: errors are counted over these."""
    finest = pl.col(AREA) != table.areas.root if table.districts or table.areas.parts else pl.lit(True)
    if table.forecast.grouped:
        finest &= pl.col(AGE).is_in(hierarchies()[table.forecast.grouped].leaves)
    return finest


def margins(table: ForecastTable, finest: pl.DataFrame, figures: Sequence[str]) -> pl.DataFrame:
    """Every sum of whole finest rows: over ages by the hierarchy that is shown, over areas up to the root.

    School districts are not summed: who lives in none is in their ward's total alone.

    Args:
        finest: rows of the finest areas and ages with figures; other columns are keys.
    """
    keys = [name for name in finest.columns if name not in (AREA, AGE, *figures)]
    rows = finest
    if table.forecast.grouped:
        rows = rows.rename({AGE: "_leaf"}).join(_margin_codes(table.forecast.grouped), on="_leaf", how="inner")
        keys = [*keys, AGE]
        rows = rows.group_by([AREA, *keys], maintain_order=True).agg(whole_sum(name) for name in figures)
    if table.districts or not table.areas.parts:
        return rows
    city = rows.group_by(keys, maintain_order=True).agg(whole_sum(name) for name in figures)
    city = city.with_columns(pl.lit(table.areas.root).alias(AREA)).select(rows.columns)
    return pl.concat([rows, city])


def order(table: ForecastTable) -> list[str]:
    """Columns by which a partition of the forecast is sorted."""
    return [AREA, *([AGE] if table.forecast.grouped else []), TARGET, FIGURE]


def _age_codes(table: ForecastTable) -> pl.DataFrame:
    """Single year of age (``_age``) → each code that it counts in."""
    ages = cohort_ages(hierarchies()[table.age_hierarchy])
    if not table.forecast.grouped:
        return pl.DataFrame({"_age": [ages[code] for code in table.forecast.ages]}, schema={"_age": pl.Int64})
    tree = hierarchies()[table.forecast.grouped]
    pairs = []
    for age in ages.values():
        leaf = next(c for c, low in reversed(list(zip(tree.leaves, tree.breaks, strict=True))) if low <= age)
        pairs += [(age, code) for code in _upwards(tree, leaf)]
    return pl.DataFrame(pairs, schema={"_age": pl.Int64, AGE: pl.String}, orient="row")


@cache
def _margin_codes(name: str) -> pl.DataFrame:
    """Finest code of a hierarchy (``_leaf``) → itself and every code above it."""
    tree = hierarchies()[name]
    pairs = [(leaf, code) for leaf in tree.leaves for code in _upwards(tree, leaf)]
    return pl.DataFrame(pairs, schema={"_leaf": pl.String, AGE: pl.String}, orient="row")


def _upwards(tree: Hierarchy, code: str) -> list[str]:
    parents = {one.code: one.parent for one in tree.codes}
    found, at = [], code
    while at is not None:
        found.append(at)
        at = parents[at]  # type: ignore[assignment]
    return found
