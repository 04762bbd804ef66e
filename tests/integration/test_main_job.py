"""The main job on a small synthetic city, through the real graph: a release, its reconciliation, and a second run."""

import json
import shutil

import dagster as dg
import polars as pl
import pytest

from kobe_platform.cli.run import process
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.definitions import build_definitions
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.release import current
from kobe_platform.lounge.tables import read_index
from kobe_platform.planning.observing import installation_faults
from kobe_platform.privacy.instance import open_instance
from kobe_platform.reception.accounting import balance
from kobe_platform.settings import Settings
from kobe_platform.synthesis.deliveries import CityPlan, synthesize

pytestmark = pytest.mark.slow
FIRST, LAST = "2025-11", "2025-12"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Settings:
    root = tmp_path_factory.mktemp("main_job")
    settings = Settings(home=root / "var", inbox=root / "inbox")
    LocalKeyStore.create(settings.keys, log=settings.key_log)
    synthesize(CityPlan(settings.inbox, 60_000, FIRST, LAST, 0), lambda step: None)
    return settings


@pytest.fixture(scope="module")
def report(place):
    return process(place)


@pytest.fixture(scope="module")
def store(place, report) -> PartitionStore:
    keys = LocalKeyStore.open(place.keys, log=place.key_log)
    return PartitionStore(place.store, keys, municipality=place.municipality, principal="test")


def test_everything_is_taken_in_and_a_release_is_made(report, place):
    assert report.exit_code == 0, [outcome.faults for outcome in report.outcomes if not outcome.success]
    assert report.released and not report.refused
    pages = load_pages(place.dashboards)
    assert set(current(place.releases).pages) == set(pages) - {"city_comparison", "staff_training", "district_types"}


def test_a_page_none_of_whose_tables_has_a_figure_is_left_out(report, place, store):
    assert not store.months("published", "city_comparison") and "city_comparison" in load_pages(place.dashboards)
    assert "city_comparison" not in current(place.releases).pages


def test_every_row_of_every_extract_is_accounted_for(report, place):
    receipts = [json.loads(path.read_text("utf-8")) for path in place.receipts.rglob("*.accepted.json")]
    assert len(receipts) == 2 * 3 + 1
    for receipt in receipts:
        assert balance(receipt["facts"]) == 0, receipt["source"]
        assert receipt["facts"]["rows"] == sum(file["rows"] for file in receipt["files"])


@pytest.mark.parametrize("month", [FIRST, LAST])
def test_published_population_by_ward_is_that_of_the_lake(month, store):
    lake = store.read(PartitionId("lake", "resident_register", month), ["ward"])
    counted = dict(lake["ward"].cast(pl.String).value_counts().iter_rows())
    table = store.read(PartitionId("published", "population_ward", month))
    totals = table.filter(pl.col("age") == "total", pl.col("sex") == "total", pl.col("status") == "published")
    published = dict(totals.select("area", "value").iter_rows())
    assert published.pop("28100") == lake.height
    assert published == counted


def test_a_year_of_two_months_says_so_from_its_counting_to_the_page(report, place, store):
    """Ten months of the year were never delivered: counts, release, page and its labels carry the two that were."""
    held = store.current(PartitionId("published", "births_ward_year", LAST))
    assert held.facts["covers"] == [FIRST, LAST]
    release = current(place.releases)
    told, _ = read_index(release.path / "tables")
    yearly = {name: table.months for name, table in told.items() if table.months}
    assert yearly and all(set(months["2025"]) == {FIRST, LAST} for months in yearly.values())
    pages = [path.read_text("utf-8") for path in release.path.rglob("*.html")]
    named = [text for text in pages if "2025年（11〜12月）" in text]
    assert named and any("月がそろっていない年があります：2025年（11〜12月）" in text for text in named)


def test_a_second_run_finds_nothing_new(report, place):
    again = process(place)
    assert again.nothing_new and again.exit_code == 0


def test_what_a_person_materializes_leaves_its_checks_on_the_partition_and_the_plan_agrees(report, place, store):
    """As the UI does for one partition of one table: its whole group is made, with its checks, and is what it was."""
    before = store.current(PartitionId("published", "population_ward", LAST))
    definitions = build_definitions(place)
    graph = definitions.resolve_asset_graph()
    keys = graph.get(dg.AssetKey(["published", "population_ward"])).execution_set_asset_keys
    with open_instance(place) as instance:
        job = definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance, partition_key=LAST, asset_selection=sorted(keys))
        checks = result.get_asset_check_evaluations()
    assert result.success and {check.asset_key for check in checks} == set(keys)
    assert all(check.passed and check.partition == LAST for check in checks)
    assert store.current(PartitionId("published", "population_ward", LAST)) == before
    assert process(place).nothing_new


def test_the_plan_is_empty_and_reads_the_same_without_dagsters_databases(report, place):
    assert report.plan.empty
    shutil.rmtree(place.dagster_home)
    again = process(place)
    assert again.nothing_new and again.plan.empty and again.exit_code == 0


def test_an_inbox_inside_the_home_is_refused(place):
    from kobe_platform.errors import ConfigurationError

    inside = Settings(home=place.home, inbox=place.home / "inbox")
    with pytest.raises(ConfigurationError):
        installation_faults(inside)
