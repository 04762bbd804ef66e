"""Births, deaths and moves forecast a small city whose answers are computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts.cohorts import cohort_change
from kobe_platform.forecasts.components import EVENTS, cohort_component
from kobe_platform.forecasts.methods import Best
from kobe_platform.forecasts.options import MethodOptions
from kobe_platform.forecasts.panel import Panel
from kobe_platform.vocabulary.months import months_between

OPTIONS = MethodOptions(parent="city")
AGES = range(61)
MONTHS = months_between("2020-12", "2022-12")
AREAS = ("east", "west", "city")


def residents() -> Panel:
    """A hundred of each age in east and in west, in every month."""
    rows = [(m, area, age, 200.0 if area == "city" else 100.0) for m in MONTHS for area in AREAS for age in AGES]
    return Panel.of(pl.DataFrame(rows, schema=["month", "area", "age", "value"], orient="row"))


def by_area(east: float | None, west: float, city: float | None = None, years=("2021", "2022")) -> Panel:
    """Events of areas without age."""
    told = {"east": east, "west": west, "city": city if city is not None else (east or 0) + west}
    rows = [(f"{year}-12", area, value) for year in years for area, value in told.items()]
    return Panel.of(pl.DataFrame(rows, schema=["month", "area", "value"], orient="row"))


def by_age(young: float | None, old: float | None, years=("2021", "2022")) -> Panel:
    """Deaths of the city below 50 and from 50."""
    rows = [(f"{year}-12", age, value) for year in years for age, value in ((0, young), (50, old))]
    return Panel.of(pl.DataFrame(rows, schema=["month", "age", "value"], orient="row"))


def by_both(**areas: tuple[float | None, float | None]) -> Panel:
    """Moves of areas below 50 and from 50; nobody in those that are not given, and the city is their sum."""
    told = {"east": (0.0, 0.0), "west": (0.0, 0.0), **areas}
    told["city"] = tuple(sum(pair[band] or 0.0 for pair in told.values()) for band in (0, 1))
    rows = [(f"{y}-12", area, age, pair[band]) for y in ("2021", "2022") for area, pair in told.items()
            for band, age in enumerate((0, 50))]  # fmt: skip
    return Panel.of(pl.DataFrame(rows, schema=["month", "area", "age", "value"], orient="row"))


def nothing_but_births(**changed: Panel) -> Panel:
    flows = {"births": by_area(100, 100), "deaths": by_area(0, 0), "deaths_by_age": by_age(0, 0),
             "entering": by_both(), "leaving": by_both()}  # fmt: skip
    return replace(residents(), flows={**flows, **changed})


def ahead(panel: Panel, horizon: int = 12, options: MethodOptions = OPTIONS) -> dict[tuple[str, int], float]:
    return dict(zip(panel.keys.iter_rows(), cohort_component(panel, [horizon], options)[0], strict=True))


def total(told: dict[tuple[str, int], float], area: str, ages: range) -> float:
    return sum(told[area, age] for age in ages)


def test_without_deaths_and_moves_it_is_the_change_of_cohorts_and_births_replace_the_youngest():
    panel = nothing_but_births()
    assert cohort_component(panel, [12, 24], OPTIONS) == pytest.approx(cohort_change(panel, [12, 24], OPTIONS))


def test_twice_as_many_births_stay_twice_as_many_only_as_far_as_newborns_stayed():
    """Births count as far as persons of age 0 stood at the year's end: of 200 births, as of 100, a hundred stayed."""
    left = by_both(east=(100.0, 0.0))
    assert ahead(nothing_but_births(births=by_area(200, 100), leaving=left))["east", 0] == pytest.approx(100)
    grown = replace(nothing_but_births(), flows={**nothing_but_births().flows})
    values = grown.values.copy()
    last = [row for row, month in enumerate(grown.months) if month == "2022-12"]
    parents = grown.keys.select((pl.col("area") == "east") & pl.col("age").is_between(20, 39)).to_series().to_numpy()
    values[np.ix_(last, parents)] *= 1.5
    more = ahead(replace(grown, values=values))
    assert more["east", 0] > 120 and more["west", 0] == pytest.approx(100), "half as many parents again"


def test_births_of_the_last_years_count_and_who_stays_is_of_all_years():
    """200 and then 100 births, of which a hundred stood at each year's end: 200 of 300 stayed, 100 are born again."""
    births = by_area(100, 100)
    values = births.values.copy()
    values[0, 1] = 200.0  # east, 2021
    told = ahead(nothing_but_births(births=replace(births, values=values)), options=replace(OPTIONS, years=1))
    assert told["east", 0] == pytest.approx(100 * 200 / 300) and told["west", 0] == pytest.approx(100)


@pytest.mark.parametrize("years", [2, 3])
def test_births_cancel_until_more_years_of_them_are_known_than_are_looked_at(years):
    """Of the two known years, both count as births and as newborns per birth: what is left are newborns per parent."""
    births = by_area(100, 100)
    values = births.values.copy()
    values[1, 1] = 50.0  # east, 2022
    told = ahead(nothing_but_births(births=replace(births, values=values)), options=replace(OPTIONS, years=years))
    assert told["east", 0] == pytest.approx(100, rel=0.005), (
        "but for what those born in the year leave to their parents' ages"
    )


def test_deaths_count_by_the_mean_of_a_band_of_moves_and_not_by_single_age():
    """What the stock changed by tells single ages apart: the oldest of a band lose as the youngest of it do."""
    told = ahead(nothing_but_births(deaths=by_area(60, 60), deaths_by_age=by_age(10, 110)))
    assert told["east", 51] < 97
    assert [told["east", age] for age in range(51, 61)] == pytest.approx([told["east", 51]] * 10)


def test_published_net_moves_shift_everybody_of_their_age_and_nobody_else():
    """East gains 60 below 50: of 4,900 who grow to ages 1 to 49, that is 60 ÷ 4,900 each."""
    told = ahead(nothing_but_births(entering=by_both(east=(100.0, 0.0)), leaving=by_both(east=(40.0, 0.0))))
    assert told["east", 30] == pytest.approx(100 * (1 + 60 / 4900))
    assert told["east", 55] == pytest.approx(100) and told["west", 30] == pytest.approx(100)


def test_infants_who_move_in_the_year_of_their_birth_are_newborns_and_nobody_else():
    """Of 70 births in east a hundred stood at the year's end: the 30 who came below 50 are the infants."""
    infants = {"births": by_area(70, 100), "entering": by_both(east=(30.0, 0.0))}
    told = ahead(nothing_but_births(**infants))
    assert [told["east", age] for age in (0, 1, 30, 55)] == pytest.approx([100] * 4)
    unknown = ahead(nothing_but_births(**{**infants, "births": by_area(None, 100, 170)}))
    assert np.isnan(unknown["east", 0]), "hidden births leave the newborns without a forecast"
    assert unknown["east", 30] == pytest.approx(100 * (1 + 30 / 4900)), "and the infants among the movers"


def test_deaths_that_no_moves_make_up_for_are_missing_from_their_ages():
    """Cohorts stayed as many although people died: others came. Without moves, those who die are missing."""
    panel = nothing_but_births(deaths=by_area(55, 55), deaths_by_age=by_age(0, 110))
    told = ahead(panel)
    assert total(told, "east", range(50, 61)) == pytest.approx(1100 - 55, abs=5)  # who reaches 50 is half at risk
    assert total(told, "east", range(1, 50)) == pytest.approx(4900)
    came = nothing_but_births(
        deaths=by_area(55, 55), deaths_by_age=by_age(0, 110), entering=by_both(east=(0.0, 55.0), west=(0.0, 55.0))
    )
    assert total(ahead(came), "east", range(50, 61)) == pytest.approx(1100, abs=5)


def test_an_area_of_more_deaths_loses_more():
    panel = nothing_but_births(deaths=by_area(90, 20), deaths_by_age=by_age(0, 110))
    lost = [1100 - total(ahead(panel), area, range(50, 61)) for area in ("east", "west")]
    assert lost == pytest.approx([90, 20], rel=0.1)


@pytest.mark.parametrize(
    ("event", "flow", "lacking"),
    [
        ("births", by_area(None, 40, 80), {("east", 0)}),
        ("entering", by_both(east=(None, 0.0)), {("east", age) for age in range(50)}),
        ("deaths", by_area(None, 0, 0), {("east", age) for age in AGES}),
    ],
    ids=["births", "moves", "deaths"],
)
def test_what_a_hidden_figure_would_be_needed_for_has_no_forecast(event, flow, lacking):
    """Births of the coming year need their parents, who move."""
    told = ahead(nothing_but_births(**{event: flow}))
    assert {cell for cell, value in told.items() if np.isnan(value)} == lacking


def test_a_hidden_age_of_deaths_leaves_its_ages_without_a_forecast_everywhere():
    told = ahead(nothing_but_births(deaths_by_age=by_age(0, None)))
    assert all(np.isnan(told[area, age]) for area in AREAS for age in range(51, 61))


@pytest.mark.parametrize("age", [30, 55])
def test_one_age_that_is_hidden_in_every_month_leaves_its_area_without_a_forecast_and_no_other(age):
    """Its deaths are compared with what all of its ages expect, and its band's moves with all ages of the band."""
    panel = nothing_but_births()
    values = panel.values.copy()
    values[:, [panel.keys.rows().index(("east", age))]] = np.nan
    told = ahead(replace(panel, values=values))
    assert all(np.isnan(told["east", one]) for one in AGES)
    assert all(told[area, one] == pytest.approx(size) for area, size in (("west", 100), ("city", 200)) for one in AGES)


def test_a_hidden_year_is_left_out_and_the_others_count():
    hidden = by_area(100, 100).values.copy()
    hidden[0, 1] = np.nan  # east, 2021
    births = replace(by_area(100, 100), values=hidden)
    assert births.keys["area"].to_list() == ["city", "east", "west"]
    last = replace(OPTIONS, years=1)
    assert ahead(nothing_but_births(births=births), options=last)["east", 0] == pytest.approx(100)


def test_only_years_that_were_over_at_the_origin_are_known():
    more = by_both(east=(980.0, 0.0))
    later = replace(more, months=("2023-12", "2024-12"))
    panel = nothing_but_births(entering=later)
    assert panel.until("2022-12").flows["entering"].months == ()
    assert np.isnan(ahead(panel.until("2022-12"))["east", 30]), "no known year of moves: no forecast"


def test_only_so_many_years_count():
    rising = by_both(east=(49.0, 0.0))
    values = rising.values.copy()
    values[0] = 0.0
    panel = nothing_but_births(entering=replace(rising, values=values))
    assert ahead(panel, options=replace(OPTIONS, years=1))["east", 30] == pytest.approx(101)
    assert ahead(panel)["east", 30] == pytest.approx(100.5)


def test_the_best_of_two_panels_that_differ_in_their_events_alone_reads_the_events_of_each():
    chosen = Best(["cohort_component", "cohort_change"], [])
    one, other = nothing_but_births(), nothing_but_births(entering=by_both(east=(490.0, 0.0)))
    assert chosen(one, [12], OPTIONS) == pytest.approx(cohort_component(one, [12], OPTIONS))
    assert chosen(other, [12], OPTIONS) == pytest.approx(cohort_component(other, [12], OPTIONS))


@pytest.mark.parametrize("event", EVENTS)
def test_without_one_of_its_events_the_method_is_refused(event):
    flows = nothing_but_births().flows
    with pytest.raises(ConfigurationError) as refused:
        ahead(replace(residents(), flows={name: flow for name, flow in flows.items() if name != event}))
    assert refused.value.code == "forecast.flows" and refused.value.at == {"event": event}
