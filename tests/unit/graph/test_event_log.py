"""Dagster's event log with kept connections: its files are those that Dagster's own storage makes and reads."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from kobe_platform.orchestration.event_log import KeptEventLog


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
    assert {event.user_message for event in plain.get_logs_for_run("two")} == {"of two"}


def test_a_table_is_looked_for_until_it_is_there(log):
    assert not log.has_table("tomorrow") and log.has_table("asset_keys")
    with log.index_connection() as connection:
        connection.exec_driver_sql("create table tomorrow (day text)")
    assert log.has_table("tomorrow")
