"""A home of every version comes to the present one whole, however often the upgrade is killed; later ones stay."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kobe_platform.cli.main import COMMANDS, app
from kobe_platform.custody.commands import open_store
from kobe_platform.governance.database import open_database
from kobe_platform.governance.passwords import Whence, check_password
from kobe_platform.governance.people import people
from kobe_platform.home_format import FILE, FORMAT, version_of
from kobe_platform.lounge.release import current
from kobe_platform.planning.leases import TICKER
from kobe_platform.settings import Settings
from kobe_platform.upkeep.doctor import examine
from kobe_platform.upkeep.upgrading import open_to_others, pending, upgrade
from tests.faults import kill_everywhere
from tests.homes.make import HOMES, PARTITION, PASSWORD, ROWS

VERSIONS = sorted(int(path.name.partition(".")[0]) for path in HOMES.glob("*.tar.xz"))


def unpacked(version: int, place: Path) -> Settings:
    """The kept home of a version."""
    with tarfile.open(HOMES / f"{version}.tar.xz") as archive:
        archive.extractall(place, filter="fully_trusted")
    (place / "inbox" / "28100").mkdir(parents=True, exist_ok=True)
    return Settings(home=place / "home", inbox=place / "inbox")


@pytest.fixture
def first(tmp_path, monkeypatch) -> Settings:
    """A home of version 1, as the environment names it."""
    settings = unpacked(1, tmp_path)
    monkeypatch.setenv("KOBE_HOME", str(settings.root))
    monkeypatch.setenv("KOBE_INBOX", str(settings.inbox))
    return settings


def called(*words: str):
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})


def bring(settings: Settings) -> int:
    return upgrade(settings, lambda text: None, lambda owner: None)


def stamps(home: Path) -> dict[Path, int]:
    """When each file was written last; readers of SQLite make and drop files of their own beside a database."""
    files = (path for path in home.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal")))
    return {path: path.lstat().st_mtime_ns for path in files}


def assert_whole(settings: Settings) -> None:
    """Everything that the archive was made with is there and opens."""
    assert version_of(settings.root) == FORMAT and pending(settings) == [] and not [*open_to_others(settings.root)]
    store = open_store(settings)
    assert store.read(PARTITION).equals(ROWS) and not store.verify().faults
    assert store.keys.log.verify().sound
    assert current(settings.releases).id == "0001-0123456789ab"
    assert len([*settings.receipts.rglob("*.accepted.json")]) == 1
    database = open_database(settings.governance)
    try:
        assert {one.login for one in people(database)} == {"sato", "suzuki", "takahashi"}
        assert check_password(database, "sato", PASSWORD, whence=Whence("192.0.2.1")).login == "sato"
        with database.connect() as connection:
            for table in ("application", "application_step", "survey_answer", "session"):
                assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() >= 1, table
    finally:
        database.dispose()


def test_a_home_of_every_version_is_kept_the_present_one_too():
    assert [*range(1, FORMAT + 1)] == VERSIONS
    assert all(path.stat().st_size < 40_000 for path in HOMES.glob("*.tar.xz"))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_home_of_every_version_comes_to_the_present_one_and_then_stays(version, tmp_path):
    settings = unpacked(version, tmp_path)
    assert version_of(settings.root) == version
    assert bool(bring(settings)) == (version < FORMAT)
    assert_whole(settings)
    before = stamps(settings.root)
    assert bring(settings) == 0
    assert stamps(settings.root) == before


def test_who_was_locked_out_before_still_is(first):
    bring(first)
    database, anywhere = open_database(first.governance), Whence("192.0.2.1")
    with database.connect() as connection:
        until = connection.exec_driver_sql("SELECT locked_until FROM guess WHERE login = 'takahashi'").scalar()
        failures = connection.exec_driver_sql("SELECT failures FROM guess WHERE login = 'suzuki'").scalar()
    moment = datetime.fromisoformat(until)
    assert failures == 1
    assert check_password(database, "takahashi", PASSWORD, moment - timedelta(seconds=1), whence=anywhere) is None
    assert check_password(database, "takahashi", PASSWORD, moment + timedelta(seconds=1), whence=anywhere) is not None
    database.dispose()


def within_the_database() -> None:
    """The process dies in the middle of the transaction that changes the governance database."""
    from alembic import op

    op.drop_column = lambda *names: os.kill(os.getpid(), signal.SIGKILL)


def between_modes() -> None:
    """The process dies when it has changed some modes."""
    plain, calls = Path.chmod, []

    def chmod(path: Path, mode: int) -> None:
        calls.append(path)
        if len(calls) == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        plain(path, mode)

    Path.chmod = chmod


def died(act) -> bool:
    """Whether a forked process was killed while it did ``act``."""
    child = os.fork()
    if not child:
        try:
            act()
            os._exit(0)
        finally:
            os._exit(3)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_an_upgrade_that_is_killed_anywhere_goes_on_where_it_was(tmp_path, monkeypatch):
    """By ``kill -9``: within the database's transaction, between modes, before each file is in place."""
    import alembic.command  # noqa: F401 – once, and not in each child

    settings = unpacked(1, tmp_path)
    for harm in (within_the_database, within_the_database, between_modes):
        assert died(lambda harm=harm: (harm(), bring(settings)))
        assert version_of(settings.root) == 1
    monkeypatch.setattr("tests.faults.STEPS", ("replace", "fsync"))
    killed = kill_everywhere(lambda number: bring(settings), before=lambda number: None)
    assert killed >= 2
    assert_whole(settings)


def test_a_dry_run_says_what_it_will_do_and_does_nothing(first):
    before = {path: path.lstat().st_mode for path in first.root.rglob("*")}
    told = called("upgrade", "--dry-run")
    assert told.exit_code == 0 and "管理データベース" in told.output and "権限" in told.output
    after = {path: path.lstat().st_mode for path in first.root.rglob("*") if path in before}
    assert before == after and version_of(first.root) == 1
    assert f"版 1 → {FORMAT}" in called("upgrade").output
    assert called("upgrade", "--dry-run").output == "することはありません。\n"
    assert called("status").exit_code in (0, 1) and "home." not in called("status").stderr


@pytest.mark.parametrize("command", ["run", "serve", "status", "people"])
def test_an_old_home_is_refused_with_what_to_do(command, first):
    told = called(*({"people": ("people", "list")}.get(command, (command,))))
    assert told.exit_code == 1 and "[home.outdated]" in told.stderr and "kobe upgrade" in told.stderr
    found = {one.point: one for one in examine(first)}
    assert found["version"].state == "fail" and found["version"].remedy == "kobe upgrade"


def test_a_daemon_tries_nothing_on_an_old_home(first):
    from kobe_platform.planning.observing import installation_faults

    assert [fault.code for fault in installation_faults(first)] == ["home.outdated"]


@pytest.mark.parametrize("mounted", COMMANDS, ids=lambda one: one.name)
def test_every_command_refuses_a_home_of_a_later_version(mounted, first):
    (first.root / FILE).write_text(json.dumps({"version": FORMAT + 1}))
    told = called(mounted.name)
    if mounted.name in ("advisories", "explain", "config"):
        assert "home.later" not in told.stderr
        return
    assert told.exit_code == 1 and "[home.later]" in told.stderr
    assert called(mounted.name, "--help").exit_code == 0


def test_a_database_of_a_later_version_is_refused(first):
    bring(first)
    database = open_database(first.governance)
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    database.dispose()
    told = called("people", "list")
    assert told.exit_code == 1 and "[governance.later]" in told.stderr
    assert "[governance.later]" in called("upgrade").stderr


def test_a_new_home_says_its_version(tmp_path, monkeypatch):
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "new"))
    assert called("keys", "init").exit_code == 0
    assert json.loads((tmp_path / "new" / FILE).read_text()) == {"version": FORMAT}
    assert called("upgrade").output == f"版 {FORMAT}: することはありません。\n"


def test_it_does_not_begin_while_somebody_works_on_the_home(first):
    from kobe_platform.custody.durable import locked
    from kobe_platform.planning.leases import Leases

    with locked(first.root / "development.lock"):
        assert "[upgrade.at_work]" in called("upgrade").stderr
    with Leases(first.root).holding(TICKER):
        waits = subprocess.Popen([sys.executable, "-m", "kobe_platform.cli", "upgrade"], stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            waits.wait(4)
        assert version_of(first.root) == 1
    assert f"版 1 → {FORMAT}" in waits.communicate(timeout=60)[0].decode()
