"""`kobe bench disclosure`: protection and audit beside a plain script, compared with an earlier report."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from kobe_platform.bench.commands import bench_app
from kobe_platform.bench.disclosure import compared, exponent, hidden_below, measure
from kobe_platform.bench.disclosure_cases import CASES
from kobe_platform.disclosure import protect
from kobe_platform.errors import ConfigurationError


@pytest.fixture(scope="module")
def ward_nation():
    return CASES["ward_nation"].build()


def test_the_plain_script_sums_what_protection_publishes_and_hides_small_counts_alone(ward_nation):
    spec, cells = ward_nation
    ours, plain = protect(spec, cells).tables["t"], hidden_below(spec, "t", cells["t"])
    both = ours.join(plain, on=list(spec.tables[0].dimensions), suffix="_plain")
    shown = both.filter(pl.col("status") == "published")
    assert shown.height > 1_000
    assert shown.filter(pl.col("value").ne_missing(pl.col("value_plain"))).is_empty()
    hidden = both.filter(pl.col("status") == "suppressed")
    assert 0 < plain["value"].null_count() < hidden.height, "complementary cells are what the plain script lacks"


def test_a_second_run_is_compared_with_the_first_by_what_the_plain_script_took(tmp_path):
    first = tmp_path / "first.json"
    told = measure(["ward_nation"], 1)
    case = told["cases"]["ward_nation"]
    assert case["safe"]
    assert all(case[kind][step] > 0 for kind in ("cpu", "seconds") for step in ("plain", "protect", "audit"))
    twice = json.loads(json.dumps(told))
    twice["cases"]["ward_nation"]["ratio"] *= 2
    assert compared(twice, told) == {"ward_nation": 2.0}
    first.write_text(json.dumps(told))
    again = CliRunner().invoke(
        bench_app, ["disclosure", "ward_nation", "--runs", "1", "--compare", str(first), "--json"]
    )
    assert again.exit_code == 0
    assert json.loads(again.stdout)["compared"]["ward_nation"] > 0


def test_a_case_that_there_is_not_is_named_with_those_that_there_are():
    with pytest.raises(ConfigurationError) as refused:
        measure(["nowhere"], 1)
    assert refused.value.code == "bench.case"
    assert "ward_nation" in refused.value.remedy


def test_growth_over_districts_is_told_as_an_exponent():
    told = CliRunner().invoke(
        bench_app, ["disclosure", "--districts", "36", "--districts", "18", "--runs", "1", "--json"]
    )
    assert told.exit_code == 0
    report = json.loads(told.stdout)
    assert list(report["cases"]) == ["18", "36"]
    assert report["cases"]["36"]["cells"] > 1.5 * report["cases"]["18"]["cells"]
    assert set(report["exponents"]) == {"plain", "protect", "audit", "peak_mb"}


def test_the_exponent_of_what_grows_with_its_square_is_two():
    assert exponent([10, 20, 40], [3.0, 12.0, 48.0]) == 2.0
