"""What a full or failing disk is called, whoever met it."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import subprocess
import sys

import pytest

from kobe_platform.custody.durable import disk_fault, drop_abandoned, held_folder, is_locked, locked
from kobe_platform.errors import CustodyError
from kobe_platform.planning.leases import Leases
from kobe_platform.privacy import border


def of_sqlite(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = name
    return error


def met_by_sqlite(statement: str, path: str = ":memory:") -> sqlite3.Error:
    """What SQLite really raises."""
    with pytest.raises(sqlite3.Error) as met:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute(statement)
    return met.value


def wrapped(error: Exception) -> Exception:
    """As sqlalchemy hands it on."""
    try:
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("statement failed") from cause
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.ENOSPC, ""), errno.ENOSPC),
        (OSError(errno.EDQUOT, ""), errno.EDQUOT),
        (PermissionError(errno.EACCES, "x"), errno.EACCES),
        (OSError(errno.EROFS, "x"), errno.EROFS),
        (RuntimeError("Read-only file system (os error 30): x"), errno.EROFS),
        (RuntimeError("write: No space left on device (os error 28)"), errno.ENOSPC),
        (met_by_sqlite("CREATE TABLE many (a)"), errno.ENOSPC),
        (of_sqlite("SQLITE_IOERR_SHMSIZE"), errno.ENOSPC),
        (of_sqlite("SQLITE_IOERR_WRITE"), errno.EIO),
        (of_sqlite("SQLITE_READONLY_DIRECTORY"), errno.EROFS),
        (met_by_sqlite("SELECT 1", "/nowhere/at/all.db"), errno.EIO),
    ],
)
def test_a_fault_of_the_disk_is_known_by_number_code_or_words(error, number):
    assert disk_fault(error).errno == number
    assert disk_fault(wrapped(error)).errno == number


@pytest.mark.parametrize("error", [FileNotFoundError(2, "x"), KeyError("x"), met_by_sqlite("SELECT nonsense"), None])
def test_other_errors_are_not_the_disks(error):
    assert disk_fault(error) is None


def test_a_database_that_cannot_be_written_on_a_disk_without_room_is_a_full_disk(monkeypatch):
    error = of_sqlite("SQLITE_CANTOPEN")
    assert border.coordinates_only(error, {}).code == "custody.io"
    monkeypatch.setattr(border.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 4096}))
    assert border.coordinates_only(error, {}).code == "custody.disk_full"


AT_WORK = """
import sys
from pathlib import Path
from kobe_platform.custody.durable import held_folder
from kobe_platform.planning.leases import Leases
home = Path(sys.argv[1])
with Leases(home).holding("release"), held_folder(home / "releases", ".building-"):
    print("at work", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="a namespace of processes, as a container has")
def test_who_lives_is_seen_across_containers_on_one_disk_and_what_a_dead_one_left_is_taken_over(tmp_path):
    releases = tmp_path / "releases"
    container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c", AT_WORK]
    other = subprocess.Popen([*container, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "at work\n"
    (folder,) = releases.iterdir()
    drop_abandoned(releases.iterdir())
    assert folder.exists() and list(Leases(tmp_path).under_way()) == ["release"]
    with held_folder(releases, ".building-") as own:
        assert own != folder
        other.kill()
        assert other.stdout.read() == ""  # all of it has ended
        other.wait()
        drop_abandoned(releases.iterdir())
        assert list(releases.iterdir()) == [own] and Leases(tmp_path).under_way() == {}
        with Leases(tmp_path).holding("release"):
            assert list(Leases(tmp_path).under_way()) == ["release"]
    assert list(releases.iterdir()) == []


def held(context) -> None:
    with context:
        pass


ASKED = {
    "whether it is held": lambda home: is_locked(home / "a.lock"),
    "hold": lambda home: held(locked(home / "a.lock")),
    "hold at once": lambda home: held(locked(home / "a.lock", wait=False)),
    "a folder of one's own": lambda home: held(held_folder(home, ".a-")),
    "what dead ones left": lambda home: drop_abandoned([home / "folder"]),
    "hold a run": lambda home: held(Leases(home).holding("release")),
    "runs under way": lambda home: Leases(home).under_way(),
    "locks of the dead": lambda home: Leases(home).sweep(),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_a_file_system_without_locks_is_told_and_nothing_counts_as_held_or_free(tmp_path, monkeypatch, ask):
    (tmp_path / "folder").mkdir()
    (tmp_path / "work").mkdir()
    for name in ("a.lock", "work/a.lock"):
        (tmp_path / name).touch()

    def refuse(handle, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(CustodyError) as refused:
        ask(tmp_path)
    assert refused.value.code == "custody.locks" and str(tmp_path) not in str(refused.value)
    assert (tmp_path / "folder").exists() and (tmp_path / "work" / "a.lock").exists()


def test_a_lock_that_may_not_be_looked_at_does_not_count_as_free(tmp_path):
    (tmp_path / "a.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CustodyError) as refused:
        is_locked(tmp_path / "a.lock")
    assert refused.value.code == "custody.symlink"
    assert not is_locked(tmp_path / "none" / "a.lock")
