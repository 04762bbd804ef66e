"""A governance database of each kind that this machine can run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from kobe_platform.governance.database import open_database
from kobe_platform.governance.people import add_person
from tests.postgres import postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of its own on a socket of its own, where the machine has one."""
    with postgres_server() as url:
        yield url


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
