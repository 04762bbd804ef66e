"""Stores Dagster's event log in SQLite with connections that stay open.

Dagster's own opens a connection, and compiles its statements, for each of the thousand events of a month: that was half
of what a month cost. This one keeps the connections of the index and of the latest runs. Commits are not forced onto
the disk one by one (``synchronous=NORMAL`` under its write-ahead log: a power cut may lose the last events and breaks
nothing), because nothing that the platform decides is read from there: Dagster's databases are copies for people.
"""

from __future__ import annotations

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

KEPT = 4
"""Databases that stay open: the index and the runs that were used last."""


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

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).connect() as connection, connection.begin():
            yield connection

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
        """Close what is open."""
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

    @event.listens_for(engine, "connect")
    def relaxed(connection, _record) -> None:
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
