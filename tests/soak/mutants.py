"""``python -m tests.soak.mutants [room …]``: the auditors of rounding, noise and magnitudes, changed in every place.

A mutant has one comparison, number, sign, branch or statement changed. The cases are those of
``tests/unit/disclosure/test_other_auditors_rules.py``; printed are the mutants that all of them pass. Who changes these
auditors reads that list: a line of it lacks a case, or does not decide (a limit of the solver, a second guard).
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[1] / "unit" / "disclosure"
ROOMS = ("rounded", "noisy", "sums", "unit_moves")
SECONDS = 4
OTHERWISE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
SWAPPED = {"maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "any": "all", "all": "any"}


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """The node, changed in one way after another."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OTHERWISE:
        yield ast.Compare(node.left, [OTHERWISE[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    elif isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in OTHERWISE:
        changed = copy.copy(node)
        changed.op = OTHERWISE[type(node.op)]()
        yield changed
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield ast.Constant(node.value + 1)
        if node.value:
            yield ast.Constant(node.value - 1)
    elif isinstance(node, ast.If | ast.IfExp):
        for value in (True, False):
            changed = copy.copy(node)
            changed.test = ast.Constant(value)
            yield changed
    elif isinstance(node, ast.AugAssign):
        yield ast.Pass()
    elif isinstance(node, ast.Attribute) and node.attr in SWAPPED:
        yield ast.Attribute(node.value, SWAPPED[node.attr], node.ctx)
    elif isinstance(node, ast.Name) and node.id in SWAPPED:
        yield ast.Name(SWAPPED[node.id], node.ctx)


class _Put(ast.NodeTransformer):
    def __init__(self, at: ast.AST, instead: ast.AST) -> None:
        self.at, self.instead = at, instead

    def visit(self, node: ast.AST) -> ast.AST:
        return self.instead if node is self.at else self.generic_visit(node)


def mutants(room: str) -> Iterator[tuple[str, object]]:
    """(name, code) of every mutant of a module of the auditor."""
    module = importlib.import_module(f"kobe_platform.disclosure.auditor.{room}")
    source = inspect.getsource(module)
    for place in range(len(list(ast.walk(ast.parse(source))))):
        number = 0
        while True:
            tree = ast.parse(source)
            node = list(ast.walk(tree))[place]
            options = list(changes(node))
            if number >= len(options):
                break
            before, line = ast.unparse(node).split("\n")[0], getattr(node, "lineno", 0)
            around = source.split("\n")[line - 1].strip()
            changed = ast.fix_missing_locations(_Put(node, options[number]).visit(tree))
            after = ast.unparse(options[number]).split("\n")[0]
            yield f"{room}: {before} → {after} | {around}", compile(changed, module.__file__ or "", "exec")
            number += 1


def unnoticed(room: str) -> list[str]:
    """Names of the mutants that every case passes."""
    sys.path.insert(0, str(UNIT))
    try:
        cases = importlib.import_module("test_other_auditors_rules")
        put = importlib.import_module("mutants")
    finally:
        sys.path.remove(str(UNIT))
    module = importlib.import_module(f"kobe_platform.disclosure.auditor.{room}")
    return [name for name, code in mutants(room) if not _noticed(module, code, cases, put)]


def _noticed(module, code, cases, put) -> bool:
    letters = {"rounded": "R", "noisy": "N", "sums": "S"}.get(module.__name__.rpartition(".")[2], "RN")

    def late(*_: object) -> None:
        raise TimeoutError

    with pytest.MonkeyPatch.context() as patch:
        former = signal.signal(signal.SIGALRM, late)
        signal.alarm(SECONDS)
        try:
            put.replace(module, code, patch)
            return any(cases.found(name) != cases.CASES[name][2] for name in cases.CASES if name[0] in letters)
        except Exception:
            return True
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, former)


def main() -> None:
    """Print, for each room, how many mutants there are and which of them no case notices."""
    for room in sys.argv[1:] or ROOMS:
        missed = unnoticed(room)
        print(f"{room}: {sum(1 for _ in mutants(room))} mutants, {len(missed)} of them unnoticed", *missed, sep="\n  ")


if __name__ == "__main__":
    main()
