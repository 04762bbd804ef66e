"""A PostgreSQL server of a test's own, where the machine has one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine


def _binary(name: str) -> str | None:
    places = [shutil.which(name), *map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True))]
    return next((place for place in places if place), None)


@contextmanager
def postgres_server(listen: str = "", port: int = 5432) -> Iterator[str]:
    """A server on a socket of its own, and on the addresses of ``listen``, where anybody may connect; yields its URL.

    Skips the test where the machine has none.
    """
    initdb, server = _binary("initdb"), _binary("postgres")
    if not (initdb and server):
        pytest.skip("PostgreSQL is not installed")
    # A folder of its own: that of pytest is closed to the account that the server runs as.
    with tempfile.TemporaryDirectory(prefix="kobe-postgres-") as place:
        yield from _served(Path(place), initdb, server, listen, port)


def _served(folder: Path, initdb: str, server: str, listen: str, port: int) -> Iterator[str]:
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
    command = [*as_other, server, "-D", data, "-k", sockets, "-c", f"listen_addresses={listen}", "-c", "fsync=off"]
    if listen:
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 0.0.0.0/0 trust\n")
    command += ["-c", f"port={port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"postgresql+psycopg2://kobe@/postgres?host={sockets}&port={port}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown: no wait for clients
        process.wait(timeout=20)


def _wait(url: str, process: subprocess.Popen) -> None:
    for _ in range(200):
        assert process.poll() is None, "the server ended"
        try:
            with create_engine(url).connect():
                return
        except Exception:
            time.sleep(0.1)
    raise TimeoutError
