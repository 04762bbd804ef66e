"""Opens the governance database, makes its tables, and brings older ones up to date with Alembic.

The database holds accounts, applications and the record of what was done. It is a SQLite file beside the lake unless a
URL names PostgreSQL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from kobe_platform.errors import ConfigurationError, GovernanceError
from kobe_platform.settings import with_driver

UPGRADE_LOCK = 0x6B6F6265
"""Advisory lock of PostgreSQL: of two processes that start at once, one upgrades the schema and the other waits."""
MIGRATIONS = Path(__file__).resolve().parent / "migrations"


def open_database(url: str) -> Engine:
    """The database at a URL; its tables are made where there are none.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name`` (the extra ``postgres`` is needed then).

    Raises:
        ConfigurationError: the URL is not valid, or its driver is not installed.
        GovernanceError: the database cannot be reached (``governance.database``), or its schema is an earlier
            version's (``governance.outdated``) or a later one's (``governance.later``). No error repeats the URL, which
            may hold a password.
    """
    engine = _engine(url)
    _make_or_check(engine)
    return engine


def _engine(url: str) -> Engine:
    try:
        address = make_url(with_driver(url))
        if address.get_backend_name() == "sqlite":
            engine = _sqlite(address)
        else:
            engine = create_engine(address, pool_pre_ping=True)
    except (ArgumentError, ImportError, SQLAlchemyError):
        raise ConfigurationError(
            "the governance database cannot be opened by its URL",
            code="governance.url",
            remedy="give KOBE_DATABASE_URL as sqlite:///PATH or postgresql://USER@HOST/NAME, with the extra `postgres`",
            ja="データベースのURL(KOBE_DATABASE_URL)が正しくありません",
        ) from None
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; on SQLite it takes the write lock at the start, so that two never deadlock."""
    with engine.connect() as connection:
        connection.execution_options(writing=True)
        with connection.begin():
            yield connection


def sweep(engine: Engine) -> bool:
    """Take what was erased out of SQLite's write-ahead log too; whether that was possible just now.

    It waits up to half a minute for those who read. On a server its own housekeeping reuses the space.
    """
    if engine.dialect.name != "sqlite":
        return True
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def change_mark(engine: Engine) -> Callable[[], int | None]:
    """A function whose number changes with every commit to the database, of this process or another.

    It costs microseconds (SQLite's ``data_version``). A server's database tells none: then it always returns None.
    """
    if engine.dialect.name != "sqlite":
        return lambda: None
    watching = sqlite3.connect(engine.url.database or ":memory:", check_same_thread=False, isolation_level=None)
    return lambda: watching.execute("PRAGMA data_version").fetchone()[0]


def _sqlite(address: URL) -> Engine:
    """One file, readable by its owner only; writers wait for each other."""
    if address.database and address.database != ":memory:":
        path = Path(address.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
    engine = create_engine(address, connect_args={"timeout": 30}, pool_size=20)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        # The driver opens no transaction of its own: `begin` below does, and takes the write lock when it must.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten with zeros

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN")

    return engine


def upgrade_database(url: str) -> None:
    """Bring the database at a URL to the newest schema, in one transaction; a file is written anew before it.

    What an earlier version, or a SQLite without ``secure_delete``, left of moved rows in unused parts of the file's
    pages is gone then: words that are withdrawn later are nowhere else.

    Raises:
        ConfigurationError, GovernanceError: as :func:`open_database`.
    """
    engine = _engine(url)
    try:
        if engine.dialect.name == "sqlite":
            _written_anew(engine)
        _migrate(engine)
    finally:
        engine.dispose()


def _written_anew(engine: Engine) -> None:
    try:
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("VACUUM")
    except (sqlite3.Error, SQLAlchemyError):
        raise _unreachable() from None
    sweep(engine)


def is_outdated(url: str) -> bool:
    """Whether a database with an older schema lies at a URL; a file that is not there is not made.

    Raises:
        GovernanceError: as :func:`open_database`; ``governance.later`` where its schema is a later version's.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        return False
    engine = _engine(url)
    try:
        return _revision(engine) not in (None, _newest())
    finally:
        engine.dispose()


def _make_or_check(engine: Engine) -> None:
    """Make the tables of a database that has none; refuse one of another version."""
    present = _revision(engine)
    if present is None:
        _migrate(engine)
    elif present != _newest():
        raise GovernanceError(
            "the governance database is of an earlier version",
            code="governance.outdated",
            at={"revision": present},
            remedy="run `kobe upgrade`",
            ja="管理データベースが前の版のままです。kobe upgrade を実行してください",
        )


def _newest() -> str:
    """The newest revision: the name of the last file, without loading Alembic."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(engine: Engine) -> str | None:
    """The revision of a database; None where it has no tables yet.

    Raises:
        GovernanceError: a later version made it (``governance.later``), or it cannot be reached.
    """
    known = {path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")}
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            present = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except SQLAlchemyError:
        raise _unreachable() from None
    if present is not None and present not in known:
        raise GovernanceError(
            "the governance database was brought up to date by a later version of the platform",
            code="governance.later",
            at={"revision": str(present)},
            remedy="use that version again; there is no way back but a backup from before",
            ja="管理データベースが、この基盤より新しい版のものです",
        )
    return present


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with writing(engine) as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError:
        raise _unreachable() from None


def _unreachable() -> GovernanceError:
    return GovernanceError(
        "the governance database cannot be reached or brought up to date",
        code="governance.database",
        remedy="look whether it runs and whether the account may make tables, then try again",
        ja="統制データベースに接続できません",
    )
