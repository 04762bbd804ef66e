"""A process that is asked to end does so with the signal's exit code, whatever a library makes of the interruption."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROCESS = """
import signal
from kobe_platform.orchestration.ending import ending_soon

def library():
    try:
        signal.raise_signal({number})
    except BaseException as raised:
        raise RuntimeError("a class could not be made") from raised

with ending_soon():
    {work}
"""


def run(work, number=signal.SIGTERM):
    code = PROCESS.format(work=work, number=int(number))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", ["library()", "signal.raise_signal({number})"])
def test_the_exit_code_tells_the_signal(work, number):
    done = run(work.format(number=int(number)), number)
    assert (done.returncode, "Traceback" in done.stderr) == (128 + number, False)


def test_a_fault_of_its_own_stays_a_fault():
    done = run("raise ValueError('a fault')")
    assert done.returncode == 1 and "ValueError" in done.stderr
