"""Runs whose process is gone are ended as failed; what lives, or waits for its turn, is let be."""

from __future__ import annotations

import os
import time

import dagster as dg
import pytest

from kobe_platform.orchestration.attending import attended
from kobe_platform.orchestration.reaping import UNLOCKED_SECONDS, reap
from kobe_platform.planning.leases import Leases

STATUS = dg.DagsterRunStatus


@dg.job
def some_job():
    """Nothing: only its runs are looked at."""


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run_of(instance: dg.DagsterInstance, status: STATUS) -> str:
    return instance.create_run_for_job(some_job, status=status).run_id


def dead_lock(home, run_id: str) -> None:
    """The lock file that a killed process leaves: there, and held by nobody."""
    path = home / "work" / "runs" / f"{run_id}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time.time() - 60, time.time() - 60))


@pytest.mark.parametrize("status", [STATUS.NOT_STARTED, STATUS.STARTING, STATUS.STARTED, STATUS.CANCELING])
def test_a_run_is_ended_whose_process_left_its_lock(instance, tmp_path, status):
    """Also one that was killed after the run was entered and before it was started."""
    run_id = run_of(instance, status)
    dead_lock(tmp_path, run_id)
    assert reap(instance, Leases(tmp_path)) == [run_id]
    assert instance.get_run_by_id(run_id).status is STATUS.FAILURE
    assert not reap(instance, Leases(tmp_path)) and not Leases(tmp_path).runs()


@pytest.mark.parametrize("status", [STATUS.NOT_STARTED, STATUS.STARTED])
def test_a_run_that_holds_its_lock_lives(instance, tmp_path, status):
    run_id, leases = run_of(instance, status), Leases(tmp_path)
    with leases.holding(f"runs/{run_id}"):
        assert not reap(instance, leases)


def test_a_run_without_a_lock_is_given_time_to_start_and_as_long_as_it_takes_to_wait(instance, tmp_path):
    waits, started = (run_of(instance, status) for status in (STATUS.NOT_STARTED, STATUS.STARTED))
    assert not reap(instance, Leases(tmp_path))
    assert reap(instance, Leases(tmp_path), now=time.time() + UNLOCKED_SECONDS + 1) == [started]
    assert instance.get_run_by_id(waits).status is STATUS.NOT_STARTED


def test_a_run_that_breaks_off_outside_its_steps_is_ended_though_its_process_went_on(instance, tmp_path):
    """On a full disk Dagster cannot note the end of a run: its lock file stays, and the next tick ends it at once."""
    run_id = run_of(instance, STATUS.STARTED)
    with pytest.raises(OSError), attended(tmp_path, run_id, {}, ()):
        raise OSError(28, "No space left on device")
    assert Leases(tmp_path).runs() == {run_id: False}
    assert reap(instance, Leases(tmp_path)) == [run_id]
    assert instance.get_run_by_id(run_id).status is STATUS.FAILURE and not Leases(tmp_path).runs()


def test_a_run_that_comes_to_its_end_leaves_no_lock(tmp_path):
    with attended(tmp_path, "one", {}, ()) as seen:
        seen.finished = True
    with attended(tmp_path, "two", {}, ()) as seen:
        seen.interrupted = True
    assert not Leases(tmp_path).runs()
