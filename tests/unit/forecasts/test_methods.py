"""The methods of forecasting, on series so small that the answers are computed by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts.backtest import past_forecasts, rows_ahead
from kobe_platform.forecasts.cohorts import cohort_change, same_cohort
from kobe_platform.forecasts.methods import METHODS, Best, method_named
from kobe_platform.forecasts.options import MethodOptions
from kobe_platform.forecasts.panel import Panel
from kobe_platform.forecasts.seasonal import drift, last_value, seasonal_index, seasonal_naive
from kobe_platform.vocabulary.months import months_between


def monthly(values, first="2020-01", last="2023-12") -> Panel:
    """One area's monthly series."""
    months = months_between(first, last)[: len(values)]
    return Panel.of(pl.DataFrame({"month": months, "area": "city", "value": values}))


def register(by_month: dict[str, dict[str, list[float | None]]]) -> Panel:
    """Month → area → persons of ages 0, 1, 2 …"""
    rows = [
        {"month": month, "area": area, "age": age, "value": persons}
        for month, areas in by_month.items()
        for area, ages in areas.items()
        for age, persons in enumerate(ages)
    ]
    return Panel.of(pl.DataFrame(rows, infer_schema_length=None))


def city(**areas: list[float]) -> dict[str, list[float]]:
    """Areas and the city, which is their sum."""
    return {**areas, "city": [sum(cells) for cells in zip(*areas.values(), strict=True)]}


COHORTS = MethodOptions(parent="city")
# East 100 → 110 and 50 → 40, west 100 → 90 and 30 → 30: the city's children of 0 stay as many, 80 become 70.
TWO_YEARS = {
    "2020-03": city(east=[100.0, 50.0, 10.0], west=[100.0, 30.0, 10.0]),
    "2021-03": city(east=[200.0, 110.0, 40.0], west=[200.0, 90.0, 30.0]),
}


def told(panel: Panel, ahead: np.ndarray) -> dict[tuple, float]:
    """By cell, the forecast of the only horizon."""
    return dict(zip(panel.keys.iter_rows(), ahead[0], strict=True))


def test_last_value_stays():
    assert last_value(monthly([5.0, 7.0]), [1, 30], MethodOptions()).tolist() == [[7.0], [7.0]]


def test_drift_goes_on_by_the_mean_change_of_a_year_and_not_below_zero():
    grown = monthly([100.0 + 2 * month for month in range(14)])
    assert drift(grown, [6, 12], MethodOptions()).ravel().tolist() == [126.0 + 12, 126.0 + 24]
    fallen = monthly([100.0, *[50.0] * 11, 10.0])
    assert drift(fallen, [12, 24], MethodOptions()).ravel().tolist() == [0.0, 0.0]
    assert np.isnan(drift(monthly([1.0] * 12), [12], MethodOptions())).all()


def test_seasonal_naive_takes_the_calendar_month_of_the_last_known_year():
    panel = monthly([float(month) for month in range(1, 25)])
    assert seasonal_naive(panel, [1, 12, 13, 24], MethodOptions()).ravel().tolist() == [13.0, 24.0, 13.0, 24.0]


def test_seasonal_index_is_a_months_share_of_the_window_times_the_last_twelve_months():
    # January is 3 of 14 in each year; the last year is twice the one before: its total is 28.
    year = [3.0, *[1.0] * 11]
    ahead = seasonal_index(monthly([*year, *(2 * value for value in year)]), [1, 2], MethodOptions(years=2))
    assert ahead.ravel().tolist() == pytest.approx([28 * 9 / 42, 28 * 3 / 42])


def test_a_gap_in_the_window_leaves_no_seasonal_index():
    panel = monthly([1.0] * 5 + [None] + [1.0] * 18)
    assert np.isnan(seasonal_index(panel, [1], MethodOptions(years=2))).all()


def test_a_cohort_to_which_nothing_happens_grows_older():
    panel = register(TWO_YEARS)
    ahead = told(panel, same_cohort(panel, [12], COHORTS))
    assert [ahead["east", age] for age in range(3)] == [200.0, 200.0, 110.0]


def test_a_cohort_changes_as_the_one_before_it_did():
    panel = register(TWO_YEARS)
    ahead = told(panel, cohort_change(panel, [12], COHORTS))
    assert [ahead["east", age] for age in range(3)] == pytest.approx([200.0, 200 * 1.1, 110 * 0.8])
    assert ahead["city", 1] == pytest.approx(400.0)


def test_differences_are_added():
    panel = register(TWO_YEARS)
    ahead = told(panel, cohort_change(panel, [12], MethodOptions(parent="city", variant="difference")))
    assert [ahead["east", age] for age in range(3)] == pytest.approx([200.0, 200 + 10, 110 - 10])


@pytest.mark.parametrize(("variant", "wanted"), [("ratio", 200 * (110 + 100) / 200), ("difference", 200 + 10 / 2)])
def test_an_areas_change_is_shrunk_towards_the_parents(variant, wanted):
    """A hundred pseudo-persons, of whom as many stay as in the city (all), weigh as much as the hundred of the area."""
    panel = register(TWO_YEARS)
    options = MethodOptions(parent="city", variant=variant, pseudo_persons=100)
    assert told(panel, cohort_change(panel, [12], options))["east", 1] == pytest.approx(wanted)


def test_all_known_years_count():
    years = {**TWO_YEARS, "2022-03": city(east=[0.0, 100.0, 99.0], west=[0.0, 0.0, 0.0])}
    panel = register(years)
    # Of age 0 before, 100 and 200; of age 1 after, 110 and 100: nobody of age 0 is left, so age 1 is empty.
    ahead = told(panel, cohort_change(panel, [12], COHORTS))
    assert ahead["east", 1] == 0.0
    assert ahead["east", 2] == pytest.approx(100 * (40 + 99) / (50 + 110))


def test_neighbouring_ages_share_one_change():
    panel = register(TWO_YEARS)
    ahead = told(panel, cohort_change(panel, [12], MethodOptions(parent="city", smoothing=1)))
    assert ahead["east", 1] == pytest.approx(200 * (110 + 40) / (100 + 50))


def test_the_open_ended_age_takes_in_itself_and_the_age_below():
    panel = register(TWO_YEARS)
    ahead = told(panel, cohort_change(panel, [12], MethodOptions(parent="city", top_age=2)))
    assert ahead["east", 2] == pytest.approx((110 + 40) * 40 / (50 + 10))


def test_areas_are_scaled_to_the_parent():
    panel = register({**TWO_YEARS, "2022-03": city(east=[9.0, 400.0, 5.0], west=[9.0, 100.0, 5.0])})
    free = told(panel, cohort_change(panel, [12], COHORTS))
    ahead = told(panel, cohort_change(panel, [12], MethodOptions(parent="city", controlled=True)))
    assert free["east", 2] + free["west", 2] != pytest.approx(free["city", 2])
    assert ahead["east", 2] + ahead["west", 2] == pytest.approx(ahead["city", 2]) == pytest.approx(free["city", 2])
    assert ahead["east", 2] / ahead["west", 2] == pytest.approx(free["east", 2] / free["west", 2])


@pytest.mark.parametrize("hidden", [("2021-03", 0), ("2020-03", 0)], ids=["at the origin", "in the change"])
@pytest.mark.parametrize("options", [COHORTS, MethodOptions(parent="city", pseudo_persons=500, controlled=True)])
def test_a_hidden_figure_is_not_imputed(hidden, options):
    month, age = hidden
    years = {name: {area: list(ages) for area, ages in areas.items()} for name, areas in TWO_YEARS.items()}
    years[month]["east"][age] = None
    panel = register(years)
    ahead = told(panel, cohort_change(panel, [12], options))
    assert np.isnan(ahead["east", 1])
    assert not np.isnan(ahead["city", 1]) and not np.isnan(ahead["west", 1])
    row = rows_ahead(cohort_change, panel, [12], options).filter(area="east", age=1)
    assert row["forecast"].is_null().all()


def test_a_hidden_age_stays_hidden_as_it_grows_older():
    years = {name: {area: list(ages) for area, ages in areas.items()} for name, areas in TWO_YEARS.items()}
    years["2021-03"]["east"][0] = None
    panel = register(years)
    assert np.isnan(told(panel, cohort_change(panel, [24], COHORTS))["east", 2])


@pytest.mark.parametrize("horizon", [0, 6, 13])
def test_cohorts_grow_older_by_whole_years_only(horizon):
    with pytest.raises(ConfigurationError, match=r"forecast\.horizon"):
        cohort_change(register(TWO_YEARS), [horizon], COHORTS)


@pytest.mark.parametrize("options", [MethodOptions(parent="nowhere"), MethodOptions(parent="city", age="year")])
def test_a_series_that_is_not_one_of_cohorts_is_refused(options):
    with pytest.raises(ConfigurationError, match=r"forecast\.ages"):
        same_cohort(register(TWO_YEARS), [12], options)


def test_a_cell_that_stands_there_twice_is_refused():
    rows = pl.DataFrame({"month": ["2020-01"] * 2, "area": ["a"] * 2, "value": [1, 2]})
    with pytest.raises(ConfigurationError, match=r"forecast\.twice"):
        Panel.of(rows)


def test_a_method_that_there_is_not_names_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean cohort_change"):
        method_named("cohort_chnage")


def noisy() -> Panel:
    """Five years of two areas with a season and a little disorder that is the same each time."""
    months = months_between("2018-01", "2022-12")
    value = lambda area, at: 500 * area + 40 * (at % 12) + (at * 7919 % 31) + at  # noqa: E731
    return Panel.of(
        pl.DataFrame(
            [
                {"month": month, "area": str(area), "value": float(value(area, at))}
                for at, month in enumerate(months)
                for area in (1, 2)
            ]
        )
    )


@pytest.mark.parametrize(
    "name", ["last_value", "drift", "seasonal_naive", "seasonal_index", "ets", "gradient_boosting"]
)
def test_the_same_rows_give_the_same_bytes_in_any_order(name):
    panel = noisy()
    rows = pl.DataFrame(
        [
            {"area": area, "month": month, "value": value}
            for month, cells in zip(panel.months, panel.values, strict=True)
            for (area,), value in zip(panel.keys.iter_rows(), cells, strict=True)
        ]
    )
    once, again = (
        METHODS[name](Panel.of(series), [12], MethodOptions())
        for series in (rows, rows.sample(fraction=1, shuffle=True, seed=3))
    )
    assert np.isfinite(once).all()
    assert once.tobytes() == again.tobytes()


@pytest.mark.parametrize("name", ["ets", "gradient_boosting"])
def test_a_fitted_model_learns_the_season(name):
    panel = noisy()
    came = panel.over(["2022-03", "2022-06"])
    ahead = METHODS[name](panel.until("2021-12"), [3, 6], MethodOptions())
    assert np.abs(ahead - came).mean() < np.abs(panel.at("2021-12") - came).mean() / 4


@pytest.mark.parametrize("name", ["ets", "gradient_boosting"])
def test_a_fitted_model_leaves_a_gap_where_the_origin_is_hidden(name):
    panel = noisy()
    panel.values[-12:, 0] = np.nan
    ahead = METHODS[name](panel, [1], MethodOptions())
    assert np.isnan(ahead[0, 0]) and np.isfinite(ahead[0, 1])


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "statsmodels.tsa.exponential_smoothing.ets", None)
    with pytest.raises(ConfigurationError, match="Install the extra `ets`"):
        METHODS["ets"](noisy(), [1], MethodOptions())


def test_the_best_is_the_least_wrong_of_each_horizon_and_knows_no_later_figure():
    months = months_between("2020-01", "2021-12")
    # Up and down by turns: the last value is right two months ahead and wrong one month ahead.
    panel = monthly([100.0 + 10 * (at % 2) for at in range(24)], last="2021-12")
    names = ("last_value", "seasonal_index")
    chosen = Best(names, months[12:20])
    ahead = chosen(panel, [1, 2], MethodOptions(years=1))
    assert ahead[0] == seasonal_index(panel, [1], MethodOptions(years=1))[0]
    assert ahead[1] == last_value(panel, [2], MethodOptions())[0]
    assert chosen.winners(panel, [1, 2], MethodOptions(years=1)) == ["seasonal_index", "last_value"]
    tried = past_forecasts(chosen, panel, [1, 2], MethodOptions(years=1), months[12:20])
    plain = past_forecasts(last_value, panel, [1, 2], MethodOptions(years=1), months[12:20])
    assert (
        tried.filter(origin=months[12])["forecast"].to_list() == plain.filter(origin=months[12])["forecast"].to_list()
    )
    assert tried.filter(horizon=2)["forecast"].to_list() == plain.filter(horizon=2)["forecast"].to_list()
    # At the first origin nothing came yet.
    assert chosen(panel.until(months[12]), [1], MethodOptions(years=1)) == last_value(
        panel.until(months[12]), [1], MethodOptions()
    )


def test_what_the_best_cannot_forecast_is_forecast_by_the_first_that_can():
    rows = [(month, area, 100.0 + 10 * (at % 12)) for at, month in enumerate(months_between("2020-01", "2022-12"))
            for area in ("east", "west")]  # fmt: skip
    rows = pl.DataFrame(rows, schema=["month", "area", "value"], orient="row")
    rows = rows.with_columns(value=pl.when((pl.col("month") != "2022-01") | (pl.col("area") == "east")).then("value"))
    panel = Panel.of(rows)
    months = panel.months
    ahead = Best(("last_value", "seasonal_naive"), months[20:])(panel, [1], MethodOptions())[0]
    assert dict(zip(panel.keys["area"], ahead, strict=True)) == {"east": 100.0, "west": 210.0}


def test_boosting_learns_the_change_of_one_year_and_goes_on_with_it():
    """Each cohort grows by a tenth a year in forty areas: after two years by 21 %."""
    areas = {f"area{number:02d}": 100.0 + number for number in range(40)}
    years = {
        f"{2015 + year}-03": city(**{name: [size, size * 1.1, size * 1.21] for name, size in areas.items()})
        for year in range(4)
    }
    panel = register(years)
    ahead = told(panel, METHODS["gradient_boosting"](panel, [24], MethodOptions(parent="city")))
    assert ahead["area07", 2] == pytest.approx(107 * 1.21, rel=0.01)


def test_boosting_puts_areas_together_that_change_alike_wherever_they_stand_in_the_alphabet():
    """By turns, areas grow by a tenth a year and shrink by a tenth."""
    factors = {f"area{number:02d}": 1.1 if number % 2 else 0.9 for number in range(40)}
    years = {
        f"{2015 + year}-03": city(**{name: [1000.0, 1000 * by, 1000 * by**2] for name, by in factors.items()})
        for year in range(12)
    }
    panel = register(years)
    ahead = told(panel, METHODS["gradient_boosting"](panel, [12], MethodOptions(parent="city")))
    assert {name: ahead[name, 1] for name in factors} == pytest.approx(
        {name: 1000 * by for name, by in factors.items()}, rel=0.005
    )


def test_boosting_of_ages_gives_the_same_bytes_in_any_order_and_leaves_a_hidden_cohort_out():
    panel = register({f"{2015 + year}-03": city(east=[100.0 + year, 110, 120], west=[90, 80, 70]) for year in range(9)})
    panel.values[-1, 0] = np.nan
    rows = pl.DataFrame(
        [
            {**dict(zip(panel.keys.columns, keys, strict=True)), "month": month, "value": value}
            for month, cells in zip(panel.months, panel.values, strict=True)
            for keys, value in zip(panel.keys.iter_rows(), cells, strict=True)
        ]
    ).with_columns(pl.col("value").fill_nan(None))
    once, again = (
        METHODS["gradient_boosting"](Panel.of(series), [12, 24], MethodOptions(parent="city"))
        for series in (rows, rows.sample(fraction=1, shuffle=True, seed=3))
    )
    assert once.tobytes() == again.tobytes()
    ahead = told(panel, once[:1])
    hidden = panel.keys.row(0, named=True)
    assert {place for place, value in ahead.items() if np.isnan(value)} == {
        (hidden["area"], hidden["age"]),
        (hidden["area"], hidden["age"] + 1),
    }
