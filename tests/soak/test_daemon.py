"""The real daemon, code server and UI over a small city: deliveries come, nobody touches anything, releases appear.

The tests are one story and run in their order: each waits until nothing is outstanding, and `kobe status` says so too.
`make test` tells a part of it: two months, a correction, a daemon that is killed with its run.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.jobs import RELEASE, TABULATE, job_name
from kobe_platform.forecasts.tables import ForecastTable, Scoreboard
from kobe_platform.intake.receipts import receipt
from kobe_platform.orchestration.attending import STEPS_TAG
from kobe_platform.planning.observing import Observer
from kobe_platform.privacy.instance import open_instance
from kobe_platform.published import load_published
from kobe_platform.settings import PROJECT
from kobe_platform.synthesis.deliveries import CityPlan, synthesize
from kobe_platform.unusual.tables import UsualRanges
from tests.soak.homes import CITY, ESTIMATES, MOVEMENTS, REGISTER, RESIDENTS, TOWNS, Place, correct

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by /proc"),
]
LATE, FIRST, NEXT, LAST = "2025-09", ("2025-10", "2025-11"), "2025-12", "2026-01"
LIMIT = 900
"""Seconds that the daemon may take for a delivery on a busy machine."""


class Daemon:
    """`kobe dev` on an empty home."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.process: subprocess.Popen | None = None
        self.observer = Observer(place.settings)
        self.accepted: dict[str, set[str]] = {REGISTER: set(), MOVEMENTS: set(), ESTIMATES: set()}

    def start(self) -> None:
        """Start the three processes, and wait until the UI answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = self.place.folder / "dev.log"
        began = log.stat().st_size if log.exists() else 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kobe_platform.cli", "dev", "--port", str(port)],
            env=self.place.environment(),
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        until(lambda: b"Dagster UI: http" in log.read_bytes()[began:] or self.process.poll() is not None)
        assert self.process.poll() is None, log.read_text("utf-8", errors="replace")

    def end(self, sign: int = signal.SIGTERM) -> None:
        """End the processes of this home."""
        self.process.send_signal(sign)
        self.process.wait(timeout=30)
        until(lambda: not list(self.processes()))

    def processes(self) -> Iterator[int]:
        """The living processes of this home."""
        mark = f"KOBE_HOME={self.place.home}".encode()
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)
            except OSError:
                continue

    def deliver(self, city: Path, source: str, month: str) -> Path:
        """Put a delivery into the inbox that will be accepted."""
        if source in self.accepted:
            self.accepted[source].add(month)
        return self.place.deliver(city, source, month)

    def settle(self) -> None:
        """Wait until nothing is outstanding and no run is under way; the command says so too."""
        until(lambda: not self.under_way() and self.observer.plan().empty, pause=1)
        assert self.place.status()["empty"]

    def under_way(self) -> list[dg.DagsterRun]:
        """Runs that have not ended."""
        return [run for run in self.runs() if not run.is_finished]

    def runs(self) -> list[dg.DagsterRun]:
        """Every run of Dagster's."""
        with open_instance(self.place.settings) as instance:
            return list(instance.get_runs())

    def verdicts(self, asset: str, check: str) -> list[tuple[str, bool]]:
        """Results of a check as Dagster shows them: month and whether it passed, oldest first."""
        key = dg.AssetCheckKey(dg.AssetKey(asset.split("/")), check)
        with open_instance(self.place.settings) as instance:
            records = instance.event_log_storage.get_asset_check_execution_history(key, limit=1000)
        found = [record.event.dagster_event.asset_check_evaluation_data for record in records if record.event]
        return [(one.partition, one.passed) for one in reversed(found)]

    def released(self) -> dict[str, set[str]]:
        """Tables of the release in force → the months (or years) that they hold."""
        folder = self.place.home / "releases" / "current" / "tables"
        frames = {path.stem: pl.read_parquet(path) for path in folder.glob("*.parquet")}
        return {name: set(frame["period"]) for name, frame in frames.items() if "period" in frame.columns}


def until(condition, pause: float = 0.2) -> None:
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit, "it takes too long"
        time.sleep(pause)


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> Path:
    """What the core systems will deliver."""
    folder = tmp_path_factory.mktemp("city")
    synthesize(CityPlan(folder, RESIDENTS, LATE, LAST, 0))
    return folder


@pytest.fixture(scope="module")
def daemon(tmp_path_factory) -> Iterator[Daemon]:
    place = Place(tmp_path_factory.mktemp("daemon"))
    place.inbox.mkdir()
    started = Daemon(place)
    started.start()
    yield started
    for number in started.processes():
        os.kill(number, signal.SIGKILL)


def expected(months: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Table → periods, for the accepted months of each source."""
    tables: dict[str, set[str]] = {}
    files = PROJECT / "assets" / "statistics", PROJECT / "assets" / "forecasts"
    for name, statistic in load_published(*files).items():
        if isinstance(statistic, ForecastTable):  # the statistics come first
            forecast = statistic.forecast
            tables[name] = {month for month in tables[forecast.input.table] if forecast.is_origin(month)}
            continue
        if isinstance(statistic, Scoreboard):
            tables[name] = set()  # so short a series has no figures to score
            continue
        if isinstance(statistic, UsualRanges):  # a month in which any of its tables came
            tables[name] = set().union(*(tables[watched] for watched in statistic.inputs))
            continue
        shared = set.intersection(*(months.get(source, set()) for source in statistic.sources))
        yearly = statistic.period == "year"
        tables[name] = {month[:4] for month in shared if month.endswith("-12")} if yearly else shared
    return tables


def test_two_months_that_come_at_once_are_published(daemon, city):
    daemon.deliver(city, TOWNS, LATE)
    for month in FIRST:
        for source in (MOVEMENTS, ESTIMATES, REGISTER):
            daemon.deliver(city, source, month)
    daemon.settle()
    assert daemon.released() == expected(daemon.accepted)
    told = json.loads((daemon.place.home / "releases" / "current" / "release.json").read_text("utf-8"))
    assert sum(table["suppressed"] for table in told["tables"].values()) > 0, "the city is too small to hide anything"


@pytest.mark.soak
def test_the_next_month_is_published(daemon, city):
    for source in (ESTIMATES, REGISTER, MOVEMENTS):
        daemon.deliver(city, source, NEXT)
    daemon.settle()
    assert daemon.released() == expected(daemon.accepted)


def test_a_corrected_month_is_held_until_an_operator_approves_it(daemon):
    before, month = daemon.place.figures(), max(daemon.accepted[MOVEMENTS])
    correct(daemon.place.inbox / CITY / MOVEMENTS / month, fewer=30)
    until(lambda: [step.state for step in daemon.observer.plan().outstanding] == ["held"], pause=1)
    (held,) = daemon.place.status()["outstanding"]
    assert held["id"] == f"take_in:{MOVEMENTS}:{month}" and held["waits_for"] == ["approval"]
    assert held["cause"]["code"] == "delivery.revised" and "kobe deliveries approve" in held["ja"]
    until(lambda: not daemon.under_way())
    assert daemon.place.figures() == before, "the month in force stays"

    assert daemon.place.kobe("deliveries", "approve", MOVEMENTS, month).returncode == 0
    daemon.settle()
    assert daemon.place.figures() != before
    assert daemon.verdicts(f"raw/{MOVEMENTS}", "accepted")[-2:] == [(month, False), (month, True)]


@pytest.mark.soak
def test_a_duplicate_is_nothing_new_a_broken_delivery_is_rejected_and_a_late_month_is_published(daemon, city):
    runs = len(daemon.runs())
    daemon.deliver(city, REGISTER, NEXT)
    folder = daemon.place.deliver(city, ESTIMATES, LAST)
    data = folder / f"{ESTIMATES}.csv"
    data.write_bytes(data.read_bytes().replace(b"2", b"3", 1))
    daemon.deliver(city, REGISTER, LATE)
    daemon.settle()
    assert daemon.released() == expected(daemon.accepted)
    new, months = daemon.runs()[:-runs], daemon.accepted[REGISTER]
    assert {(run.job_name, run.tags.get("dagster/partition", "")) for run in new} == {
        (job_name(ESTIMATES), LAST),  # the broken one
        (job_name(REGISTER), LATE),
        *((TABULATE, month) for month in months),  # usual ranges and a forecast know a month more from there
        (RELEASE, ""),
    }, "none is a duplicate's"
    # A month's tables may be made by two runs, where some of them waited for a run that was under way.
    done = [step for run in new for step in run.tags[STEPS_TAG].split()]
    assert len(done) == len(set(done)), "nothing is done twice"
    assert len([run for run in new if run.job_name != TABULATE]) == 3

    assert daemon.verdicts(f"statistics/{ESTIMATES}", "accepted")[-1] == (LAST, False)
    observer = Observer(daemon.place.settings)
    (broken,) = (one for one in observer.deliveries() if (one.source, one.month) == (ESTIMATES, LAST))
    assert receipt(daemon.place.home, broken, "rejected")["error"]["code"] == "file.hash"
    row = next(row for row in daemon.place.status()["months"] if row["month"] == LAST)
    assert row[ESTIMATES] == "rejected"


def test_no_run_was_red_and_results_of_checks_are_on_their_months(daemon):
    runs = daemon.runs()
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    months = daemon.accepted[REGISTER]
    for asset, check in (
        ("published/population_ward", "disclosure"),
        ("published/population_ward", "no_identifiers"),
        ("statistics/population_ward", "common_margins"),
        (f"lake/{REGISTER}", "rows_accounted"),
    ):
        assert {month for month, passed in daemon.verdicts(asset, check) if passed} == months, (asset, check)


@pytest.mark.soak
def test_a_killed_run_is_made_up_for(daemon, city):
    daemon.deliver(city, REGISTER, LAST)
    lock = daemon.place.home / "work" / f"tabulate~{LAST}.lock"
    until(lambda: lock.exists() and lock.read_text())
    os.kill(json.loads(lock.read_text())["pid"], signal.SIGKILL)
    daemon.settle()
    assert daemon.released() == expected(daemon.accepted)
    assert [run.status for run in daemon.runs()].count(dg.DagsterRunStatus.FAILURE) == 1


def test_a_daemon_that_was_killed_with_its_run_goes_on_when_it_is_started_again(daemon, city):
    for source in (MOVEMENTS, REGISTER):
        if LAST not in daemon.accepted[source]:
            daemon.deliver(city, source, LAST)
    lock = daemon.place.home / "work" / f"tabulate~{LAST}.lock"
    until(lambda: lock.exists() and lock.read_text())
    for number in daemon.processes():
        os.kill(number, signal.SIGKILL)
    daemon.process.wait()
    daemon.start()
    daemon.settle()
    assert daemon.released() == expected(daemon.accepted)
    daemon.end()
    assert not list((daemon.place.home / "work").rglob("*.lock"))
    assert daemon.place.kobe("lake", "verify").returncode == 0
    assert daemon.place.kobe("log", "verify").returncode == 0
