"""A municipality without wards, from its deliveries to a release of its own, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.lounge.release import current
from kobe_platform.vocabulary.municipality import VARIABLE

pytestmark = pytest.mark.slow
CODE = "28203"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("akashi")
    places = {"KOBE_HOME": str(root / "var"), "KOBE_INBOX": str(root / "inbox")}
    environment = {**os.environ, **places, VARIABLE: CODE}
    made = [
        ["synthesize", "--out", str(root / "inbox"), "--residents", "8000", "--from", "2025-11", "--to", "2025-12"],
        ["keys", "init"],
        ["run"],
    ]
    for command in made:
        told = subprocess.run(
            [sys.executable, "-m", "kobe_platform.cli", *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert told.returncode == 0, (command[0], told.stderr[-800:], told.stdout[-800:])
    return root / "var"


@pytest.fixture(scope="module")
def tables(home) -> dict[str, pl.DataFrame]:
    return {path.stem: pl.read_parquet(path) for path in (current(home / "releases").path / "tables").glob("*.parquet")}


def test_everything_is_kept_under_its_own_code(home):
    assert [path.name for path in (home / "receipts").iterdir() if path.is_dir()] == [CODE]
    record = json.loads((current(home / "releases").path / "release.json").read_text("utf-8"))
    assert record["facts"]["municipality"] == CODE


def test_it_is_the_only_area_above_its_school_districts(tables):
    assert tables["dim_ward"].rows() == [(CODE, "明石市", None, 0, 0)]
    districts = tables["dim_district"]
    assert set(districts["level"]) == {0, 1} and set(districts.filter(pl.col("level") == 1)["parent"]) == {CODE}
    for name, table in tables.items():
        areas = set(table["area"]) if "area" in table.columns and name != "training_level_bureau" else set()
        assert areas <= set(districts["code"]), name


def test_each_table_has_one_row_a_cell(tables):
    for name, table in tables.items():
        keys = [column for column in table.columns if column not in ("value", "status")]
        assert name.startswith("dim_") or not table.select(keys).is_duplicated().any(), name


def test_its_pages_name_it_and_no_ward_of_another_city(home):
    site = current(home / "releases").path / "sites" / "staff"
    texts = {path.name: path.read_text("utf-8") for path in site.glob("*.html")}
    assert "明石市データラウンジ" in texts["index.html"] and len(texts) > 8
    for name, text in texts.items():
        assert "東灘区" not in text and "区から区へ" not in text and "{{" not in text, name
