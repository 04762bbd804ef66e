"""Back-tests the methods of forecasting on a city's open data: its register by age, and its monthly moves.

The folder holds two CSV files of the City of Kobe's open data in long form (UTF-8, header row), found by the beginning
of their names: ``kobe_register_population_ward_sex_age`` (residents at month's end by ward, branch, sex and single year
of age) and ``kobe_monthly_population_change`` (births, deaths, moves of wards, and those across the city's border).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts.backtest import comparable, past_forecasts
from kobe_platform.forecasts.components import BIRTHS, DEATHS, DEATHS_BY_AGE, ENTERING, LEAVING
from kobe_platform.forecasts.judging import judged
from kobe_platform.forecasts.methods import METHODS
from kobe_platform.forecasts.options import MethodOptions
from kobe_platform.forecasts.panel import Panel
from kobe_platform.vocabulary.months import shifted

REGISTER = "kobe_register_population_ward_sex_age"
MOVES = "kobe_monthly_population_change"
CITY = "全市"
TOP_AGE = 100
TOTAL = "＊合計＊"
YEARS = (12, 24, 36)
COHORTS = MethodOptions(parent=CITY, top_age=TOP_AGE)
SHRUNK = replace(COHORTS, pseudo_persons=500.0)
FOUR_YEARS = 48
"""Months that are known at the first origin of the monthly moves: three years of seasons, and one year before them."""
SCHOOL_AGE = 6
TITLES = {
    "children": "Children aged 6 on 31 March, by ward; horizons in months",
    "ages": "Residents by ward and five-year age; horizons in months",
    "young": "Residents under five by ward; horizons in months",
    "moves": "Moves across the city's border in each of the twelve months ahead",
}


@dataclass(frozen=True)
class Trial:
    """One line of a table: a method with its options, under the name that the table gives it."""

    label: str
    method: str
    options: MethodOptions = COHORTS


COHORT_BENCHMARK = "same cohort, nobody moves"
MONTHLY_BENCHMARK = "seasonal naive"
BENCHMARKS = (COHORT_BENCHMARK, MONTHLY_BENCHMARK)
VARIANTS = (
    Trial("… shrunk towards the city (500)", "cohort_change", SHRUNK),
    Trial("… shrunk, scaled to the city", "cohort_change", replace(SHRUNK, controlled=True)),
    Trial("… over neighbouring ages", "cohort_change", replace(COHORTS, smoothing=1)),
    Trial("cohort-change difference by ward", "cohort_change", replace(COHORTS, variant="difference")),
)
CHILDREN = (
    Trial("last value", "last_value"),
    Trial(COHORT_BENCHMARK, "same_cohort"),
    Trial("cohort-change ratio by ward", "cohort_change"),
    *VARIANTS,
    Trial("gradient boosting", "gradient_boosting"),
)
AGES = (
    Trial("last value", "last_value"),
    Trial(COHORT_BENCHMARK, "same_cohort"),
    Trial("cohort-change ratio by ward", "cohort_change"),
    *VARIANTS,
    Trial("births, deaths, moves (three years)", "cohort_component"),
    Trial("gradient boosting", "gradient_boosting"),
)
YOUNG = (
    Trial("last value", "last_value"),
    Trial(COHORT_BENCHMARK, "same_cohort"),
    Trial("cohort-change ratio by ward", "cohort_change"),
    Trial("births, deaths, moves (three years)", "cohort_component"),
)
MONTHLY = (
    Trial(MONTHLY_BENCHMARK, "seasonal_naive", MethodOptions()),
    Trial("seasonal index, three years", "seasonal_index", MethodOptions()),
    Trial("exponential smoothing on logs", "ets", MethodOptions()),
    Trial("gradient boosting", "gradient_boosting", MethodOptions()),
)


def measure(folder: Path, *, learned: bool = True) -> dict[str, pl.DataFrame]:
    """All tables of errors.

    Args:
        folder: where the two files are.
        learned: with the methods that need an optional library.

    Returns:
        By table: ``label``, then the columns of ``judged`` by ``horizon``, those of ``moves`` by ``flow`` (in, out).

    Raises:
        ConfigurationError: ``forecast.data`` where a file is missing or there twice.
    """
    chosen = lambda trials: [trial for trial in trials if learned or trial.method not in ("ets", "gradient_boosting")]  # noqa: E731
    events = event_flows(one_file(folder, MOVES))
    register = replace(Panel.of(register_rows(one_file(folder, REGISTER))), flows=events)
    return {
        "children": children(register, chosen(CHILDREN)),
        "ages": ages(register, chosen(AGES)),
        "young": ages(register, chosen(YOUNG), below=5),
        "moves": moves(Panel.of(move_rows(one_file(folder, MOVES))), chosen(MONTHLY)),
    }


def children(register: Panel, trials: Sequence[Trial]) -> pl.DataFrame:
    """Wards' children of the age at which school begins, on 31 March: from each March that knows a year's change."""
    origins = [month for month in _with_a_year_before(register) if month.endswith("-03")]
    here = (pl.col("area") != CITY) & (pl.col("age") == SCHOOL_AGE)
    return _scored({trial.label: _tried(trial, register, YEARS, origins).filter(here) for trial in trials})


def ages(register: Panel, trials: Sequence[Trial], below: int = TOP_AGE + 1) -> pl.DataFrame:
    """Wards' residents by five-year ages up to 90 and over, from each quarter's end that knows a year's change.

    Args:
        below: only ages below it.
    """
    origins = [month for month in _with_a_year_before(register) if int(month[5:]) % 3 == 0]
    keys = ("origin", "target", "horizon", "area", "ages")
    tried = {}
    for trial in trials:
        rows = _tried(trial, register, YEARS, origins).filter((pl.col("area") != CITY) & (pl.col("age") < below))
        banded = rows.with_columns(ages=(pl.col("age").clip(upper_bound=90) // 5) * 5)
        tried[trial.label] = banded.group_by(*keys, maintain_order=True).agg(
            _whole_sum("forecast"), _whole_sum("actual")
        )
    return _scored(tried)


def moves(monthly: Panel, trials: Sequence[Trial]) -> pl.DataFrame:
    """The city's moves in and out in each of the twelve months ahead, from each month that knows four years."""
    origins = monthly.months[FOUR_YEARS - 1 : -12]
    return _scored({trial.label: _tried(trial, monthly, range(1, 13), origins) for trial in trials}, by=("flow",))


def register_rows(path: Path) -> pl.DataFrame:
    """Residents as ``month``, ``area``, ``age``, ``value``; wards are told by name, as one date's codes are wrong."""
    read = pl.read_csv(path, infer_schema_length=0).filter(pl.col("sex") == TOTAL)
    whole = pl.when((pl.col("branch") == TOTAL).any().over("as_of", "ward_name")).then(pl.col("branch") == TOTAL)
    single = [name for name in read.columns if name.startswith("age_")]
    return (
        read.filter(whole.otherwise(True))
        .unpivot(single, index=["as_of", "ward_name"], variable_name="age")
        .select(
            month=pl.col("as_of").str.head(7),
            area="ward_name",
            age=pl.col("age").str.extract(r"(\d+)").cast(pl.Int64),
            value=pl.col("value").cast(pl.Float64),
        )
    )


def move_rows(path: Path) -> pl.DataFrame:
    """Moves across the city's border as ``month``, ``flow`` (in, out), ``value``; revised months count as revised."""
    read = pl.read_csv(path, infer_schema_length=0).filter(pl.col("ward_code").str.ends_with("100"))
    latest = read.sort("month", "basis").unique("month", keep="last", maintain_order=True)
    flows = {"in_from_outside_city": "in", "out_to_outside_city": "out"}
    return latest.unpivot(list(flows), index="month", variable_name="flow").select(
        "month", pl.col("flow").replace_strict(flows), pl.col("value").cast(pl.Float64)
    )


def event_flows(path: Path) -> dict[str, Panel]:
    """Births, deaths and moves of each whole year by ward, as ``cohort_component`` reads them.

    The open data has no ages of them: all are of one band. Deaths are then spread over ages evenly, which changes
    nothing, for what cohorts changed by is shifted by all of a ward's events together.
    """
    read = pl.read_csv(path, infer_schema_length=0)
    latest = read.sort("month", "basis").unique(["month", "ward_code"], keep="last", maintain_order=True)
    whole = pl.col("month").n_unique().over("year") == 12
    yearly = latest.with_columns(
        year=pl.col("month").str.head(4),
        area=pl.when(pl.col("ward_code").str.ends_with("100")).then(pl.lit(CITY)).otherwise("ward_name"),
    ).filter(whole)

    def counted(column: str, *keys: pl.Expr) -> Panel:
        sums = yearly.group_by("year", "area", maintain_order=True).agg(pl.col(column).cast(pl.Float64).sum())
        return Panel.of(sums.select(pl.col("area"), *keys, month=pl.col("year") + "-12", value=column))

    one_band = pl.lit(0, pl.Int64).alias("age")
    deaths = counted("deaths", one_band)
    city = deaths.keys["area"] == CITY
    return {
        BIRTHS: counted("births"),
        DEATHS: counted("deaths"),
        DEATHS_BY_AGE: Panel(deaths.months, deaths.keys.filter(city).drop("area"), deaths.values[:, city.to_numpy()]),
        ENTERING: counted("in_migrants", one_band),
        LEAVING: counted("out_migrants", one_band),
    }


def _whole_sum(column: str) -> pl.Expr:
    """Sum of a column, null where a part is: ages of which one is hidden have no sum."""
    return pl.when(pl.col(column).is_not_null().all()).then(pl.col(column).sum()).alias(column)


def _with_a_year_before(register: Panel) -> list[str]:
    return [month for month in register.months if shifted(month, -12) in register.months]


def _tried(trial: Trial, panel: Panel, horizons: Sequence[int], origins: Sequence[str]) -> pl.DataFrame:
    return past_forecasts(METHODS[trial.method], panel, horizons, trial.options, origins)


def _scored(tried: Mapping[str, pl.DataFrame], by: Sequence[str] = ("horizon",)) -> pl.DataFrame:
    """Errors of every method over the rows that all of them forecast, judged against the benchmark among them."""
    rows = comparable(dict(tried))
    plain = next(rows[label] for label in BENCHMARKS if label in rows)
    blocks = [
        judged(past, plain, by).with_columns(label=pl.lit(label)).select("label", pl.all().exclude("label"))
        for label, past in rows.items()
    ]
    return pl.concat(blocks)


def one_file(folder: Path, beginning: str) -> Path:
    """The one CSV file of a folder whose name begins so."""
    found = sorted(folder.glob(f"{beginning}*.csv"))
    if len(found) != 1:
        raise ConfigurationError(
            "a file of open data is not there, or there more than once",
            code="forecast.data",
            at={"file": f"{beginning}*.csv", "found": len(found)},
            remedy="Give a folder that holds it once with --data.",
        )
    return found[0]
