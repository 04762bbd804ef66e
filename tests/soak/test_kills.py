"""A process that is killed at any moment leaves a home which the next `kobe run` brings to its end, without hands.

`make test` tries six of them, `make soak` all.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from tests.soak.aims import DESTROY, LONG, PEOPLE, RETENTION, ROTATE, SHORT, Aim
from tests.soak.homes import LIMIT, Homes, Place
from tests.soak.judging import problems
from tests.soak.records import Records, Tried
from tests.soak.watching import Watch, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="moments are found by inotify")
PASSWORD = "六甲山から海が見える夜景 2025\n"
ALL = [pytest.param(aim, id=aim.id, marks=pytest.mark.slow) for aim in SHORT]
ALL += [pytest.param(aim, id=aim.id, marks=pytest.mark.soak) for aim in LONG]


@pytest.mark.parametrize("aim", ALL)
def test_a_kill_heals(aim: Aim, homes: Homes, records: Records, tmp_path, capsys):
    former = records.all().get(aim.id)
    if former is not None and former.healed:
        return
    place = homes.copy(aim.home, tmp_path / "place")
    tried = _tried(aim, place, homes)
    records.add(tried)
    with capsys.disabled():
        print(f" {len(records.all())}: {tried.id} {tried.seconds:.0f} s {'; '.join(tried.problems)}", flush=True)
    assert tried.killed, f"the moment never came: {aim.pattern or aim.share}\n{_log(place)}"
    assert not tried.problems, _log(place)
    shutil.rmtree(place.folder)


def _tried(aim: Aim, place: Place, homes: Homes) -> Tried:
    undisturbed, share = homes.undisturbed(aim.home), aim.share
    killed = kill(aim, place, share * _usual(aim, undisturbed.seconds))
    while not killed and not aim.pattern and share > 0.05:
        share *= 0.8  # the machine was quicker than at the undisturbed run: again, on a fresh home
        homes.copy(aim.home, place.folder)
        killed = kill(aim, place, share * _usual(aim, undisturbed.seconds))
    for _ in range(2 if aim.pattern else 0):  # a file in a folder that was just made can come before the watch on it
        if not killed:
            homes.copy(aim.home, place.folder)
            killed = kill(aim, place, 0.0)
    found: list[str] = []
    if aim.command == PEOPLE:
        found += half_a_person(place)
    began = time.monotonic()
    found += after(place, "run")
    seconds = time.monotonic() - began
    if aim.command in (ROTATE, DESTROY, RETENTION, PEOPLE):
        again = DESTROY if aim.command == RETENTION else aim.command
        found += after(place, *again, aim=aim)
    if aim.command in (DESTROY, RETENTION):
        rows = [path for path in (place.home / "store" / "raw").rglob("data.parquet") if "resident_" in str(path)]
        found += [f"rows that were due lie there still: {path}" for path in rows]
    if aim.command == PEOPLE and people(place) != [("hanako", True)]:
        found.append(f"the account is not whole: {people(place)}")
    return Tried(aim.id, aim.boundary, killed, tuple([*found, *problems(place, undisturbed.figures)]), seconds)


def _usual(aim: Aim, seconds: float) -> float:
    return {ROTATE: 1.5, DESTROY: 2.0, PEOPLE: 1.2, RETENTION: 12.0}.get(aim.command, seconds)


def kill(aim: Aim, place: Place, seconds: float) -> bool:
    """Start the command and kill it (as ``kill -9``) at its event or after some seconds; whether it was still there."""
    watch = Watch(place.home)
    try:
        process = place.start(*aim.command, more=aim.more) if aim.command != PEOPLE else _adding(place)
        if aim.pattern:
            came = wait_for(watch, process, aim.pattern, aim.count, LIMIT)
            time.sleep(aim.delay / 1000)
        else:
            time.sleep(seconds)
            came = process.poll() is None
        process.kill()
        return process.wait() == -9 and came
    finally:
        watch.close()


def _adding(place: Place):
    process = subprocess.Popen(
        [sys.executable, "-m", "kobe_platform.cli", *PEOPLE], env=place.environment(), cwd=place.folder,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=(place.folder / "log").open("ab"), text=True,
    )  # fmt: skip
    process.stdin.write(PASSWORD)
    process.stdin.close()
    return process


def after(place: Place, *command: str, aim: Aim | None = None) -> list[str]:
    """Problems of a command that is given after the kill: it must succeed."""
    done = place.kobe(*command, more=aim.more if aim else None, text=PASSWORD)
    with (place.folder / "log").open("a") as log:
        log.write(f"--- {' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}\n")
    return [] if done.returncode == 0 else [f"`{' '.join(command)}` ended with {done.returncode}"]


def people(place: Place) -> list[tuple[str, bool]]:
    """Accounts on record, and whether each is whole: a role and a password."""
    file = place.home / "governance.sqlite"
    if not file.exists():
        return []
    with closing(sqlite3.connect(file)) as database:
        tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
        if "person" not in tables:
            return []
        whole = " and ".join(
            f"exists (select 1 from {name} where {name}.login = person.login)" for name in ("person_role", "password")
        )
        return [(login, bool(found)) for login, found in database.execute(f"select login, {whole} from person")]


def half_a_person(place: Place) -> list[str]:
    """What a killed `kobe people add` must not leave: an account with a role and no password."""
    return [f"half an account: {login}" for login, whole in people(place) if not whole]


def _log(place: Place) -> str:
    text = (place.folder / "log").read_text("utf-8", errors="replace") if (place.folder / "log").exists() else ""
    return text[-4000:]
