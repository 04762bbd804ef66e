"""Stores Dagster's event log in SQLite with connections that stay open.

Dagster's own opens a connection, and compiles its statements, for each of the thousand events of a month: that was half
of what a month cost. This one keeps the connections of the index and of the latest runs. Commits are not forced onto
the disk one by one (``synchronous=NORMAL`` under its write-ahead log: a power cut may lose the last events and breaks
nothing), because nothing that the platform decides is read from there: Dagster's databases are copies for people.

What a step produces is written together, when the next step or anything else begins, and before anything is read here:
one transaction for the run and one for the index, where Dagster has two or three for each event (decision 0068).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from dagster._core.event_api import (
    AssetRecordsFilter,
    EventLogCursor,
    EventLogRecord,
    EventRecordsResult,
)
from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    DagsterEventType,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, bindparam, create_engine
from sqlalchemy import event as events_of
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

KEPT = 4
"""Databases that stay open: the index and the runs that were used last."""
HELD = frozenset(
    {
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        DagsterEventType.STEP_OUTPUT,
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_CHECK_EVALUATION,
        DagsterEventType.STEP_SUCCESS,
    }
)
"""Events that wait for the next of another kind: the start of a step or run, a failure, an end, a line of a log."""
MOST_HELD = 500
_MIRRORED = ASSET_EVENTS | ASSET_CHECK_EVENTS | EVENT_TYPE_TO_PIPELINE_RUN_STATUS.keys()
"""Events that stand in the index, too."""
_CHECKS = AssetCheckExecutionsTable
_JUDGED = _CHECKS.update().where(
    _CHECKS.c.asset_key == bindparam("of_asset"),
    _CHECKS.c.check_name == bindparam("of_check"),
    _CHECKS.c.run_id == bindparam("of_run"),
    _CHECKS.c.partition.is_(bindparam("of_partition")),
)
"""Enters a result where Dagster planned it; a check of no partition has none there."""
_ASSET = AssetKeyTable.update().where(AssetKeyTable.c.asset_key == bindparam("of_asset"))
_Indexed = tuple[EventLogEntry, dict[str, Any], int]
"""An event of the index, its row there, and the number of that row."""


class KeptEventLog(SqliteEventLogStorage):
    """:class:`SqliteEventLogStorage` but for how it connects; the files are the same."""

    @classmethod
    def from_config_value(cls, inst_data, config_value):
        """As Dagster makes a storage from ``dagster.yaml``: ``base_dir`` is the folder of the databases.

        Where ``DAGSTER_HOME`` says otherwise it is right: the file of a restored home names the former place.
        """
        home = os.environ.get("DAGSTER_HOME")
        folder = os.path.join(home, "history", "runs") if home else config_value["base_dir"]
        return cls(inst_data=inst_data, base_dir=folder)

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._held: list[EventLogEntry] = []
        self._holding = threading.RLock()
        self._past = False
        self._joined: tuple[int, Connection] | None = None
        self._columns: set[str] = set()
        self._latest: dict[tuple[str, str | None], EventLogRecord] = {}
        self._version: int | None = None
        super().__init__(base_dir, inst_data)

    def store_event(self, event: EventLogEntry) -> None:
        """Write an event with those that wait for it, or let it wait."""
        with self._holding:
            self._held.append(event)
            kind = event.dagster_event_type if event.is_dagster_event else None
            if kind not in HELD or len(self._held) >= MOST_HELD:
                self.flush()

    def flush(self) -> None:
        """Write the events that wait. Those that cannot be written are lost, as a single one would be."""
        with self._holding:
            events, self._held = self._held, []
            if events:
                self._write(events)

    def _write(self, events: Sequence[EventLogEntry]) -> None:
        """Write events in their order: of each run in one transaction, then in one what the index has of them."""
        rows = [self._event_to_row(entry) for entry in events]
        for run in dict.fromkeys(entry.run_id for entry in events):
            with self._connection(run) as connection:
                connection.execute(SqlEventLogStorageTable.insert(), [row for row in rows if row["run_id"] == run])
        mirrored = [
            (event, row)
            for event, row in zip(events, rows, strict=True)
            if event.is_dagster_event and event.dagster_event_type in _MIRRORED
        ]
        if not mirrored:
            return
        try:
            with self._connection(INDEX_SHARD_NAME) as connection:
                self._joined = threading.get_ident(), connection
                try:
                    self._index(connection, mirrored)
                finally:
                    self._joined = None
        except BaseException:
            self._latest.clear()  # what was not written is not the latest
            raise

    def _index(self, connection: Connection, mirrored: Sequence[tuple[EventLogEntry, dict[str, Any]]]) -> None:
        """Enter events into the index, and what Dagster keeps there of their assets and checks."""
        connection.execute(SqlEventLogStorageTable.insert(), [row for _, row in mirrored])
        last = connection.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()  # nobody else numbers meanwhile
        first = last - len(mirrored) + 1
        indexed = [(event, row, number) for number, (event, row) in enumerate(mirrored, first)]
        self._index_assets(connection, [one for one in indexed if one[0].dagster_event_type in ASSET_EVENTS])
        kinds = DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, DagsterEventType.ASSET_CHECK_EVALUATION
        planned, judged = ([one for one in indexed if one[0].dagster_event_type is kind] for kind in kinds)
        plans = [plan for one in planned for plan in self._plans(*one)]
        if plans:
            connection.execute(_CHECKS.insert(), plans)
        for one in judged:
            self._index_judgement(connection, *one)

    def _index_assets(self, connection: Connection, indexed: Sequence[_Indexed]) -> None:
        """Of each asset what its last events say; of a materialization also its tags."""
        self._store_asset_event_tags(
            connection, [event for event, _, _ in indexed], [number for _, _, number in indexed]
        )
        self._forget_what_others_changed(connection)
        has_columns = self._has_asset_key_index_cols_on_connection(connection)
        values: dict[str, dict[str, Any]] = {}
        for event, row, number in indexed:
            told = self._get_asset_entry_values(event, number, has_columns)
            if told and row["asset_key"]:
                values.setdefault(row["asset_key"], {}).update(told)
            if event.dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION:
                self._know(event, row, number)
        for key, told in values.items():
            if not connection.execute(_ASSET.values(**told), {"of_asset": key}).rowcount:
                connection.execute(AssetKeyTable.insert().values(asset_key=key, **told))

    def _know(self, event: EventLogEntry, row: dict[str, Any], number: int) -> None:
        """Keep a materialization for the results of its checks: those of one run at a time."""
        if any(known.run_id != event.run_id for known in self._latest.values()):
            self._latest.clear()
        self._latest[row["asset_key"], row["partition"]] = EventLogRecord(number, event)

    def _plans(self, event: EventLogEntry, row: dict[str, Any], number: int) -> Iterator[dict[str, Any]]:
        """Rows that wait for the results of a check in a run, as Dagster writes them."""
        assert event.dagster_event is not None  # what is planned is one of Dagster's own events
        plan = event.dagster_event.asset_check_planned_data
        subset = plan.partitions_subset
        for partition in subset.get_partition_keys() if subset else [None]:
            yield {
                "asset_key": plan.asset_key.to_string(),
                "check_name": plan.check_name,
                "partition": partition,
                "run_id": event.run_id,
                "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
                "evaluation_event": row["event"],
                "evaluation_event_timestamp": row["timestamp"],
                "evaluation_event_storage_id": number,
            }

    def _index_judgement(self, connection: Connection, event: EventLogEntry, row: dict[str, Any], number: int) -> None:
        """Enter a check's result where it was planned; Dagster itself sees to results that were not, or twice."""
        assert event.dagster_event is not None
        found = event.dagster_event.asset_check_evaluation_data
        target = found.target_materialization_data
        statuses = AssetCheckExecutionRecordStatus
        judged = _JUDGED.values(
            execution_status=(statuses.SUCCEEDED if found.passed else statuses.FAILED).value,
            evaluation_event=row["event"],
            evaluation_event_timestamp=row["timestamp"],
            evaluation_event_storage_id=number,
            materialization_event_storage_id=target.storage_id if target else None,
        )
        key = {"of_asset": found.asset_key.to_string(), "of_check": found.check_name}
        place = {**key, "of_run": event.run_id, "of_partition": found.partition}
        if not event.run_id or connection.execute(judged, place).rowcount != 1:
            self.store_asset_check_event(event, number)

    def fetch_materializations(self, records_filter, limit, cursor=None, ascending=False):
        """As Dagster's. Each result of a check asks it for the latest: the one that was written here, as a rule."""
        made = DagsterEventType.ASSET_MATERIALIZATION
        with self._holding:
            if any(event.dagster_event_type is made for event in self._held):
                self.flush()
            found = self._latest_of(records_filter) if limit == 1 and cursor is None and not ascending else None
            if found is not None:
                return EventRecordsResult([found], EventLogCursor.from_storage_id(found.storage_id).to_string(), True)
            self._past = True  # no materialization waits
            try:
                return super().fetch_materializations(records_filter, limit, cursor, ascending)
            finally:
                self._past = False

    def _latest_of(self, asked: object) -> EventLogRecord | None:
        """The latest materialization of one partition, if this process wrote it and the index is as it left it."""
        if not isinstance(asked, AssetRecordsFilter) or len(asked.asset_partitions or ()) != 1 or any(asked[2:]):
            return None
        with self._connection(INDEX_SHARD_NAME) as connection:
            self._forget_what_others_changed(connection)
        assert asked.asset_partitions is not None
        return self._latest.get((asked.asset_key.to_string(), asked.asset_partitions[0]))

    def _forget_what_others_changed(self, connection: Connection) -> None:
        """Know no materialization any more once another connection has written into the index."""
        version = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        if version != self._version:
            self._latest.clear()
            self._version = version

    def delete_events_for_run(self, conn, run_id):
        """As Dagster's; no materialization is kept after it."""
        super().delete_events_for_run(conn, run_id)
        self._latest.clear()

    def wipe(self):
        """As Dagster's; no materialization is kept after it."""
        super().wipe()
        self._latest.clear()

    def wipe_asset(self, asset_key):
        """As Dagster's; no materialization is kept after it."""
        super().wipe_asset(asset_key)
        self._latest.clear()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """The connection for whatever reads or writes: what waits is written before."""
        joined = self._joined
        if joined is not None and shard == INDEX_SHARD_NAME and joined[0] == threading.get_ident():
            yield joined[1]
            return
        with self._holding:
            if not self._past:
                self.flush()
        with self._connection(shard) as connection:
            yield connection

    @contextmanager
    def _connection(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
            yield connection

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        if column_name not in self._columns and super()._has_asset_key_col_on_connection(conn, column_name):
            self._columns.add(column_name)
        return column_name in self._columns

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; Dagster asks it for each event, and a table that was there once stays."""
        known: set[str] = self.__dict__.setdefault("_tables", set())
        if table_name not in known and super().has_table(table_name):
            known.add(table_name)
        return table_name in known

    def has_secondary_index(self, name: str) -> bool:
        """Whether a migration of the index was made; Dagster asks it for each step, and one that was made stays."""
        known: set[str] = self.__dict__.setdefault("_migrated", set())
        if name not in known and super().has_secondary_index(name):
            known.add(name)
        return name in known

    def _engine(self, shard: str) -> Engine:
        """The open database of a shard: another one where its file was taken away or replaced since."""
        known: OrderedDict[str, tuple[Engine, int]] = self.__dict__.setdefault("_engines", OrderedDict())
        held = known.pop(shard, None)
        if held is not None and held[1] != self._inode(shard):
            held[0].dispose()
            self._initialized_dbs.discard(shard)
            if shard == INDEX_SHARD_NAME:  # what the former index had is not what this one has
                self._columns.clear()
                self.__dict__.pop("_tables", None)
                self.__dict__.pop("_migrated", None)
            held = None
        if held is None:
            self._version = self._version if shard != INDEX_SHARD_NAME else None
            held = self._prepared(shard), self._inode(shard)
        known[shard] = held
        while len(known) > KEPT:
            known.popitem(last=False)[1][0].dispose()
        return held[0]

    def _prepared(self, shard: str) -> Engine:
        """The database of a shard with its tables; a new one is a copy of the first that was prepared.

        Dagster's preparation loads all revisions of its schema, which are the same for each run.
        """
        engine = _opened(self.conn_string_for_shard(shard))
        if shard in self._initialized_dbs:
            return engine
        empty: sqlite3.Connection | None = self.__dict__.get("_empty")
        if self._inode(shard):
            self._initdb(engine)
        elif empty is not None:
            _copied(empty, engine)
        else:
            self._initdb(engine)
            self.__dict__["_empty"] = empty = sqlite3.connect(":memory:", check_same_thread=False)
            with engine.connect() as connection:
                _of_the_driver(connection).backup(empty)
        self._initialized_dbs.add(shard)
        return engine

    def _inode(self, shard: str) -> int:
        try:
            return os.stat(self.path_for_shard(shard)).st_ino
        except OSError:
            return 0

    def dispose(self) -> None:
        """Write what waits, where that is still possible, and close what is open."""
        with suppress(SQLAlchemyError):
            self.flush()
        for engine, _ in self.__dict__.pop("_engines", {}).values():
            engine.dispose()
        super().dispose()


def _copied(empty: sqlite3.Connection, engine: Engine) -> None:
    """Make a new database the copy of an empty one, with the write-ahead log that Dagster sets."""
    with engine.connect() as connection:
        made = _of_the_driver(connection)
        empty.backup(made)
        made.execute("PRAGMA journal_mode=WAL")


def _of_the_driver(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection below SQLAlchemy's."""
    found = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)
    return found


def _opened(address: str) -> Engine:
    """One connection for all threads: the storage lets one at a time use it."""
    options = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
    engine = create_engine(address, poolclass=StaticPool, connect_args=options)

    @events_of.listens_for(engine, "connect")
    def relaxed(connection, _record) -> None:
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
