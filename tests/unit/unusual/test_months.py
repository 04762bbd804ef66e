"""What stands out is listed with its usual range, what does not is not, and nothing is said of what is hidden."""

import numpy as np
import polars as pl
import pytest

from kobe_platform.unusual.judging import LEAST, MOST_LINES
from kobe_platform.unusual.months import contradictions, month_of
from kobe_platform.unusual.tables import ACTUAL, AREA, FIGURE, SERIES
from tests.forecast_city import WARDS, months_until
from tests.unit.unusual.conftest import LAST, MOVES, course, moves

WARD = WARDS.leaves[4]


@pytest.fixture(scope="module")
def calm(usual) -> dict[str, pl.DataFrame]:
    """Six years and four months in which nothing happens."""
    return course(usual, 76)


def again(usual, calm, month: str = LAST, **told) -> pl.DataFrame:
    """A month over the same past, with other moves in."""
    published = {MOVES[0]: moves(month, **told), MOVES[1]: moves(month, MOVES[1])}
    return month_of(usual, month, published, {name: rows for name, rows in calm.items() if name < month})


def listed(rows: pl.DataFrame) -> list[tuple[str, str]]:
    found = rows.filter(pl.col(FIGURE) == "rank").sort("value")
    return list(zip(found[SERIES], found[AREA], strict=True))


def of(rows: pl.DataFrame, series: str, area: str) -> dict[str, int]:
    found = rows.filter((pl.col(SERIES) == series) & (pl.col(AREA) == area))
    return dict(zip(found[FIGURE], found["value"], strict=True))


def test_months_in_which_nothing_happens_have_hardly_a_line(calm):
    judged = sum(contradictions(rows)[0] for rows in calm.values())
    lines = sum(len(listed(rows)) for rows in calm.values())
    assert judged > 600 and lines / judged < 0.02


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_a_ward_out_of_the_ordinary_comes_first_with_its_range(usual, calm, factor):
    rows = again(usual, calm, shock={WARD: factor})
    assert listed(rows)[0] == ("moves_in", WARD)
    told = of(rows, "moves_in", WARD)
    assert not told["lower"] <= told["actual"] <= told["upper"] and told["lower"] <= told["expected"] <= told["upper"]
    assert told["rank"] == 1 and ("moves_out", WARD) not in listed(rows)


def test_march_is_no_news(calm):
    """Moves of March are more than twice those of February, every year."""
    assert contradictions(calm["2025-03"])[0] > 0, "it is judged"
    assert not listed(calm["2025-03"])


def test_a_year_out_of_the_ordinary_leaves_no_echo_in_the_next(usual):
    past = course(usual, 60, "2024-12", shock={WARD: 2.0})
    for month in months_until(LAST, 12):
        past[month] = again(usual, past, month)
    assert ("moves_in", WARD) in listed(past["2024-12"]) and ("moves_in", WARD) not in listed(past[LAST])


def test_nothing_is_said_of_what_is_hidden(usual, calm):
    rows = again(usual, calm, shock={WARD: 3.0}, hidden=[(WARD,)])
    assert of(rows, "moves_in", WARD) == {} and of(rows, "moves_in", WARDS.root)


def test_small_figures_are_kept_and_not_judged(usual):
    past = course(usual, 48, level=2)
    rows = again(usual, past, "2026-01", level=2)
    small = rows.filter((pl.col(FIGURE) == ACTUAL) & (pl.col(SERIES) == "moves_in") & (pl.col("value") < LEAST))
    assert small.height and all(set(of(rows, "moves_in", area)) == {ACTUAL} for area in small[AREA])


def test_a_short_past_judges_nothing(usual):
    assert all(set(rows[FIGURE]) == {ACTUAL} for rows in course(usual, 30).values())


def test_what_comes_later_is_not_looked_at(usual, calm):
    later = {**calm, "2026-01": moves("2026-01").with_columns(pl.lit("moves_in").alias(SERIES))}
    published = {MOVES[0]: moves(LAST), MOVES[1]: moves(LAST, MOVES[1])}
    assert month_of(usual, LAST, published, later).equals(calm[LAST])


def test_the_same_rows_in_any_order_give_the_same_table(usual, calm):
    mixed = {name: rows.sample(fraction=1, shuffle=True, seed=3) for name, rows in calm.items() if name < LAST}
    published = {name: moves(LAST, name).sample(fraction=1, shuffle=True, seed=5) for name in reversed(MOVES)}
    assert month_of(usual, LAST, published, mixed).equals(calm[LAST])


def test_a_list_is_no_longer_than_it_may_be(usual, calm):
    rows = again(usual, calm, shock=dict.fromkeys(WARDS.leaves, 2.0))
    assert len(listed(rows)) <= MOST_LINES and contradictions(rows)[1] == 0
    assert len(listed(rows)) >= len(WARDS.leaves)


def test_the_check_finds_a_list_that_contradicts_its_ranges(usual, calm):
    rows = again(usual, calm, shock={WARD: 1.6})
    assert contradictions(rows)[1] == 0
    mine = (pl.col(SERIES) == "moves_in") & (pl.col(AREA) == WARD)
    wide = rows.with_columns(value=pl.when(mine & (pl.col(FIGURE) == "upper")).then(10**6).otherwise(pl.col("value")))
    skipped = rows.with_columns(value=pl.when(pl.col(FIGURE) == "rank").then(2).otherwise(pl.col("value")))
    assert contradictions(wide)[1] == 1 and contradictions(skipped)[1] == 1


def test_every_listed_figure_lies_outside_its_range_whatever_the_figures():
    from kobe_platform.unusual.judging import judge

    rng = np.random.default_rng(7)
    usual_ = rng.uniform(30, 400, 4000)
    spread, number = rng.uniform(0.01, 0.4, 4000), rng.integers(12, 60, 4000)
    figures = np.round(usual_ * np.exp(rng.normal(0, 0.6, 4000)))
    flow = rng.random(4000) < 0.7
    for start in range(0, 4000, 80):
        part = slice(start, start + 80)
        told = judge(figures[part], np.log(usual_[part]), spread[part], number[part], flow[part])
        outside = (figures[part] < told.lower) | (figures[part] > told.upper)
        assert all(outside[place] for place in told.listed)
        assert np.array_equal(outside, told.probability <= 0.10)
