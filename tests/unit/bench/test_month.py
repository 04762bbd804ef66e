"""`kobe bench month`: medians, ratios, exponents and the comparison with an earlier report."""

from __future__ import annotations

import time

import pytest
from typer.testing import CliRunner

from kobe_platform.bench import month
from kobe_platform.bench.commands import bench_app
from kobe_platform.bench.processor import ProcessorClock
from kobe_platform.errors import ConfigurationError

PLAIN = {"inbox_to_lake": 1.0, "lake_to_tables": 2.0}


def run_of(times: float, plain: float = 1.0, peak: int = 1000) -> tuple[dict, dict, dict]:
    """What the platform and the plain script tell: every stage takes as many seconds as ``times`` says."""
    stages = {name: times for name in (*month.STAGES, "checks", "total", "dagster")}
    script = {name: spent * plain for name, spent in PLAIN.items()}
    platform = {"seconds": stages, "cpu": {**stages, "process": times}, "peak_mb": peak}
    least = {name: 2 * spent for name, spent in script.items()}
    return platform, {"seconds": script, "cpu": script, "peak_mb": 100}, {"seconds": least, "cpu": least, "peak_mb": 50}


def report_of(**cases: tuple[dict, dict, dict]) -> dict:
    return {"runs": 1, "cases": {size.removeprefix("of_"): month._middle([told]) for size, told in cases.items()}}


def test_medians_and_ranges_are_told_and_ratios_are_those_of_the_medians():
    case = month._middle([run_of(3.0), run_of(1.0, peak=2000), run_of(2.0)])
    assert case["seconds"]["raw"] == [2.0, 1.0, 3.0]
    assert (
        case["ratios"]
        == case["cpu_ratios"]
        == {
            "inbox_to_lake": 6.0,
            "lake_to_tables": 1.0,
            "inbox_to_lake_to_least": 3.0,
            "lake_to_tables_to_least": 0.5,
        }
    )
    assert (case["peak_mb"], case["plain_peak_mb"], case["least_peak_mb"]) == (2000, 100, 50)


def test_the_exponent_is_one_where_twice_the_residents_take_twice_as_much():
    sizes = {"of_1000": run_of(1.0), "of_2000": run_of(2.0, peak=1000), "of_8000": run_of(8.0, peak=1000)}
    exponents = month._exponents(report_of(**sizes)["cases"])
    assert exponents["total"] == 1.0
    assert exponents["peak_mb"] == exponents["plain_inbox_to_lake"] == 0.0


def test_a_slower_machine_makes_no_platform_slower():
    """Each run is measured by its own plain script."""
    before, now = report_of(of_1000=run_of(4.0)), report_of(of_1000=run_of(8.0, plain=2.0), of_9000=run_of(1.0))
    assert month.compared(now, before) == {"1000": {"seconds": 1.0, "cpu": 1.0, "peak_mb": 1.0}}


def test_processor_time_between_two_moments_is_that_of_the_work_between_them():
    with ProcessorClock() as clock:
        idle = time.time()
        time.sleep(0.2)
        work, used = time.time(), time.process_time()
        while time.process_time() - used < 0.2:
            pass
        end = time.time()
    assert clock.used(idle, work) < clock.used(work, end)
    assert clock.used(idle, end) == pytest.approx(clock.used(idle, work) + clock.used(work, end))


@pytest.mark.parametrize("command", ["month", "disclosure"])
@pytest.mark.parametrize("written", [None, "{", "[]", '{"ratios": {}}'])
def test_an_earlier_report_that_is_none_is_refused_before_anything_is_measured(tmp_path, command, written):
    if written is not None:
        (tmp_path / "before.json").write_text(written)
    done = CliRunner().invoke(bench_app, [command, "--compare", str(tmp_path / "before.json")])
    assert isinstance(done.exception, ConfigurationError)
    assert done.exception.code == "bench.report"
    assert done.exception.at == {"file": "before.json"}
