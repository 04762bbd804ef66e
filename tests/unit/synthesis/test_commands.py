"""``kobe synthesize``: what a user types and reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kobe_platform.synthesis.commands import synthesize


@pytest.fixture
def kobe():
    app = typer.Typer()
    app.command("synthesize")(synthesize)
    app.command("other")(lambda: None)
    return lambda *arguments: CliRunner().invoke(app, ["synthesize", *map(str, arguments)])


def test_it_writes_an_inbox_and_reports_each_delivery(kobe, tmp_path: Path):
    result = kobe("--out", tmp_path / "inbox", "--residents", 2_000, "--from", "2025-07", "--to", "2025-07", "--json")
    assert result.exit_code == 0
    deliveries = json.loads(result.stdout)["deliveries"]
    assert [d["source"] for d in deliveries] == [
        "town_districts", "estimated_population", "resident_register", "resident_movements",
    ]  # fmt: skip
    assert all((Path(d["path"]) / "manifest.json").is_file() for d in deliveries)
    assert "2025-07 resident_register" in result.stderr


def test_the_report_for_people_names_sources_and_rows(kobe, tmp_path: Path):
    result = kobe("--out", tmp_path, "--residents", 2_000, "--from", "2025-07", "--to", "2025-07", "--dirt", 0)
    assert result.exit_code == 0
    assert "resident_movements" in result.stdout


def test_quirks_are_listed_with_their_treatment(kobe):
    listed = json.loads(kobe("--list-quirks", "--json").stdout)
    assert {"name": "truncated", "number": 19, "treatment": "R"}.items() <= next(
        q.items() for q in listed if q["name"] == "truncated"
    )
    assert "truncated" in kobe("--list-quirks").stdout


@pytest.mark.parametrize(
    "options",
    [("--residents", 5), ("--encoding", "ebcdic"), ("--from", "2025-13"), ("--quirk", "nonsense"), ("--dirt", 7)],
)
def test_bad_usage_ends_with_two_and_writes_nothing(kobe, tmp_path: Path, options):
    assert kobe("--out", tmp_path / "inbox", *options).exit_code == 2
    assert not (tmp_path / "inbox").exists()


def test_without_a_place_to_write_it_says_so(kobe):
    assert kobe("--residents", 2_000).exit_code == 2
