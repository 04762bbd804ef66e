"""Figures are put into their places as numbers; they read as if each had been written by itself."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobe_platform.lounge import cells
from kobe_platform.lounge.cells import Comparison
from kobe_platform.lounge.slices import SeveralRows, matrices

WHOLE = st.none() | st.integers(-(10**12), 10**12) | st.sampled_from([0, 1, -1, 2**62 - 1, 2**62, 2**63 - 1, -(2**63)])
BROKEN = st.none() | st.floats() | st.sampled_from([0.0, -0.0, 1e16, 1e-7, 0.1 + 0.2, 1e307, -1.5e308, math.inf])
COMPARED = [Comparison("前月比", lag=1), Comparison("三つ前との差", lag=3), Comparison("目標との差", column="goal")]


@st.composite
def rows(draw, figures):
    """Some of the cells of four slices, each once, with figures that may be hidden, and others beside them."""
    every = [(a, k, s, x) for a in "甲乙丙丁" for k in ("2025-07", "総\"数'") for s in "男女" for x in "春夏秋冬"]
    held = draw(st.lists(st.sampled_from(every), unique=True, min_size=1) | st.permutations(every))
    names = ("area", "key", "series", "x")
    frame = pl.DataFrame(held, schema=dict.fromkeys(names, pl.String), orient="row")
    kind = pl.Int64 if figures is WHOLE else pl.Float64
    told = {name: draw(st.lists(figures, min_size=len(held), max_size=len(held))) for name in ("value", "goal")}
    status = draw(st.lists(st.sampled_from(["published", "suppressed", None]), min_size=len(held), max_size=len(held)))
    return frame.with_columns(
        *(pl.Series(name, values, kind) for name, values in told.items()), pl.Series("value_status", status, pl.String)
    )


@pytest.mark.parametrize("most", [0, 10_000], ids=["by Polars", "by Python"])
@pytest.mark.parametrize("figures", [WHOLE, BROKEN], ids=["whole", "broken"])
@given(data=st.data())
def test_figures_read_the_same_as_one_by_one(figures, most, data):
    frame = data.draw(rows(figures))
    compared = data.draw(st.lists(st.sampled_from(COMPARED), unique=True))

    def told() -> dict[str, str]:
        cut = matrices(frame, x="x", y="value", series="series", sliced_by="area", keys=["key"], compared=compared)
        return {part: matrix.cells.text for part, matrix in cut.items()}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cells, "_SMALL", most)
        mine = told()
        patched.setattr(cells, "_numbers", lambda frame, column, *, whole: None)
        assert mine == told()


@pytest.mark.parametrize("kind", [pl.Int16, pl.Int32, pl.UInt32, pl.Int64, pl.UInt64, pl.Int8, pl.Float32])
def test_numbers_of_every_kind_are_written(kind):
    frame = pl.DataFrame({"x": ["a", "b"], "value": [1, None]}).cast({"value": kind})
    assert matrices(frame, x="x", y="value")[""].cells[""] == [[1, None]]


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt8, pl.Int16, pl.UInt16, pl.Int32, pl.UInt32, pl.Int64, pl.UInt64])
@pytest.mark.parametrize("other", [pl.UInt32, pl.Float64])
def test_figures_that_fall_fall_by_what_they_do(kind, other):
    """Neither an unsigned number nor a small one goes round at its end."""
    frame = pl.DataFrame({"x": ["a", "b"], "value": [100, 99], "other": [1, 2]}, schema_overrides={"value": kind})
    frame = frame.cast({"other": other})
    compared = [Comparison("前月比", lag=1), Comparison("他との差", column="other")]
    cut = matrices(frame, x="x", y="value", compared=compared)[""]
    assert [list(line) for line in cut.cells[""]] == [[100, 99], [None, -1], [99, 97]]


def test_most_figures_are_put_into_their_places_as_numbers():
    frame = pl.DataFrame({"n": [1, None], "share": [0.5, None], "word": ["多い", None], "huge": [2**62, 0]})
    kinds = {name: type(cells.figures_of(frame, name, [])).__name__ for name in frame.columns}
    assert kinds == {"n": "_Numbers", "share": "_Numbers", "word": "_OneByOne", "huge": "_OneByOne"}


@pytest.mark.parametrize("copies", [1, 7000], ids=["few rows", "rows in runs"])
def test_a_cell_with_two_rows_is_found_even_where_there_are_as_many_rows_as_cells(copies):
    x = [str(n // 2 * 2) for n in range(2 * copies)]  # each even number twice, as if the odd ones were there
    frame = pl.DataFrame({"x": x * 2, "area": ["甲"] * len(x) + ["乙"] * len(x), "value": 1})
    with pytest.raises(SeveralRows):
        matrices(frame, x="x", y="value", sliced_by="area")


def test_rows_in_runs_are_cut_as_rows_in_any_order():
    places = [str(n) for n in range(6000)]
    frame = pl.DataFrame({"x": [x for x in places for _ in range(8)], "series": list("甲乙丙丁戊己庚辛") * 6000})
    frame = frame.with_columns(value=pl.int_range(pl.len()))
    cut = matrices(frame, x="x", y="value", series="series")[""]
    shuffled = matrices(frame.sample(fraction=1, shuffle=True, seed=1), x="x", y="value", series="series")[""]
    assert (cut.x, cut.series) == (tuple(places), tuple("甲乙丙丁戊己庚辛"))
    told = {
        (s, x): v for s, line in zip(cut.series, cut.cells[""], strict=True) for x, v in zip(cut.x, line, strict=True)
    }
    assert told == {
        (s, x): v
        for s, line in zip(shuffled.series, shuffled.cells[""], strict=True)
        for x, v in zip(shuffled.x, line, strict=True)
    }
