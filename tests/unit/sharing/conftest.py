"""Machines that share one store: each with a home of its own, over one folder or one bucket of a real S3 server."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionStore
from kobe_platform.objects import Objects
from kobe_platform.objects.folder import FolderObjects
from kobe_platform.objects.s3 import BucketObjects
from tests.unit.sharing.places import Faulty

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of moto's S3 server, in a process of its own; another one's, where ``KOBE_TEST_S3`` names it."""
    if address := os.environ.get("KOBE_TEST_S3"):
        yield address
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(300):
        with socket.socket() as ask:
            if ask.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait()


@pytest.fixture
def bucket(s3_server, monkeypatch) -> str:
    """``s3://BUCKET/PREFIX`` of an empty bucket on the server."""
    import boto3

    name = f"shared-{os.getpid()}-{next(_NUMBERS)}"
    told = {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }  # pragma: allowlist secret
    for key, value in {**told, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(key, value)
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}/kobe/28100"


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path) -> Objects:
    """An empty place of objects of either maker."""
    if request.param == "folder":
        return FolderObjects(tmp_path / "place")
    return BucketObjects(request.getfixturevalue("bucket"))


@dataclass
class Machine:
    """One machine: its home, what lies between it and the shared place, and the partitions as it sees them."""

    home: Path
    faulty: Faulty
    store: PartitionStore


class Machines:
    """Machines over one place; the first one makes the installation."""

    def __init__(self, root: Path, place: Objects) -> None:
        self.root, self.place = root, place
        self._number = itertools.count(1)

    def first(self) -> Machine:
        """The machine that makes the keys."""
        home = self.root / f"machine{next(self._number)}"
        LocalKeyStore.create(home / "keys", log=home / "log" / "key_use.jsonl", shared=self.place)
        return self.at(home)

    def another(self, of: Machine) -> Machine:
        """A further machine, which was given what opens the keys and nothing else."""
        home = self.root / f"machine{next(self._number)}"
        (home / "keys").mkdir(parents=True, mode=0o700)
        for name in ("root.json", "root.key"):
            shutil.copy2(of.home / "keys" / name, home / "keys" / name)
        return self.at(home)

    def at(self, home: Path) -> Machine:
        """The machine of a home, as a new process sees it."""
        faulty = Faulty(self.place)
        keys = LocalKeyStore.open(home / "keys", log=home / "log" / "key_use.jsonl", shared=faulty)
        return Machine(home, faulty, PartitionStore(home / "store", keys, municipality="28100", objects=faulty))


@pytest.fixture
def machines(tmp_path, place) -> Machines:
    return Machines(tmp_path, place)


@pytest.fixture
def local(tmp_path) -> Machines:
    """Machines over a folder: for trials that make hundreds of calls."""
    return Machines(tmp_path, FolderObjects(tmp_path / "place"))
