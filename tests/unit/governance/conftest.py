"""A governance database of each kind that this machine can run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from kobe_platform.governance.database import open_database
from kobe_platform.governance.people import add_person


def _binary(name: str) -> str | None:
    places = [shutil.which(name), *map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True))]
    return next((place for place in places if place), None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of its own on a socket of its own, where the machine has one."""
    initdb, server = _binary("initdb"), _binary("postgres")
    if not (initdb and server):
        pytest.skip("PostgreSQL is not installed")
    # A folder of its own: that of pytest is closed to the account that the server runs as.
    with tempfile.TemporaryDirectory(prefix="kobe-postgres-") as place:
        yield from _served(Path(place), initdb, server)


def _served(folder: Path, initdb: str, server: str) -> Iterator[str]:
    data, sockets = folder / "data", folder / "s"
    sockets.mkdir()
    as_other = []
    if os.geteuid() == 0:  # the server refuses to run as root
        if not (shutil.which("setpriv") and subprocess.run(["id", "postgres"], capture_output=True).returncode == 0):
            pytest.skip("PostgreSQL cannot run as root here")
        shutil.chown(folder, "postgres")
        shutil.chown(sockets, "postgres")
        as_other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    subprocess.run(
        [*as_other, initdb, "-D", data, "-A", "trust", "-U", "kobe", "-E", "UTF8"], check=True, capture_output=True
    )
    command = [*as_other, server, "-D", data, "-k", sockets, "-c", "listen_addresses=", "-c", "fsync=off"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"postgresql+psycopg2://kobe@/postgres?host={sockets}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown: no wait for clients
        process.wait(timeout=20)


def _wait(url: str, process: subprocess.Popen) -> None:
    import time

    for _ in range(200):
        assert process.poll() is None, "the server ended"
        try:
            with create_engine(url).connect():
                return
        except Exception:
            time.sleep(0.1)
    raise TimeoutError


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """An empty, migrated database."""
    if request.param == "sqlite":
        yield open_database(f"sqlite:///{tmp_path / 'governance.sqlite'}")
        return
    url = request.getfixturevalue("postgres")
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    name = f"t{os.getpid()}_{abs(hash(request.node.nodeid))}"
    with server.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine = open_database(url.replace("/postgres?", f"/{name}?").replace("+psycopg2", ""))  # as the documents say it
    yield engine
    engine.dispose()
    with server.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def staff(database):
    """An applicant and deciders of two sections."""
    return {
        "tanaka": add_person(database, "tanaka", "田中", "政策課", by="test"),
        "sato": add_person(database, "sato", "佐藤", "市民課", roles=("decider",), by="test"),
        "ito": add_person(database, "ito", "伊藤", "教育委員会", roles=("decider",), by="test"),
    }
