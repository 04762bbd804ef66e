"""Units say what systemd understands, give services no more than they need, and start commands that exist."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kobe_platform.cli.main import app
from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import Settings
from kobe_platform.upkeep.services import Installation, units

ANALYZE = shutil.which("systemd-analyze")
MOST_EXPOSED = 2.5
"""Of 10, as systemd counts what a service could do."""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The units of an installation with a backup in a folder."""
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("KOBE_DATABASE_URL", "postgresql://kobe@db/kobe")
    called = CliRunner().invoke(app, ["units", "--to", str(tmp_path / "units"), "--writes", str(tmp_path / "backup")])
    assert called.exit_code == 0, called.output
    return tmp_path / "units"


def test_every_service_has_the_whole_hardening_and_writes_to_its_own_folders_only(written, tmp_path):
    services = sorted(written.glob("*.service"))
    assert len(services) == 4 and len(list(written.glob("*.timer"))) == 2
    for path in services:
        text = path.read_text()
        assert "@" not in text.replace("@system-service", ""), "a place was left open"
        assert f"ReadWritePaths={tmp_path}/var {tmp_path}/backup\n" in text
        for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes", "UMask=0077", "LimitCORE=0"):
            assert f"\n{line}\n" in text


def test_the_commands_of_the_units_exist(written):
    started = [re.search(r"^ExecStart=\S+/kobe (\w+)(.*)$", p.read_text(), re.M) for p in written.glob("*.service")]
    for found in started:
        told = CliRunner().invoke(app, [found[1], "--help"], env={"COLUMNS": "200"})
        assert told.exit_code == 0
        for option in re.findall(r"--[a-z-]+", found[2]):
            assert option in told.output, f"{found[1]} {option}"


def test_the_settings_are_written_once_and_for_their_owner_only(written, tmp_path):
    file = written / "kobe.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = file.read_text().splitlines()
    assert f"KOBE_HOME={tmp_path}/var" in lines and "#KOBE_RAW_DAYS=30" in lines
    assert "KOBE_DATABASE_URL=postgresql://kobe@db/kobe" in lines
    named = {line.strip("#").partition("=")[0] for line in lines if re.match(r"#?KOBE_", line)}
    assert {f"KOBE_{name.upper()}" for name in Settings.model_fields} <= named
    used = set(re.findall(r"\$\{(KOBE_\w+)\}", "".join(p.read_text() for p in written.glob("*.service"))))
    assert used <= named
    for number, line in enumerate(lines):
        if re.match(r"#?KOBE_", line):
            assert len(lines[number - 1]) > 4, f"{line} is not explained"
    file.write_text("KOBE_RAW_DAYS=1\n")
    assert "left as it is" in CliRunner().invoke(app, ["units", "--to", str(written)]).output
    assert file.read_text() == "KOBE_RAW_DAYS=1\n"


@pytest.mark.parametrize(
    "harm", [{"user": "root\nUser=root"}, {"home": Path("/var/a b")}, {"home": Path("/x\nUser=root")}]
)
def test_nothing_is_slipped_into_a_unit(harm, tmp_path):
    settings = Settings(home=harm.get("home", tmp_path))
    with pytest.raises(ConfigurationError) as refused:
        units(Installation(settings, harm.get("user", "kobe"), tmp_path / "kobe.env"))
    assert refused.value.code == "units.value"


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not on this machine")
def test_systemd_reads_the_units_and_counts_little_exposure(written):
    files = [str(path) for path in sorted(written.glob("kobe-*"))]
    verified = subprocess.run([ANALYZE, "verify", "--man=no", *files], capture_output=True, text=True, check=False)
    said = [line for line in verified.stderr.splitlines() if str(written) in line]
    assert said == []
    for path in sorted(written.glob("*.service")):
        told = subprocess.run(
            [ANALYZE, "security", "--offline=true", "--no-pager", str(path)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        assert float(re.search(r"exposure level for \S+: ([\d.]+)", told)[1]) <= MOST_EXPOSED
