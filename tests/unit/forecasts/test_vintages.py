"""A vintage has figures only where its back-test lets it, sums to the city, and says nothing of what is hidden."""

import polars as pl
import pytest

from kobe_platform.forecasts.series import series
from kobe_platform.forecasts.tables import ForecastTable
from kobe_platform.forecasts.vintages import incoherent, vintage
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.months import shifted
from tests.forecast_city import ages_of, months_until, moves_of

ORIGIN = "2025-03"


def changed(table: ForecastTable, **told) -> ForecastTable:
    """The table of a forecast whose file says something else."""
    return table.model_copy(update={"forecast": table.forecast.model_copy(update=told)})


def figures(rows: pl.DataFrame, figure: str) -> dict[tuple[str, str], int | None]:
    """(area, target) → value of one figure."""
    own = rows.filter(pl.col("figure") == figure)
    return {(area, target): value for area, target, value in own.select("area", "target", "value").iter_rows()}


@pytest.fixture(scope="module")
def years() -> dict[str, pl.DataFrame]:
    return {month: ages_of(month) for month in months_until(ORIGIN, 54)}


@pytest.fixture(scope="module")
def entry(tables, years) -> pl.DataFrame:
    return vintage(tables["school_entry"], years, ORIGIN, {}).rows


def test_children_are_forecast_for_three_aprils_with_a_band_and_a_benchmark(entry):
    targets = {shifted(ORIGIN, ahead) for ahead in (12, 24, 36)}
    forecast, lower, upper = (figures(entry, name) for name in ("forecast", "lower80", "upper80"))
    assert set(forecast) == {(a, t) for a in ("28100", *hierarchies()["ward"].leaves) for t in targets}
    wards = {key for key in forecast if key[0] != "28100"}
    assert wards <= set(lower) and all(lower[key] <= forecast[key] <= upper[key] for key in wards)
    assert figures(entry, "benchmark").keys() == forecast.keys()
    assert figures(entry, "shown").keys() == {("28100", target) for target in targets}


def test_a_forecast_is_near_what_came(entry, tables):
    came = series(tables["school_entry"], {"2026-03": ages_of("2026-03")}, "2026-03")
    actual = {row["area"]: value for row, value in zip(came.keys.iter_rows(named=True), came.values[0], strict=True)
              if row["age"] == 6}  # fmt: skip
    forecast = figures(entry, "forecast")
    for area, value in actual.items():
        assert forecast[area, "2026-03"] == pytest.approx(value, rel=0.02), area


def test_wards_sum_to_the_city_in_whole_numbers_and_ages_to_their_groups(entry, tables, years):
    assert incoherent(tables["school_entry"], entry) == (3, 0)
    people = vintage(tables["future_population"], years, ORIGIN, {}).rows
    compared, differing = incoherent(tables["future_population"], people)
    assert compared == 3 * 23 and not differing
    own = people.filter(
        (pl.col("figure") == "forecast") & (pl.col("area") == "28101") & (pl.col("target") == "2026-03")
    )
    by_age = dict(own.select("age", "value").iter_rows())
    assert by_age["total"] == by_age["0-14"] + by_age["15-64"] + by_age["65+"]
    assert by_age["0-14"] == by_age["0-4"] + by_age["5-9"] + by_age["10-14"]


def test_one_wrong_total_is_found(entry, tables):
    at = (pl.col("figure") == "forecast") & (pl.col("area") == "28101") & (pl.col("target") == "2026-03")
    spoiled = entry.with_columns(value=pl.when(at).then(pl.col("value") + 1).otherwise(pl.col("value")))
    assert incoherent(tables["school_entry"], spoiled) == (3, 1)


def test_a_method_that_is_worse_than_its_benchmark_has_no_figures_and_says_why(tables, years):
    bad = vintage(changed(tables["school_entry"], method="last_value"), years, ORIGIN, {})
    assert set(bad.rows["figure"]) == {"worse"} and {one["state"] for one in bad.horizons} == {"worse"}


def test_a_short_series_has_no_figures_and_says_so(tables, years):
    least = tables["school_entry"].forecast.least_history
    short = {month: years[month] for month in months_until(ORIGIN, least - 1)}
    assert set(vintage(tables["school_entry"], short, ORIGIN, {}).rows["figure"]) == {"origins"}
    enough = {month: years[month] for month in months_until(ORIGIN, least)}
    states = {one["horizon"]: one["state"] for one in vintage(tables["school_entry"], enough, ORIGIN, {}).horizons}
    assert states == {12: "shown", 24: "origins", 36: "origins"}
    first = months_until(ORIGIN, least)[0]
    assert tables["school_entry"].forecast.earliest(first) == ORIGIN
    assert tables["school_entry"].forecast.earliest(shifted(first, 1)) == "2026-03", "the next March"


def test_what_is_hidden_at_the_origin_is_not_forecast(tables, years):
    """A child of five, four or three today is the child of six then: but what is hidden today at six is no target."""
    hidden = {**years, ORIGIN: ages_of(ORIGIN, {("28101", "5"), ("28101", "6")})}
    rows = vintage(tables["school_entry"], hidden, ORIGIN, {}).rows
    own = rows.filter(pl.col("area") == "28101")
    assert set(own.filter(pl.col("target") == "2026-03")["status"]) == {"suppressed"}
    assert own["value"].drop_nulls().is_empty(), "an age that is hidden now is not shown for any target"
    assert figures(rows, "forecast")["28102", "2026-03"] is not None


def test_what_is_hidden_at_a_target_that_is_there_already_is_not_forecast(tables, years):
    came = {"2026-03": ages_of("2026-03", {("28102", "6")})}
    rows = vintage(tables["school_entry"], years, ORIGIN, came).rows
    forecast = figures(rows, "forecast")
    assert forecast["28102", "2026-03"] is None and forecast["28102", "2027-03"] is not None
    assert ("28102", "2026-03") not in figures(rows, "lower80") | figures(rows, "benchmark")


def test_nothing_after_the_origin_changes_a_vintage(tables, years, entry):
    later = {**years, "2026-03": ages_of("2030-03")}
    assert vintage(tables["school_entry"], later, ORIGIN, {}).rows.equals(entry)


def test_a_series_is_not_compared_across_a_break(tables, years):
    broken = tables["school_entry"].forecast.model_validate(
        {**tables["school_entry"].forecast.model_dump(), "breaks": [{"month": "2024-01", "because": "census"}]}
    )
    table = tables["school_entry"].model_copy(update={"forecast": broken})
    found = vintage(table, years, ORIGIN, {})
    assert (found.first, found.months) == ("2024-01", 15) and set(found.rows["figure"]) == {"origins"}
    assert vintage(table, years, ORIGIN, {}).rows["value"].max() < 6


def test_a_renamed_area_goes_on_under_its_new_code(tables, years):
    former = {month: rows.with_columns(area=pl.col("area").replace("28101", "28199")) if month < "2024-01" else rows
              for month, rows in years.items()}  # fmt: skip
    table = changed(tables["school_entry"], renamed={"28199": "28101"})
    assert vintage(table, former, ORIGIN, {}).rows.equals(vintage(tables["school_entry"], years, ORIGIN, {}).rows)


def test_monthly_moves_are_judged_together(tables):
    months = {month: moves_of(month) for month in months_until("2025-12", 50)}
    found = vintage(tables["moves_in_ahead"], months, "2025-12", {})
    assert {one["state"] for one in found.horizons} == {"shown"}
    assert len(figures(found.rows, "forecast")) == 12 * 10
    worst = max(found.horizons, key=lambda one: one["ratio"])
    alone = vintage(changed(tables["moves_in_ahead"], judged="horizon"), months, "2025-12", {})
    states = {one["horizon"]: one["state"] for one in alone.horizons}
    assert (states[worst["horizon"]] == "worse") == (worst["ratio"] > 1)
