"""Dagster's event log with kept connections: its files are those that Dagster's own storage makes and reads."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.event_api import AssetRecordsFilter
from dagster._core.events import (
    DagsterEvent,
    DagsterEventType,
    EngineEventData,
    StepFailureData,
    StepMaterializationData,
    StepOutputData,
    StepSuccessData,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.outputs import StepOutputHandle
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy import Engine, event

from kobe_platform.orchestration.event_log import MOST_HELD, KeptEventLog

RUN = "00000000-0000-4000-8000-000000000001"
MONTHS = dg.MonthlyPartitionsDefinition("2025-01-01")
ABOUT_A_RUN = {
    "one": "select dagster_event_type, step_key, asset_key, partition from event_logs order by id",
    "index": "select dagster_event_type, step_key, asset_key, partition from event_logs order by id",
    "assets": """select asset_key, last_run_id, json_extract(last_materialization, '$.storage_id'),
        last_materialization_timestamp in (select timestamp from event_logs) from asset_keys order by id""",
    "tags": "select event_id, asset_key, key from asset_event_tags order by event_id, key",
    "checks": """select asset_key, check_name, partition, run_id, execution_status, evaluation_event_storage_id,
        materialization_event_storage_id, (select event = evaluation_event and timestamp = evaluation_event_timestamp
        from event_logs where event_logs.id = evaluation_event_storage_id) from asset_check_executions order by id""",
}


@pytest.fixture
def log(tmp_path: Path):
    made = KeptEventLog(str(tmp_path))
    yield made
    made.dispose()


def entry(run: str) -> EventLogEntry:
    return EventLogEntry(error_info=None, level=20, user_message=f"of {run}", run_id=run, timestamp=time.time())


def told(path: Path) -> tuple:
    """Tables and indices, version of the schema and journal of a database."""
    with sqlite3.connect(path) as database:
        schema = database.execute("select type, name, sql from sqlite_master order by 1, 2").fetchall()
        version = database.execute("select version_num from alembic_version").fetchall()
        return schema, version, database.execute("pragma journal_mode").fetchone()


def test_the_database_of_a_further_run_is_prepared_as_dagster_prepares_it(log, tmp_path, monkeypatch):
    prepared = []
    prepare = log._initdb
    monkeypatch.setattr(log, "_initdb", lambda engine: (prepared.append(engine), prepare(engine)))
    for run in ("one", "two", "three"):
        log.store_event(entry(run))
    assert len(prepared) == 1
    assert told(tmp_path / "three.db") == told(tmp_path / "one.db")
    assert told(tmp_path / "one.db")[1] and told(tmp_path / "one.db")[2] == ("wal",)


def test_each_run_keeps_its_own_events_and_dagster_reads_them(log, tmp_path):
    for run in ("one", "two", "two"):
        log.store_event(entry(run))
    log.dispose()
    plain = SqliteEventLogStorage(str(tmp_path))
    assert [len(plain.get_logs_for_run(run)) for run in ("one", "two")] == [1, 2]
    assert {entry.user_message for entry in plain.get_logs_for_run("two")} == {"of two"}


def test_a_migration_is_looked_for_until_it_was_made(log):
    assert not log.has_secondary_index("tomorrow")
    log.enable_secondary_index("tomorrow")
    assert log.has_secondary_index("tomorrow")
    with log.index_connection() as connection:
        connection.exec_driver_sql("drop table secondary_indexes")
    assert log.has_secondary_index("tomorrow"), "not asked again"


def test_what_a_former_index_had_is_not_taken_for_what_this_one_has(log):
    log.enable_secondary_index("tomorrow")
    assert log.has_secondary_index("tomorrow")
    Path(log.path_for_shard("index")).unlink()
    with log.index_connection():
        pass
    assert not log.has_secondary_index("tomorrow")


def test_a_table_is_looked_for_until_it_is_there(log):
    assert not log.has_table("tomorrow") and log.has_table("asset_keys")
    with log.index_connection() as connection:
        connection.exec_driver_sql("create table tomorrow (day text)")
    assert log.has_table("tomorrow")


# ── what waits for the next step ─────────────────────────────────────────────────────────────────────────────────────


DATA = {
    DagsterEventType.STEP_OUTPUT: StepOutputData(StepOutputHandle("step")),
    DagsterEventType.STEP_SUCCESS: StepSuccessData(duration_ms=1.0),
    DagsterEventType.ENGINE_EVENT: EngineEventData(),
    DagsterEventType.STEP_FAILURE: StepFailureData(error=None, user_failure_data=None),
}


def of_a_step(kind: DagsterEventType) -> EventLogEntry:
    made = DagsterEvent(
        event_type_value=kind.value, job_name="job", step_key="step", event_specific_data=DATA.get(kind)
    )
    return EventLogEntry(
        error_info=None, level=20, user_message="", run_id="one", timestamp=time.time(), dagster_event=made
    )


def stored(path: Path, run: str = "one") -> list[str]:
    """Kinds of events in the database of a run, as another process sees them."""
    with sqlite3.connect(path / f"{run}.db") as database:
        return [kind for (kind,) in database.execute("select dagster_event_type from event_logs order by id")]


def test_what_a_step_produces_is_written_when_the_next_one_begins(log, tmp_path):
    log.store_event(of_a_step(DagsterEventType.STEP_START))
    assert stored(tmp_path) == ["STEP_START"], "one sees which step is at work"
    log.store_event(of_a_step(DagsterEventType.STEP_OUTPUT))
    log.store_event(of_a_step(DagsterEventType.STEP_SUCCESS))
    log.store_event(of_a_step(DagsterEventType.STEP_START))
    assert stored(tmp_path) == ["STEP_START", "STEP_OUTPUT", "STEP_SUCCESS", "STEP_START"]


@pytest.mark.parametrize("kind", [DagsterEventType.STEP_FAILURE, DagsterEventType.ENGINE_EVENT])
def test_a_failure_is_written_at_once_with_what_was_before_it(kind, log, tmp_path):
    for each in (DagsterEventType.STEP_OUTPUT, kind):
        log.store_event(of_a_step(each))
    assert stored(tmp_path) == ["STEP_OUTPUT", kind.value]


def test_what_waits_is_written_before_anything_is_read_and_at_the_end(log, tmp_path):
    log.store_event(of_a_step(DagsterEventType.STEP_OUTPUT))
    assert len(log.get_logs_for_run("one")) == 1
    log.store_event(of_a_step(DagsterEventType.STEP_SUCCESS))
    log.dispose()
    assert stored(tmp_path) == ["STEP_OUTPUT", "STEP_SUCCESS"]


def test_no_more_waits_than_is_said(log, tmp_path):
    for _ in range(MOST_HELD):
        log.store_event(of_a_step(DagsterEventType.STEP_OUTPUT))
    assert len(stored(tmp_path)) == MOST_HELD


def of_one_run(home: Path, module: str, name: str) -> tuple[dict[str, list], int]:
    """What a run of two assets and three checks leaves in a storage, and how often its events were written."""

    @dg.asset(partitions_def=MONTHS, check_specs=[dg.AssetCheckSpec("whole", asset="first")])
    def first():
        yield dg.MaterializeResult(tags={"kind": "plain"}, check_results=[dg.AssetCheckResult(passed=True)])

    @dg.asset(partitions_def=MONTHS, deps=[first])
    def second():
        return dg.MaterializeResult(metadata={"rows": 3})

    @dg.multi_asset_check(
        specs=[dg.AssetCheckSpec("red", asset=first, partitions_def=MONTHS), dg.AssetCheckSpec("green", asset=second)]
    )
    def both():
        yield dg.AssetCheckResult(passed=False, asset_key="first", check_name="red")
        yield dg.AssetCheckResult(passed=True, asset_key="second", check_name="green")

    events = home / "events"
    home.mkdir()
    storage = f"event_log_storage: {{module: {module}, class: {name}, config: {{base_dir: {events}}}}}\n"
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n" + storage)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        job = dg.Definitions(assets=[first, second], asset_checks=[both], jobs=[dg.define_asset_job("all")])
        writes = []

        def count(connection, _cursor, statement, *_rest) -> None:
            if statement.startswith("INSERT INTO event_logs") and RUN in str(connection.engine.url):
                writes.append(statement)

        event.listen(Engine, "after_cursor_execute", count)
        try:
            made = job.resolve_job_def("all").execute_in_process(
                instance=instance, partition_key="2025-01-01", run_id=RUN, raise_on_error=False
            )
        finally:
            event.remove(Engine, "after_cursor_execute", count)
        assert made.success
    found = {}
    for what, query in ABOUT_A_RUN.items():
        with sqlite3.connect(events / (f"{RUN}.db" if what == "one" else "index.db")) as database:
            found[what] = database.execute(query).fetchall()
    return found, len(writes)


def test_a_run_leaves_what_dagsters_own_storage_leaves(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    plain, many = of_one_run(tmp_path / "plain", "dagster._core.storage.event_log", "SqliteEventLogStorage")
    kept, few = of_one_run(tmp_path / "kept", "kobe_platform.orchestration.event_log", "KeptEventLog")
    assert kept == plain
    assert {row[4] for row in plain["checks"]} >= {"SUCCEEDED", "FAILED"}
    assert {row[-1] for row in plain["checks"]} == {1}
    assert len(plain["index"]) > 8 and many == len(plain["one"]) and few <= many / 2


# ── which materialization a result is about ──────────────────────────────────────────────────────────────────────────


OF_MAY = AssetRecordsFilter(dg.AssetKey("table"), asset_partitions=["2025-05"])


def made(run: str, month: str = "2025-05") -> EventLogEntry:
    data = StepMaterializationData(dg.AssetMaterialization("table", partition=month))
    told = DagsterEvent(
        event_type_value="ASSET_MATERIALIZATION", job_name="job", step_key="step", event_specific_data=data
    )
    return EventLogEntry(
        error_info=None, level=20, user_message="", run_id=run, timestamp=time.time(), dagster_event=told
    )


def latest(log: SqliteEventLogStorage) -> tuple[list[tuple[int, str]], str, bool]:
    found = log.fetch_materializations(OF_MAY, limit=1)
    return [(one.storage_id, one.run_id) for one in found.records], found.cursor, found.has_more


def test_the_latest_materialization_is_the_one_that_dagster_reads(log, tmp_path):
    assert latest(log)[0] == []
    for run, month in (("one", "2025-05"), ("two", "2025-04"), ("two", "2025-05")):
        log.store_event(made(run, month))
        assert latest(log) == latest(SqliteEventLogStorage(str(tmp_path)))
    assert latest(log)[0] == [(3, "two")]


def test_the_latest_materialization_may_be_another_process_s(log, tmp_path):
    log.store_event(made("one"))
    assert latest(log)[0] == [(1, "one")]
    SqliteEventLogStorage(str(tmp_path)).store_event(made("two"))
    assert latest(log)[0] == [(2, "two")]


def test_what_the_index_did_not_take_is_not_the_latest_materialization(log, tmp_path, monkeypatch):
    """A full disk takes the whole writing back, and what was known of it."""
    index = log._index

    def refused(*arguments) -> None:
        index(*arguments)
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(log, "_index", refused)
        with pytest.raises(OSError, match="disk"):
            log.store_event(made("one"))
            log.flush()
    assert latest(log)[0] == latest(SqliteEventLogStorage(str(tmp_path)))[0] == []


@pytest.mark.parametrize("away", [("delete_events", "one"), ("wipe_asset", dg.AssetKey("table")), ("wipe",)])
def test_what_was_taken_away_is_not_the_latest_materialization(away, log):
    log.store_event(made("one"))
    assert latest(log)[0] == [(1, "one")]
    getattr(log, away[0])(*away[1:])
    assert latest(log)[0] == []
