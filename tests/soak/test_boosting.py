"""What gradient boosting reaches on years of a real city's open data; it takes minutes."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from kobe_platform.bench import forecasts as bench
from kobe_platform.bench.forecasts import MONTHLY, one_file
from kobe_platform.bench.forecasts import MOVES as MOVES_FILE
from kobe_platform.forecasts.panel import Panel

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"
BOOSTED = {"children": (0.58, 0.84, 1.33), "ages": (0.43, 0.72, 1.05), "moves": (6.26, 4.12)}
BOOSTED_ELSEWHERE = {"children": (0.59, 1.04, 1.78), "ages": (0.46, 0.81, 1.21), "moves": (7.29, 4.77)}
"""What LightGBM reached on the same data, with other features."""


@pytest.mark.soak
@pytest.mark.parametrize("table", ["children", "ages", "moves"])
def test_boosting_is_no_worse_than_the_one_that_was_measured_before(table):
    if not REAL.is_dir():
        pytest.skip("no ../shared/data")
    if table == "moves":
        rows, lines, measure = bench.move_rows(one_file(REAL, MOVES_FILE)), MONTHLY, bench.moves
    else:
        rows, lines = bench.register_rows(one_file(REAL, bench.REGISTER)), getattr(bench, table.upper())
        measure = getattr(bench, table)
    trials = [trial for trial in lines if trial.label in bench.BENCHMARKS or trial.method == "gradient_boosting"]
    scored = measure(Panel.of(rows), trials).filter(pl.col("label") == "gradient boosting")
    assert scored["wape"].to_list() == pytest.approx(list(BOOSTED[table]), abs=0.05)
    assert all(ours <= theirs for ours, theirs in zip(scored["wape"], BOOSTED_ELSEWHERE[table], strict=True))
