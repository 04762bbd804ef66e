"""The key ceremony of the handbook: a key is split into three shares; any two give it back, one gives nothing."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from typer.testing import CliRunner

from kobe_platform.backup.sealing import read_key
from kobe_platform.cli.main import app

pytestmark = pytest.mark.skipif(not shutil.which("ssss-split"), reason="Debian's package ssss splits keys")


def combined(shares: list[str], threshold: int) -> str:
    command = ["ssss-combine", "-t", str(threshold), "-x", "-q"]
    told = subprocess.run(command, input="\n".join(shares) + "\n", capture_output=True, text=True)
    return (told.stderr or told.stdout).strip()


def test_two_of_three_shares_give_the_key_of_the_backups_and_one_does_not(tmp_path):
    key = tmp_path / "backup.key"
    assert CliRunner().invoke(app, ["backup", "key", str(key)]).exit_code == 0
    split = ["ssss-split", "-t", "2", "-n", "3", "-x", "-q"]
    shares = subprocess.run(split, input=key.read_text(), capture_output=True, text=True, check=True).stdout.split()
    assert len(shares) == 3
    again = tmp_path / "again.key"
    for pair in ((0, 1), (0, 2), (1, 2)):
        again.write_text(combined([shares[number] for number in pair], 2) + "\n")
        again.chmod(0o600)
        assert read_key(again) == read_key(key)
    assert combined(shares[:1] * 2, 2) != key.read_text().strip()
