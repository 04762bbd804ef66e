"""Makes up published tables of the project's statistics from a seed, without deliveries and without a lake.

They are for trials of pages, for tests and for benchmarks of the lounge. Some cells are marked as hidden, but no
protection was computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from kobe_platform.forecasts.codes import unlisted
from kobe_platform.forecasts.tables import UNLISTED, ForecastTable, Scoreboard
from kobe_platform.published import load_published
from kobe_platform.settings import Settings
from kobe_platform.statistics.definition import Statistic
from kobe_platform.synthesis.forecasts import made_up_forecast
from kobe_platform.synthesis.history import history
from kobe_platform.synthesis.parameters import load
from kobe_platform.synthesis.unusual import made_up_ranges
from kobe_platform.unusual.codes import watched_series
from kobe_platform.unusual.tables import NAMES as WATCHED_SERIES
from kobe_platform.unusual.tables import UsualRanges
from kobe_platform.vocabulary import codes as vocabulary
from kobe_platform.vocabulary.municipality import own

STATISTICS = Settings.model_fields["statistics"].default
FACTS = {"title", "description", "owner", "period", "kind", "population", "unit", "minimum_frequency", "dimensions"}
MONTHS = ("2025-07", "2025-08", "2025-09", "2025-10", "2025-11", "2025-12")
DISTRICTS_PER_WARD = {
    "28101": 3,
    "28102": 2,
    "28110": 2,
    "28105": 2,
    "28109": 3,
    "28106": 1,
    "28107": 2,
    "28108": 3,
    "28111": 4,
}
DISTRICTS_ELSEWHERE = 4
NAMES = (
    *("本山", "御影", "魚崎", "六甲", "灘", "雲中", "こうべ", "水木", "会下山", "有馬", "唐櫃"),
    *("桂木", "名倉", "北須磨", "妙法寺", "垂水", "多聞台", "舞多聞", "枝吉", "伊川谷", "月が丘", "有瀬"),
)

PEOPLE = {
    "population": 9_000,
    "households": 4_300,
    "foreigners": 320,
    "births": 70,
    "deaths": 90,
    "immigration": 60,
    "moves": 450,
    "ward": 260,
    "within": 240,
}
"""First word of a statistic's name → count of a school district; of flows in a year, a twelfth of it in a month."""

COMPARED = {
    "households": 0.48,
    "young": 0.12,
    "working": 0.6,
    "elderly": 0.28,
    "foreigners": 0.03,
    "births": 0.006,
    "deaths": 0.012,
    "moves_in": 0.05,
    "moves_out": 0.05,
}
"""Figures of a compared city beside its population and area, as shares of its population."""


def district_hierarchy(per_ward: Mapping[str, int]) -> vocabulary.Hierarchy:
    """The school districts of the made-up city."""
    codes = [
        (ward, f"{i + 1:02d}{n + 1:02d}") for i, (ward, count) in enumerate(per_ward.items()) for n in range(count)
    ]
    label = [f"{NAMES[i % len(NAMES)]}{'' if i < len(NAMES) else i // len(NAMES) + 1}" for i in range(len(codes))]
    reference = pl.DataFrame(
        {
            "ward_code": [ward for ward, _ in codes],
            "district_code": [code for _, code in codes],
            "district_name": label,
            "valid_from": ["2010-04-01"] * len(codes),
            "valid_to": [""] * len(codes),
        }
    )
    return vocabulary.districts(reference, "2025-12")


def published(
    seed: int = 1,
    months: tuple[str, ...] = MONTHS,
    per_ward: Mapping[str, int] | None = None,
    statistics: Path = STATISTICS,
    forecasts: Path | None = None,
    unusual: Path | None = None,
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame], dict]:
    """Tables, hierarchies and facts as :func:`kobe_platform.lounge.release.assemble` takes them.

    Args:
        seed: decides every figure.
        months: ``YYYY-MM`` in order; yearly tables hold the years that they touch.
        per_ward: ward → how many school districts it has; few by default.
        statistics: folder of the statistics to make up figures of.
        forecasts, unusual: folders of the forecasts and watched series to make up figures of; beside the statistics by
            default.
    """
    per_ward = per_ward or {area: DISTRICTS_PER_WARD.get(area, DISTRICTS_ELSEWHERE) for area in own().areas}
    trees = {**vocabulary.hierarchies(), "district": district_hierarchy(per_ward)}
    tables: dict[str, pl.DataFrame] = {}
    told: dict[str, dict] = {}
    known = load_published(statistics, forecasts, unusual=unusual)
    for number, (name, statistic) in enumerate(known.items()):
        rng = np.random.default_rng([seed, number])
        periods = months if statistic.period == "month" else tuple(sorted({month[:4] for month in months}))
        told[name] = statistic.model_dump(include=FACTS)
        if isinstance(statistic, UsualRanges):
            tables[name], told[name] = made_up_ranges(statistic, tables, months, rng)
        elif isinstance(statistic, ForecastTable | Scoreboard):
            tables[name], told[name] = made_up_forecast(statistic, tables, months, rng)
        elif name == "estimated_population":
            tables[name] = _estimate(months, rng)
        elif name == "population_history":
            tables[name] = _history(months, tables["estimated_population"], rng)
        elif name == "city_comparison":
            tables[name] = _comparison(months, trees["compared_city"], rng)
        else:
            tables[name] = _table(statistic, periods, trees, rng, sum(per_ward.values()))
    needed = {hierarchy for facts in told.values() for hierarchy in facts["dimensions"].values()}
    trees |= {name: unlisted(name, tables, known) for name in UNLISTED}
    trees |= {WATCHED_SERIES: watched_series(tables, known)}
    dims = {name: trees[name].frame() for name in sorted(needed)}
    return tables, dims, {"basis": "synthetic", "municipality": own().code, "tables": told}


def _table(
    statistic: Statistic, periods: tuple[str, ...], trees: Mapping, rng: np.random.Generator, districts: int
) -> pl.DataFrame:
    frame = pl.DataFrame({"period": list(periods)})
    weight = np.ones(frame.height)
    for column, hierarchy in statistic.dimensions.items():
        leaves = list(trees[hierarchy].leaves) or [trees[hierarchy].root]
        skewed = column in ("nationality", "residence_status")
        shares = rng.dirichlet(np.full(len(leaves), 0.5 if skewed else 4.0))
        frame = frame.join(pl.DataFrame({column: leaves, "_share": shares}), how="cross")
        weight = frame["_share"].to_numpy() * np.repeat(weight, len(leaves))
        frame = frame.drop("_share")
    total = PEOPLE.get(statistic.name.split("_")[0], 300) * districts
    monthly_flow = statistic.period == "month" and statistic.name.split("_")[0] not in (
        "population",
        "households",
        "foreigners",
    )
    drift = 1 + 0.004 * frame["period"].rank("dense").to_numpy()
    value = rng.poisson(total / (12 if monthly_flow else 1) * weight * drift)
    if "origin" in statistic.dimensions:
        value[(frame["origin"] == frame["destination"]).to_numpy()] = 0
    frame = frame.with_columns(pl.Series("value", value.astype("int64")))
    for column, hierarchy in statistic.dimensions.items():
        frame = _with_margins(frame, column, trees[hierarchy], statistic)
    keys = ["period", *statistic.dimensions]
    if statistic.kind == "mean":
        place = frame.select(keys[1:]).hash_rows(seed=7).to_numpy() % 50
        frame = frame.with_columns(pl.Series("value", np.round(47 + place / 10 + 0.05 * rng.random(frame.height), 1)))
        hidden = pl.lit(pl.Series(rng.random(frame.height) < 0.02))
    else:
        lucky = pl.lit(pl.Series(rng.random(frame.height) < 0.01)) & (pl.col("value") < 60)
        hidden = (pl.col("value") > 0) & ((pl.col("value") < 10) | lucky)
    return frame.with_columns(
        value=pl.when(~hidden).then(pl.col("value")),
        status=pl.when(hidden).then(pl.lit("suppressed")).otherwise(pl.lit("published")),
    ).select(*keys, "value", "status")


def _with_margins(frame: pl.DataFrame, column: str, tree: vocabulary.Hierarchy, statistic: Statistic) -> pl.DataFrame:
    parent = {code.code: code.parent for code in tree.codes}
    pairs = []
    for leaf in tree.leaves or (tree.root,):
        code: str | None = leaf
        while code is not None:
            pairs.append((leaf, code))
            code = parent[code]
    lineage = pl.DataFrame(pairs, schema=[column, "upper"], orient="row")
    keys = ["period", *statistic.dimensions]
    return (
        frame.join(lineage, on=column).drop(column).rename({"upper": column})
        .group_by(keys, maintain_order=True).agg(pl.col("value").sum()).sort(keys)
    )  # fmt: skip


def _estimate(months: tuple[str, ...], rng: np.random.Generator) -> pl.DataFrame:
    wards = vocabulary.wards()
    people = dict(zip(wards, rng.integers(90_000, 240_000, len(wards)), strict=True))
    rows = []
    for month in months:
        for ward in wards:
            people[ward] += int(rng.normal(-150, 120))
        for area, total in {own().code: sum(people.values()), **people}.items():
            male = int(total * 0.47)
            counts = {"population": total, "households": int(total * 0.49), "male": male, "female": total - male}
            rows += [(month, area, series, int(value), "published") for series, value in counts.items()]
    return pl.DataFrame(rows, schema=["period", "area", "series", "value", "status"], orient="row")


def _history(months: tuple[str, ...], estimates: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The public series of the months before, as the first month's delivery brings them."""
    parameters = load()
    first = estimates.filter(pl.col("period") == months[0]).pivot("series", index="area", values="value")
    told = {area: counts for area, *counts in first.select("area", "households", "male", "female").iter_rows()}
    stock = np.array([told[ward.code] for ward in parameters.wards])
    wide = history(parameters, np.datetime64(months[0], "M"), stock, int(rng.integers(1 << 30)))
    keys = [pl.lit(months[0]).alias("period"), pl.col("as_of").str.slice(0, 4).alias("year")]
    keys += [pl.col("as_of").str.slice(5, 2).alias("month"), pl.col("ward_code").alias("area")]
    rows = wide.select(*keys, *wide.columns[2:]).unpivot(
        index=["period", "year", "month", "area"], variable_name="series", value_name="value"
    )
    return rows.with_columns(pl.col("value").cast(pl.Int64), status=pl.lit("published"))


def _comparison(months: tuple[str, ...], cities: vocabulary.Hierarchy, rng: np.random.Generator) -> pl.DataFrame:
    """Every listed city with all its figures, once a quarter."""
    rows = []
    for code in cities.leaves:
        people, area = int(rng.integers(180_000, 3_700_000)), int(rng.integers(3_000, 140_000))
        for month in months[::3]:
            people += int(rng.normal(0, people / 800))
            shares = {name: share * rng.uniform(0.85, 1.15) for name, share in COMPARED.items()}
            counts = {
                "population": people,
                **{name: int(people * share) for name, share in shares.items()},
                "area": area,
            }
            rows += [(month, code, figure, value, "published") for figure, value in counts.items()]
    return pl.DataFrame(rows, schema=["period", "city", "figure", "value", "status"], orient="row")
