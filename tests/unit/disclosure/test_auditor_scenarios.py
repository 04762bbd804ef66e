"""The auditor beside scenarios: each of its rules has a case that only it decides."""

from types import SimpleNamespace

import numpy as np
import pytest
from mutants import mutate
from scipy import sparse
from test_auditor_rules import SQUARE, rows, spec_of

from kobe_platform.disclosure.auditor import verdict
from kobe_platform.disclosure.auditor.contradictions import part_of
from kobe_platform.disclosure.auditor.scenarios import _pool
from kobe_platform.disclosure.auditor.system import System
from kobe_platform.disclosure.scenarios import Scenarios


def at(area: str, sex: str):
    return "t", (("area", area), ("sex", sex))


CORNER, SHOWN = at("a", "m"), at("c", "m")
FOUR = [at(*codes) for codes in SQUARE]


def beside(*values: int, cell=CORNER, known=()) -> set[str]:
    """Rules of what is found in a square of four hidden cells, (3, 40) over (50, 60), one of which has these values."""
    asked = Scenarios((cell,), tuple((value,) for value in values), tuple(known))
    return {one.rule for one in verdict.audit(spec_of(), {"t": rows(SQUARE)}, above=(asked,)).findings}


@pytest.mark.parametrize("values", [(1, 11), (3, 13), (2, 7, 40)])
def test_scenarios_that_stay_possible_and_far_apart_are_no_reason_to_refuse(values):
    assert beside(*values) == set()


CASES = {
    "impossible": {"values": (1, 60)},
    "too close together": {"values": (3, 12)},
    "a shown cell of another value": {"values": (70, 71), "cell": SHOWN},
    "no longer as far as was known": {"values": (3, 5), "known": [(cell, 3, 6) for cell in FOUR]},
}


@pytest.mark.parametrize("name", CASES)
def test_what_scenarios_do_not_allow_is_found(name):
    case = dict(CASES[name])
    assert beside(*case.pop("values"), **case) == {"above"}


def test_a_cell_that_was_narrow_already_goes_on_to_reach_both_ends():
    ends = {("a", "m"): (3, 5), ("a", "f"): (38, 40), ("b", "m"): (48, 50), ("b", "f"): (60, 62)}
    assert beside(3, 5, known=[(at(*codes), *reach) for codes, reach in ends.items()]) == set()


@pytest.mark.parametrize(
    "line, instead, name",
    [
        ("return [(RULE, int(cell)) for cell in own.cells[told]], 0", "return [], 0", "impossible"),
        ("found.append((RULE, cell))", "found", "too close together"),
        ("if wrong.any():", "if False:", "a shown cell of another value"),
        ("least[unknown] <= goal[0] and most[unknown] >= goal[1]", "True", "no longer as far as was known"),
    ],
)
def test_a_rule_broken_on_purpose_is_missed(line, instead, name, monkeypatch):
    mutate("scenarios", line, instead, monkeypatch)
    case = dict(CASES[name])
    assert beside(*case.pop("values"), **case) == set()


def three_way(seed: int) -> System:
    """Counts by three dimensions of which only the sums over one each are published."""
    drawn = np.random.default_rng(seed)
    sides = (*drawn.integers(5, 9, 2).tolist(), 2)
    counts = drawn.poisson(2.0, sides)
    units, ones = [np.eye(side) for side in sides], [np.ones((1, side)) for side in sides]
    summed = [[ones[at] if at == over else units[at] for at in range(3)] for over in range(3)]
    matrix = sparse.csr_array(np.vstack([np.kron(np.kron(a, b), c) for a, b, c in summed]))
    equations = np.arange(matrix.shape[0])
    return System(
        matrix, (matrix @ counts.ravel()).astype(np.int64), np.arange(counts.size), np.zeros(counts.size, np.int64),
        equations, np.empty(0, np.int64), matrix.nonzero(), counts.size, [],
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_what_was_known_of_a_narrow_cell_is_what_can_be_proven_of_it(seed):
    system, size = three_way(seed), three_way(seed).seen
    figures = SimpleNamespace(width=np.full(size, 6), k=np.full(size, 10**6), residual=np.zeros(size, dtype=bool))
    pool = _pool(system, figures, np.arange(size), system.numbers)
    part = part_of(system)
    assert pool.known
    assert all((low, high) == part.bounds(cell) for cell, low, high in pool.known)
