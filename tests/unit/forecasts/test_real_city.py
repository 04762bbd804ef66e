"""What the methods reach on years of a real city's open data, to 0.05 points of WAPE, where that data is at hand."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from kobe_platform.bench.commands import bench_app
from kobe_platform.bench.forecasts import MONTHLY, move_rows, moves, one_file
from kobe_platform.bench.forecasts import MOVES as MOVES_FILE
from kobe_platform.forecasts.panel import Panel

REAL = Path(__file__).resolve().parents[4] / "shared" / "data"
CHILDREN = {
    "last value": (3.70, 4.16, 5.38),
    "same cohort, nobody moves": (0.71, 1.33, 1.83),
    "cohort-change ratio by ward": (0.60, 0.79, 1.25),
    "… shrunk towards the city (500)": (0.51, 0.76, 1.40),
}
AGES = {
    "last value": (2.95, 5.38, 7.66),
    "cohort-change ratio by ward": (0.44, 0.76, 1.12),
    "births, deaths, moves (three years)": (0.45, 0.80, 1.20),
}
YOUNG = {
    "cohort-change ratio by ward": (1.11, 1.98, 3.07),
    "births, deaths, moves (three years)": (1.05, 1.80, 2.68),
}
MOVES = {"seasonal naive": (6.19, 3.97), "seasonal index, three years": (5.45, 4.02)}


@pytest.fixture(scope="module")
def report() -> dict[str, list[dict]]:
    if not REAL.is_dir():
        pytest.skip("no ../shared/data")
    done = CliRunner().invoke(bench_app, ["forecasts", "--data", str(REAL), "--no-learned", "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("table", "label", "wanted"),
    [
        (table, label, wanted)
        for table, lines in (("children", CHILDREN), ("ages", AGES), ("young", YOUNG), ("moves", MOVES))
        for label, wanted in lines.items()
    ],
)
def test_errors_are_those_that_were_measured_before(report, table, label, wanted):
    measured = [row["wape"] for row in report[table] if row["label"] == label]
    assert measured == pytest.approx(list(wanted), abs=0.05)


def test_exponential_smoothing_has_the_errors_that_were_measured_before():
    if not REAL.is_dir():
        pytest.skip("no ../shared/data")
    trials = [trial for trial in MONTHLY if trial.method in ("seasonal_naive", "ets")]
    measured = moves(Panel.of(move_rows(one_file(REAL, MOVES_FILE))), trials)
    smoothed = measured.filter(pl.col("label") == "exponential smoothing on logs")
    assert dict(smoothed.select("flow", "wape").rows()) == pytest.approx({"in": 6.01, "out": 4.62}, abs=0.05)


def test_a_folder_without_the_files_is_refused(tmp_path):
    done = CliRunner().invoke(bench_app, ["forecasts", "--data", str(tmp_path)])
    assert done.exit_code != 0
    assert "forecast.data" in str(done.exception)


def test_what_the_back_test_does_not_carry_is_withheld(report):
    """Three years of a March are too few; by age, only the last value is worse; an index helps moves in, not out."""
    assert {row["withheld"] for row in report["children"]} == {"origins"}
    by_age = {row["label"] for row in report["ages"] if row["withheld"]}
    assert by_age == {"last value"}
    index = {row["flow"]: row["withheld"] for row in report["moves"] if row["label"] == "seasonal index, three years"}
    assert index == {"in": None, "out": "worse"}
