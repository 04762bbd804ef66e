"""The made-up public series before the first delivery lead up to the city that is delivered."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from kobe_platform.contracts import load_contracts
from kobe_platform.intake.deliveries import find
from kobe_platform.intake.extracts.taking import take_in
from kobe_platform.settings import Settings
from kobe_platform.statistics import compute_public, load_statistics
from kobe_platform.synthesis.deliveries import CityPlan, synthesize
from kobe_platform.synthesis.history import history
from kobe_platform.synthesis.parameters import load

FLOWS = {"births": 1, "deaths": -1, "moves_in": 1, "moves_out": -1}
CITY = "28100"


@pytest.fixture(scope="module")
def inbox(tmp_path_factory):
    """A small city of one month with its history."""
    out = tmp_path_factory.mktemp("inbox")
    synthesize(CityPlan(out, 2_000, "2025-07", "2025-07", history=True))
    return out


@pytest.fixture(scope="module")
def rows(inbox) -> pl.DataFrame:
    """The history as intake reads it."""
    contracts = load_contracts(Settings().contracts)
    (delivery,) = (one for one in find(inbox, contracts, CITY) if one.source == "population_history")
    return take_in(delivery, contracts["population_history"]).frame


def test_one_delivery_brings_every_month_from_2010_to_the_one_before_the_first(rows):
    months = rows["as_of"].cast(pl.String).str.slice(0, 7).unique().sort()
    assert (months[0], months[-1], months.len()) == ("2010-10", "2025-06", 177)
    assert rows.height == 177 * 10


def test_the_citys_population_changes_by_its_flows_and_ends_where_the_estimates_begin(rows, inbox):
    city = rows.filter(pl.col("ward_code") == CITY).sort("as_of")
    folder = inbox / CITY / "estimated_population" / "2025-07"
    first = pl.read_csv(
        folder / json.loads((folder / "manifest.json").read_text())["files"][0]["name"], infer_schema=False
    )
    people = [*city["population"], int(first.filter(pl.col("ward_code") == CITY)["population"][0])]
    flows = sum(city[name].to_numpy().astype(int) * sign for name, sign in FLOWS.items())
    apart = np.diff(people) - flows
    months = city["as_of"].cast(pl.String).str.slice(0, 7).to_list()
    steps = {month for month, found in zip([*months[1:], "2025-07"], apart, strict=True) if found}
    assert steps <= set(load().history.censuses), "only a census finds what was not counted"


def test_the_table_has_each_figure_of_each_month_and_area(rows):
    statistic = load_statistics(Settings().statistics)["population_history"]
    table = compute_public(statistic, {"population_history": rows}, "2025-07")
    assert table.height == 177 * 10 * 8 and set(table["period"]) == {"2025-07"}
    asked = (pl.col("year") == "2015") & (pl.col("month") == "10") & (pl.col("area") == CITY)
    told = dict(table.filter(asked).select("series", "value").iter_rows())
    assert told["population"] == told["male"] + told["female"]


def test_a_city_that_begins_before_the_series_has_none():
    stock = np.ones((len(load().wards), 3))
    assert history(load(), np.datetime64("2010-10", "M"), stock, 0).is_empty()


def test_a_city_with_a_past_has_the_baby_booms_and_the_years_of_few_births():
    told = load().with_cohorts(2025)
    shares = np.mean([told.age_shares(ward, sex) for ward in told.wards for sex in ("male", "female")], axis=0)
    born = {2025 - age: share for age, share in enumerate(shares)}
    assert abs(shares.sum() - 1) < 1e-9
    assert min(born[1947], born[1948], born[1949]) > 1.3 * max(born[1945], born[1946])
    assert born[1966] < 0.8 * min(born[1965], born[1967])
    assert max(born, key=born.__getitem__) in range(1971, 1975), "the second baby boom is the largest cohort"
    plain = load().age_shares(load().wards[0], "male")
    assert np.allclose(plain[5:10], plain[5]), "a city without one is as it was"
