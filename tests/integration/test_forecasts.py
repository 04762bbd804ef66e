"""A city with years of months behind it gets its forecasts through the graph, and a bad one withholds itself alone."""

import re
import shutil

import polars as pl
import pytest

from kobe_platform.cli.run import process
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lake.verdicts import verdicts
from kobe_platform.lounge.release import current
from kobe_platform.published import load_published
from kobe_platform.settings import Settings
from tests.forecast_city import (
    BY_DISTRICT,
    CHILDREN,
    MOVES_IN,
    MOVES_OUT,
    capacity_of,
    districts_from,
    estimate_of,
    forecast_past,
    months_until,
    put,
    settle,
)

pytestmark = pytest.mark.slow
LAST = "2025-03"
MONTHS = months_until(LAST, 31)
BAD = "school_entry"
DISTRICT = "school_entry_district"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Settings:
    """An installation whose published months end with a March; one forecast has a method worse than its benchmark."""
    root = tmp_path_factory.mktemp("forecasts")
    (root / "inbox").mkdir()
    shutil.copytree(Settings().forecast_files, root / "forecasts")
    written = root / "forecasts" / f"{BAD}.toml"
    written.write_text(written.read_text("utf-8").replace('"cohort_change"', '"last_value"'), "utf-8")
    return Settings(home=root / "var", inbox=root / "inbox", forecasts=root / "forecasts")


@pytest.fixture(scope="module")
def tables(place):
    return load_published(place.statistics, place.forecast_files)


@pytest.fixture(scope="module")
def report(place, tables):
    keys = LocalKeyStore.create(place.keys, log=place.key_log)
    store = PartitionStore(place.store, keys, municipality=place.municipality)
    districts_from(store, MONTHS[0])
    settle(store, tables, MONTHS, [CHILDREN, BY_DISTRICT, MOVES_IN, MOVES_OUT])
    put(store, tables, "estimated_population", LAST, estimate_of(LAST))
    put(store, tables, "school_capacity_ward", LAST, capacity_of(LAST))
    forecast_past(store, tables, MONTHS[:-1])
    return process(place)


@pytest.fixture(scope="module")
def store(place, report) -> PartitionStore:
    keys = LocalKeyStore.open(place.keys, log=place.key_log)
    return PartitionStore(place.store, keys, municipality=place.municipality, principal="test")


def page(place: Settings, slug: str) -> str:
    """Text of a page of the release in force."""
    (site,) = (current(place.releases).path / "sites").iterdir()
    return re.sub(r"<[^>]+>", "", (site / f"{slug}.html").read_text("utf-8"))


def test_the_month_is_forecast_and_released_with_nobody_doing_anything(report, place):
    assert report.exit_code == 0, [outcome.faults for outcome in report.outcomes if not outcome.success]
    made = {key for outcome in report.outcomes for key in outcome.made}
    forecasts = {"future_population", "moves_in_ahead", "moves_out_ahead", BAD, DISTRICT, "forecast_scores"}
    assert {f"published/{name}" for name in (*forecasts, "usual_ranges")} <= made
    assert forecasts <= set(current(place.releases).tables)


def test_checks_are_written_beside_the_vintage_and_hold_up_nothing(store):
    told = {name: verdict for name, verdict in verdicts(store, PartitionId("published", BAD, LAST)).items()}
    assert told.keys() == {"no_identifiers", "backtest", "coherent", "coverage"}
    assert not told["backtest"].passed and not told["backtest"].blocking and told["coherent"].passed
    good = verdicts(store, PartitionId("published", "moves_in_ahead", LAST))
    assert good["backtest"].passed and good["coherent"].passed and good["coherent"].facts["compared"] > 0


def test_a_forecast_that_is_worse_than_its_benchmark_withholds_itself_and_no_other(report, place):
    tables = current(place.releases).path / "tables"
    assert set(pl.read_parquet(tables / f"{BAD}.parquet").filter(pl.col("period") == LAST)["figure"]) <= {
        "worse", "origins",
    }  # fmt: skip
    assert "検証に不合格のため表示していません" in page(place, "school_entry")
    assert "検証に不合格" not in page(place, "moves_ahead")
    districts = pl.read_parquet(tables / f"{DISTRICT}.parquet").filter(pl.col("figure") == "forecast")
    assert districts["area"].n_unique() == 9 and "小学校区ごとの入学者数の見込み" in page(place, "school_entry")
    assert "2025年3月までの公表値から見込んだ値です" in page(place, "moves_ahead")
    assert "選んだ手法" in page(place, "forecast_scores") and "コーホート変化率法" in page(place, "forecast_scores")
    people = pl.read_parquet(tables / "future_population.parquet").filter(pl.col("figure") == "forecast")
    assert not people.is_empty() and "2026年3月" in page(place, "future_population")


def test_the_model_cards_say_what_stands_in_the_files(report, place):
    told = page(place, "forecast_scores")
    for words in ("4年以上先の将来推計", "月ごとの割合", "次の見直し", "2027-06-30", "単純な見込みより誤差が大きい"):
        assert words in told


def test_usual_ranges_are_made_checked_and_shown_in_the_same_run(report, place, store):
    told = verdicts(store, PartitionId("published", "usual_ranges", LAST))
    assert told.keys() == {"no_identifiers", "usual"} and told["usual"].passed
    assert "まだ判定できません" in page(place, "unusual_changes"), "31 months of flows are too few"
    assert (current(place.releases).path / "tables" / "usual_ranges.parquet").exists()


def test_nothing_is_left_to_do(report, place):
    assert report.plan.empty and process(place).nothing_new
