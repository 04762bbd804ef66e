"""Two towns and their prefecture: from deliveries to a release over both, each with processes and keys of its own."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.lounge.release import current, releases_of
from kobe_platform.settings import PROJECT

pytestmark = pytest.mark.slow
AIOI, KAMIKAWA = "28208", "28446"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("hyogo")


def kobe(root: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess:
    places = {"KOBE_PREFECTURE": str(root / "prefecture"), "KOBE_INBOX": str(root / "inbox"), "KOBE_START": "2025-12"}
    environment = {**os.environ, "KOBE_HOME": str(root / "elsewhere"), **places, **more}
    command = [sys.executable, "-m", "kobe_platform.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)


def of_town(root: Path, code: str) -> dict[str, str]:
    return {"KOBE_HOME": str(root / "prefecture" / "municipalities" / code), "KOBE_MUNICIPALITY": code}


@pytest.fixture(scope="module")
def told(root) -> subprocess.CompletedProcess:
    """What the run that made both towns' and the prefecture's releases told."""
    months = ("--from", "2025-12", "--to", "2025-12")
    two = ("--municipalities", f"{AIOI},{KAMIKAWA}", "--residents", "16000")
    made = kobe(root, "synthesize", *two, *months, "--out", str(root / "inbox"))
    assert made.returncode == 0, made.stderr[-800:]
    assert kobe(root, "prefecture", "add", AIOI, KAMIKAWA).returncode == 0
    ran = kobe(root, "prefecture", "run", "--json")
    assert json.loads(ran.stdout)["prefecture"]["left"] == [], (ran.stdout[-800:], ran.stderr[-800:])
    return ran


@pytest.fixture(scope="module")
def tables(told, root) -> dict[str, pl.DataFrame]:
    folder = current(root / "prefecture" / "prefecture" / "releases").path / "tables"
    return {path.stem: pl.read_parquet(path) for path in folder.glob("*.parquet")}


def test_the_total_is_the_sum_of_the_two(tables):
    table = tables["prefecture_population_ward"].filter(pl.col("age") == "total", pl.col("sex") == "total")
    people = dict(table.select("area", "value").iter_rows())
    assert people["28000"] == people[AIOI] + people[KAMIKAWA] > 10_000
    assert tables["dim_municipality"]["label"].to_list() == ["参加市町村の計", "相生市", "神河町"]


def test_a_year_is_summed_where_both_show_it(tables, root):
    """No count of a year leaves a town: a total is there where every town shows its figure, and nowhere else."""
    table = tables["prefecture_births_ward_year"]
    assert set(table["period"]) == {"2025"}
    of = {code: table.filter(pl.col("area") == code).sort("sex") for code in ("28000", AIOI, KAMIKAWA)}
    both = of[AIOI]["value"] + of[KAMIKAWA]["value"]
    assert of["28000"]["value"].to_list() == both.to_list()


def test_each_towns_rows_are_those_of_its_own_release(tables, root):
    for code in (AIOI, KAMIKAWA):
        folder = current(root / "prefecture" / "municipalities" / code / "releases").path / "tables"
        own = pl.read_parquet(folder / "population_ward.parquet").filter(pl.col("area") == code)
        keys = ["period", "area", "age", "sex"]
        here = tables["prefecture_population_ward"].filter(pl.col("area") == code)
        assert here.sort(keys).equals(own.select(here.columns).sort(keys))


def test_the_site_shows_aggregates_and_the_towns_know_nothing_of_it(told, root):
    site = current(root / "prefecture" / "prefecture" / "releases").path / "sites" / "staff"
    assert "相生市" in (site / "municipalities.html").read_text("utf-8")
    town = current(root / "prefecture" / "municipalities" / AIOI / "releases").path
    assert not [path for path in town.rglob("*") if "prefecture" in path.name]
    assert "municipalities.html" not in (town / "sites" / "staff" / "index.html").read_text("utf-8")


def test_what_is_handed_over_are_cells_and_published_tables(told, root):
    """No column of a row, no pseudonym, no area below the municipality in what is not published."""
    handed = kobe(root, "prefecture", "hand-over", "2025-12", **of_town(root, AIOI))
    assert handed.returncode == 0 and not handed.stderr
    records = json.loads(handed.stdout)["records"]
    groups = {record["group"]: set(record["cells"]) for record in records}
    stocks = {"population_ward", "households_size_ward", "foreigners_nationality_ward"}
    assert groups == {"stocks/month": stocks, "flows/month": set(), "flows/year": set()}
    for record in records:
        for name, packed in record["cells"].items():
            cells = pl.read_ipc(io.BytesIO(base64.b64decode(packed)))
            assert cells.columns[-1] == "count" and not {"area", "ward", "district"} & set(cells.columns), name
            assert cells.height < 80, name
        for name, packed in record["tables"].items():
            published = pl.read_ipc(io.BytesIO(base64.b64decode(packed)))
            assert {"value", "status"} <= set(published.columns), name
            hidden = published.filter(pl.col("status") == "suppressed")
            assert hidden["value"].null_count() == hidden.height, name


def test_neither_keys_nor_counts_of_a_town_are_in_the_prefectures_home(told, root):
    handed = json.loads(kobe(root, "prefecture", "hand-over", "2025-12", **of_town(root, AIOI)).stdout)["records"]
    canaries = [text.encode() for record in handed for text in record["cells"].values()]
    keys = [path.read_bytes() for path in (root / "prefecture" / "municipalities" / AIOI / "keys").rglob("*.key")]
    assert canaries and keys
    for path in (root / "prefecture" / "prefecture").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [one for one in (*canaries, *keys) if one in content], path.name
    for text in (told.stdout, told.stderr):
        assert not [one for one in canaries if one.decode() in text]


def test_nothing_is_outstanding_afterwards(told, root):
    assert kobe(root, "prefecture", "status").returncode == 0
    before = len(releases_of(root / "prefecture" / "prefecture" / "releases"))
    assert kobe(root, "prefecture", "publish").returncode == 0
    assert len(releases_of(root / "prefecture" / "prefecture" / "releases")) == before


def test_a_changed_page_is_released_though_no_month_is_due(told, root, tmp_path):
    without = shutil.ignore_patterns("node_modules")
    copy = shutil.copytree(PROJECT / "dashboards" / "prefecture", tmp_path / "prefecture", ignore=without)
    page = copy / "pages" / "municipalities.md"
    page.write_text(page.read_text("utf-8").replace("## 市町村の一覧", "## すべての市町村"), "utf-8")
    releases = root / "prefecture" / "prefecture" / "releases"
    before = len(releases_of(releases))
    for _ in range(2):  # the second time there is nothing to do
        assert kobe(root, "prefecture", "publish", KOBE_DASHBOARDS=str(tmp_path)).returncode == 0
        assert len(releases_of(releases)) == before + 1
    (site,) = (current(releases).path / "sites").rglob("municipalities.html")
    assert "すべての市町村" in site.read_text("utf-8")


def test_without_a_town_there_is_no_other_total(told, root):
    """The total over the other one alone would be its cells, hidden ones too: the month stays without a total."""
    away = root / "handed over"
    (root / "prefecture" / "municipalities" / KAMIKAWA).rename(away)
    try:
        assert kobe(root, "prefecture", "status").returncode == 1
        again = kobe(root, "prefecture", "publish")
        assert again.returncode == 0 and "別の市町村の組み合わせ" in again.stdout, (again.stdout, again.stderr)
        folder = current(root / "prefecture" / "prefecture" / "releases").path / "tables"
        assert set(pl.read_parquet(folder / "prefecture_population_ward.parquet")["area"]) == {AIOI}
    finally:
        away.rename(root / "prefecture" / "municipalities" / KAMIKAWA)
    assert kobe(root, "prefecture", "publish").returncode == 0
    folder = current(root / "prefecture" / "prefecture" / "releases").path / "tables"
    assert set(pl.read_parquet(folder / "prefecture_population_ward.parquet")["area"]) == {"28000", AIOI, KAMIKAWA}
