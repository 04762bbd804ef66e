"""Two hosts on this machine: network namespaces with addresses of their own, a Redis and a PostgreSQL that both reach.

A host has its own network, home and temporary folder. The folder of homes is shared, as over a network file system, or
each host has one of its own at the same path and shares objects of an S3 server (``mounts``). The inbox is shared. It
takes root, and Debian's ``iproute2``, ``redis-server`` and ``postgresql``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.postgres import postgres_server

BRIDGE, NET, HUB = "kobe-br", "10.77.61", "10.77.61.1"
REDIS, POSTGRES, S3 = 6479, 5499, 5599
BUCKET = "prefecture"
SECRET = "only-for-this-trial"  # pragma: allowlist secret


class Host:
    """One of the hosts.

    Args:
        number: from 1; names its namespace and its address.
        folder: of its home and temporary files.
    """

    def __init__(self, number: int, folder: Path) -> None:
        self.name, self.link = f"kobe-h{number}", f"kobe-l{number}"
        self.address = f"{NET}.{10 + number}"
        self.folder = folder / self.name
        self.mounts: dict[Path, Path] = {}
        """Folder of this host → path where what runs on it sees it, and nothing else."""
        for part in ("home", "tmp"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        """Make its network, with one link to the bridge."""
        inner = f"{self.link}i"
        _ip("netns", "add", self.name)
        _ip("link", "add", self.link, "type", "veth", "peer", "name", inner, "netns", self.name)
        _ip("link", "set", self.link, "master", BRIDGE, "up")
        _ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", inner)
        _ip("-n", self.name, "link", "set", inner, "up")
        _ip("-n", self.name, "link", "set", "lo", "up")

    def start(self, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen:
        """Start a command on it; what it prints goes to its file ``log``."""
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                self._here(command),
                env={**environment, **self._own()},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, command: list[str], environment: Mapping[str, str], seconds: float) -> subprocess.CompletedProcess:
        """Run a command on it to its end."""
        return subprocess.run(
            self._here(command),
            env={**environment, **self._own()},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def _own(self) -> dict[str, str]:
        return {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp")}

    def _here(self, command: list[str]) -> list[str]:
        """The command within its network, and with what is mounted on it (`ip netns exec` gives it its own mounts)."""
        mounted = [f"mount --bind {shlex.quote(str(own))} {shlex.quote(str(at))}" for own, at in self.mounts.items()]
        script = " && ".join([*mounted, 'exec "$@"'])
        return ["ip", "netns", "exec", self.name, "sh", "-c", script, "sh", *command]

    def processes(self) -> list[int]:
        """What runs on it now; zombies are not counted."""
        told = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        return [pid for pid in map(int, told.stdout.split()) if _alive(pid)]

    def cut(self) -> None:
        """Take its link down: nobody hears of it any more, not even that its connections end."""
        _ip("link", "set", self.link, "down")

    def join(self) -> None:
        """Put its link up again."""
        _ip("link", "set", self.link, "up")

    def kill(self) -> None:
        """Kill all that runs on it."""
        while left := self.processes():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


@contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[list[Host], dict[str, str]]]:
    """The hosts, and the settings by which processes on them reach the broker and the database."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("network namespaces are made by root only")
    redis = shutil.which("redis-server")
    if redis is None:
        pytest.skip("redis-server is not installed")
    hosts = [Host(number, folder) for number in (1, 2)]
    _forget(hosts)
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("addr", "add", f"{HUB}/24", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    words = ["--bind", HUB, "--port", str(REDIS), "--requirepass", SECRET, "--save", "", "--dir", str(folder)]
    broker = subprocess.Popen([redis, *words], stdout=subprocess.DEVNULL)
    try:
        for host in hosts:
            host.begin()
        with postgres_server(HUB, POSTGRES):
            yield (
                hosts,
                {
                    "KOBE_BROKER": f"redis://:{SECRET}@{HUB}:{REDIS}/0",
                    "KOBE_POSTGRES_URL": f"postgresql://kobe@{HUB}:{POSTGRES}/postgres",
                },
            )
    finally:
        for host in hosts:
            host.kill()
        broker.terminate()
        broker.wait(timeout=20)
        _forget(hosts)


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """moto's S3 server where both hosts reach it, with an empty bucket; the settings of who uses it."""
    import boto3

    address = f"http://{HUB}:{S3}"
    command = [sys.executable, "-m", "moto.server", "-H", HUB, "-p", str(S3)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(S3), 60, "the S3 server listens")
        told = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "trial",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }
        login = {"aws_access_key_id": "trial", "aws_secret_access_key": SECRET}
        boto3.client("s3", endpoint_url=address, region_name="us-east-1", **login).create_bucket(Bucket=BUCKET)
        yield told
    finally:
        server.terminate()
        server.wait(timeout=20)


def _listens(port: int) -> bool:
    with socket.socket() as ask:
        return ask.connect_ex((HUB, port)) == 0


def until(what: Callable[[], object], seconds: float, told: str) -> None:
    """Wait until something holds; fails the trial with ``told`` where it does not in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            pytest.fail(f"not in {seconds:.0f} seconds: {told}")
        time.sleep(0.1)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _forget(hosts: list[Host]) -> None:
    """Take away what an interrupted trial left, too."""
    for host in hosts:
        subprocess.run(["ip", "netns", "del", host.name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", host.link], check=False, capture_output=True)
    subprocess.run(["ip", "link", "del", BRIDGE], check=False, capture_output=True)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
