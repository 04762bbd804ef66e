"""An attempt is written down before it is made, belongs to its inputs, and is forgotten when it succeeds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kobe_platform.errors import CustodyError
from kobe_platform.planning import Cause
from kobe_platform.planning import failures as module
from kobe_platform.planning.facts import MOST_LOST
from kobe_platform.planning.failures import FIRST_PAUSE, LONGEST_PAUSE, LOST, Failures, kind_of
from tests.faults import full_at

STEP, INPUTS = "tabulate:stocks/month:2025-07", "inputs one"
OTHER = "take_in:resident_register:2025-07"
CAUSE = Cause("statistics.select", "a SELECT fails", "mend it", "集計に失敗しました")
NOW = datetime(2026, 2, 10, tzinfo=UTC)
PROJECT = Path(__file__).resolve().parents[3]
BEGIN = """
import os, signal, sys
from pathlib import Path
from kobe_platform.planning.failures import Failures
Failures(Path(sys.argv[1])).begin({sys.argv[2]: sys.argv[3]})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def failures(tmp_path) -> Failures:
    return Failures(tmp_path)


def files(failures: Failures) -> list[Path]:
    return sorted(failures.folder.glob("*.json"))


def test_nothing_failed_where_nothing_was_tried(failures):
    assert failures.read() == {}


def test_success_forgets(failures):
    failures.begin({STEP: INPUTS, OTHER: INPUTS})
    assert set(failures.read()) == {STEP, OTHER}
    failures.end([STEP])
    assert set(failures.read()) == {OTHER}
    failures.end([STEP, OTHER])
    assert failures.read() == {} and files(failures) == []


def test_a_failure_says_why_and_of_which_inputs_and_code(failures):
    failures.begin({STEP: INPUTS})
    failures.fail(STEP, INPUTS, "code", CAUSE, NOW)
    held = failures.read()[STEP]
    assert (held.step, held.inputs, held.kind, held.cause) == (STEP, INPUTS, "code", CAUSE)
    assert held.engine and held.not_before == ""
    assert Failures(failures.folder.parent).read() == failures.read(), "another process reads the same"
    assert files(failures)[0].stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_its_attempt_as_lost(failures, tmp_path):
    for times in (1, 2):
        command = [sys.executable, "-c", BEGIN, str(tmp_path), STEP, INPUTS]
        assert subprocess.run(command, cwd=PROJECT).returncode == -signal.SIGKILL
        held = failures.read()[STEP]
        assert (held.kind, held.times, held.cause) == ("lost", times, LOST)


def test_lost_processes_are_counted_for_one_and_the_same_input_only(failures):
    for times in range(1, MOST_LOST + 1):
        failures.begin({STEP: INPUTS})
        assert failures.read()[STEP].times == times
    failures.begin({STEP: "inputs two"})
    assert failures.read()[STEP].times == 1


def test_lost_processes_are_counted_from_the_start_with_mended_code(failures, monkeypatch):
    for _ in range(MOST_LOST):
        failures.begin({STEP: INPUTS})
    monkeypatch.setattr(module, "engine_version", lambda: "mended")
    failures.begin({STEP: INPUTS})
    assert (failures.read()[STEP].times, failures.read()[STEP].engine) == (1, "mended")


def test_a_failure_that_is_told_ends_the_row_of_lost_processes(failures):
    for _ in range(3):
        failures.begin({STEP: INPUTS})
    failures.fail(STEP, INPUTS, "installation", CAUSE, NOW)
    failures.begin({STEP: INPUTS})
    assert failures.read()[STEP].times == 1


def test_pauses_double_up_to_an_hour_and_belong_to_the_inputs(failures):
    told = []
    for _ in range(12):
        failures.begin({STEP: INPUTS})
        failures.fail(STEP, INPUTS, "installation", CAUSE, NOW)
        told.append(datetime.fromisoformat(failures.read()[STEP].not_before) - NOW)
    assert told[:4] == [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4, FIRST_PAUSE * 8]
    assert told[-1] == told[-2] == LONGEST_PAUSE == timedelta(hours=1)
    failures.begin({STEP: "inputs two"})
    failures.fail(STEP, "inputs two", "installation", CAUSE, NOW)
    assert datetime.fromisoformat(failures.read()[STEP].not_before) - NOW == FIRST_PAUSE
    failures.end([STEP])
    failures.fail(STEP, "inputs two", "installation", CAUSE, NOW)
    assert failures.read()[STEP].pauses == 1


def test_a_failure_of_the_code_has_no_pause(failures):
    failures.fail(STEP, INPUTS, "installation", CAUSE, NOW)
    failures.fail(STEP, INPUTS, "code", CAUSE, NOW)
    assert (failures.read()[STEP].pauses, failures.read()[STEP].not_before) == (0, "")


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b"null", b'{"step": "x"}', b"\xff"])
def test_a_file_that_a_power_cut_left_empty_or_torn_counts_as_none_and_is_written_again(failures, left):
    failures.begin({STEP: INPUTS, OTHER: INPUTS})
    torn = next(path for path in files(failures) if path.name.startswith("tabulate"))
    torn.write_bytes(left)
    assert set(failures.read()) == {OTHER}
    failures.begin({STEP: INPUTS})
    assert failures.read()[STEP].times == 1


def test_an_attempt_is_on_the_disk_before_it_is_made(failures, monkeypatch):
    synced: list[str] = []
    genuine = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append(os.readlink(f"/proc/self/fd/{handle}")) or genuine(handle)
    )
    failures.begin({STEP: INPUTS})
    assert any(name.endswith(".json.new") for name in synced), "its content"
    assert str(failures.folder) in synced, "and its name"


def test_a_full_disk_is_told_as_one_and_leaves_the_former_attempt(failures):
    failures.fail(STEP, INPUTS, "code", CAUSE, NOW)
    for number in range(1, 4):
        with full_at(number, for_good=True), pytest.raises(CustodyError) as refusal:
            failures.fail(STEP, "inputs two", "code", CAUSE, NOW)
        assert refusal.value.code == "custody.disk_full"
        assert set(failures.read()) == {STEP}


def test_attempts_whose_steps_are_no_longer_outstanding_are_forgotten(failures):
    failures.begin({STEP: INPUTS, OTHER: INPUTS})
    failures.keep([OTHER, "release"])
    assert set(failures.read()) == {OTHER}


def test_a_file_holds_coordinates_and_no_more(failures):
    failures.fail(STEP, INPUTS, "code", CAUSE, NOW)
    told = json.loads(files(failures)[0].read_bytes())
    assert set(told) == {"step", "inputs", "engine", "kind", "times", "at", "cause", "pauses", "not_before"}


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    [
        ("custody.disk_full", "", "installation"),
        ("inbox.share", "", "installation"),
        ("kms.unreachable", "", "installation"),
        ("delivery.absent", "", "installation"),
        ("", "OperationalError", "installation"),
        ("", "MemoryError", "installation"),
        ("statistics.select", "", "code"),
        ("release.gate", "", "code"),
        ("", "ZeroDivisionError", "code"),
        ("", "", "code"),
    ],
)
def test_whose_failure_it_is_follows_from_its_code(code, error, kind):
    assert kind_of(code, error) == kind
