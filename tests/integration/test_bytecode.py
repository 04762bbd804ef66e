"""`make setup` leaves the bytecode of what a run loads: a process that may not write any compiles no library again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from kobe_platform.settings import PROJECT
from kobe_platform.synthesis.deliveries import CityPlan, synthesize

COMPILED = re.compile(rb"^# code object from '?(/[^'\n]*/site-packages/[^'\n]*\.py)'?$", re.MULTILINE)
"""What Python says (`-v`) of a module that it compiles from its source."""
PLACE = "28100/estimated_population"


def test_a_run_up_to_a_release_compiles_no_library(tmp_path):
    synthesize(CityPlan(tmp_path / "city", 1000, "2025-11", "2025-11", 0))
    (tmp_path / "inbox" / PLACE).parent.mkdir(parents=True)
    (tmp_path / "city" / PLACE).rename(tmp_path / "inbox" / PLACE)
    places = {"KOBE_HOME": str(tmp_path / "home"), "KOBE_INBOX": str(tmp_path / "inbox")}
    environment = {**os.environ, **places, "PYTHONDONTWRITEBYTECODE": "1"}

    def kobe(*words: str, telling: bool = False) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, *(["-v"] if telling else []), "-m", "kobe_platform.cli", *words]
        return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, timeout=600)

    kobe("keys", "init")
    told = kobe("run", telling=True)
    assert told.returncode == 0
    assert (tmp_path / "home" / "releases").is_dir()
    assert told.stderr.count(b"/__pycache__/") > 1000, "Python told nothing of what it loads"
    compiled = {Path(os.fsdecode(name)).parts[-3:] for name in COMPILED.findall(told.stderr)}
    assert sorted("/".join(parts) for parts in compiled) == []
