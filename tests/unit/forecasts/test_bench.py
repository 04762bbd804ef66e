"""The measurement on open data reads files as they are published, and sums nothing of which a part is missing."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from kobe_platform.bench.forecasts import CITY, COHORT_BENCHMARK, Trial, ages, move_rows, register_rows
from kobe_platform.forecasts.panel import Panel


def test_a_ward_with_branches_counts_once_and_is_told_by_name(tmp_path):
    path = tmp_path / "register.csv"
    path.write_text(
        "as_of,ward_code,ward_name,branch,sex,age_0,age_100_plus\n"
        "2015-06-30,201506,北区,＊合計＊,＊合計＊,3,1\n"
        "2015-06-30,201506,北区,本区,＊合計＊,2,1\n"
        "2015-06-30,201506,北区,北神出張所,＊合計＊,1,0\n"
        "2015-06-30,201506,灘区,本区,＊合計＊,7,0\n"
        "2015-06-30,201506,灘区,本区,男,4,0\n",
        "utf-8",
    )
    assert sorted(register_rows(path).rows()) == [
        ("2015-06", "北区", 0, 3.0),
        ("2015-06", "北区", 100, 1.0),
        ("2015-06", "灘区", 0, 7.0),
        ("2015-06", "灘区", 100, 0.0),
    ]


def test_a_month_that_was_revised_counts_as_revised(tmp_path):
    path = tmp_path / "moves.csv"
    path.write_text(
        "month,ward_code,in_from_outside_city,out_to_outside_city,basis\n"
        "2015-09,28100,5,6,revised\n2015-09,28100,1,2,published\n2015-09,28101,8,9,published\n",
        "utf-8",
    )
    assert sorted(move_rows(path).rows()) == [("2015-09", "in", 5.0), ("2015-09", "out", 6.0)]


def test_five_ages_of_which_one_is_hidden_are_not_summed():
    rows = [
        {"month": month, "area": area, "age": age, "value": 10.0}
        for month in ("2020-03", "2021-03", "2022-03")
        for area in (CITY, "灘区")
        for age in range(101)
    ]
    panel = Panel.of(pl.DataFrame(rows))
    trials = [Trial(COHORT_BENCHMARK, "last_value")]
    whole = ages(panel, trials)
    panel.values[1, (panel.keys["area"] == "灘区").to_numpy() & (panel.keys["age"] == 7).to_numpy()] = np.nan
    part = ages(panel, trials)
    assert whole["rows"].to_list() == [19] and part["rows"].to_list() == [18]
    assert part["wape"].to_list() == pytest.approx([0.0])
