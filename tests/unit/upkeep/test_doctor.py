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


def test_a_chat_that_is_not_there_is_told_to_the_operator(home, tmp_path):
    """Its button is not shown to readers; who runs the installation hears why, and what to write."""
    home = home.model_copy(update={"dashboards": tmp_path / "dashboards"})
    home.dashboards.mkdir()
    (home.dashboards / "links.toml").write_text('survey = "/survey"\n')
    (found,) = (one for one in examine(home) if one.point == "links")
    assert (found.state, found.told) == ("ok", "チャットの宛先がないので、画面にそのボタンは出ません")
    assert "links.toml" in found.remedy
    (home.dashboards / "links.toml").write_text('survey = "/survey"\nchat = "https://chat.example/room"\n')
    (found,) = (one for one in examine(home) if one.point == "links")
    assert (found.state, found.remedy) == ("ok", "")


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


def test_the_room_on_the_disk_is_told_with_the_month_in_which_it_is_full(home, monkeypatch):
    store = store_of(home)
    store.write(PARTITION, ROWS)
    monthly, now = int(doctor._monthly_bytes(store, home)) + 1, datetime(2026, 2, 28, 16, tzinfo=UTC)  # March in Kobe
    usage = shutil.disk_usage(home.root)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage._replace(free=100))
    found = next(one for one in examine(home, now) if one.point == "disk")
    assert found.state == "warn" and "2026年3月ごろに足りなくなります" in found.told
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage._replace(free=20 * monthly))
    found = next(one for one in examine(home, now) if one.point == "disk")
    assert found.state == "ok" and "2027年11月ごろまでもちます" in found.told


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


def test_a_developers_machine_without_chromium_or_japanese_fonts_is_told(home, monkeypatch):
    which = shutil.which
    monkeypatch.setattr(doctor, "_has_japanese_font", lambda: False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/chromium")
    assert states(home)["browser"] == "warn"
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None if name in doctor.BROWSERS else which(name))
    assert states(home)["browser"] == "warn"
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    assert states(home)["browser"] == "ok"


def test_figures_tell_rows_rejects_stages_keys_and_ticks(home):
    folder = home.receipts / home.municipality / "resident_register" / "2025-07"
    folder.mkdir(parents=True)
    told = {"source": "resident_register", "month": "2025-07", "sequence": 1, "at": "2025-08-01T00:00:00+00:00"}
    facts = {"rows": 1000, "kept": 990, "set_aside": {"date.unreadable": 10}}
    record = {"status": "accepted", "content_hash": "0" * 64, "facts": facts, **told}
    (folder / f"{'0' * 12}.accepted.json").write_text(json.dumps(record))
    observer = Observer(home)
    observer.journal.write("step", step="lake__a", stage="lake", ended="success", seconds=1.25)
    observer.journal.write("step", step="lake__b", stage="lake", ended="failure", code="custody.io")
    for requests in (0, 0, 3):
        observer.journal.tick("inbox", 0.25 + requests, requests)
    shown = text(figures(observer)).decode()
    for line in (
        'kobe_source_rows{source="resident_register"} 1000.0',
        'kobe_source_rows_kept{source="resident_register"} 990.0',
        'kobe_stage_seconds{stage="lake"} 1.25',
        'kobe_stage_steps{ended="failure",stage="lake"} 1.0',
        'kobe_sensor_tick_seconds{sensor="inbox"} 3.25',
    ):
        assert line in shown, line
    uses = store_of(home).keys.log.verify().entries
    assert f"kobe_key_calls_total {uses:.1f}" in shown
    later = text(figures(observer, datetime.now(UTC) + timedelta(days=2))).decode()
    assert 'kobe_stage_seconds{stage="lake"}' not in later


def test_the_commands_exit_as_they_found(home, monkeypatch, tmp_path):
    monkeypatch.setenv("KOBE_HOME", str(home.root))
    monkeypatch.setenv("KOBE_INBOX", str(home.inbox))
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0
    assert CliRunner().invoke(app, ["metrics", "--to", str(tmp_path / "kobe.prom")]).exit_code == 0
    assert "kobe_steps" in (tmp_path / "kobe.prom").read_text()
    break_modes(home)
    assert CliRunner().invoke(app, ["doctor", "--json"]).exit_code == 1
