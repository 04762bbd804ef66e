"""The sensors on a real (ephemeral) instance: each asks the plan, and requests one run a delivery, month or release."""

import hashlib
import json
import sqlite3
from unittest.mock import Mock

import dagster as dg
import polars as pl
import pytest

from assets.jobs import RELEASE, TABULATE
from assets.sensors import INBOX, MOST_REQUESTS, MOST_RUNS, RELEASES, SENSORS, TABLES
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.definitions import build_definitions
from kobe_platform.errors import DeliveryRejected
from kobe_platform.intake.deliveries import find_one
from kobe_platform.intake.receipts import write_receipt
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.orchestration.attending import KEY_TAG, WORK_TAG
from kobe_platform.orchestration.headless import Headless
from kobe_platform.planning.leases import TICKER, Leases
from kobe_platform.planning.observing import Observer
from kobe_platform.settings import Settings


def deliver(inbox, source, month, *, content=b"x"):
    folder = inbox / "28100" / source / month
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.csv").write_bytes(content)
    kinds = {"resident_register": "snapshot", "resident_movements": "events"}
    manifest = {
        "municipality": "28100",
        "source": source,
        "month": month,
        "kind": kinds.get(source, "public"),
        "sequence": 1,
        "created_at": "2025-08-01T00:00:00+09:00",
        "encoding": "cp932",
        "files": [
            {"name": "data.csv", "rows": 1, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


@pytest.fixture
def place(tmp_path):
    settings = Settings(home=tmp_path / "var", inbox=tmp_path / "inbox")
    LocalKeyStore.create(settings.keys, log=settings.key_log)
    settings.inbox.mkdir()
    return settings


@pytest.fixture
def store(place):
    keys = LocalKeyStore.open(place.keys, log=place.key_log)
    return PartitionStore(place.store, keys, municipality=place.municipality)


@pytest.fixture
def definitions(place):
    return build_definitions(place)


@pytest.fixture
def tick(definitions, ephemeral):
    def evaluate(name=INBOX):
        context = dg.build_sensor_context(
            instance=ephemeral,
            repository_def=definitions.get_repository_def(),
            resources=dict(definitions.resources),
            sensor_name=name,
        )
        return definitions.resolve_sensor_def(name).evaluate_tick(context)

    return evaluate


def requested(data):
    return [(request.job_name, request.partition_key) for request in data.run_requests]


def launched(ephemeral, definitions, request, status):
    job = definitions.resolve_job_def(request.job_name)
    return ephemeral.create_run_for_job(job, tags=dict(request.tags), status=status)


@pytest.mark.slow
def test_an_empty_inbox_is_skipped_with_a_reason_and_nothing_is_released_over_nothing(tick):
    for name in SENSORS:
        data = tick(name)
        assert not data.run_requests and data.skip_message == "することはありません", name


def test_without_keys_nothing_is_requested_and_the_reason_says_what_to_do(tick, place):
    deliver(place.inbox, "town_districts", "2025-07")
    (place.keys / "root.json").rename(place.keys / "root.away")
    data = tick()
    assert not data.run_requests and "kobe keys init" in data.skip_message
    (place.keys / "root.away").rename(place.keys / "root.json")
    assert requested(tick()) == [("take_in_town_districts", "2025-07")]


def test_an_inbox_that_is_not_there_is_said_and_nothing_is_requested(tick, place):
    place.inbox.rmdir()
    data = tick()
    assert not data.run_requests and "inbox.absent" in data.skip_message


def test_the_register_waits_for_the_districts_and_the_movements_for_the_register(tick, place, store):
    deliver(place.inbox, "resident_movements", "2025-07")
    deliver(place.inbox, "resident_register", "2025-07")
    deliver(place.inbox, "town_districts", "2025-07")
    assert requested(tick()) == [("take_in_town_districts", "2025-07")]
    accepted(place, store, "town_districts", "raw")
    assert requested(tick()) == [("take_in_resident_register", "2025-07")]


def accepted(place, store, source, stage):
    delivery = find_one(place.inbox, "28100", source, "2025-07")
    facts = {"content_hash": delivery.content_hash}
    store.write(PartitionId(stage, source, "2025-07"), pl.DataFrame({"a": [1]}), facts=facts)
    write_receipt(place.root, delivery, "accepted", {"rows": 1})


def test_a_run_key_names_the_work_its_inputs_and_the_attempt(tick, place, ephemeral, definitions):
    deliver(place.inbox, "town_districts", "2025-07")
    first = tick().run_requests[0]
    assert first.run_key == f"{first.tags[KEY_TAG]}:1"
    assert first.tags[WORK_TAG] == "take_in:town_districts:2025-07"
    launched(ephemeral, definitions, first, dg.DagsterRunStatus.FAILURE)
    again = tick().run_requests[0]
    assert again.run_key == f"{first.tags[KEY_TAG]}:2"
    deliver(place.inbox, "town_districts", "2025-07", content=b"corrected")
    fresh = tick().run_requests[0]
    assert fresh.run_key.endswith(":1") and fresh.tags[KEY_TAG] != first.tags[KEY_TAG]


def test_work_that_never_gets_done_is_left_to_a_person(tick, place, ephemeral, definitions):
    deliver(place.inbox, "town_districts", "2025-07")
    request = tick().run_requests[0]
    for _ in range(MOST_RUNS):
        launched(ephemeral, definitions, request, dg.DagsterRunStatus.FAILURE)
    data = tick()
    assert not data.run_requests and "kobe status" in data.skip_message


@pytest.mark.slow
@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING])
def test_a_delivery_that_is_queued_or_starting_is_not_requested_again(tick, place, ephemeral, definitions, status):
    deliver(place.inbox, "town_districts", "2025-07")
    launched(ephemeral, definitions, tick().run_requests[0], status)
    data = tick()
    assert not data.run_requests and "1件は実行待ちか実行中" in data.skip_message


def test_a_delivery_under_way_in_another_process_is_not_requested_again(tick, place):
    deliver(place.inbox, "town_districts", "2025-07")
    with Leases(place.root).holding("take_in:town_districts:2025-07"):
        assert not tick().run_requests
    assert tick().run_requests


@pytest.mark.slow
def test_the_daemon_requests_nothing_while_another_process_runs_the_plan(tick, place, monkeypatch):
    deliver(place.inbox, "town_districts", "2025-07")
    with Leases(place.root).holding(TICKER):
        assert tick().run_requests, "this process is the one that runs it"
        monkeypatch.setattr("kobe_platform.planning.leases.Owner.mine", False)
        data = tick()
    assert not data.run_requests and "kobe run" in data.skip_message


def test_a_rejected_delivery_is_not_tried_again_and_a_corrected_one_is(tick, place):
    deliver(place.inbox, "town_districts", "2025-07")
    delivery = find_one(place.inbox, "28100", "town_districts", "2025-07")
    write_receipt(place.root, delivery, "rejected", DeliveryRejected("no", code="file.hash"))
    assert not tick().run_requests
    deliver(place.inbox, "town_districts", "2025-07", content=b"corrected")
    assert len(tick().run_requests) == 1


def test_a_changed_definition_file_asks_for_a_reload(tick, place, monkeypatch):
    deliver(place.inbox, "town_districts", "2025-07")
    monkeypatch.setattr("kobe_platform.planning.observing._stamps", lambda settings: {"a.toml": (1, 1)})
    data = tick()
    assert not data.run_requests and "Reload" in data.skip_message


@pytest.mark.slow
def test_a_tick_asks_for_a_bounded_number_of_runs(tick, place):
    for year in range(2011, 2019):
        for month in range(1, 13):
            deliver(place.inbox, "town_districts", f"{year}-{month:02d}")
    assert len(tick().run_requests) == MOST_REQUESTS


def test_months_and_releases_have_jobs_of_their_own(definitions):
    jobs = {name: {job.name for job in definitions.resolve_sensor_def(name).jobs} for name in SENSORS}
    assert jobs[TABLES] == {TABULATE} and jobs[RELEASES] == {RELEASE}
    assert "take_in_resident_register" in jobs[INBOX]


def test_the_graph_executes_the_definitions_that_its_plan_was_made_of(place, monkeypatch):
    planning = Observer(place)
    planning.plan()
    for name in ("load_statistics", "load_published", "made_from_tables", "load_pages", "load_contracts"):
        for module in ("statistics", "published", "lounge.pages", "contracts", "planning.observing"):
            read = Mock(side_effect=AssertionError(f"{name} of {module}: read again"))
            monkeypatch.setattr(f"kobe_platform.{module}.{name}", read, raising=False)
    assert build_definitions(place, {"planning": planning}).resolve_job_def(TABULATE)


def test_headless_ticks_the_daemons_own_sensors(definitions, ephemeral, place):
    deliver(place.inbox, "town_districts", "2025-07")
    asked = Headless(definitions, ephemeral, tuple(SENSORS)).tick(INBOX)
    assert [request.job_name for request in asked] == ["take_in_town_districts"]


def test_a_delivery_that_is_turned_away_prints_its_reason_and_no_warnings_of_dagster(
    definitions, ephemeral, place, store, caplog
):
    store.write(PartitionId("raw", "town_districts", "2025-07"), pl.DataFrame({"town_code": ["28101001000"]}))
    deliver(place.inbox, "resident_register", "2025-07")
    (outcome,) = Headless(definitions, ephemeral, tuple(SENSORS)).run()
    assert outcome.turned_away and not outcome.made
    assert [record.name for record in caplog.records if record.levelname == "WARNING"] == []


def test_work_that_is_left_because_a_definition_changed_is_said(definitions, ephemeral, place, monkeypatch):
    monkeypatch.setattr("kobe_platform.planning.observing._stamps", lambda settings: {"a.toml": (1, 1)})
    assert list(Headless(definitions, ephemeral, tuple(SENSORS)).run()) == [], "nothing is left"
    deliver(place.inbox, "town_districts", "2025-07")
    (outcome,) = Headless(definitions, ephemeral, tuple(SENSORS)).run()
    assert not outcome.success and not outcome.made
    assert [fault.code for fault in outcome.faults] == ["plan.changed"]


def test_a_sensor_that_fails_ends_the_run_with_its_reason(definitions, ephemeral, place, monkeypatch):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    planning = definitions.resources["planning"]
    monkeypatch.setattr(planning, "plan", Mock(side_effect=error))
    (outcome,) = Headless(definitions, ephemeral, tuple(SENSORS)).run()
    assert not outcome.success
    assert [fault.code for fault in outcome.faults] == ["custody.disk_full"]


def test_a_run_looks_once_between_two_works_and_ends_with_the_plan_of_its_last_look(
    definitions, ephemeral, place, monkeypatch
):
    """Over thousands of partitions each look costs."""
    planning, looks = definitions.resources["planning"], []
    facts = type(planning).facts
    monkeypatch.setattr(type(planning), "facts", lambda *given, **more: (looks.append(1), facts(*given, **more))[1])
    deliver(place.inbox, "town_districts", "2025-07")
    graph = Headless(definitions, ephemeral, tuple(SENSORS))
    assert len(list(graph.run())) == 1 and len(looks) == 2
    assert graph.ended_with == planning.plan(planning.scope)


def test_a_run_that_breaks_off_ends_with_no_plan(definitions, ephemeral, monkeypatch):
    monkeypatch.setattr(definitions.resources["planning"], "plan", Mock(side_effect=sqlite3.OperationalError("x")))
    graph = Headless(definitions, ephemeral, tuple(SENSORS))
    assert list(graph.run()) and graph.ended_with is None
