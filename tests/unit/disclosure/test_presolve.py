"""What single equations tell is taken out of the auditor's programs, and no interval changes by it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse

from kobe_platform.disclosure.auditor.bounds import Contradiction, Part, State
from kobe_platform.disclosure.auditor.presolve import left_open, single_equations

MOST = 4


def drawn(seed):
    """Equations and inequalities among five counts of 0 to 4, of which some may be told; and all tables that fit."""
    random = np.random.default_rng(seed)
    sums = random.integers(-1, 2, (random.integers(1, 4), 5))
    sums = np.vstack([sums, np.ones((1, 5), int)])
    truth = random.integers(0, MOST + 1, 5) * random.integers(0, 2, 5)
    within = random.random(len(sums)) < 0.5
    within[-1] = False  # the total is known, so every count has an upper bound
    room = random.integers(0, 3, len(sums)) * within
    right = sums @ truth + room
    matrix = np.hstack([sums, np.eye(len(sums), dtype=int)[:, within]])
    tables = [
        table
        for few in itertools.product(range(int(truth.sum()) + 1), repeat=4)
        if (table := (*few, truth.sum() - sum(few)))[-1] >= 0
        and ((sums @ table == right) | (within & (sums @ table <= right))).all()
    ]
    return sparse.csr_array(matrix.astype(float)), right, np.array(tables)


@pytest.mark.parametrize("seed", range(30))
def test_intervals_are_those_of_all_tables_that_fit(seed):
    matrix, right, tables = drawn(seed)
    counts = np.arange(matrix.shape[1]) < 5
    part = Part(matrix, right, np.zeros(matrix.shape[1], np.int64), counts)
    assert (part.matrix @ part.table == right).all() and part.table.min() >= 0
    for unknown, (low, high) in enumerate(zip(tables.min(axis=0), tables.max(axis=0), strict=True)):
        assert part.bounds(unknown) == (low, high)
        assert part.reaches(unknown, low, high)
    known = Part(matrix, right, np.zeros(matrix.shape[1], np.int64), counts)
    for unknown, width in enumerate((tables.max(axis=0) - tables.min(axis=0)).tolist()):
        assert known.judge(unknown, width + 1, 1000, residual=False) is not State.OPEN
        assert known.judge(unknown, width, 1000, residual=False) is State.OPEN


def test_an_inequality_that_holds_within_the_bounds_keeps_its_bound():
    """x ≤ 5 and x + y = 9: taken out of the equations, the inequality stands in the bounds, and y is 4 or more."""
    matrix, right = sparse.csr_array([[1.0, 0, 1], [1, 1, 0]]), np.array([5, 9])
    lower, differences = np.zeros(3, np.int64), np.array([False, False, True])
    bounds = single_equations(matrix, right, lower)
    assert left_open(matrix, right, bounds, lower, differences).matrix.shape == (1, 2)
    part = Part(matrix, right, lower, ~differences)
    assert [part.bounds(unknown) for unknown in (0, 1)] == [(0, 5), (4, 9)]


def test_tables_that_nothing_ties_together_are_asked_apart():
    squares = np.kron(np.eye(40), [[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]])
    tied = np.vstack([squares, np.ones((1, 160))])  # a total that all parts' own totals tell already
    right = np.full(161, 20)
    right[-1] = 40 * 40
    lower = np.zeros(160, np.int64)
    bounds = single_equations(sparse.csr_array(tied), right, lower)
    rest = left_open(sparse.csr_array(tied), right, bounds, lower, np.zeros(160, bool))
    assert len(list(rest.components())) == 1
    told = np.vstack([squares, np.hstack([np.ones((1, 160))])])
    inequality = sparse.csr_array(np.hstack([told, np.eye(161)[:, -1:]]))
    loose = np.append(right[:-1], 160 * 20)
    wide = single_equations(inequality, loose, np.zeros(161, np.int64))
    rest = left_open(inequality, loose, wide, np.zeros(161, np.int64), np.arange(161) == 160)
    assert [len(unknowns) for unknowns, *_ in rest.components()] == [4] * 40


def test_told_counts_that_do_not_add_up_are_a_contradiction():
    with pytest.raises(Contradiction):
        Part(sparse.csr_array([[1.0, 0], [0, 1], [1, 1]]), np.array([3, 4, 8]), np.zeros(2, np.int64), np.ones(2, bool))
