"""A lock is held as long as its process lives, by one process at a time, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kobe_platform.errors import CustodyError
from kobe_platform.planning import leases as module
from kobe_platform.planning.leases import TICKER, Leases, Owner

NAME = "tabulate:2025-07"
PROJECT = Path(__file__).resolve().parents[3]
HOLD = """
import sys
from pathlib import Path
from kobe_platform.planning.leases import Leases
with Leases(Path(sys.argv[1])).holding(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""
COUNT = """
import sys, time
from pathlib import Path
from kobe_platform.planning import leases
leases._POLL_SECONDS = 0.001
home, rounds = Path(sys.argv[1]), int(sys.argv[2])
for _ in range(rounds):
    with leases.Leases(home).holding("counter"):
        number = int((home / "number").read_text())
        time.sleep(0.0005)
        (home / "number").write_text(str(number + 1))
"""


def started(script: str, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@contextmanager
def holder(home: Path, name: str = NAME) -> Iterator[subprocess.Popen]:
    """Another process that holds a lock."""
    process = started(HOLD, home, name)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def lock_file(home: Path, name: str = NAME) -> Path:
    return home / "work" / f"{name.replace(':', '~')}.lock"


def test_a_lock_names_its_owner_while_it_is_held_and_is_gone_afterwards(tmp_path):
    leases = Leases(tmp_path)
    assert leases.owner(NAME) is None and leases.under_way() == {}
    with leases.holding(NAME):
        owner = leases.owner(NAME)
        assert owner.mine and (owner.pid, owner.what) == (os.getpid(), NAME)
        assert leases.under_way() == {NAME: owner}
        assert lock_file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert leases.owner(NAME) is None and leases.under_way() == {}
    assert not lock_file(tmp_path).exists()


def test_a_lock_is_given_back_by_work_that_fails(tmp_path):
    with pytest.raises(ValueError, match="work"), Leases(tmp_path).holding(NAME):
        raise ValueError("work")
    assert not lock_file(tmp_path).exists()


def test_another_process_is_named_and_a_kill_gives_its_lock_back(tmp_path):
    leases = Leases(tmp_path)
    with holder(tmp_path) as process:
        owner = leases.owner(NAME)
        assert owner.pid == process.pid and not owner.mine
        assert list(leases.under_way()) == [NAME]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert lock_file(tmp_path).exists(), "nobody took it away"
        assert leases.owner(NAME) is None and leases.under_way() == {}
        with leases.holding(NAME):
            assert leases.owner(NAME).mine
    assert not lock_file(tmp_path).exists()


def test_the_owner_of_an_earlier_boot_or_another_machine_is_not_this_process():
    owner = Owner.this(NAME)
    assert owner.mine
    assert not Owner(owner.host, owner.pid, "another boot", owner.since, NAME).mine
    assert not Owner("another host", owner.pid, owner.boot, owner.since, NAME).mine


@pytest.mark.slow
def test_who_waits_is_told_the_owner_and_gets_the_lock_when_it_is_free(tmp_path):
    seen: list[Owner | None] = []
    with holder(tmp_path) as process:

        def tell(owner: Owner | None) -> None:
            seen.append(owner)
            if len(seen) == 2:
                process.kill()

        with Leases(tmp_path).holding(NAME, waiting=tell):
            assert Leases(tmp_path).owner(NAME).mine
    assert {owner.pid for owner in seen} == {process.pid}


def test_two_that_wait_get_the_lock_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.01)
    inside, most = [], []

    def work(number: int) -> None:
        with Leases(tmp_path).holding(NAME):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.05)
            inside.remove(number)

    with Leases(tmp_path).holding(NAME):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        assert most == []
    for thread in threads:
        thread.join(10)
    assert most == [1, 1]
    assert not lock_file(tmp_path).exists()


@pytest.mark.slow
def test_processes_that_take_and_leave_a_lock_again_and_again_are_never_inside_together(tmp_path):
    (tmp_path / "number").write_text("0")
    processes = [started(COUNT, tmp_path, 60) for _ in range(4)]
    while any(process.poll() is None for process in processes):
        Leases(tmp_path).sweep()
        Leases(tmp_path).under_way()
        time.sleep(0.001)
    for process in processes:
        process.communicate()
    assert (tmp_path / "number").read_text() == "240"


def test_a_lock_whose_file_was_taken_away_while_it_was_opened_is_not_taken_for_held(tmp_path, monkeypatch):
    path, opened = lock_file(tmp_path), []
    genuine = os.open

    def open_and_lose(name, *arguments, **options):
        handle = genuine(name, *arguments, **options)
        if str(name) == str(path) and not opened:
            opened.append(handle)
            os.unlink(path)  # its former owner ends at this very moment
        return handle

    monkeypatch.setattr(os, "open", open_and_lose)
    with Leases(tmp_path).holding(NAME):
        assert opened and path.exists()
        assert Leases(tmp_path).owner(NAME).mine


@pytest.mark.slow
def test_sweeping_takes_away_what_dead_processes_left_and_nothing_that_is_held(tmp_path):
    leases = Leases(tmp_path)
    with holder(tmp_path, "take_in:resident_register:2025-07"), leases.holding(NAME):
        with holder(tmp_path, "release"):
            pass
        assert lock_file(tmp_path, "release").exists()
        leases.sweep()
        assert not lock_file(tmp_path, "release").exists()
        assert sorted(leases.under_way()) == [NAME, "take_in:resident_register:2025-07"]


def test_sweeping_never_takes_away_the_file_of_a_new_owner(tmp_path, monkeypatch):
    """Between opening a dead lock and locking it, its name may have come to mean another file."""
    leases, path = Leases(tmp_path), lock_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text("")
    genuine = fcntl.flock
    taken: list[int] = []

    def lock_late(handle, operation):
        if not taken:
            taken.append(handle)
            path.unlink()
            new = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            genuine(new, fcntl.LOCK_EX)
            taken.append(new)
        return genuine(handle, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    leases.sweep()
    assert path.exists(), "the new owner's lock would be open to a third process"
    os.close(taken[1])


def test_the_lock_of_the_caller_of_sensors_is_no_work_under_way(tmp_path):
    leases = Leases(tmp_path)
    with leases.holding(TICKER):
        assert leases.under_way() == {} and leases.owner(TICKER).mine


def test_runs_are_known_as_living_or_dead_and_a_dead_one_is_forgotten(tmp_path):
    leases = Leases(tmp_path)
    with holder(tmp_path, "runs/dead"), leases.holding("runs/living"):
        assert leases.runs() == {"dead": True, "living": True}
        assert leases.under_way() == {}, "a run's lock is not that of its work"
    with leases.holding("runs/living"):
        assert leases.runs() == {"dead": False, "living": True}
        leases.forget("dead")
        leases.forget("living")
        assert leases.runs() == {"living": True}


def test_a_run_that_has_made_its_lock_file_and_not_locked_it_yet_is_not_taken_for_dead(tmp_path):
    leases, path = Leases(tmp_path), tmp_path / "work" / "runs" / "young.lock"
    path.parent.mkdir(parents=True)
    path.touch()
    assert leases.runs() == {"young": True}
    leases.forget("young")
    assert path.exists()
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert leases.runs() == {"young": False}, "killed before it could say who it is"


def test_what_stands_in_a_lock_file_says_nothing_about_whether_it_is_held(tmp_path):
    leases, path = Leases(tmp_path), lock_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(Owner.this(NAME).__dict__))
    assert leases.owner(NAME) is None
    path.write_text("not JSON")
    with leases.holding(NAME):
        assert leases.owner(NAME).mine
        os.truncate(path, 0)
        assert leases.under_way() == {NAME: None}, "held, by somebody who has not said yet"


def test_a_lock_is_not_taken_through_a_symbolic_link(tmp_path):
    path = lock_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CustodyError) as refusal, Leases(tmp_path).holding(NAME):
        pass
    assert refusal.value.code == "custody.symlink" and not (tmp_path / "elsewhere").exists()
