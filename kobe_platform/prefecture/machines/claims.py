"""Who works for a municipality, whichever machine it is: a lock that is free as soon as all processes that share it
are gone.

Where Dagster's records are in PostgreSQL the lock is an advisory one of a session there, so it holds between
machines; else it is an ``flock`` in the prefecture's folder. Either is an open file (a connection, or the lock's
file) that the municipality's process inherits: while one of the two lives, nobody else begins.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kobe_platform.errors import PlatformError
from kobe_platform.planning.leases import Leases
from kobe_platform.settings import Settings, with_driver

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, TextClause

SPACE = 0x6B6F6265
"""First half of the number of an advisory lock ("kobe"); the second is the municipality's code."""
PATIENCE_SECONDS = 30.0
"""How long a run waits for another one of the same municipality, which may be about to end."""
_SILENCE = {
    "tcp_keepalives_idle": 20,
    "tcp_keepalives_interval": 10,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 50_000,
}
"""A machine that is gone without a word is given up by the database after 50 seconds, its locks with it."""
_HEARING = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
"""A process that the database cannot hear gives its connection up within 20 seconds, long before the database does."""
WATCH_SECONDS = 5.0
"""How often a holder asks whether it still holds."""
_PREFIX = "municipality-"
_HELD = """select objid from pg_locks where locktype = 'advisory' and classid = :space and objsubid = 2 and granted
and database = (select oid from pg_database where datname = current_database())"""


@dataclass(frozen=True)
class Claim:
    """A municipality's lock, held.

    Attributes:
        handles: open files that keep it held in whoever inherits them.
        lost: set when it is held no longer although nobody gave it back: what goes on under it has to stop.
    """

    handles: tuple[int, ...]
    lost: threading.Event = field(default_factory=threading.Event)


class Claims(Protocol):
    """The locks of a prefecture's municipalities."""

    def holding(self, code: str, patience: float = PATIENCE_SECONDS) -> AbstractContextManager[Claim]:
        """Hold a municipality's lock.

        Raises:
            PlatformError: ``prefecture.claimed``: others hold it, and still do after ``patience`` seconds.
        """

    def held(self) -> set[str]:
        """Codes of the municipalities that somebody works for, on any machine."""


def claims_of(settings: Settings) -> Claims:
    """The locks where the prefecture keeps its records.

    Args:
        settings: of the prefecture's own home.
    """
    return DatabaseClaims(settings.postgres_url) if settings.postgres_url else FileClaims(settings.root)


class FileClaims:
    """Locks of files in a folder: of one machine, or of several over a file system whose ``flock``s hold between
    them."""

    def __init__(self, root: Path) -> None:
        self._leases = Leases(root)

    @contextmanager
    def holding(self, code: str, patience: float = PATIENCE_SECONDS) -> Iterator[Claim]:
        """See :class:`Claims`."""
        until = time.monotonic() + patience
        with self._leases.holding(f"{_PREFIX}{code}", waiting=lambda owner: _still_patient(until, code)) as handle:
            yield Claim((handle,))

    def held(self) -> set[str]:
        """See :class:`Claims`."""
        return {name.removeprefix(_PREFIX) for name in self._leases.under_way() if name.startswith(_PREFIX)}


class DatabaseClaims:
    """Advisory locks of sessions in PostgreSQL; a session ends with the last process that has its connection open."""

    def __init__(self, url: str) -> None:
        self._url = with_driver(url)

    @contextmanager
    def holding(self, code: str, patience: float = PATIENCE_SECONDS) -> Iterator[Claim]:
        """See :class:`Claims`."""
        from sqlalchemy import text

        until = time.monotonic() + patience
        ask = text("select pg_try_advisory_lock(:space, :code)")
        with self._connected() as connection:
            while not _answer(connection, ask, {"space": SPACE, "code": int(code)}).scalar():
                _still_patient(until, code)
                time.sleep(0.5)
            driver = connection.connection.driver_connection
            assert driver is not None  # a connection that has just answered
            claim, over = Claim((driver.fileno(),)), threading.Event()
            watch = threading.Thread(target=_watch, args=(connection, claim.lost, over), daemon=True)
            watch.start()
            try:
                yield claim
            finally:
                over.set()
                watch.join()

    def held(self) -> set[str]:
        """See :class:`Claims`."""
        from sqlalchemy import text

        with self._connected() as connection:
            return {f"{code:05}" for code in _answer(connection, text(_HELD), {"space": SPACE}).scalars()}

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import SQLAlchemyError
        from sqlalchemy.pool import NullPool

        options = " ".join(f"-c {name}={value}" for name, value in _SILENCE.items())
        engine = create_engine(
            self._url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"options": options, "connect_timeout": 10, **_HEARING},
        )
        try:
            connection = engine.connect()
        except SQLAlchemyError:
            raise _silent() from None  # the driver's words may name the address and the user
        with connection:
            yield connection


def _answer(connection: Connection, question: TextClause, values: Mapping[str, int]) -> CursorResult[Any]:
    """What the database answers on a session.

    Raises:
        PlatformError: ``prefecture.database``: it was there and is gone.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return connection.execute(question, values)
    except SQLAlchemyError:
        raise _silent() from None


def _silent() -> PlatformError:
    return PlatformError(
        "the database of Dagster's records does not answer",
        code="prefecture.database",
        remedy="look at PostgreSQL and at KOBE_POSTGRES_URL; what is due is asked for again",
        ja="Dagster の記録のデータベースにつながりません",
    )


def _watch(connection: Connection, lost: threading.Event, over: threading.Event) -> None:
    """Ask on a session whether it is still there, until it is given back; say so where it is not."""
    from sqlalchemy.exc import SQLAlchemyError

    while not over.wait(WATCH_SECONDS):
        try:
            connection.exec_driver_sql("select 1")
        except SQLAlchemyError:
            lost.set()
            return


def _still_patient(until: float, code: str) -> None:
    if time.monotonic() > until:
        raise PlatformError(
            "another process works for this municipality",
            code="prefecture.claimed",
            at={"municipality": code},
            remedy="nothing needs to be done: it is asked again when that one has ended",
            ja="この市町村の処理は、ほかで動いています",
        )
