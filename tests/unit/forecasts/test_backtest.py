"""Back-tests look at nothing that came later, and their errors and intervals are those of the definitions."""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.forecasts.backtest import comparable, past_forecasts, scores
from kobe_platform.forecasts.intervals import FEWEST_ERRORS, with_intervals
from kobe_platform.forecasts.options import MethodOptions
from kobe_platform.forecasts.panel import Panel
from kobe_platform.forecasts.seasonal import last_value
from kobe_platform.vocabulary.months import months_between


def series(values: list[float | None], first: str = "2020-01") -> Panel:
    months = months_between(first, "2029-12")[: len(values)]
    return Panel.of(pl.DataFrame({"month": months, "area": "a", "value": values}))


def past(*rows: tuple[str, str, float | None, float | None]) -> pl.DataFrame:
    """Rows of origin, target, forecast, actual, one month ahead."""
    names = {"origin": pl.String, "target": pl.String, "forecast": pl.Float64, "actual": pl.Float64}
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(horizon=1)


def test_a_method_is_given_nothing_later_than_its_origin():
    seen = []

    def watching(known: Panel, horizons, options):
        seen.append(known.months)
        return last_value(known, horizons, options)

    past_forecasts(watching, series([1.0, 2.0, 3.0, 4.0]), [1, 2], MethodOptions(), ["2020-01", "2020-03", "2020-04"])
    assert seen == [("2020-01",), ("2020-01", "2020-02", "2020-03")]


def test_forecasts_stand_beside_what_came():
    rows = past_forecasts(last_value, series([1.0, 2.0, None, 4.0]), [1, 2], MethodOptions(), ["2020-01", "2020-02"])
    assert rows.select("origin", "target", "horizon", "forecast", "actual").rows() == [
        ("2020-01", "2020-02", 1, 1.0, 2.0),
        ("2020-01", "2020-03", 2, 1.0, None),
        ("2020-02", "2020-03", 1, 2.0, None),
        ("2020-02", "2020-04", 2, 2.0, 4.0),
    ]


def test_a_back_test_without_anything_that_came_has_no_rows():
    rows = past_forecasts(last_value, series([1.0, 2.0]), [1], MethodOptions(), ["2020-02"])
    assert rows.is_empty() and scores(rows).is_empty()


def test_errors_are_weighted_by_what_came():
    rows = past(
        ("2020-01", "2020-02", 110.0, 100.0), ("2020-01", "2020-02", 280.0, 300.0), ("2020-02", "2020-03", None, 5.0)
    )
    told = scores(rows).to_dicts()[0]
    assert told["wape"] == pytest.approx(100 * 30 / 400)
    assert told["bias"] == pytest.approx(100 * -10 / 400)
    assert (told["origins"], told["rows"], told["coverage"]) == (1, 2, None)


def test_figures_that_are_all_zero_have_no_relative_error():
    assert scores(past(("2020-01", "2020-02", 3.0, 0.0)))["wape"].to_list() == [None]


def test_methods_are_compared_over_the_rows_that_all_of_them_forecast():
    one = past(("2020-01", "2020-02", 1.0, 1.0), ("2020-02", "2020-03", None, 1.0))
    other = past(("2020-01", "2020-02", 5.0, 1.0), ("2020-02", "2020-03", 9.0, 1.0))
    kept = comparable({"one": one, "other": other})
    assert kept["one"]["origin"].to_list() == kept["other"]["origin"].to_list() == ["2020-01"]


def errors(number: int, target: str = "2020-02") -> pl.DataFrame:
    """So many past forecasts of 200, wrong by 1, 2, 3 … percent to alternate sides."""
    wrong = [200 * (1 + (-1) ** at * at / 100) for at in range(1, number + 1)]
    return past(*(("2020-01", target, 200.0, actual) for actual in wrong))


AHEAD = past(("2020-06", "2020-07", 300.0, None)).drop("actual")


def test_an_interval_is_the_conformal_quantile_of_past_relative_errors():
    """Of nineteen errors of 1 … 19 %, the ⌈0.8 × 20⌉ = 16th."""
    told = with_intervals(AHEAD, errors(19)).to_dicts()[0]
    assert (told["lower80"], told["upper80"]) == pytest.approx((300 * 0.84, 300 * 1.16))


@pytest.mark.parametrize(("number", "there"), [(FEWEST_ERRORS - 1, False), (FEWEST_ERRORS, True)])
def test_too_few_errors_give_no_interval(number, there):
    assert FEWEST_ERRORS == 18
    told = with_intervals(AHEAD, errors(number))
    assert told["lower80"].is_not_null().item() is there and told["upper80"].is_not_null().item() is there


def test_an_error_counts_from_the_month_in_which_its_figure_came():
    assert with_intervals(AHEAD, errors(30, target="2020-07"))["lower80"].is_null().all()
    assert with_intervals(AHEAD, errors(30, target="2020-06"))["lower80"].is_not_null().all()


@pytest.mark.parametrize("other", [{"horizon": 2}, {"forecast": 5000.0}], ids=["horizon", "size class"])
def test_errors_of_another_horizon_or_size_class_do_not_count(other):
    ahead = AHEAD.with_columns(**{name: pl.lit(value) for name, value in other.items()})
    assert with_intervals(ahead, errors(30))["lower80"].is_null().all()


def test_an_interval_does_not_reach_below_nothing():
    wide = past(*(("2020-01", "2020-02", 200.0, 900.0) for _ in range(20)))
    assert with_intervals(AHEAD, wide)["lower80"].to_list() == [0.0]


def test_coverage_is_of_intervals_that_their_own_past_gave():
    """Twenty figures are wrong by 10 % in the first month and one by 5 %, one by 50 % in the third."""
    before = past(*(("2020-01", "2020-02", 200.0, 220.0) for _ in range(20)))
    after = past(("2020-03", "2020-04", 200.0, 210.0), ("2020-03", "2020-04", 200.0, 300.0))
    assert scores(pl.concat([before, after]))["coverage"].to_list() == [50.0]
