"""The benchmark of the lake does the same work both ways."""

import polars as pl

from kobe_platform.bench import lake as bench_lake


def test_both_ways_hold_the_same_rows_and_are_compared_step_by_step(tmp_path):
    frame = bench_lake.made_up(3000)
    assert frame.width == bench_lake.COLUMNS and frame.height == 3000
    answers = []
    for way in (bench_lake._lake, bench_lake._plain):
        folder = tmp_path / way.__name__
        folder.mkdir()
        steps, size = way(folder, frame)
        assert set(steps) == set(bench_lake.STEPS)
        steps["write"]()
        assert steps["read"]().equals(frame) and size() > 0
        answers.append(steps["group_by"]().sort(pl.all()))
    assert answers[0].equals(answers[1])


def test_the_report_has_ratios_and_throughput():
    report = bench_lake.measure(2000, 1)
    assert set(report["ratios"]) == {*bench_lake.STEPS, "size", "peak"}
    assert all(value > 0 for value in report["ratios"].values())
    assert set(report["mb_per_second"]["lake"]) == {"write", "read"}
