"""A forecast is withheld when its back-test does not carry it: each rule on rows made to break it alone."""

from __future__ import annotations

import math

import polars as pl
import pytest

from kobe_platform.forecasts.judging import judged


def past(forecast, actual: float = 100.0, origins: int = 6, horizon: int = 1) -> pl.DataFrame:
    """The same forecast and figure from so many origins."""
    return pl.DataFrame(
        {
            "origin": [f"2020-{month:02d}" for month in range(1, origins + 1)],
            "target": [f"2020-{month + 1:02d}" for month in range(1, origins + 1)],
            "horizon": [horizon] * origins,
            "forecast": [forecast] * origins,
            "actual": [actual] * origins,
        },
        schema_overrides={"forecast": pl.Float64},
    )


def test_a_forecast_that_is_less_wrong_than_its_benchmark_is_shown():
    told = judged(past(95.0), past(90.0)).to_dicts()[0]
    assert (told["withheld"], told["ratio"]) == (None, pytest.approx(0.5))
    assert (told["wape"], told["bias"], told["origins"]) == (pytest.approx(5.0), pytest.approx(-5.0), 6)


def test_one_that_is_as_wrong_as_its_benchmark_is_shown():
    assert judged(past(90.0), past(110.0))["withheld"].to_list() == [None]


@pytest.mark.parametrize(
    ("forecast", "plain", "rule"),
    [
        (past(85.0), past(90.0), "worse"),
        (past(99.0), past(100.0), "worse"),
        (past(95.0, origins=5), past(90.0, origins=5), "origins"),
        (past(-1.0, actual=1.0), past(9.0, actual=1.0), "negative"),
        (past(math.inf), past(90.0), "not_finite"),
        (past(None), past(90.0), "origins"),
        (past(0.0, actual=0.0), past(0.0, actual=0.0), "worse"),
    ],
    ids=["worse", "worse than a perfect one", "five origins", "negative", "infinite", "no forecast", "no error known"],
)
def test_a_forecast_that_its_back_test_does_not_carry_is_withheld(forecast, plain, rule):
    assert judged(forecast, plain)["withheld"].to_list() == [rule]


def test_horizons_are_judged_apart():
    forecast = pl.concat([past(95.0), past(80.0, horizon=2)])
    benchmark = pl.concat([past(90.0), past(90.0, horizon=2)])
    assert judged(forecast, benchmark)["withheld"].to_list() == [None, "worse"]


def test_only_rows_that_both_forecast_are_compared():
    """The benchmark's own bad rows, which the forecast leaves out, do not make it look better."""
    forecast = pl.concat([past(85.0), past(None)])
    benchmark = pl.concat([past(90.0), past(10.0)])
    assert judged(forecast, benchmark)["withheld"].to_list() == ["worse"]


@pytest.mark.parametrize(("inside", "warned"), [(2, "coverage"), (14, None), (20, "coverage")])
def test_intervals_that_hold_far_less_or_more_than_they_promise_are_warned_of(inside, warned):
    """Twenty figures are wrong by 10 %; of the twenty that follow, some by 5 % and the others by 50 %."""
    before = past(100.0, actual=110.0, origins=1)
    near, far = (
        past(100.0, actual=actual, origins=1).with_columns(origin=pl.lit("2021-01"), target=pl.lit("2021-02"))
        for actual in (105.0, 150.0)
    )
    rows = pl.concat([before] * 20 + [near] * inside + [far] * (20 - inside))
    told = judged(rows, rows, fewest_origins=1).to_dicts()[0]
    assert told["coverage"] == pytest.approx(100 * inside / 20)
    assert told["warning"] == warned and told["withheld"] is None
