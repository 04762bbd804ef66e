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

from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    DagsterEventType,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
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
        with self._connection(INDEX_SHARD_NAME) as connection:
            self._joined = threading.get_ident(), connection
            try:
                for event, row in mirrored:
                    self._index(connection, event, row)
            finally:
                self._joined = None

    def _index(self, connection: Connection, event: EventLogEntry, row: dict[str, object]) -> None:
        """Enter an event into the index, and what Dagster keeps there of its asset or check."""
        key = connection.execute(SqlEventLogStorageTable.insert(), row).inserted_primary_key
        assert key is not None  # a table with a running number
        if event.dagster_event_type in ASSET_EVENTS:
            self._store_asset_event_tags(connection, [event], [key[0]])
            self._store_asset_event(connection, event, key[0])
        elif event.dagster_event_type in ASSET_CHECK_EVENTS:
            self.store_asset_check_event(event, key[0])

    def fetch_materializations(self, records_filter, limit, cursor=None, ascending=False):
        """As Dagster's. Each result of a check asks it: it need not wait for anything but a materialization."""
        with self._holding:
            self._past = all(
                event.dagster_event_type is not DagsterEventType.ASSET_MATERIALIZATION for event in self._held
            )
            try:
                return super().fetch_materializations(records_filter, limit, cursor, ascending)
            finally:
                self._past = False

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

    def _engine(self, shard: str) -> Engine:
        """The open database of a shard: another one where its file was taken away or replaced since."""
        known: OrderedDict[str, tuple[Engine, int]] = self.__dict__.setdefault("_engines", OrderedDict())
        held = known.pop(shard, None)
        if held is not None and held[1] != self._inode(shard):
            held[0].dispose()
            self._initialized_dbs.discard(shard)
            held = None
        if held is None:
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
