"""The doctor finds each thing that was broken on purpose, says what to do, and looks at the rest though one fails."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from kobe_platform.backup.restoring import back_up
from kobe_platform.backup.sealing import Seal
from kobe_platform.backup.vault import Folder, Vault
from kobe_platform.cli.main import app
from kobe_platform.lounge.release import current
from kobe_platform.planning.observing import Observer
from kobe_platform.settings import Settings
from kobe_platform.upkeep import doctor
from kobe_platform.upkeep.doctor import POINTS, examine
from kobe_platform.upkeep.metrics import figures, text
from tests.unit.backup.conftest import PARTITION, ROWS, settings, silent, store_of

__all__ = ["settings"]


SITE = ("sites/staff/index.html",)


def rewrite_release(settings, **told):
    record = current(settings.releases).path / "release.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), **told}))


@pytest.fixture
def home(settings):
    """The small installation, without what only a running one has."""
    shutil.rmtree(settings.root / "dagster")
    written = {name: hashlib.sha256((current(settings.releases).path / name).read_bytes()).hexdigest() for name in SITE}
    rewrite_release(settings, files=written)
    (settings.inbox / settings.municipality).mkdir(parents=True)
    settings.root.chmod(0o700)
    return settings


def states(settings, **now):
    found = examine(settings, **now)
    assert {one.point for one in found} == set(POINTS)
    assert all(one.remedy for one in found if one.state != "ok")
    order = ("ok", "warn", "fail")
    return {point: max((one.state for one in found if one.point == point), key=order.index) for point in POINTS}


def test_a_sound_installation_has_nothing_that_is_broken(home):
    found = states(home)
    assert "fail" not in found.values(), found
    assert found["alerts"] == found["backup"] == "warn"


def break_keys(home):
    (home.keys / "root.json").unlink()


def break_log(home):
    lines = home.key_log.read_bytes().splitlines(keepends=True)
    home.key_log.write_bytes(b"".join(lines[:1] + lines[2:]))


def break_modes(home):
    home.root.chmod(0o755)


def break_release(home):
    (current(home.releases).path / SITE[0]).write_text("another")


def break_database(home):
    for path in home.root.glob("governance.sqlite*"):
        path.unlink()
    (home.root / "governance.sqlite").write_bytes(b"no database" * 100)


def break_alerts(home):
    (home.root / "alerts.toml").write_text("[mail]\nhots = 1\n")


def break_portal(home):
    home.portal_file.write_text("origin = 1\n")


def break_inbox(home):
    shutil.rmtree(home.inbox)


@pytest.mark.parametrize(
    ("harm", "point"),
    [
        (break_keys, "installation"),
        (break_inbox, "installation"),
        (break_log, "log"),
        (break_modes, "modes"),
        (break_release, "release"),
        (break_database, "database"),
        (break_alerts, "alerts"),
        (break_portal, "portal"),
    ],
)
def test_what_is_broken_fails_at_its_point(home, harm, point):
    before = states(home)
    harm(home)
    after = states(home)
    assert before[point] != "fail" and after[point] == "fail"


def test_a_clock_that_went_back_is_told(home):
    assert states(home, now=datetime.now(UTC) - timedelta(hours=2))["log"] == "fail"


def test_the_room_on_the_disk_is_told_in_months(home, monkeypatch):
    store_of(home).write(PARTITION, ROWS)
    usage = shutil.disk_usage(home.root)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage._replace(free=100))
    found = next(one for one in examine(home) if one.point == "disk")
    assert found.state == "warn" and "か月で足りなくなります" in found.told


def test_the_age_of_the_backup_is_told_without_its_key(home, tmp_path):
    place = tmp_path / "vault"
    watched = Settings(home=home.home, inbox=home.inbox, backup=str(place))
    assert states(watched)["backup"] == "fail"
    back_up(home, Vault(Folder(place), Seal(bytes(32)), create=True), keys=True, progress=silent)
    assert states(watched)["backup"] == "ok"
    assert states(watched, now=datetime.now(UTC) + timedelta(days=8))["backup"] == "warn"
    told = text(figures(Observer(watched))).decode()
    assert "kobe_backup_age_seconds " in told and 'kobe_partitions{stage="lake"} 1.0' in told
    assert "kobe_release_number 1.0" in told and 'kobe_source_lag_months{source="resident_register"}' in told


def test_the_commands_exit_as_they_found(home, monkeypatch, tmp_path):
    monkeypatch.setenv("KOBE_HOME", str(home.root))
    monkeypatch.setenv("KOBE_INBOX", str(home.inbox))
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0
    assert CliRunner().invoke(app, ["metrics", "--to", str(tmp_path / "kobe.prom")]).exit_code == 0
    assert "kobe_steps" in (tmp_path / "kobe.prom").read_text()
    break_modes(home)
    assert CliRunner().invoke(app, ["doctor", "--json"]).exit_code == 1
