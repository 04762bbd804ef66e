"""What the page and the document say of the detector is what the measurement on a real city's open data says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kobe_platform.bench.commands import bench_app
from kobe_platform.settings import PROJECT

REAL = Path(__file__).resolve().parents[4] / "shared" / "data"
PAGE = {"1,000件～": 2, "100件～": 1, "30件～": 0, "月末の値": 3}
DOCUMENT = {"flows, 1,000 and more expected": 2, "flows, 100 to 999": 1, "flows, 30 to 99": 0, "stocks": 3}


@pytest.fixture(scope="module")
def report() -> dict[str, list[dict]]:
    if not REAL.is_dir():
        pytest.skip("no ../shared/data")
    done = CliRunner().invoke(bench_app, ["unusual", "--data", str(REAL), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("file", "lines", "others"), [("dashboards/pages/unusual_changes.md", PAGE, 0), ("docs/unusual.md", DOCUMENT, 1)]
)
def test_the_rates_of_detection_are_those_measured(report, file, lines, others):
    text = (PROJECT / file).read_text("utf-8")
    for title, place in lines.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {title} |")]
        told = [int(cell) for cell in re.findall(r"\d+", line.split("|", 2)[2].replace(",", ""))]
        measured = report["shocks"][place]
        assert told[others:] == [round(value) for name, value in measured.items() if name.endswith("%")], title
        assert told[:others] == [measured["judged"]][:others]


def test_the_lists_without_shocks_are_those_measured(report):
    text = (PROJECT / "docs/unusual.md").read_text("utf-8")
    titles = {"March and April": 1, "other months": 2, "rebases of the estimate": 0}
    for title, place in titles.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {title} |")]
        measured = report["lists"][place]
        told = [float(cell) for cell in line.split("|")[2:-1]]
        assert told == [measured["months"], round(measured["judged"]), round(measured["listed"], 1),
                        round(measured["share"], 1), round(measured["empty"])]  # fmt: skip
    page = (PROJECT / "dashboards/pages/unusual_changes.md").read_text("utf-8")
    assert f"判定した系列の{report['lists'][2]['share']:.1f}%（3月・4月は{report['lists'][1]['share']:.1f}%）" in page
    assert f"1か月に平均{report['lists'][2]['listed']:.1f}件" in page


def test_a_rebase_stands_out_and_the_years_after_it_do_not(report):
    assert report["lists"][0]["listed"] > 5 and report["lists"][2]["listed"] < 1


def test_a_folder_without_the_files_is_refused(tmp_path):
    done = CliRunner().invoke(bench_app, ["unusual", "--data", str(tmp_path)])
    assert done.exit_code != 0 and "forecast.data" in str(done.exception)
