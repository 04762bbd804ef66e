"""`kobe bench growth`: which months come alone, what a record is made into, and how a folder is gone on with."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from kobe_platform.bench import growth
from kobe_platform.bench.commands import bench_app
from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary.months import month_after


def run_of(month: str, cpu: float, *, alone: bool = True) -> dict:
    return {
        "months": [month], "cpu": cpu, "seconds": 2 * cpu, "peak_mb": 500, "plain": 0.1, "alone": alone,
        "stages": {"raw": 1.0, "total": 2 * cpu}, "home": {"store/ MB": 10 * cpu, "key log entries": 100},
    }  # fmt: skip


@pytest.mark.parametrize("years", [1, 2, 11])
def test_every_month_is_delivered_once_in_order_and_the_same_six_come_alone(years):
    planned = growth.turns(years)
    months = [month for turn in planned for month in turn]
    assert len(months) == 12 * years + 6
    assert months[-1] == "2025-10"
    assert all(following == month_after(month) for month, following in pairwise(months))
    alone = [turn[0] for turn in planned if len(turn) == 1 and turn[0][5:] in growth.ALONE]
    assert alone == [f"{year}-{month}" for year in (2025 - years, 2025) for month in growth.ALONE]
    assert months.index(alone[0]) == 3, "the fourth month is the first that is measured"
    assert max(map(len, planned)) <= 12


def test_the_last_year_stands_beside_the_first_and_a_run_that_was_broken_off_counts_for_neither():
    early = [run_of(f"2014-{month}", cpu) for month, cpu in (("08", 10.0), ("09", 14.0), ("10", 11.0))]
    broken = run_of("2025-08", 99.0, alone=False)
    late = [run_of("2025-09", 20.0), run_of("2025-10", 24.0)]
    told = growth.report([*early, broken, *late], 11)
    assert told["months"] == 6
    assert told["medians"]["processor seconds"] == [11.0, 22.0]
    assert told["medians"]["store/ MB"] == [110.0, 220.0]
    assert told["medians"]["… of the plain script"] == [0.1, 0.1]


def test_a_folder_with_another_trial_is_refused_before_anything_is_made(tmp_path):
    (tmp_path / "growth.jsonl").write_text(json.dumps({"residents": 300, "years": 1}) + "\n")
    with pytest.raises(ConfigurationError) as refused:
        growth.measure(tmp_path, 400, 1, lambda words: None)
    assert refused.value.code == "bench.trial"
    assert [path.name for path in tmp_path.iterdir()] == ["growth.jsonl"]


def test_a_trial_that_is_complete_is_told_again_without_a_run(tmp_path):
    lines = [{"residents": 300, "years": 1}, run_of("2024-08", 10.0), run_of("2025-08", 12.0)]
    lines += [run_of(turn[-1], 50.0, alone=False) for turn in growth.turns(1)]
    (tmp_path / "growth.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = CliRunner().invoke(bench_app, ["growth", "--residents", "300", "--years", "1", "--keep", str(tmp_path)])
    assert done.exit_code == 0
    assert "1.20" in done.stdout


def test_deliveries_move_once_and_what_had_come_before_is_not_new(tmp_path):
    kept = growth.GrowthTrial(tmp_path)
    for source in ("resident_register", "resident_movements"):
        for month in ("2024-05", "2024-06"):
            (kept.later / "28100" / source / month).mkdir(parents=True)
    assert growth._deliver(kept, ("2024-05",))
    assert sorted(path.name for path in kept.inbox.glob("*/*/*")) == ["2024-05"] * 2
    assert not growth._deliver(kept, ("2024-05",)), "they lie in the inbox already: the run has begun before"
    assert growth._deliver(kept, ("2024-06",))
    assert sorted(path.name for path in kept.inbox.glob("*/*/*")) == ["2024-05"] * 2 + ["2024-06"] * 2
