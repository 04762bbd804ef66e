"""School districts are forecast one by one, without totals; what opens, changes its borders or is hidden is not."""

import polars as pl
import pytest

from kobe_platform.forecasts.definition import Forecast
from kobe_platform.forecasts.scoreboard import month_scores
from kobe_platform.forecasts.tables import scoreboard
from kobe_platform.forecasts.vintages import incoherent, vintage
from tests.forecast_city import DISTRICTS, children_of, months_until

ORIGIN, TARGETS = "2025-03", ("2026-03", "2027-03", "2028-03")
HIDDEN, SOUND = DISTRICTS["28101"], DISTRICTS["28102"]


def forecasts(rows: pl.DataFrame) -> dict[tuple[str, str], int | None]:
    own = rows.filter(pl.col("figure") == "forecast")
    return {(area, target): value for area, target, value in own.select("area", "target", "value").iter_rows()}


def with_break(table, area: str, month: str):
    told = {**table.forecast.model_dump(), "breaks": [{"month": month, "because": "border", "areas": [area]}]}
    return table.model_copy(update={"forecast": Forecast.model_validate(told)})


@pytest.fixture(scope="module")
def years() -> dict[str, pl.DataFrame]:
    return {month: children_of(month) for month in months_until(ORIGIN, 54)}


@pytest.fixture(scope="module")
def table(tables):
    return tables["school_entry_district"]


@pytest.fixture(scope="module")
def entry(table, years) -> pl.DataFrame:
    return vintage(table, years, ORIGIN, {}).rows


def test_each_district_has_its_own_figures_and_nothing_sums_them(entry, table):
    assert forecasts(entry).keys() == {(area, target) for area in DISTRICTS.values() for target in TARGETS}
    at_root = entry.filter(pl.col("area") == "28100")
    assert set(at_root["figure"]) == {"shown"}, "the city's own row says what the back-test found, and no figure"
    assert incoherent(table, entry) == (0, 0)


def test_a_district_is_forecast_near_what_came(entry):
    came = dict(children_of("2026-03").filter(pl.col("age") == "6").select("area", "value").iter_rows())
    for (area, target), value in forecasts(entry).items():
        if target == "2026-03":
            assert value == pytest.approx(came[area], rel=0.03), area


def test_a_district_that_hides_its_children_of_six_is_not_forecast_and_the_others_are(table, years, entry):
    hidden = {**years, ORIGIN: children_of(ORIGIN, {(HIDDEN, "6"), (HIDDEN, "5")})}
    rows = vintage(table, hidden, ORIGIN, {}).rows
    own = rows.filter(pl.col("area") == HIDDEN)
    assert set(own["status"]) == {"suppressed"} and own["value"].drop_nulls().is_empty()
    assert forecasts(rows)[SOUND, "2026-03"] is not None


def test_a_district_that_has_just_opened_is_not_forecast_and_one_that_closed_is_gone(table, years, entry):
    opened = {
        month: rows.filter(pl.col("area") != (HIDDEN if month < ORIGIN else SOUND)) for month, rows in years.items()
    }
    found = forecasts(vintage(table, opened, ORIGIN, {}).rows)
    assert {area for area, _ in found} == {*DISTRICTS.values()} - {HIDDEN, SOUND}


def test_figures_of_other_borders_are_neither_learned_from_nor_scored(table, years, entry):
    grown = {
        month: rows.with_columns(
            value=pl.when((pl.col("area") == HIDDEN) & (month < "2023-09"))
            .then(pl.col("value") // 2)
            .otherwise(pl.col("value"))
        )
        for month, rows in years.items()
    }
    told = with_break(table, HIDDEN, "2023-09")
    wrong, right = (forecasts(vintage(one, grown, ORIGIN, {}).rows)[HIDDEN, "2026-03"] for one in (table, told))
    sound = forecasts(entry)[HIDDEN, "2026-03"]
    assert right == pytest.approx(sound, rel=0.02) and wrong > 1.02 * sound

    for one, cells in ((table, 9.0), (with_break(table, HIDDEN, "2025-09"), 8.0)):
        scored = month_scores(
            scoreboard({one.name: one}), "2026-03", {(one.name, 12): entry}, {one.name: children_of("2026-03")}
        )
        held = scored.filter((pl.col("size") == "total") & (pl.col("score") == "cells"))
        assert held["value"].to_list() == [cells]
