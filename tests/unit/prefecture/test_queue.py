"""A small municipality is not behind a large one: what the sensor asks for, begun by the queue of Dagster's daemon."""

from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon

from kobe_platform.prefecture.homes import new_home
from kobe_platform.prefecture.machines import due
from kobe_platform.prefecture.machines.definitions import JOB, build_prefecture, ticked
from kobe_platform.prefecture.machines.instance import MUNICIPALITY_TAG, open_prefecture, own_settings
from kobe_platform.settings import Settings

LARGE = {"28100": 90, "28201": 80, "28202": 70}
SMALL = {"28203": 40, "28204": 30, "28205": 20, "28206": 10}
"""Municipalities and the bytes that they deliver here, where 60 with the manifest make one large."""
QUEUED = dg.DagsterRunStatus.QUEUED
ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("prefecture"), "__repository__"), JOB)


class Queue:
    """The prefecture's instance with its queue; what the daemon begins is put down and works until it is ended."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings) -> None:
        self.instance, self.settings = instance, settings
        self.working: dict[str, dg.DagsterRun] = {}

    def launch_run(self, context) -> None:
        self.working[context.dagster_run.tags[MUNICIPALITY_TAG]] = context.dagster_run

    def ask(self) -> None:
        """What one tick asks for, the largest put into the queue first."""
        job = build_prefecture(self.settings).resolve_job_def(JOB)
        requests = ticked(self.instance, self.settings, 0.0).run_requests
        sizes = {**LARGE, **SMALL}
        for one in sorted(requests, key=lambda one: -sizes[one.tags[MUNICIPALITY_TAG]]):
            self.instance.create_run_for_job(job, tags=dict(one.tags), status=QUEUED, remote_job_origin=ORIGIN)

    def begun(self) -> set[str]:
        """What one turn of the daemon begins."""
        before = set(self.working)
        context = SimpleNamespace(instance=self.instance, create_request_context=lambda: None)
        with QueuedRunCoordinatorDaemon(interval_seconds=1) as daemon:
            list(daemon.run_iteration(context))
        return set(self.working) - before

    def end(self, code: str) -> None:
        self.instance.report_run_canceled(self.working[code])


@pytest.fixture
def queue(tmp_path, monkeypatch):
    monkeypatch.setenv("KOBE_PREFECTURE", str(tmp_path / "prefecture"))
    monkeypatch.setenv("KOBE_INBOX", str(tmp_path / "inbox"))
    monkeypatch.setattr(due, "LARGE_BYTES", 60)
    for code, size in {**LARGE, **SMALL}.items():
        new_home(Settings(), code)
        folder = tmp_path / "inbox" / code / "resident_register" / "2025-11"
        folder.mkdir(parents=True)
        (folder / "rows.csv").write_bytes(b"x" * size)
        (folder / "manifest.json").write_text(f'{{"size": {size}}}', "utf-8")
    opened = []

    def make(runs: int, large: int) -> Queue:
        settings = own_settings(Settings(prefecture_runs=runs, prefecture_large_runs=large))
        instance = open_prefecture(settings)
        opened.append(instance)
        made = Queue(instance, settings)
        monkeypatch.setattr(type(instance), "run_launcher", made)
        made.ask()
        return made

    yield make
    for instance in opened:
        instance.dispose()


def test_small_ones_are_begun_one_after_the_other_while_further_large_ones_wait(queue):
    places = queue(runs=2, large=1)
    assert places.begun() == {"28100", "28206"}
    assert not places.begun()
    for ended, next_one in (("28206", "28205"), ("28205", "28204"), ("28204", "28203")):
        places.end(ended)
        assert places.begun() == {next_one}
    places.end("28203")
    assert not places.begun(), "a second large one has to wait for the first"
    places.end("28100")
    assert places.begun() == {"28201"}


@pytest.mark.parametrize(("runs", "large"), [(1, 1), (2, 2), (2, 5)])
def test_where_large_ones_may_take_every_place_all_small_ones_go_before_them(queue, runs, large):
    places = queue(runs=runs, large=large)
    order = []
    while begun := places.begun():
        order += sorted(begun, key=lambda code: {**LARGE, **SMALL}[code])
        for code in begun:
            places.end(code)
    assert order == sorted(order, key=lambda code: {**LARGE, **SMALL}[code]) and len(order) == 7
