"""Stores Dagster's runs in SQLite with connections that stay open.

Dagster's own opens the database, and compiles its statements, for each of the hundred questions of a month: who is
under way, what a run became. The file, what stands in it and how SQLite writes it are the same; as long as a process
has it open, its latest commits may stand in ``runs.db-wal`` beside it, so whoever copies the file copies that as well.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.pool import QueuePool


class KeptRunStorage(SqliteRunStorage):
    """:class:`SqliteRunStorage` but for how it connects; a connection for each thread that asks at the same time."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> KeptRunStorage:
        """As Dagster makes a storage from ``dagster.yaml``: ``base_dir`` is the folder of the database.

        Where ``DAGSTER_HOME`` says otherwise it is right: the file of a restored home names the former place.
        """
        home = os.environ.get("DAGSTER_HOME")
        folder = os.path.join(home, "history") if home else config_value["base_dir"]
        return cls.from_local(folder, inst_data)

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._kept: tuple[Engine, int] | None = None
        self._choosing = threading.RLock()
        self._path = make_url(conn_string).database or ""
        super().__init__(conn_string, inst_data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection within a transaction."""
        with self._engine().connect() as connection, connection.begin():
            yield connection

    def _engine(self) -> Engine:
        """The open database: another one where its file was taken away or replaced since."""
        with self._choosing:
            if self._kept is not None and self._kept[1] == self._number():
                return self._kept[0]
            self.dispose()
            engine = create_engine(self._conn_string, poolclass=QueuePool, max_overflow=-1)
            with engine.connect():  # a file that was not there is made
                self._kept = engine, self._number()
            return engine

    def _number(self) -> int:
        try:
            return os.stat(self._path).st_ino
        except OSError:
            return 0

    def dispose(self) -> None:
        """Close what is open."""
        with self._choosing:
            kept, self._kept = self._kept, None
        if kept is not None:
            kept[0].dispose()
