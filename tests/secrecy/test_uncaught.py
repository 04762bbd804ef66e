"""What nobody can catch, in a thread or while an object is given up, shows its kind and no value."""

from __future__ import annotations

import subprocess
import sys

import pytest

CANARY = "垂水太郎907715533118"
IN_A_THREAD = f"""
import threading
def fail(): raise ValueError("{CANARY}")
thread = threading.Thread(target=fail, name="{CANARY}")
thread.start(); thread.join()
"""
WHILE_GIVEN_UP = f"""
class Held:
    def __del__(self): raise KeyError("{CANARY}")
Held()
"""
A_GENERATOR_THAT_GOES_ON = f"""
def steps():
    try: yield 1
    except GeneratorExit: yield "{CANARY}"
running = steps(); next(running); del running
"""


@pytest.mark.parametrize(
    ("code", "kind"),
    [(IN_A_THREAD, "ValueError"), (WHILE_GIVEN_UP, "KeyError"), (A_GENERATOR_THAT_GOES_ON, "RuntimeError")],
)
def test_an_error_that_nobody_can_catch_is_told_on_one_line_by_its_kind(code, kind):
    sealed = f"from kobe_platform.privacy.border import seal_process\nseal_process()\n{code}"
    done = subprocess.run([sys.executable, "-c", sealed], capture_output=True, text=True)
    assert CANARY not in done.stdout + done.stderr
    assert (done.returncode, done.stderr) == (0, f"passed over: {kind}\n")


@pytest.mark.parametrize("code", [IN_A_THREAD, WHILE_GIVEN_UP])
def test_every_command_tells_them_so(code):
    command = f"""
import sys
from kobe_platform.cli import main
def app():
    exec({code!r}, {{}})
    raise SystemExit(3)
main.app = app
main.main()
"""
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert CANARY not in done.stdout + done.stderr
    assert (done.returncode, done.stderr.count("passed over: ")) == (3, 1)


@pytest.mark.parametrize("code", [IN_A_THREAD, WHILE_GIVEN_UP])
def test_python_itself_would_show_the_value(code):
    assert CANARY in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr
