"""The judge of the auditors' mutants says so where it would call everything noticed, or explains what is not there."""

from __future__ import annotations

import ast
import importlib
import inspect
import time
from types import SimpleNamespace

import mutants as put
import pytest

from tests.soak import mutants as trial

ROOM = importlib.import_module("kobe_platform.disclosure.auditor.noisy")


def controlled(found):
    """Judge the unchanged auditor of noise by one case."""
    cases = SimpleNamespace(found=found, CASES={"N case": (None, None, set())}, MOVES=())
    trial.control(ROOM, compile(inspect.getsource(ROOM), ROOM.__file__, "exec"), cases, put)


def test_an_unchanged_module_passes():
    controlled(lambda name: set())


def test_an_unchanged_module_that_a_case_refuses_or_breaks_on_is_named():
    with pytest.raises(trial.Broken, match="noisy: the unchanged module is noticed"):
        controlled(lambda name: {"undecided"})
    with pytest.raises(trial.Broken, match="noisy: the unchanged module is noticed"):
        controlled(lambda name: {}["no such file"])


def busy(seconds):
    """Use the processor for so long, and find nothing."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    return set()


def test_an_unchanged_module_that_is_slow_is_named(monkeypatch):
    monkeypatch.setattr(trial, "SECONDS", 1)
    with pytest.raises(trial.Broken, match=r"noisy: the unchanged module (takes|is late)"):
        controlled(lambda name: busy(0.6))
    with pytest.raises(trial.Broken, match="noisy: the unchanged module is late"):
        controlled(lambda name: busy(1.2))


def test_an_explanation_without_a_mutant_ends_the_command_with_1(monkeypatch, capsys):
    monkeypatch.setattr(trial, "ROOMS", {"unit_moves": trial.ROOMS["unit_moves"]})
    monkeypatch.setattr(trial, "judged", lambda room: [])
    monkeypatch.setattr(trial, "EQUIVALENT", {"nowhere": "was rewritten"})
    monkeypatch.setattr("sys.argv", ["mutants"])
    with pytest.raises(SystemExit) as ended:
        trial.main()
    assert ended.value.code == 1 and "explained, but no mutant: nowhere" in capsys.readouterr().out


def test_annotations_are_no_places_of_mutants():
    tree = ast.parse("a: int | str = 1 + 2\ndef f(x: int | None) -> int | str:\n    b: list[int | str] = x | a\n")
    nodes = list(ast.walk(tree))
    sites = [
        ast.unparse(nodes[at])
        for at in sorted(set(range(len(nodes))) - trial.annotations(tree))
        if isinstance(nodes[at], ast.BinOp)
    ]
    assert sites == ["1 + 2", "x | a"]
