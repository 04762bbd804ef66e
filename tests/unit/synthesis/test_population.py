"""The synthetic city on its first day looks like a city: its wards, ages, families, districts and foreigners."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from kobe_platform.synthesis.city import CHILD, FEMALE, PARTNER, City
from kobe_platform.synthesis.geography import district_counts
from kobe_platform.synthesis.parameters import load
from kobe_platform.synthesis.population import found_city

RESIDENTS = 60_000


@pytest.fixture(scope="module")
def city() -> City:
    return found_city(RESIDENTS, np.datetime64("2025-06"), seed=3)


def test_it_has_exactly_the_residents_asked_for_with_the_wards_shares(city):
    ward = city.ward_of(city.residents.household)
    shares = np.bincount(ward, minlength=9) / len(ward)
    assert len(city.residents) == RESIDENTS
    assert np.abs(shares - [w.share for w in load().wards]).max() < 0.001


def test_every_household_has_one_head_who_is_grown_up(city):
    r = city.residents
    assert np.bincount(r.household[r.head], minlength=len(city.households)).tolist() == [1] * len(city.households)
    assert r.age_on(city.last_day)[r.head].min() >= 18


def test_school_districts_have_about_nine_thousand_residents_and_unequal_sizes():
    assert sum(district_counts(load(), 1_500_000)) == 165
    assert sum(district_counts(load(), 200_000)) == 22
    assert min(district_counts(load(), 1_000)) == 1
    city = found_city(200_000, np.datetime64("2025-06"), seed=1)
    district = city.geography.plot_district[city.households.plot[city.residents.household]]
    sizes = np.bincount(district[district >= 0])
    assert len(sizes) == 22
    assert sizes.max() > 1.5 * sizes.min()
    assert 0.001 < (district < 0).mean() < 0.004


def test_some_towns_are_divided_between_two_districts_by_lot():
    reference = found_city(120_000, np.datetime64("2025-06"), seed=1).geography.reference
    reference = reference.filter(pl.col("valid_to") == "")
    divided = reference.filter(pl.col("lot_from") != "")
    assert divided.height >= 4
    per_town = divided.group_by("town_code").agg(pl.col("district_code").n_unique())
    assert (per_town["district_code"] == 2).all()


def test_children_have_a_mother_of_fitting_age(city):
    r = city.residents
    age = r.age_on(city.last_day)
    mother = np.full(len(city.households), -1)
    wives = (r.role == PARTNER) & (r.sex == FEMALE)
    mother[r.household[wives]] = age[wives]
    child = (r.role == CHILD) & (mother[r.household] >= 0)
    gap = mother[r.household[child]] - age[child]
    assert np.quantile(gap, 0.02) >= 17
    assert 28 < np.median(gap) < 34


def test_foreigners_are_a_skewed_crowd_of_many_nationalities(city):
    r = city.residents
    counts = np.sort(np.bincount(r.nationality[r.foreign]))[::-1]
    assert 0.028 < r.foreign.mean() < 0.038
    assert counts[:3].sum() > counts.sum() / 2
    assert (counts > 0).sum() > 50
    assert (r.nationality[~r.foreign] < 0).all()
    assert (r.nationality[r.foreign] >= 0).all()
    assert (r.status[r.foreign] > 0).all()


def test_protected_persons_are_few(city):
    share = np.isin(city.residents.protection, (1, 2)).mean()
    assert 0.0006 < share < 0.002
    assert (city.residents.protection == 2).any() or share < 0.001


def test_ages_by_ward_and_sex_follow_the_real_register(city, real_data):
    """Half the sum of absolute differences of five-year shares, at the latest date, stays below 6 %."""
    table = pl.read_csv(real_data / "kobe_register_population_ward_sex_age_2012-2017.csv", infer_schema=False)
    table = table.filter(pl.col("as_of") == pl.col("as_of").max(), pl.col("sex").is_in(["男", "女"]))
    ages = [name for name in table.columns if name.startswith("age_")]
    r = city.residents
    age, ward = np.minimum(r.age_on(city.last_day), 100), city.ward_of(r.household)
    for index, code in enumerate(city.geography.wards):
        for sex, label in ((1, "男"), (2, "女")):
            rows = table.filter(pl.col("ward_code") == code, pl.col("sex") == label)
            totals = rows.filter(pl.col("branch") == "＊合計＊")
            rows = totals if totals.height else rows
            real = np.array(rows.select(pl.col(ages).cast(pl.Int64).sum()).row(0))
            made = np.bincount(age[(ward == index) & (r.sex == sex)], minlength=101)
            bands = np.arange(0, 101, 5)
            difference = np.add.reduceat(real, bands) / real.sum() - np.add.reduceat(made, bands) / made.sum()
            assert np.abs(difference).sum() / 2 < 0.06, (code, label)


def test_persons_per_household_are_near_the_real_ones(city, real_data):
    table = pl.read_csv(real_data / "kobe_register_population_ward_sex_age_2012-2017.csv", infer_schema=False)
    table = table.filter(pl.col("as_of") == pl.col("as_of").max(), pl.col("sex") == "＊合計＊")
    totals = table.filter(pl.col("ward_code") == "28100")
    real = int(totals["total"][0]) / int(totals["households"][0])
    assert abs(len(city.residents) / len(city.households) - real) < 0.12
