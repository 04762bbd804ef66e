"""A made-up city with years of published months, put into a store as the platform would have left them there.

Forecasts need years; running the whole platform for as many months would take minutes. Only the published tables that
forecasts read are written, each with the verdicts of its checks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import polars as pl

from kobe_platform.forecasts.inputs import scored_vintages
from kobe_platform.forecasts.tables import ForecastTable, Scoreboard
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lake.verdicts import record
from kobe_platform.release.collect import content_digest
from kobe_platform.release.required_checks import published_checks
from kobe_platform.statistics import Statistic
from kobe_platform.tabulation.forecasting import make_vintage, score_month
from kobe_platform.tabulation.watching import make_usual_ranges
from kobe_platform.unusual.tables import UsualRanges
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.months import months_between, shifted

AGES, WARDS = hierarchies()["age1"], hierarchies()["ward"]
CHILDREN, MOVES_IN, MOVES_OUT = "population_age_ward", "moves_in_month", "moves_out_month"
BY_DISTRICT = "children_district"
DISTRICTS = {ward: f"{number:04d}" for number, ward in enumerate(WARDS.leaves)}
"""The one school district of each ward."""
LAST = "2025-12"


def months_until(last: str = LAST, number: int = 40) -> list[str]:
    """So many months that end with one."""
    return months_between(shifted(last, 1 - number), last)


def ages_of(month: str, hidden: Collection[tuple[str, str]] = ()) -> pl.DataFrame:
    """``population_age_ward`` of one month: cohorts that grow older and of which some move, each ward at its own rate.

    Args:
        hidden: (ward, age) that are not shown; the sums above them are.
    """
    year = int(month[:4]) + int(month[5:]) / 12
    rows = []
    for number, ward in enumerate(WARDS.leaves):
        stays = 1 - 0.004 * (number - 3)
        for age, code in enumerate(AGES.leaves):
            born = year - age
            wave = 1 + 0.2 * np.sin(born / 3 + number)
            noise = 1 + 0.001 * np.sin(37 * age + 11 * number + 5 * year * 12)
            rows.append((ward, code, round(150 * (number + 2) * wave * stays**age * noise)))
    leaves = pl.DataFrame(rows, schema=["area", "age", "value"], orient="row")
    parents = {code.code: code.parent for code in AGES.codes}
    upper = pl.DataFrame([(leaf, parents[leaf]) for leaf in AGES.leaves], schema=["age", "_upper"], orient="row")
    groups = leaves.join(upper, on="age").group_by("area", age="_upper").agg(pl.col("value").sum())
    totals = leaves.group_by("area").agg(pl.col("value").sum()).with_columns(age=pl.lit(AGES.root))
    wards = pl.concat([frame.select("area", "age", "value") for frame in (leaves, groups, totals)])
    city = wards.group_by("age").agg(pl.col("value").sum()).with_columns(area=pl.lit(WARDS.root))
    return published(pl.concat([wards, city.select(wards.columns)]), month, hidden)


def children_of(month: str, hidden: Collection[tuple[str, str]] = ()) -> pl.DataFrame:
    """``children_district`` of one month: two thirds of a ward's children live in its district, the rest in none."""
    ages = [code for code in hierarchies()["age_child"].leaves if code.isdigit()]
    wards = ages_of(month).filter(pl.col("age").is_in(ages)).select("area", "age", "value")
    districts = wards.filter(pl.col("area") != WARDS.root).with_columns(
        pl.col("area").replace_strict(DISTRICTS), pl.col("value") * 2 // 3
    )
    return published(pl.concat([districts, wards]), month, hidden)


def moves_of(month: str, level: int = 400) -> pl.DataFrame:
    """Moves of one month by ward, with a season and noise from year to year."""
    number = int(month[:4]) * 12 + int(month[5:])
    season = {3: 2.4, 4: 1.8}.get(int(month[5:]), 1.0)
    noise = 1 + 0.06 * np.random.default_rng([number, level]).standard_normal(len(WARDS.leaves))
    wards = [(ward, int(level * (n + 1) * season * noise[n])) for n, ward in enumerate(WARDS.leaves)]
    rows = pl.DataFrame([*wards, (WARDS.root, sum(v for _, v in wards))], schema=["area", "value"], orient="row")
    return published(rows, month)


def published(rows: pl.DataFrame, month: str, hidden: Collection[tuple[str, ...]] = ()) -> pl.DataFrame:
    """Rows as a published partition has them."""
    keys = [name for name in rows.columns if name != "value"]
    marked = pl.struct(keys).is_in([dict(zip(keys, one, strict=True)) for one in hidden]) if hidden else pl.lit(False)
    return rows.with_columns(
        pl.lit(month).alias("period"),
        value=pl.when(~marked).then(pl.col("value")),
        status=pl.when(marked).then(pl.lit("suppressed")).otherwise(pl.lit("published")),
    ).select("period", *keys, "value", "status")


def estimate_of(month: str) -> pl.DataFrame:
    """``estimated_population`` of one month, which the portal's own page shows."""
    rows = [(area, series, 1000 * (n + 1)) for n, area in enumerate((WARDS.root, *WARDS.leaves))
            for series in ("population", "households")]  # fmt: skip
    return published(pl.DataFrame(rows, schema=["area", "series", "value"], orient="row"), month)


def capacity_of(month: str) -> pl.DataFrame:
    """``school_capacity_ward`` of one month."""
    rows = [(ward, figure, value) for n, ward in enumerate(WARDS.leaves)
            for figure, value in (("limit", 35), ("classrooms", 12 + 6 * n))]  # fmt: skip
    return published(pl.DataFrame(rows, schema=["area", "figure", "value"], orient="row"), month)


TABLES: Mapping[str, object] = {
    CHILDREN: ages_of, BY_DISTRICT: children_of, MOVES_IN: moves_of, MOVES_OUT: lambda month: moves_of(month, 350),
}  # fmt: skip


def put(
    store: PartitionStore, statistics: Mapping[str, Statistic], name: str, month: str, rows: pl.DataFrame,
    *, failing: Collection[str] = (), covers: Sequence[str] = (),
) -> None:  # fmt: skip
    """Commit a published month with the verdicts of its checks; ``covers``: the months that a year counts."""
    facts = {"content": content_digest(rows), "basis": "synthetic", "audit_safe": True}
    facts |= {"covers": list(covers)} if covers else {}
    held = store.write(PartitionId("published", name, month), rows, facts=facts)
    for check, blocking in published_checks(statistics[name]).items():
        record(store, held, check, passed=check not in failing, blocking=blocking, facts={})


def districts_from(store: PartitionStore, month: str) -> None:
    """Commit the reference of school districts, one in each ward, from a month on."""
    rows = [
        (ward, f"{ward}001", "", DISTRICTS[ward], f"校区{n}", "2000-04-01", "") for n, ward in enumerate(WARDS.leaves)
    ]
    columns = ["ward_code", "town_code", "lot_from", "district_code", "district_name", "valid_from", "valid_to"]
    store.write(PartitionId("raw", "town_districts", month), pl.DataFrame(rows, schema=columns, orient="row"))


def forecast_past(store: PartitionStore, statistics: Mapping[str, Statistic], months: Sequence[str]) -> None:
    """Make vintages, scores and usual ranges of some months as their steps would have, with the verdicts of checks."""
    boards = [one for one in statistics.values() if isinstance(one, Scoreboard)]
    tables = [one for one in statistics.values() if isinstance(one, ForecastTable)]
    for month in months:
        made = [make_vintage(store, table, month, statistics) for table in tables if table.forecast.is_origin(month)]
        made += [
            score_month(store, board, month, statistics) for board in boards if scored_vintages(store, board, month)
        ]
        usual = [one for one in statistics.values() if isinstance(one, UsualRanges)]
        made += [make_usual_ranges(store, table, month, statistics) for table in usual]
        for partition in made:
            for check, blocking in published_checks(statistics[partition.id.source]).items():
                record(store, partition, check, passed=True, blocking=blocking, facts={})


def settle(
    store: PartitionStore, statistics: Mapping[str, Statistic], months: Sequence[str], tables: Collection[str] = TABLES
) -> None:
    """Commit the published months of some tables."""
    for name in tables:
        for month in months:
            put(store, statistics, name, month, TABLES[name](month))  # type: ignore[operator]
