"""The archive for a machine without a network is installed in a network namespace without a route, and works there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.soak, pytest.mark.skipif(os.geteuid() != 0, reason="namespaces are made by root only")]


def test_the_archive_installs_and_works_without_a_network(tmp_path):
    subprocess.run(["make", "archive", f"DIST={tmp_path}/dist"], cwd=PROJECT, check=True, capture_output=True)
    (archive,) = (tmp_path / "dist").glob("*.tar")
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    (place,) = tmp_path.glob("kobe-platform-*")
    alone = ["unshare", "--net", "env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", f"PYTHON={sys._base_executable}"]
    alone += [f"KOBE_HOME={tmp_path}/var", f"KOBE_INBOX={tmp_path}/inbox", "HOME=/nonexistent"]
    installed = subprocess.run([*alone, place / "deploy" / "install.sh"], capture_output=True, text=True)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    kobe = place / ".venv" / "bin" / "kobe"
    plan = ["--residents", "3000", "--from", "2025-08", "--to", "2025-08", "--out", tmp_path / "inbox"]
    for command in (["keys", "init"], ["synthesize", *plan], ["run"], ["lake", "verify"], ["status"]):
        done = subprocess.run([*alone, kobe, *command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    assert (tmp_path / "var" / "releases" / "current" / "release.json").exists()
