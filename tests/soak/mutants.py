"""``python -m tests.soak.mutants [room …]``: the auditors of all methods but suppression, changed in every place.

A mutant has one comparison, number, sign, branch or statement changed. The cases are those of
``tests/unit/disclosure/test_other_auditors_rules.py`` (of contributors: ``test_contributors_rules.py``) and the tests
of single functions there. Mutants that all of them pass and that ``EQUIVALENT`` does not explain are printed, and the
command ends with 1: each lacks a case, or changes nothing that is promised and is then explained. So it ends for an
explanation of which there is no mutant any more, and, before any mutant is judged, where the unchanged module is itself
noticed or needs half of a mutant's time. Times are processor seconds, so that a busy machine judges as a quiet one.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[1] / "unit" / "disclosure"
ROOMS = {
    "rounded": "test_other_auditors_rules",
    "noisy": "test_other_auditors_rules",
    "sums": "test_other_auditors_rules",
    "unit_moves": "test_other_auditors_rules",
    "contributors": "test_contributors_rules",
}
"""Module of the auditor → module of its cases."""
SECONDS = 4
OTHERWISE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
SAME_FLOAT = "no float lies between"
A_PLACE = "names only the place in the finding, not whether there is one"
ANY_TABLE = "a table is looked for; whichever is found is checked against all bounds"
ANY_NEGATIVE = "any negative number stands for unknown"
EFFORT = "how long is looked before a cell counts as unsafe"
ALONE = "a short cut for all at once; without it each is asked for himself, and that is what decides"
A_TABLE = "a short cut through tables that are known; without it a program finds such a table"
AN_EQUAL = "an equal within the millionth that programs are wrong by"
MORE = "asks more than is promised: what another question says already"
THREADS = "0 lets the solver choose how many threads it takes; its answer is the same"
EQUIVALENT = {
    "| MOST_TOGETHER = 10_000_000": EFFORT,
    "| BATCH = 50_000": EFFORT,
    "if True: | if table.largest or table.contributor:": "no rule asks of contributors who are only counted",
    "known < 0 → known <= 0": "who has part in a cell makes it 1 or more",
    "0 → 1 | if known < 0:": "who has part in a cell makes it 1 or more",
    "self.need * (1 - EXACT) → ": AN_EQUAL,
    "least * (1 - EXACT) → ": AN_EQUAL,
    "if False: | if any(question.answered_by": A_TABLE,
    "any → all | if any(question.answered_by": A_TABLE,
    "→ pass | left &= known": A_TABLE,
    "<= least | left &= known": A_TABLE,
    "→ pass | left &= self.tables[-1]": A_TABLE,
    "<= least | left &= self.tables[-1]": A_TABLE,
    "1 → 2 | left &= self.tables[-1]": A_TABLE,
    "1 → 0 | left &= self.tables[-1]": A_TABLE,
    "1 + EXACT | least = need": A_TABLE,
    "1 → 2 | least = need": A_TABLE,
    "if False: | if wrong:": "goes on, and names further places",
    "if True: | if self._highs is None:": "the same program, made anew for each question",
    "if False: | if self.tables[0]": ALONE,
    " and self._answered(Reach(": ALONE,
    "> most | if self.tables[0]": ALONE,
    "0.0 → 1.0 | second = parts[1][1]": ALONE,
    "1 → 0 | second = parts[1][1]": ALONE,
    "0.0 → 1.0 | others = {at:": ALONE,
    "0.0 → 1.0 | most = his + max(": ALONE,
    "len(parts) > 1 → len(parts) >= 1 | return {owner": MORE,
    "1 → 0 | return {owner": MORE,
    "2 → 3 | for attacker in _attackers": MORE,
    "2 → 1 | sizes = range(2, len(his) + 1)": "one cell of a holder: of it alone all are asked already",
    "1 → 2 | sizes = range(2, len(his) + 1)": "there is no set of more cells than there are",
    "1.0 → 2.0 | highs.changeColCost": "twice the objective has its ends in the same places",
    "size, height, self.matrix.nnz, 1, 1, 0.0": "an objective's sense (least unless it is -1) and offset",
    "pl.col('value') > 0 → pl.col('value') >= 0": "who has nothing in a cell is no rival there, and reaches nothing",
    "pl.col('finest').any → pl.col('finest').all": "a cell is finest for all who have part in it or for none",
    'return [("undecided", int(self.cells[finest[0]]))]': A_PLACE,
    "ENDLESS = 1e30": SAME_FLOAT,
    "ENDLESS, MOST_ITERATIONS = 1e30": "no float lies between, and one iteration more or less is only effort",
    "ROUNDS = 400": EFFORT,
    'found.append(("undecided", 0))': A_PLACE,
    'return [("undecided", 0)]': A_PLACE,
    "1 → 2 | unknown = dataclasses.replace(": ANY_NEGATIVE,
    "1 → 2 | system = build_system(": ANY_NEGATIVE,
    "0 → 1 | needed[cells] = max(table.interval_width or 0": "where k is 1, and a base is 2 or more",
    "| sums = matrix @ np.where(value < 0, 0, value)": "a zero adds zero; no sum with unknowns is read",
    "INSIDE, TOLERANCE = 0.05": ANY_TABLE,
    "if not wrong.any(): → if False:": "goes on to the last round, whose table is checked",
    "| inner = np.minimum(INSIDE": ANY_TABLE,
    "| table = np.clip(": ANY_TABLE,
    "| people = lsqr(": ANY_TABLE,
    "| wrong = (table < low - TOLERANCE)": SAME_FLOAT,
    "1 → 0 | width[cells] = np.maximum(width[cells], table.interval_width or 1)": "the width begins with one",
    "high < ENDLESS → high <= ENDLESS": "a width less than what is endless is the same float",
    "size, len(right), matrix.nnz, 1, 1, 0.0": "an objective's sense (least unless it is -1) and offset",
    "high - low < 1 - 1e-06 → high - low <= 1 - 1e-06": SAME_FLOAT,
    '1 → 0 | options: dict[str, bool | int | str] = {"output_flag"': THREADS,
    '1 → 0 | "threads": 1,': THREADS,
    "1.0 → 2.0 | for sign, found in": "twice the objective has its ends in the same places",
    "1 → 2 | block.data[:] = 1": "a move of two persons for one of one, everywhere",
    "if True else codes[:1] | choice": "more moves, each of one person as well",
    "1 → 2 | choice = codes if base in own else codes[:1]": "more moves, each of one person as well",
}
"""Part of a mutant's name → why nothing that is promised changes."""
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


def annotations(tree: ast.AST) -> set[int]:
    """Places, in the order of a walk, of what is only an annotation: it is never evaluated."""
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(annotation, ast.AST):
                inside.update(ast.walk(annotation))
    return {place for place, node in enumerate(ast.walk(tree)) if node in inside}


def mutants(room: str) -> Iterator[tuple[str, object]]:
    """(name, code) of every mutant of a module of the auditor."""
    module = importlib.import_module(f"kobe_platform.disclosure.auditor.{room}")
    source = inspect.getsource(module)
    whole = ast.parse(source)
    assert "from __future__ import annotations" in source, "annotations would be evaluated"
    skipped = annotations(whole)
    for place, original in enumerate(ast.walk(whole)):
        for number in range(0 if place in skipped else len(list(changes(original)))):
            tree = ast.parse(source)
            node = list(ast.walk(tree))[place]
            option = list(changes(node))[number]
            before, line = ast.unparse(node).split("\n")[0], getattr(node, "lineno", 0)
            around = source.split("\n")[line - 1].strip()
            changed = ast.fix_missing_locations(_Put(node, option).visit(tree))
            after = ast.unparse(option).split("\n")[0]
            yield f"{room}: {before} → {after} | {around}", compile(changed, module.__file__ or "", "exec")


class Late(BaseException):
    """A mutant's time is over; nothing that it runs catches this."""


class Broken(Exception):
    """The judge itself does not hold: said of a room before any of its mutants is judged."""


def judged(room: str) -> list[tuple[str, str]]:
    """Each mutant's name and ``noticed``, ``late`` (not ready in its time) or ``missed`` (every case passes it).

    Two mutants of a line may have one name.

    Raises:
        Broken: the unchanged module is noticed too, or takes too long to judge a mutant by its time.
    """
    sys.path.insert(0, str(UNIT))
    try:
        cases = importlib.import_module(ROOMS[room])
        put = importlib.import_module("mutants")
    finally:
        sys.path.remove(str(UNIT))
    module = importlib.import_module(f"kobe_platform.disclosure.auditor.{room}")
    control(module, compile(inspect.getsource(module), module.__file__ or "", "exec"), cases, put)
    return [(name, judge(module, code, cases, put)) for name, code in mutants(room)]


def control(module, code, cases, put) -> None:
    """Judge the unchanged module twice; the first time warms what is only made once."""
    room = module.__name__.rpartition(".")[2]
    judge(module, code, cases, put)
    began = time.process_time()
    outcome = judge(module, code, cases, put)
    seconds = time.process_time() - began
    if outcome != "missed":
        raise Broken(f"{room}: the unchanged module is {outcome}")
    if seconds > SECONDS / 2:
        raise Broken(f"{room}: the unchanged module takes {seconds:.1f} s, a mutant has {SECONDS} s")


def judge(module, code, cases, put) -> str:
    """``noticed``, ``late`` or ``missed``, of a module with the given code."""
    room = module.__name__.rpartition(".")[2]
    letters = {"rounded": "R", "noisy": "N", "sums": "S", "unit_moves": "RN"}.get(room)

    def late(*_: object) -> None:
        raise Late

    with pytest.MonkeyPatch.context() as patch:
        former = signal.signal(signal.SIGPROF, late)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            put.replace(module, code, patch)
            if any(
                cases.found(name) != cases.CASES[name][2] for name in cases.CASES if not letters or name[0] in letters
            ):
                return "noticed"
            _further(module, cases, patch)
            return "missed"
        except Late:
            return "late"
        except (Exception, pytest.fail.Exception):
            return "noticed"
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, former)


def _further(module, cases, patch: pytest.MonkeyPatch) -> None:
    """The tests of single functions of a module; each fails where it notices the mutant."""
    room = module.__name__.rpartition(".")[2]
    if room == "contributors":
        cases.test_contributions_of_which_one_shown_sum_differs_are_refused()
        cases.test_a_table_without_its_contributions_is_refused()
        for name in cases.EARLY:
            with pytest.MonkeyPatch.context() as inner:
                cases.test_a_program_that_ends_early_leaves_a_contributor_undecided(name, inner)
        with pytest.MonkeyPatch.context() as inner:
            cases.test_more_sets_of_three_cells_than_may_be_asked_for_are_undecided(inner)
        return
    for of, fault in cases.MOVES:
        if of == room:
            cases.test_moves_that_prove_nothing_are_undecided(of, fault, False, patch)
    if room == "sums":
        for side in (0, 1):
            with pytest.MonkeyPatch.context() as inner:
                cases.test_a_program_without_an_answer_leaves_a_sum_undecided(side, False, inner)
        with pytest.MonkeyPatch.context() as inner:
            cases.test_a_program_that_ends_early_leaves_a_sum_undecided(False, inner)


def main() -> None:
    """Print, for each room, how many mutants there are, and those that are neither noticed nor explained."""
    lacking = 0
    names = [name for room in ROOMS for name, _ in mutants(room)]
    for part in EQUIVALENT:
        if not any(part in name for name in names):
            lacking += 1
            print(f"explained, but no mutant: {part}")
    for room in sys.argv[1:] or ROOMS:
        try:
            outcomes = judged(room)
        except Broken as broken:
            sys.exit(f"{broken}: no mutant of it was judged")
        missed = [name for name, outcome in outcomes if outcome == "missed"]
        left = [name for name in missed if not any(part in name for part in EQUIVALENT)]
        lacking += len(left)
        number, equal = Counter(outcome for _, outcome in outcomes), len(missed) - len(left)
        print(f"{room}: {len(outcomes)} mutants, {number['noticed']} noticed, {number['late']} late,", end=" ")
        print(f"{equal} change nothing promised, {len(left)} unnoticed", *left, sep="\n  ", flush=True)
    sys.exit(1 if lacking else 0)


if __name__ == "__main__":
    main()
