"""Two hosts work for a prefecture of three towns; one of them is killed, or cut off, in the middle of a run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from kobe_platform.lounge.release import releases_of
from kobe_platform.prefecture.machines import due
from kobe_platform.prefecture.machines.instance import MUNICIPALITY_TAG, changes, own_settings
from kobe_platform.privacy.instance import prepare_instance
from kobe_platform.settings import PROJECT, Settings
from tests.soak.hosts import BUCKET, Host, s3_server, two_hosts, until

TOWNS = ("28446", "28501", "28586")
RESIDENTS, MONTH = 9_000, "2025-11"
LIMIT = 900
"""Seconds that all of it may take on a busy machine."""
STARTING, GONE, UNHEARD = 180, 15, 45
KOBE = [sys.executable, "-m", "kobe_platform.cli"]


class Prefecture:
    """Three towns, their deliveries, and the two hosts that work for them.

    Args:
        folder: of the trial; ``prefecture`` in it is the folder of homes.
        hosts, settings: as :func:`two_hosts` has them.
        shares: whether all have that folder in common. Else each host has one of its own at the same path, with the
            keys that it was given, and the machine of Dagster's daemon one with the names of the towns and no key.
    """

    def __init__(self, folder: Path, hosts: list[Host], settings: dict[str, str], *, shares: bool = True) -> None:
        self.folder, self.root, self.hosts, self.shares = folder, folder / "prefecture", hosts, shares
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("KOBE_", "DAGSTER_"))}
        path = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
        places = {"KOBE_PREFECTURE": str(self.root), "KOBE_INBOX": str(folder / "inbox"), "PYTHONPATH": path}
        self.environment = {**clean, **settings, **places, "DAGSTER_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1"}

    @property
    def alone(self) -> Path:
        """A folder of homes without a store, for comparison."""
        return self.folder / "alone"

    def kobe(self, *arguments: str, host: Host | None = None, town: str = "") -> subprocess.CompletedProcess:
        """Run a command of the platform; see :meth:`on`."""
        return self.on([*KOBE, *arguments], host=host, town=town)

    def on(self, command: list[str], *, host: Host | None = None, town: str = "") -> subprocess.CompletedProcess:
        """Run a command on the prefecture, or on the home of one town; on the daemon's machine or on a host."""
        environment = dict(self.environment)
        if town:
            home = self.root / "municipalities" / town
            known = {name: environment.pop(name) for name in _NOT_OF_A_TOWN if name in environment}
            environment |= {"KOBE_HOME": str(home), "KOBE_MUNICIPALITY": town}
            if "KOBE_STORE_URL" in known:
                environment["KOBE_STORE_URL"] = f"{known['KOBE_STORE_URL']}/{town}"
        if host is not None:
            return host.run(command, environment, LIMIT)
        return subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=LIMIT)

    def done(self, *arguments: str, host: Host | None = None, town: str = "") -> str:
        """Run a command that has to end well; what it printed."""
        ended = self.kobe(*arguments, host=host, town=town)
        assert ended.returncode == 0, (arguments, host and host.name, town, ended.stdout[-2000:], ended.stderr[-2000:])
        return ended.stdout

    def homes(self, town: str) -> list[Path]:
        """A town's homes, one or one a host, as this machine sees them."""
        roots = [self.root] if self.shares else [_root_of(host) for host in self.hosts]
        return [root / "municipalities" / town for root in roots]

    def prepare(self) -> None:
        """Deliver a month of each town, and make its home; give each host what opens the keys, where it needs that."""
        chosen = f"--municipalities={','.join(TOWNS)}"
        month = (f"--residents={RESIDENTS}", f"--from={MONTH}", f"--to={MONTH}", "--dirt=0")
        self.done("synthesize", f"--out={self.folder / 'inbox'}", chosen, *month)
        if self.shares:
            self.done("prefecture", "add", *TOWNS)
            return
        for host in self.hosts:
            _root_of(host).mkdir()
            host.mounts = {_root_of(host): self.root}
        self.root.mkdir()
        first, second = self.hosts
        self.done("prefecture", "add", *TOWNS, host=first)
        for town in TOWNS:
            (self.root / "municipalities" / town).mkdir(parents=True)
            ended = self.on(host=first, town=town, command=[sys.executable, "-c", _PSEUDONYMS])
            assert ended.returncode == 0, ended.stderr
            # A home that lies on a disk alone, with the same pseudonyms: figures by district depend on them.
            shutil.copytree(_root_of(first) / "municipalities" / town, self.alone / "municipalities" / town)
        self.give_keys(first, second, [f"municipalities/{town}" for town in TOWNS])

    def give_keys(self, giver: Host, taker: Host, homes: list[str]) -> None:
        """Copy what opens the keys of some homes from one host to the other, as an operator does, and nothing else."""
        for home in homes:
            keys = _root_of(taker) / home / "keys"
            keys.mkdir(parents=True, mode=0o700)
            for name in ("root.json", "root.key"):
                shutil.copy2(_root_of(giver) / home / "keys" / name, keys / name)

    @contextmanager
    def instance(self):
        """Dagster's records of the prefecture."""
        before = {name: os.environ.get(name) for name in ("KOBE_PREFECTURE", "KOBE_POSTGRES_URL", "KOBE_BROKER")}
        os.environ.update({name: self.environment[name] for name in before})
        try:
            settings = own_settings(Settings())
            os.environ["KOBE_POSTGRES_URL"] = settings.environment()["KOBE_POSTGRES_URL"]
            home = prepare_instance(settings, changes(settings))
            with dg.DagsterInstance.from_config(str(home)) as opened:
                yield opened
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name)
                else:
                    os.environ[name] = value

    def working(self) -> dict[str, int]:
        """Town → process of the `kobe run` that works for it now, as its lock says."""
        found = {}
        for town in TOWNS:
            for home in self.homes(town):
                with suppress(OSError, ValueError):
                    found[town] = json.loads((home / "work" / "ticker.lock").read_bytes())["pid"]
        return found

    def taken(self, town: str) -> bool:
        """Whether a town has taken a delivery in and is not done."""
        homes = self.homes(town)
        receipts = [path for home in homes for path in (home / "receipts").rglob("*.accepted.json")]
        return bool(receipts) and not any((home / "releases" / "current").exists() for home in homes)

    def done_twice(self, town: str) -> list[str]:
        """What a town's journals say was committed again although the step that makes it had succeeded before.

        A step that finds its work done says so with the generation that is there; one that was cut short begins anew.
        """
        journals = [path for home in self.homes(town) if (path := home / "log" / "work.jsonl").exists()]
        lines = [json.loads(line) for path in journals for line in path.read_text("utf-8").splitlines()]
        done, twice = set(), []
        for line in sorted(lines, key=lambda line: line["time"]):
            if line["event"] == "step" and line["ended"] == "success":
                done.add(line["step"])
            elif line["event"] == "made" and line.get("generation", 1) > 1 and line["step"] in done:
                twice.append(f"{line['asset']} {line['month']}")
        assert done
        return twice


_NOT_OF_A_TOWN = ("KOBE_PREFECTURE", "KOBE_POSTGRES_URL", "KOBE_BROKER", "KOBE_STORE_URL")

_PSEUDONYMS = """
from kobe_platform.custody.commands import open_store
for name in ("person", "household", "event"):
    open_store().keys.pseudonym_key(name)
"""
"""Makes the keys of pseudonyms that a run would make when it first needs them."""


def _root_of(host: Host) -> Path:
    """A host's own folder of homes, as this machine sees it."""
    return host.folder / "prefecture"


def _of(town: str) -> dg.RunsFilter:
    return dg.RunsFilter(tags={MUNICIPALITY_TAG: town})


def loses_its_worker(host: Host, worker: subprocess.Popen) -> None:
    """Kill the worker alone; whatever it began has to end by itself."""
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: not host.processes(), GONE, "what a killed worker began is gone")


def loses_its_machine(host: Host, worker: subprocess.Popen) -> None:
    """Cut the network, then kill all: neither broker nor database hear that anybody is gone."""
    host.cut()
    host.kill()


def loses_its_network(host: Host, worker: subprocess.Popen) -> None:
    """Cut the network and kill nothing: what works there has to stop by itself before anybody else begins."""
    host.cut()
    until(lambda: not _runs_of(host), UNHEARD, "what works without a claim stops")


def _runs_of(host: Host) -> list[int]:
    """Processes of `kobe run` on a host."""
    commands = {pid: Path(f"/proc/{pid}/cmdline") for pid in host.processes()}
    return [pid for pid, told in commands.items() if told.exists() and b"kobe_platform.cli\0run" in told.read_bytes()]


LOSSES = pytest.mark.parametrize("lost", [loses_its_worker, loses_its_machine, loses_its_network])


@pytest.mark.soak
@LOSSES
def test_a_host_that_is_killed_in_the_middle_of_a_run_is_replaced_by_the_other(lost, tmp_path_factory):
    folder = tmp_path_factory.mktemp("machines")
    with two_hosts(folder) as (hosts, settings):
        _tried(Prefecture(folder, hosts, settings), lost)


@pytest.mark.soak
@LOSSES
def test_hosts_that_share_a_store_and_no_folder_replace_each_other_too(lost, tmp_path_factory):
    """Each host has homes of its own; what the lost one had put down in S3 is where the other goes on."""
    folder = tmp_path_factory.mktemp("machines")
    with two_hosts(folder) as (hosts, settings), s3_server() as of_the_store:
        shared = {**settings, **of_the_store, "KOBE_STORE_URL": f"s3://{BUCKET}/hyogo"}
        prefecture = Prefecture(folder, hosts, shared, shares=False)
        other = _tried(prefecture, lost)
        (host,) = [one for one in hosts if one is not other]
        host.join()
        prefecture.done("prefecture", "publish", host=other)
        plain = _without_a_store(prefecture)
        for one in (other, host):  # the lost host has come back
            prefecture.done("prefecture", "status", host=one)
            for town in TOWNS:
                assert _tables(_root_of(one) / "municipalities" / town) == _tables(plain / "municipalities" / town)
        assert _tables(_root_of(other) / "prefecture") == _tables(plain / "prefecture")
        prefecture.give_keys(other, host, ["prefecture"])
        assert "2025-11" not in prefecture.done("prefecture", "publish", host=host)  # nothing is due
        assert _tables(_root_of(host) / "prefecture") == _tables(plain / "prefecture")


def _tried(prefecture: Prefecture, lost) -> Host:
    """Prepare the prefecture, have both hosts work for it, and lose one in the middle; the other."""
    prefecture.prepare()
    with (prefecture.folder / "dev.log").open("ab") as log:
        server = subprocess.Popen(
            [*KOBE, "prefecture", "dev", "--port", "3917"], env=prefecture.environment, cwd=prefecture.folder,
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        workers = {
            host.name: host.start([*KOBE, "prefecture", "worker", "--name", host.name], prefecture.environment)
            for host in prefecture.hosts
        }
        return _judge(prefecture, workers, lost)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)


def _without_a_store(prefecture: Prefecture) -> Path:
    """The folder of homes that one machine makes of the same deliveries, alone on its disk."""
    alone = Prefecture(prefecture.folder, [], {})
    alone.root = prefecture.alone
    alone.environment["KOBE_PREFECTURE"] = str(alone.root)
    alone.done("prefecture", "run", "--workers", "2")
    return alone.root


def _tables(home: Path) -> dict[str, list[tuple]]:
    """Tables of a home's release in force."""
    files = sorted((home / "releases" / "current" / "tables").glob("*.parquet"))
    assert files
    return {path.stem: sorted(map(repr, pl.read_parquet(path).iter_rows())) for path in files}


def _judge(prefecture: Prefecture, workers: dict[str, subprocess.Popen], lost) -> Host:
    hosts = prefecture.hosts

    def works_in_the_middle() -> list[tuple[Host, str]]:
        now = prefecture.working()
        return [
            (host, town) for host in hosts for town, pid in now.items()
            if pid in host.processes() and prefecture.taken(town)
        ]  # fmt: skip

    until(lambda: len(prefecture.working()) == 2, STARTING, "both hosts work")
    until(works_in_the_middle, STARTING, "a host is in the middle of a run")
    host, town = works_in_the_middle()[0]
    (other,) = [one for one in hosts if one is not host]
    began = time.monotonic()
    lost(host, workers[host.name])
    with prefecture.instance() as instance:
        every = {f"{MONTH}|{one}" for one in TOWNS}
        until(lambda: set(due.made_versions(instance)) == every, LIMIT, "every town has its month")
        until(lambda: all(run.is_finished for run in instance.get_runs()), LIMIT, "every run has ended")
        print(f"{lost.__name__}: all done {time.monotonic() - began:.0f} s after the kill")
        runs = {one: [run.status for run in instance.get_runs(_of(one))] for one in TOWNS}  # newest first
    assert runs.pop(town) == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    assert list(runs.values()) == [[dg.DagsterRunStatus.SUCCESS]] * 2
    assert other.processes() and not _runs_of(host)
    at = None if prefecture.shares else other
    for town in TOWNS:
        prefecture.done("status", "--json", host=at, town=town)
        assert prefecture.done_twice(town) == []
        homes = prefecture.homes(town)
        home = homes[0] if prefecture.shares else _root_of(other) / "municipalities" / town
        receipts = [path.name for path in (home / "receipts").rglob("*.json")]
        assert receipts and not [name for name in receipts if not name.endswith(".accepted.json")]
        assert (home / "releases" / "current" / "tables").is_dir()
        assert [release.id[:4] for release in releases_of(home / "releases")] == ["0001"]
        for command in (("lake", "verify"), ("log", "verify")):
            prefecture.done(*command, host=at, town=town)
    if prefecture.shares:
        prefecture.done("prefecture", "status")
    return other
