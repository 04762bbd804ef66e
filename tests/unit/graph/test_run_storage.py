"""Dagster's runs with kept connections: the file is the one that Dagster's own storage makes and reads."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.utils import make_new_run_id
from sqlalchemy import event
from sqlalchemy.pool import Pool

from kobe_platform.orchestration import run_storage
from kobe_platform.orchestration.run_storage import KeptRunStorage
from kobe_platform.privacy.instance import open_instance
from kobe_platform.settings import Settings


@pytest.fixture
def runs(tmp_path: Path):
    made = KeptRunStorage.from_local(str(tmp_path))
    yield made
    made.dispose()


def a_run(status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="job", run_id=make_new_run_id(), status=status, tags={"month": "2025-07"})


def found(storage: SqliteRunStorage, run_id: str) -> dg.DagsterRun | None:
    return next(iter(storage.get_runs(dg.RunsFilter(run_ids=[run_id]))), None)


def test_an_installation_keeps_the_connections_to_its_runs(tmp_path):
    with open_instance(Settings(home=tmp_path / "var")) as instance:
        assert isinstance(instance.run_storage, KeptRunStorage)
        assert (tmp_path / "var" / "dagster" / "history" / "runs.db").is_file()


def test_a_restored_home_asks_its_own_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "here"))
    made = KeptRunStorage.from_config_value(None, {"base_dir": str(tmp_path / "former" / "history")})
    made.dispose()
    assert (tmp_path / "here" / "history" / "runs.db").is_file() and not (tmp_path / "former").exists()


def test_the_database_is_prepared_as_dagster_prepares_it(runs, tmp_path):
    SqliteRunStorage.from_local(str(tmp_path / "dagsters"))
    assert told(tmp_path / "runs.db") == told(tmp_path / "dagsters" / "runs.db")


def told(path: Path) -> tuple:
    """Tables and indices, version of the schema and journal of a database."""
    with sqlite3.connect(path) as database:
        schema = database.execute("select type, name, sql from sqlite_master order by 1, 2").fetchall()
        version = database.execute("select version_num from alembic_version").fetchall()
        return schema, version, database.execute("pragma journal_mode").fetchone()


def test_many_questions_open_no_further_connection(runs, tmp_path):
    opened = []

    def listener(connection, record):
        opened.append(connection)

    one = a_run()
    runs.add_run(one)
    event.listen(Pool, "connect", listener)
    try:
        assert all(found(runs, one.run_id) == one for _ in range(5)) and not opened
        plain = SqliteRunStorage.from_local(str(tmp_path))
        assert all(found(plain, one.run_id) == one for _ in range(5)) and len(opened) >= 5
    finally:
        event.remove(Pool, "connect", listener)


def test_dagster_reads_what_was_written_and_what_others_write_is_seen(runs, tmp_path):
    ours, theirs = a_run(), a_run()
    plain = SqliteRunStorage.from_local(str(tmp_path))
    runs.add_run(ours)
    assert found(plain, ours.run_id) == ours
    plain.add_run(theirs)
    assert found(runs, theirs.run_id) == theirs
    runs.delete_run(ours.run_id)
    assert not plain.has_run(ours.run_id)


def test_a_failed_statement_leaves_nothing_behind(runs):
    with pytest.raises(RuntimeError), runs.connect() as connection:
        connection.exec_driver_sql("insert into kvs (key, value) values ('a', 'b')")
        raise RuntimeError
    assert runs.get_cursor_values({"a"}) == {}
    with runs.connect() as connection:  # and locks nothing
        connection.exec_driver_sql("insert into kvs (key, value) values ('a', 'b')")
    assert runs.get_cursor_values({"a"}) == {"a": "b"}


def test_threads_ask_at_the_same_time(runs):
    written = [a_run() for _ in range(20)]
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(runs.add_run, written))
        assert list(threads.map(lambda one: found(runs, one.run_id), written)) == written


def test_a_file_that_was_put_in_its_place_is_the_one_that_is_asked(runs, tmp_path):
    former, restored = a_run(), a_run()
    runs.add_run(former)
    other = SqliteRunStorage.from_local(str(tmp_path / "backup"))
    other.add_run(restored)
    with sqlite3.connect(tmp_path / "backup" / "runs.db") as database:
        database.execute("pragma wal_checkpoint(truncate)")
    for part in ("-wal", "-shm"):
        (tmp_path / f"runs.db{part}").unlink(missing_ok=True)
    os.replace(tmp_path / "backup" / "runs.db", tmp_path / "runs.db")
    assert runs.has_run(restored.run_id) and not runs.has_run(former.run_id)


def test_threads_that_begin_together_share_one_database(runs, monkeypatch):
    def slowly(*told, **options):
        time.sleep(0.05)
        return made(*told, **options)

    made = run_storage.create_engine
    monkeypatch.setattr(run_storage, "create_engine", slowly)
    runs.dispose()
    begun = threading.Barrier(8)

    def first(_: int):
        begun.wait()
        return runs._engine()

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(first, range(8)))) == 1
