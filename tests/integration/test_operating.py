"""What a data engineer does by hand in the Dagster UI works or says what to do, and the plan agrees afterwards.

Runs are made of the same parts as the UI's: the executor of the graph, a selection, a partition tag; what a backfill
would launch is asked of the function that Dagster's daemon asks.
"""

from __future__ import annotations

import os
import shutil
import threading
import time

import dagster as dg
import pytest
from dagster._core.definitions.automation_tick_evaluation_context import build_run_requests_with_backfill_policies
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository

from kobe_platform.cli.run import process
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.definitions import build_definitions
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lake.verdicts import green
from kobe_platform.orchestration.attending import works_of
from kobe_platform.planning.leases import Leases
from kobe_platform.planning.observing import Observer
from kobe_platform.privacy.instance import open_instance
from kobe_platform.settings import Settings
from kobe_platform.synthesis.deliveries import CityPlan, synthesize

pytestmark = pytest.mark.slow
MONTH, NEXT, GROUP = "2025-11", "2025-12", "stocks/month"
BLOCKING = {"statistics": ("common_margins",), "published": ("disclosure", "no_identifiers")}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("operating")
    shutil.copytree(Settings().statistics, root / "statistics")
    shutil.copytree(Settings().forecast_files, root / "forecasts")
    shutil.copytree(Settings().watch_files, root / "unusual")
    told = {"home": root / "var", "inbox": root / "inbox", "statistics": root / "statistics", "start": MONTH}
    settings = Settings(**told)
    LocalKeyStore.create(settings.keys, log=settings.key_log)
    synthesize(CityPlan(settings.inbox, 20_000, MONTH, MONTH, 0), lambda step: None)
    assert process(settings).plan.empty
    with pytest.MonkeyPatch.context() as patched:
        for name, value in settings.environment().items():
            patched.setenv(name, value)
        yield settings


@pytest.fixture(scope="module")
def members(place) -> list[str]:
    return [name for name, one in Observer(place).statistics.items() if one.key == GROUP]


@pytest.fixture
def instance(place):
    with open_instance(place) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_is_left(place):
    """After whatever a person did, the plan is empty and nothing is locked or under way."""
    yield
    plan = Observer(place).plan()
    assert plan.empty, plan
    assert not Leases(place.root).under_way() and not any(Leases(place.root).runs().values())
    with open_instance(place) as opened:
        assert all(run.is_finished for run in opened.get_runs())


def launched(instance, *, month=None, assets=(), checks=(), again=None):
    """A run as the UI starts it, in this process, under the executor of the graph."""
    for kept in (ReconstructableJob.get_definition, ReconstructableJob.get_repository_definition):
        kept.cache_clear()  # each run of the UI is a process of its own, which reads the definition files again
    repository = ReconstructableRepository.for_module("kobe_platform.definitions", "defs", working_directory=None)
    job = repository.get_reconstructable_job("__ASSET_JOB").get_subset(
        asset_selection=frozenset(map(dg.AssetKey, assets)) if assets or checks else None,
        asset_check_selection=frozenset(checks) if checks else None,
    )
    options = dg.ReexecutionOptions.from_failure(again, instance) if again else None
    tags = {"dagster/partition": month} if month else {}
    with dg.execute_job(job, instance=instance, tags=tags, reexecution_options=options, raise_on_error=False) as result:
        return result.success, result.run_id, list(result.all_events)


def evaluations(events):
    return [event.asset_check_evaluation_data for event in events if event.event_type_value == "ASSET_CHECK_EVALUATION"]


def verdicts_stand(place, members, month=MONTH) -> bool:
    keys = LocalKeyStore.open(place.keys, log=place.key_log)
    store = PartitionStore(place.store, keys, municipality=place.municipality, principal="test")
    found = [
        check in green(store, store.current(PartitionId(stage, name, month)))
        for stage, checks in BLOCKING.items()
        for name in members
        for check in checks
    ]
    return bool(found) and all(found)


def words_of_failure(events) -> str:
    failed = next(event for event in events if event.is_step_failure)
    return failed.step_failure_data.error.message


def test_a_backfill_launches_one_run_a_month_that_names_its_month(place, members, instance):
    graph = build_definitions().resolve_asset_graph()
    keys = [dg.AssetKey([stage, name]) for stage in BLOCKING for name in members]
    wanted = [AssetKeyPartitionKey(key, month) for key in keys for month in (MONTH, NEXT)]
    requests = build_run_requests_with_backfill_policies(wanted, graph, instance)
    assert [request.partition_key for request in requests] == [MONTH, NEXT]
    assert all(request.tags["dagster/partition"] == request.partition_key for request in requests)

    success, _, events = launched(instance, month=MONTH, assets=[key.path for key in keys])
    told = evaluations(events)
    assert success and len(told) > 3 * len(members) and all(one.partition == MONTH and one.passed for one in told)
    assert verdicts_stand(place, members)


def test_a_failed_step_is_mended_and_the_run_goes_on_from_there(place, members, instance):
    path = place.statistics / "population_ward.sql"
    good, stamp = path.read_text("utf-8"), path.stat()
    keys = [[stage, name] for stage in BLOCKING for name in members]
    rows = next((place.store / "lake" / "resident_register" / MONTH).glob("g*/data.parquet"))
    path.write_text(good + " -- counted again", "utf-8")
    rows.rename(rows.with_suffix(".aside"))
    try:
        success, failed, events = launched(instance, month=MONTH, assets=keys)
    finally:
        rows.with_suffix(".aside").rename(rows)
        path.write_text(good, "utf-8")
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    told = words_of_failure(events)
    assert not success and "次にすること:" in told.split("\n")[0], told
    assert "[custody." in told
    assert "Error ID" not in told and "Traceback" not in told

    success, _, events = launched(instance, month=MONTH, assets=keys, again=failed)
    assert success and all(one.partition == MONTH for one in evaluations(events))
    assert verdicts_stand(place, members)


def test_a_check_alone_waits_for_the_lock_of_its_month_and_lands_on_it(place, instance):
    check = dg.AssetCheckKey(dg.AssetKey(["published", "population_ward"]), "disclosure")
    begun = threading.Event()

    def waiting(run) -> bool:
        return any("終わるのを待っています" in entry.user_message for entry in instance.all_logs(run))

    def hold():
        with Leases(place.root).holding(f"tabulate:{MONTH}"):
            begun.set()
            limit = time.monotonic() + 120
            while not any(waiting(run.run_id) for run in instance.get_runs()) and time.monotonic() < limit:
                time.sleep(0.5)

    other = threading.Thread(target=hold)
    other.start()
    begun.wait(10)
    success, run, events = launched(instance, month=MONTH, checks=[check])
    other.join()
    (told,) = evaluations(events)
    assert success and told.partition == MONTH and told.passed
    assert waiting(run)


def test_checks_that_are_started_without_a_month_say_what_to_do(instance):
    check = dg.AssetCheckKey(dg.AssetKey(["published", "population_ward"]), "no_identifiers")
    success, _, events = launched(instance, checks=[check])
    told = words_of_failure(events)
    assert not success and "Materialize で月を選ぶと" in told and "[run.month]" in told and "Error ID" not in told


def test_a_raw_asset_without_its_delivery_says_what_to_do(instance):
    success, _, events = launched(instance, month=NEXT, assets=[["raw", "resident_register"]])
    told = words_of_failure(events)
    assert not success and told.startswith("受信箱にこの月の提供データがありません。次にすること:")
    assert "[delivery.absent]" in told and "Error ID" not in told


def test_a_release_by_hand_makes_none_when_nothing_is_new(place, instance):
    before = sorted(path.name for path in place.releases.iterdir())
    success, _, _ = launched(instance, assets=[["dashboards", "release"]])
    assert success and sorted(path.name for path in place.releases.iterdir()) == before


@pytest.mark.parametrize(
    "step, works",
    [
        ("statistics__stocks_month", {"tabulate:2025-11", "take_in:stocks_month:2025-11"}),
        ("statistics__estimated_population", {"tabulate:2025-11", "take_in:estimated_population:2025-11"}),
        ("common_margins__stocks_month", {"tabulate:2025-11", "take_in:stocks_month:2025-11"}),
        ("no_identifiers__published__stocks_month", {"tabulate:2025-11"}),
        ("no_identifiers__raw__resident_register", {"take_in:resident_register:2025-11"}),
        ("expectations__resident_register", {"take_in:resident_register:2025-11"}),
        ("clean_page__ward_population", {"release"}),
        ("dashboards__release", {"release"}),
    ],
)
def test_a_run_holds_the_locks_of_what_its_steps_write(step, works):
    assert works_of([step], {"dagster/partition": MONTH}) == works
