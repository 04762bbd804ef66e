"""Every asset says who owns it, what it is, how sensitive, and when it is late; all share one partitions definition."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from assets.conventions import GROUPS, SENSITIVITY, Months, months
from kobe_platform.contracts import load_contracts
from kobe_platform.release.required_checks import lake_checks, published_checks, statistics_checks
from kobe_platform.statistics import load_statistics
from kobe_platform.vocabulary.clock import JAPAN


@pytest.fixture(scope="module")
def specs(definitions):
    return definitions.resolve_all_asset_specs()


@pytest.fixture(scope="module")
def graph(definitions):
    return definitions.resolve_asset_graph()


def test_every_asset_states_owner_description_kind_sensitivity_and_freshness(specs):
    for spec in specs:
        assert spec.owners and all(owner.startswith("team:") for owner in spec.owners), spec.key
        assert spec.description and len(spec.description) > 8, spec.key
        assert spec.kinds, spec.key
        assert spec.tags["sensitivity"] in SENSITIVITY.values(), spec.key
        assert isinstance(spec.freshness_policy, dg.FreshnessPolicy), spec.key


def test_every_table_shows_its_columns_before_its_first_run(specs):
    for spec in specs:
        assert spec.group_name == "dashboards" or "dagster/column_schema" in spec.metadata, spec.key


def test_the_graph_has_the_five_groups_and_no_other(specs):
    assert {spec.group_name for spec in specs} == set(GROUPS)


def test_all_partitioned_assets_share_one_monthly_definition(graph):
    found = {id(graph.get(key).partitions_def): graph.get(key).partitions_def for key in graph.get_all_asset_keys()}
    partitioned = [definition for definition in found.values() if definition is not None]
    assert {type(definition) for definition in partitioned} == {Months}
    assert len({definition.get_first_partition_key() for definition in partitioned}) == 1
    assert partitioned[0].get_first_partition_key() == "2010-10"


TURN = datetime(2026, 3, 1, tzinfo=JAPAN)


@pytest.mark.parametrize("seconds", [-1, -1e-6, 0, 1e-6, 1, 86400 * 20])
@pytest.mark.parametrize("zone", [JAPAN, UTC, None])
def test_months_are_those_that_dagster_lists(seconds, zone):
    now = (TURN + timedelta(seconds=seconds)).astimezone(zone or JAPAN)
    now = now if zone else now.replace(tzinfo=None)
    plain = dg.MonthlyPartitionsDefinition(start_date="2025-10", fmt="%Y-%m", timezone="Asia/Tokyo")
    for _ in range(2):
        assert months("2025-10").get_partition_keys(now) == plain.get_partition_keys(now)
    assert list(months("2025-10").get_partition_keys()) == list(plain.get_partition_keys())
    for bounds in (True, False):
        assert months("2025-10").get_prev_partition_window(now, bounds) == plain.get_prev_partition_window(now, bounds)


def test_only_pages_and_the_release_have_no_partitions(graph):
    for key in graph.get_all_asset_keys():
        assert (graph.get(key).partitions_def is None) == (key.path[0] == "dashboards"), key


def test_sensitivity_falls_from_raw_to_published(graph):
    tags = {key.to_user_string(): graph.get(key).tags["sensitivity"] for key in graph.get_all_asset_keys()}
    assert tags["raw/resident_register"] == "personal"
    assert tags["lake/resident_register"] == "pseudonymous"
    assert tags["statistics/population_ward"] == "unprotected-counts"
    assert tags["published/population_ward"] == "protected-counts"
    assert tags["raw/town_districts"] == "public"


def test_a_page_depends_on_exactly_the_tables_that_it_queries(graph, settings):
    from kobe_platform.lounge.pages import load_pages

    for page in load_pages(settings.dashboards).values():
        parents = {parent.path[-1] for parent in graph.get(dg.AssetKey(["dashboards", page.slug])).parent_keys}
        assert parents == set(page.tables), page.slug


def test_every_published_table_has_blocking_disclosure_and_secrecy_checks(definitions, graph):
    """What is made of published tables and nothing else rests on their audit."""
    specs = {key: graph.get(key) for key in graph.asset_check_keys}
    blocking = {(key.asset_key.path[-1], key.name) for key, node in specs.items() if node.blocking}
    for key in graph.get_all_asset_keys():
        if key.path[0] == "published":
            assert (key.path[1], "no_identifiers") in blocking, key
            made_of_published = {parent.path[0] for parent in graph.get(key).parent_keys} == {"published"}
            if graph.get(key).tags["sensitivity"] != "public" and not made_of_published:
                assert (key.path[1], "disclosure") in blocking, key


def test_no_asset_has_an_automation_of_its_own_beside_the_plan(graph):
    assert not [key for key in graph.get_all_asset_keys() if graph.get(key).automation_condition is not None]


def test_a_backfill_is_one_run_a_month_so_that_check_results_name_their_partition(definitions, graph):
    for key in graph.get_all_asset_keys():
        if graph.get(key).partitions_def is not None:
            assert graph.get(key).backfill_policy is None, key  # any policy gives runs a range, if of one partition


def test_the_three_sensors_and_the_schedules_are_on(definitions):
    repository = definitions.get_repository_def()
    assert [sensor.name for sensor in repository.sensor_defs if sensor.default_status.value == "RUNNING"]
    assert {sensor.name for sensor in repository.sensor_defs} >= {"inbox", "tables", "release"}
    assert {schedule.name for schedule in repository.schedule_defs} >= {"nightly_verification", "retention"}


def test_the_checks_that_the_plan_asks_for_are_those_of_the_graph(definitions, graph, settings):
    """One list says which verdicts a partition needs; the graph's checks and whether they block follow it."""
    contracts, statistics = load_contracts(settings.contracts), load_statistics(settings.statistics)
    asked = {("lake", name): lake_checks(contract) for name, contract in contracts.items()}
    asked |= {("statistics", name): statistics_checks(one) for name, one in statistics.items()}
    asked |= {("published", name): published_checks(one) for name, one in statistics.items()}
    found = {key: {} for key in asked}
    for key in graph.asset_check_keys:
        place = tuple(key.asset_key.path)
        if place in found and key.name != "accepted":
            found[place][key.name] = graph.get(key).blocking
    assert found == asked


def test_objects_are_refused_by_default(definitions):
    assert type(definitions.resources["io_manager"]).__name__ == "RefusingIOManager"
