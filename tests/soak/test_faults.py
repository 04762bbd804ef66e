"""Faults that are no kills: signals, a full disk, an inbox that goes away, two runs at once, a partial restore.

Each ends with what an operator sees (exit code, one line with the cause) and with the next `kobe run`, which finds the
home whole again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak.aims import (
    BUILDING,
    COMMITTED,
    COUNTED,
    NAMED,
    NEXT_HEAD,
    PAGE,
    PROTECTED,
    PROTECTING,
    RECEIPT,
    RELEASED,
    SITE,
    SWITCHING,
    WRITING,
)  # fmt: skip
from tests.soak.homes import CITY, ESTIMATES, LIMIT, MONTH, NEXT, REGISTER, TOWNS, Homes, Place, correct
from tests.soak.judging import problems
from tests.soak.watching import Watch, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="moments are found by inotify")
ENDS_WITHIN = 10
"""Seconds after which a run that was asked to end has ended."""
DISK = 200
"""Megabytes of the small disk."""


def short(*values: object):
    """A case for `make test`."""
    return pytest.param(*values, marks=pytest.mark.slow)


def long(*values: object):
    """A case for `make soak`."""
    return pytest.param(*values, marks=pytest.mark.soak)


def reach(place: Place, pattern: str, count: int = 1, log: Path | None = None) -> subprocess.Popen:
    """Start `kobe run` and wait for a moment of it."""
    watch = Watch(place.home)
    try:
        process = place.start("run", log=log)
        assert wait_for(watch, process, pattern, count, LIMIT), "the moment never came"
        return process
    finally:
        watch.close()


def finished(place: Place, homes: Homes, name: str) -> list[str]:
    """Problems after the next `kobe run`."""
    done = place.kobe("run")
    found = [] if done.returncode == 0 else [f"`kobe run` ended with {done.returncode}: {done.stdout}{done.stderr}"]
    return [*found, *problems(place, homes.undisturbed(name).figures)]


# ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sign", "name", "pattern", "count"),
    [
        long(signal.SIGTERM, "taken", COUNTED, 16),
        long(signal.SIGINT, "tabulated", PAGE, 2),
        long(signal.SIGTERM, "first", WRITING, 3),
        long(signal.SIGINT, "register", COMMITTED, 2),
        long(signal.SIGTERM, "taken", PROTECTING, 3),
        long(signal.SIGINT, "tabulated", SITE, 1),
        long(signal.SIGTERM, "tabulated", SWITCHING, 1),
    ],
)
def test_a_run_that_is_asked_to_end_ends_within_seconds_and_the_next_goes_on(
    sign, name, pattern, count, homes, tmp_path
):
    place = homes.copy(name, tmp_path / "place")
    process = reach(place, pattern, count)
    began = time.monotonic()
    process.send_signal(sign)
    code = process.wait(timeout=LIMIT)
    assert time.monotonic() - began < ENDS_WITHIN
    assert code in (128 + sign, 0), "0: it was done before the signal was heeded"
    assert "Traceback" not in (place.folder / "log").read_text("utf-8", errors="replace")
    assert finished(place, homes, name) == []


# ── a full disk ──────────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of its own at a folder; skips the test where this may not be mounted."""
    held = folder.with_name("held")
    folder.rename(held)
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m,mode=0700", "kobe-soak", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        folder.rmdir()
        held.rename(folder)
        pytest.skip("a small disk can be mounted by root only")
    try:
        shutil.copytree(held, folder, symlinks=True, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room on the disk of a folder; the file that takes it."""
    ballast, chunk, size = folder / "ballast", DISK << 20, 0
    with ballast.open("wb") as file:
        while chunk >= 4096:
            try:
                os.posix_fallocate(file.fileno(), size, chunk)
                size += chunk
            except OSError:  # all of it or nothing
                chunk //= 2
    return ballast


@pytest.mark.parametrize(
    ("name", "pattern", "count"),
    [
        long("public", "", 1),
        long("public", WRITING, 1),
        long("tabulated", BUILDING, 1),
        long("first", WRITING, 3),
        long("first", COMMITTED, 3),
        long("first", COMMITTED, 5),
        long("first", RECEIPT, 3),
        long("public", NEXT_HEAD, 1),
        long("public", RECEIPT, 1),
        long("taken", COUNTED, 5),
        long("taken", PROTECTING, 1),
        long("taken", PROTECTED, 4),
        long("tabulated", PAGE, 1),
        long("tabulated", PAGE, 12),
        long("tabulated", RELEASED, 1),
        long("tabulated", SITE, 1),
        long("tabulated", NAMED, 1),
    ],
)
def test_a_full_disk_is_said_on_one_line_and_the_run_goes_on_when_there_is_room(name, pattern, count, homes, tmp_path):
    place = homes.copy(name, tmp_path / "place")
    log = tmp_path / "told"
    with small_disk(place.home):
        if pattern:
            process = reach(place, pattern, count, log)
            ballast = fill(place.home)
        else:
            ballast = fill(place.home)
            process = place.start("run", log=log)
        code = process.wait(timeout=LIMIT)
        told = log.read_text("utf-8", errors="replace")
        assert code == 1, told
        assert any("[custody.disk_full]" in line for line in told.splitlines()), told
        before_the_plan = told.partition("残り")[0]
        assert "Traceback" not in told and len(before_the_plan.splitlines()) < 16, told
        ballast.unlink()
        assert finished(place, homes, name) == []


# ── the inbox ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("pattern", "count", "part"),
    [
        long(COMMITTED, 2, "inbox"),
        long(COMMITTED, 1, "city"),
        long(COMMITTED, 3, "inbox"),
        long(RECEIPT, 3, "city"),
        long(COUNTED, 3, "inbox"),
    ],
)
def test_an_inbox_that_vanishes_in_the_middle_of_a_run_and_comes_back_loses_nothing(
    pattern, count, part, homes, tmp_path
):
    place = homes.copy("first", tmp_path / "place")
    gone = place.inbox if part == "inbox" else place.inbox / CITY
    process = reach(place, pattern, count)
    gone.rename(place.folder / "away")
    code = process.wait(timeout=LIMIT)
    told = (place.folder / "log").read_text("utf-8", errors="replace")
    assert code == 1 and "[inbox." in told and "Traceback" not in told, told
    (place.folder / "away").rename(gone)
    assert finished(place, homes, "first") == []


@pytest.mark.slow
def test_more_than_five_hundred_due_deliveries_do_not_stand_in_the_way_of_one_source(homes, tmp_path):
    place = homes.copy("first", tmp_path / "place")
    model = place.inbox / CITY / ESTIMATES / MONTH
    manifest = json.loads((model / "manifest.json").read_text("utf-8"))
    (file,) = manifest["files"]
    figures = (model / file["name"]).read_bytes()
    for number in range(520):
        month = f"{1970 + number // 12}-{number % 12 + 1:02d}"
        folder = model.with_name(month)
        folder.mkdir()
        data = figures.replace(f"{MONTH}-01".encode(), f"{month}-01".encode())
        (folder / file["name"]).write_bytes(data)
        said = {**manifest, "month": month, "files": [{**file, "sha256": hashlib.sha256(data).hexdigest()}]}
        (folder / "manifest.json").write_text(json.dumps(said), "utf-8")
    more = {"KOBE_START": "1970-01"}
    assert len(json.loads(place.kobe("status", "--json", more=more).stdout)["outstanding"]) > 520
    scope = ("--source", ESTIMATES, "--from", "2012-12", "--to", "2013-03")
    done = place.kobe("run", *scope, "--json", more=more)
    told = json.loads(done.stdout)
    taken = [run["month"] for run in told["runs"] if run["what"].startswith("take_in:")]
    assert taken == ["2012-12", "2013-01", "2013-02", "2013-03"] and done.returncode == 0, done.stderr


@pytest.mark.slow
def test_an_empty_receipt_is_written_again(homes, tmp_path):
    place = homes.copy("done", tmp_path / "place")
    for source in (REGISTER, TOWNS, ESTIMATES):
        (path,) = (place.home / "receipts" / CITY / source / MONTH).glob("*.accepted.json")
        path.write_bytes(b"")
    listed = place.kobe("deliveries", "list")
    assert listed.returncode == 0 and listed.stdout.count(" due ") == 3, listed.stdout + listed.stderr
    assert {step["reason"] for step in place.status()["outstanding"]} == {"receipt missing"}
    assert finished(place, homes, "done") == []
    assert path.stat().st_size > 100


# ── two at once; what a restore lacks ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "apart"), [short("public", 0.0), long("first", 0.5), long("first", 6.0)])
def test_two_runs_at_once_take_each_delivery_in_once_and_make_one_release(name, apart, homes, tmp_path):
    place = homes.copy(name, tmp_path / "place")
    before = set((place.home / "releases").glob("[0-9]*"))
    first = place.start("run", log=place.folder / "log-1")
    time.sleep(apart)
    second = place.start("run", log=place.folder / "log-2")
    codes = [process.wait(timeout=LIMIT) for process in (first, second)]
    told = [(place.folder / name).read_text("utf-8") for name in ("log-1", "log-2")]
    assert codes == [0, 0], told
    assert len(set((place.home / "releases").glob("[0-9]*")) - before) == 1
    generations = [path.name for path in (place.home / "store" / "statistics").glob(f"{ESTIMATES}/*/g*")]
    assert set(generations) == {"g000001"}
    assert any("another `kobe run` is at work" in text for text in told), told
    assert finished(place, homes, name) == []


@pytest.mark.parametrize("name", [short("public"), long("done"), long("taken"), long("tabulated"), long("register")])
def test_a_home_restored_without_the_databases_of_dagster_has_the_same_plan_and_goes_on(name, homes, tmp_path):
    place = homes.copy(name, tmp_path / "place")
    before = place.status()
    shutil.rmtree(place.home / "dagster")
    assert place.status() == before
    assert finished(place, homes, name) == []


# ── one home, again and again ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.soak
def test_a_home_that_is_killed_at_every_boundary_in_turn_heals_by_one_run(homes, tmp_path):
    place = homes.copy("first", tmp_path / "place")
    moments = (
        (WRITING, 3), (COMMITTED, 2), (RECEIPT, 1), (COUNTED, 2), (PROTECTED, 1), (PAGE, 3), (BUILDING, 1),
        (SWITCHING, 1),
    )  # fmt: skip
    for pattern, count in moments:
        process = reach(place, pattern, count)
        process.kill()
        process.wait()
    assert finished(place, homes, "first") == []


@pytest.mark.soak
def test_a_step_that_is_lost_five_times_waits_for_a_person_who_can_revive_it(homes, tmp_path):
    place = homes.copy("tabulated", tmp_path / "place")
    for _ in range(5):
        process = reach(place, BUILDING)
        process.kill()
        process.wait()
    refused = place.kobe("run")
    assert refused.returncode == 1 and "[plan.lost]" in refused.stdout and "kobe retry" in refused.stdout
    assert place.status()["outstanding"][0]["state"] == "failed"
    assert place.kobe("retry").returncode == 0
    assert finished(place, homes, "tabulated") == []


@pytest.mark.soak
def test_twenty_kills_on_one_home_leave_nothing_behind(homes, tmp_path):
    place = homes.copy("public", tmp_path / "place")
    figures = homes.undisturbed("public").figures
    delivered = place.inbox / CITY / ESTIMATES / NEXT
    for number in range(20):
        process = reach(place, (WRITING, NEXT_HEAD, RECEIPT, PROTECTED, PAGE, BUILDING, SITE, NAMED)[number % 8])
        process.kill()
        process.wait()
        assert place.kobe("run").returncode == 0
        assert problems(place, figures if number == 0 else place.figures()) == [], number
        _deliver_again(place, delivered)
    assert len(list((place.home / "staging").glob("*tables-*"))) <= 2


def _deliver_again(place: Place, folder: Path) -> None:
    """The same month with one row less, approved at once."""
    correct(folder)
    assert place.kobe("run").returncode == 1, "it is held"
    assert place.kobe("deliveries", "approve", ESTIMATES, NEXT).returncode == 0
