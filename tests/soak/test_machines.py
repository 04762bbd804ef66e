"""Two hosts work for a prefecture of three towns; one of them is killed in the middle of a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from kobe_platform.prefecture.machines import due
from kobe_platform.prefecture.machines.instance import MUNICIPALITY_TAG, changes, own_settings
from kobe_platform.privacy.instance import prepare_instance
from kobe_platform.settings import PROJECT, Settings
from tests.soak.hosts import Host, two_hosts, until

TOWNS = ("28446", "28501", "28586")
RESIDENTS, MONTH = 9_000, "2025-11"
LIMIT = 900
"""Seconds that all of it may take on a busy machine."""
STARTING, GONE, UNHEARD = 180, 15, 45
KOBE = [sys.executable, "-m", "kobe_platform.cli"]


class Prefecture:
    """Three towns in one folder, their deliveries beside it."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder, self.root = folder, folder / "prefecture"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("KOBE_", "DAGSTER_"))}
        path = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
        places = {"KOBE_PREFECTURE": str(self.root), "KOBE_INBOX": str(folder / "inbox"), "PYTHONPATH": path}
        self.environment = {**clean, **settings, **places, "DAGSTER_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1"}

    def kobe(self, *arguments: str, town: str = "") -> subprocess.CompletedProcess:
        """Run a command on the prefecture, or on the home of one town."""
        own = {"KOBE_HOME": str(self.home(town)), "KOBE_MUNICIPALITY": town} if town else {}
        kept = {name: value for name, value in self.environment.items() if not town or name not in _NOT_OF_A_TOWN}
        return subprocess.run(
            [*KOBE, *arguments], env={**kept, **own}, cwd=self.folder, capture_output=True, text=True, timeout=LIMIT
        )

    def home(self, town: str) -> Path:
        """A town's home."""
        return self.root / "municipalities" / town

    def prepare(self) -> None:
        """Deliver a month of each town, and make its home."""
        chosen = f"--municipalities={','.join(TOWNS)}"
        month = (f"--residents={RESIDENTS}", f"--from={MONTH}", f"--to={MONTH}", "--dirt=0")
        made = self.kobe("synthesize", f"--out={self.folder / 'inbox'}", chosen, *month)
        assert made.returncode == 0, made.stdout + made.stderr
        added = self.kobe("prefecture", "add", *TOWNS)
        assert added.returncode == 0, added.stdout + added.stderr

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
            try:
                found[town] = json.loads((self.home(town) / "work" / "ticker.lock").read_bytes())["pid"]
            except (OSError, ValueError):
                continue
        return found

    def taken(self, town: str) -> bool:
        """Whether a town has taken a delivery in and is not done."""
        receipts = list((self.home(town) / "receipts").rglob("*.accepted.json"))
        return bool(receipts) and not (self.home(town) / "releases" / "current").exists()

    def done_twice(self, town: str) -> list[str]:
        """What a town's journal says was committed again although the step that makes it had succeeded before.

        A step that finds its work done says so with the generation that is there; one that was cut short begins anew.
        """
        lines = (self.home(town) / "log" / "work.jsonl").read_text("utf-8").splitlines()
        done, twice = set(), []
        for line in map(json.loads, lines):
            if line["event"] == "step" and line["ended"] == "success":
                done.add(line["step"])
            elif line["event"] == "made" and line.get("generation", 1) > 1 and line["step"] in done:
                twice.append(f"{line['asset']} {line['month']}")
        assert done
        return twice


_NOT_OF_A_TOWN = ("KOBE_PREFECTURE", "KOBE_POSTGRES_URL", "KOBE_BROKER")


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


@pytest.mark.soak
@pytest.mark.parametrize("lost", [loses_its_worker, loses_its_machine, loses_its_network])
def test_a_host_that_is_killed_in_the_middle_of_a_run_is_replaced_by_the_other(lost, tmp_path_factory):
    folder = tmp_path_factory.mktemp("machines")
    with two_hosts(folder) as (hosts, settings):
        prefecture = Prefecture(folder, settings)
        prefecture.prepare()
        with (folder / "dev.log").open("ab") as log:
            server = subprocess.Popen(
                [*KOBE, "prefecture", "dev", "--port", "3917"], env=prefecture.environment, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            workers = {
                host.name: host.start([*KOBE, "prefecture", "worker", "--name", host.name], prefecture.environment)
                for host in hosts
            }
            _judge(prefecture, hosts, workers, lost)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=60)


def _judge(prefecture: Prefecture, hosts: list[Host], workers: dict[str, subprocess.Popen], lost) -> None:
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
    for town in TOWNS:
        left = prefecture.kobe("status", "--json", town=town)
        assert left.returncode == 0, left.stdout
        assert prefecture.done_twice(town) == []
        receipts = [path.name for path in (prefecture.home(town) / "receipts").rglob("*.json")]
        assert receipts and not [name for name in receipts if not name.endswith(".accepted.json")]
        assert (prefecture.home(town) / "releases" / "current" / "tables").is_dir()
        for command in (("lake", "verify"), ("log", "verify")):
            done = prefecture.kobe(*command, town=town)
            assert done.returncode == 0, done.stdout + done.stderr
    status = prefecture.kobe("prefecture", "status")
    assert status.returncode == 0, status.stdout
