"""The journal of the work: whole lines whoever writes, new files before one grows too large, and never in the way."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from kobe_platform.planning import journal as module
from kobe_platform.planning.journal import KEPT, WorkJournal

WRITES = """
import sys
from pathlib import Path
from kobe_platform.planning import journal
journal.LARGEST = 20_000
writer = journal.WorkJournal(Path(sys.argv[1]))
for number in range(300):
    writer.write("step", step=f"lake__{sys.argv[2]}", stage="lake", seconds=number)
"""


def test_processes_that_write_at_once_leave_whole_lines_and_lose_none(tmp_path):
    (tmp_path / "log").mkdir()
    writers = [subprocess.Popen([sys.executable, "-c", WRITES, tmp_path, name]) for name in "ab"]
    assert [one.wait() for one in writers] == [0, 0]
    files = [path for path in (tmp_path / "log").iterdir() if path.name.startswith(module.NAME)]
    assert len(files) > 2 and all(path.stat().st_size < 21_000 for path in files)
    told = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    for name in "ab":
        assert sorted(one["seconds"] for one in told if one["step"] == f"lake__{name}") == list(range(300))


def test_old_files_go(tmp_path, monkeypatch):
    (tmp_path / "log").mkdir()
    monkeypatch.setattr(module, "LARGEST", 100)
    journal = WorkJournal(tmp_path)
    for number in range(40):
        journal.write("step", seconds=number)
    kept = sorted(path.name for path in (tmp_path / "log").glob(f"{module.NAME}*"))
    assert kept == [module.NAME, *(f"{module.NAME}.{number}" for number in range(1, KEPT + 1))]
    newest = [line["seconds"] for line in journal.lines(datetime.now(UTC) - timedelta(hours=1))]
    assert newest == sorted(newest) and newest[-1] == 39


def test_a_tick_that_asks_for_nothing_is_written_once_a_minute(tmp_path):
    (tmp_path / "log").mkdir()
    journal = WorkJournal(tmp_path)
    for requests in (0, 0, 0, 2, 0):
        journal.tick("inbox", 0.1, requests)
    assert [line["requests"] for line in journal.lines(datetime.now(UTC) - timedelta(hours=1))] == [0, 2]


def test_a_journal_that_cannot_be_written_stops_nothing_and_a_torn_line_is_left_out(tmp_path):
    journal = WorkJournal(tmp_path)
    journal.write("step", seconds=1)  # there is no folder
    (tmp_path / "log").mkdir()
    journal.path.write_bytes(b'{"time":"2999-01-01T00:00:00+00:00","event":"st')
    assert list(journal.lines(datetime.now(UTC) - timedelta(hours=1))) == []
