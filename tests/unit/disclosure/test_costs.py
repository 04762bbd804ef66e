"""What a pattern costs: totals by the levels below them, and last month's pattern as the place to begin."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from kobe_platform.disclosure import Costs, Dimension, Rule, Spec, Table, audit, protect, protection
from kobe_platform.disclosure.model import build_model
from kobe_platform.disclosure.suppression import search

AREAS = {"T": None, "w0": "T", "w1": "T", "d0": "w0", "d1": "w0", "d2": "w1", "d3": "w1"}


def test_a_city_total_counts_one_level_more_than_a_wards():
    dimensions = {"area": Dimension(hierarchy=AREAS), "sex": Dimension(total="T")}
    spec = Spec(rule=Rule(), dimensions=dimensions, tables=(Table(name="t", dimensions=["area", "sex"]),))
    rows = list(itertools.product(["d0", "d1", "d2", "d3"], ["m", "f"]))
    cells = pl.DataFrame(rows, schema=["area", "sex"], orient="row").with_columns(persons=pl.lit(20))
    model = build_model(spec, {"t": cells})
    layout = model.layouts["t"]
    frame = layout.frame(layout.shown())
    levels = model.height[layout.variables.ravel()[layout.shown()]]
    heights = dict(zip(frame.select("area", "sex").rows(), levels, strict=True))
    expected = {"T": 2, "w0": 1, "w1": 1, "d0": 0, "d3": 0}
    assert all(heights[area, "m"] == height for area, height in expected.items())
    assert all(heights[area, "T"] == height + 1 for area, height in expected.items())


def test_last_months_pattern_saves_programs_and_stays_as_it_is():
    dimensions = {"area": Dimension(hierarchy=AREAS), "age": Dimension(total="T"), "sex": Dimension(total="T")}
    table = Table(name="t", dimensions=["area", "age", "sex"])
    spec = Spec(rule=Rule(minimum_frequency=10), dimensions=dimensions, tables=(table,))
    rows = list(itertools.product(["d0", "d1", "d2", "d3"], ["a", "b", "c", "d"], ["m", "f"]))
    counts = [3 if i % 11 == 0 else 20 + i for i in range(len(rows))]
    cells = pl.DataFrame(rows, schema=["area", "age", "sex"], orient="row").with_columns(persons=pl.Series(counts))
    first = protect(spec, {"t": cells})
    later = {"t": cells.with_columns(pl.col("persons") + (pl.col("persons") > 20).cast(pl.Int64))}
    again = protect(spec, later, start=first.tables)
    assert again.report.programs < protect(spec, later).report.programs
    assert audit(spec, again.tables).publishable
    assert again.tables["t"]["status"].to_list() == first.tables["t"]["status"].to_list()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_further_rounds_hide_less_and_what_they_hide_is_safe(seed):
    areas = {"T": None, **{f"d{i}": "T" for i in range(8)}}
    dimensions = {"area": Dimension(hierarchy=areas), "age": Dimension(total="T"), "sex": Dimension(total="T")}
    table = Table(name="t", dimensions=["area", "age", "sex"])
    rows = list(itertools.product([f"d{i}" for i in range(8)], "abcde", "mf"))
    counts = np.random.default_rng(seed).lognormal(3, 0.8, len(rows)).astype(int)
    cells = {"t": pl.DataFrame(rows, schema=["area", "age", "sex"], orient="row").with_columns(persons=counts)}

    def hidden(rounds):
        costs = Costs(totals=1, rounds=rounds)
        spec = Spec(rule=Rule(minimum_frequency=10), costs=costs, dimensions=dimensions, tables=(table,))
        tables = protect(spec, cells).tables
        assert audit(spec, tables).publishable and protect(spec, cells).tables["t"].equals(tables["t"])
        return tables["t"].filter(pl.col("status") == "suppressed").height

    assert hidden(60) < hidden(0)


SQUARES = {"T": None, **{f"d{i}": "T" for i in range(6)}}
SMALL = Spec(
    rule=Rule(minimum_frequency=10),
    dimensions={"area": Dimension(hierarchy=SQUARES), "age": Dimension(total="T"), "sex": Dimension(total="T")},
    tables=(Table(name="t", dimensions=["area", "age", "sex"]),),
)


def small_city(seed=1):
    rows = list(itertools.product([f"d{i}" for i in range(6)], "abcd", "mf"))
    counts = np.random.default_rng(seed).lognormal(3, 0.8, len(rows)).astype(int)
    return {"t": pl.DataFrame(rows, schema=["area", "age", "sex"], orient="row").with_columns(persons=counts)}


def hidden_rows(tables):
    return tables["t"].filter(pl.col("status") == "suppressed").height


def test_a_small_table_is_searched_again_without_being_asked_and_a_large_one_is_not(monkeypatch):
    """What is large is said by the columns of all programs, which are the same on every machine."""
    first = SMALL.model_copy(update={"costs": Costs(rounds=0)})
    once = protect(first, small_city())
    assert hidden_rows(protect(SMALL, small_city()).tables) < hidden_rows(once.tables)
    monkeypatch.setattr(search, "MOST_COLUMNS", 0)
    large = protect(SMALL, small_city())
    assert large.tables["t"].equals(once.tables["t"]) and large.report.programs == once.report.programs


def test_a_round_that_would_take_the_proof_from_many_is_left_out(monkeypatch):
    once = protect(SMALL.model_copy(update={"costs": Costs(rounds=0)}), small_city())
    monkeypatch.setattr(search, "MANY_LACKING", 0)
    rounds = protect(SMALL, small_city())
    assert rounds.tables["t"].equals(once.tables["t"])


@pytest.mark.parametrize("compared", [True, False])
def test_a_pattern_that_has_piled_up_is_not_carried_on(compared, monkeypatch):
    """Begun with everything hidden, a search shows little again; the one that only prefers it hides a few."""
    monkeypatch.setattr(protection, "MANY_CARRIED", 5 if compared else 10**9)
    spec = SMALL.model_copy(update={"costs": Costs(rounds=0)})
    fresh = protect(spec, small_city()).tables
    everything = fresh["t"].filter(pl.col("value").is_null() | (pl.col("value") > 0))
    start = {"t": everything.with_columns(status=pl.lit("suppressed"))}
    carried = protect(spec, small_city(), start=start).tables
    assert (hidden_rows(carried) <= protection.PILED_UP * hidden_rows(fresh)) == compared
