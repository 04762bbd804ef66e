"""What a command says when it fails: one line with coordinates, whatever was raised."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from importlib import import_module

import pytest
import typer

from kobe_platform.cli.main import COMMANDS, Mounted, invoke
from kobe_platform.errors import ConfigurationError, PlatformError
from kobe_platform.settings import PROJECT

CANARY = "灘区架空町四丁目"


@pytest.fixture
def failing(monkeypatch):
    """Run a command that raises; its exit code."""

    def run(error: Exception) -> int:
        def command() -> None:
            raise error

        module = types.ModuleType("failing_commands")
        module.command = command
        monkeypatch.setitem(sys.modules, "failing_commands", module)
        return invoke(Mounted("fails", "failing_commands:command", "Fails.", "Work"), [])

    return run


@pytest.mark.parametrize("error", [KeyError(CANARY), ValueError(CANARY), OSError(2, CANARY), typer.BadParameter("x")])
def test_a_command_that_breaks_shows_where_and_no_value(failing, error, capsys):
    assert failing(error) != 0
    told = capsys.readouterr()
    assert CANARY not in told.out + told.err
    assert "Traceback" not in told.err


def test_an_unforeseen_error_is_one_line_in_each_language(failing, capsys):
    assert failing(KeyError(CANARY)) == 1
    japanese, english = capsys.readouterr().err.splitlines()
    assert japanese.startswith("kobe fails: 処理に失敗しました")
    assert "[border.withheld]" in english and "command fails" in english and "error KeyError" in english


@pytest.mark.parametrize(("kind", "code"), [(PlatformError, 1), (ConfigurationError, 2)])
def test_a_refusal_keeps_its_words_and_its_exit_code(failing, kind, code, capsys):
    assert failing(kind("is wrong", code="some.rule", ja="違います")) == code
    assert capsys.readouterr().err == "kobe fails: 違います\n  [some.rule] is wrong\n"


@pytest.mark.parametrize("mounted", COMMANDS, ids=lambda mounted: mounted.name)
def test_a_command_of_a_group_keeps_its_name_though_it_is_the_only_one(mounted):
    """Typer drops the name of a single command unless its group has a callback: ``kobe site build`` was refused."""
    module, name = mounted.target.split(":")
    group = getattr(import_module(module), name)
    if isinstance(group, typer.Typer):
        assert len(group.registered_commands) > 1 or group.registered_callback is not None


def test_the_site_is_built_by_the_command_that_the_documents_name(capsys):
    site = next(mounted for mounted in COMMANDS if mounted.name == "site")
    assert invoke(site, ["build", "--help"]) == 0
    assert "kobe site build" in capsys.readouterr().out


ENDING = """
import atexit, sys, typer
from kobe_platform.cli import main as cli

class Slow:
    def __del__(self):
        print("taken apart")

kept = Slow()
def app():
    atexit.register(print, "closed")
    print("done" * 20_000)
    raise {ending}
cli.app = app
cli.main()
"""


@pytest.mark.parametrize(
    ("ending", "code"), [("SystemExit(3)", 3), ("SystemExit", 0), ("SystemExit('wrong')", 1), ("typer.Exit(2)", 1)]
)
def test_a_process_ends_with_its_code_after_all_was_closed_and_written(ending, code):
    call = [sys.executable, "-c", ENDING.format(ending=ending)]
    ended = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == code
    at_once = not ending.startswith("typer")  # what is no end of a command is Python's matter
    assert ended.stdout == "done" * 20_000 + "\nclosed\n" + ("" if at_once else "taken apart\n")


HUGE_PAGES = """
import importlib, pathlib, sys
importlib.import_module(sys.argv[1])
import pyarrow
lines = pathlib.Path("/proc/self/status").read_text().splitlines()
print(dict(line.split(":\\t") for line in lines if "THP" in line)["THP_enabled"])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
@pytest.mark.parametrize("module", ["kobe_platform.cli.main", "kobe_platform.definitions"])
def test_arrow_asks_for_no_huge_pages_wherever_a_process_begins(module):
    """The allocator reads its setting once, when Arrow is loaded: it must have been set by then."""
    environment = {name: value for name, value in os.environ.items() if name != "MIMALLOC_ALLOW_THP"}
    call = [sys.executable, "-c", HUGE_PAGES, module]
    told = subprocess.run(call, capture_output=True, text=True, timeout=180, check=True, env=environment, cwd=PROJECT)
    assert told.stdout.split() == ["0"]
