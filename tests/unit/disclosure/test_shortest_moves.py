"""The auditor moves a single unknown by what it lacks and the others as little as can be, along the equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from kobe_platform.disclosure.auditor.component import OpenComponent, State
from kobe_platform.disclosure.auditor.presolve import Bounds
from kobe_platform.disclosure.auditor.programs import linear_program
from kobe_platform.disclosure.auditor.shortest_moves import ShortestMoves

SIDE, EACH = 6, 20


def grid() -> sparse.csr_array:
    """Sums of the rows and of the columns of a square of counts."""
    lines = np.kron(np.eye(SIDE), np.ones(SIDE)), np.kron(np.ones(SIDE), np.eye(SIDE))
    return sparse.csr_array(np.vstack(lines))


def component(ceiling: float = SIDE * EACH) -> OpenComponent:
    size = SIDE * SIDE
    bounds = Bounds(np.zeros(size), np.full(size, ceiling))
    return OpenComponent(grid(), np.full(2 * SIDE, SIDE * EACH), bounds, np.ones(size, dtype=bool))


def moved(moves: ShortestMoves, unknown: int, step: float, rises: float = 50.0) -> np.ndarray:
    program = moves.asked(unknown, step, np.full(moves.size, 50.0), np.full(moves.size, rises))
    program.run()
    return moves.moves(np.array(program.getSolution().col_value))


def test_the_shortest_move_is_a_square_of_four_counts():
    move = moved(ShortestMoves(sparse.csc_array(grid()), np.ones(SIDE * SIDE, dtype=bool)), 7, 10)
    assert move[7] == 10
    assert sorted(move[move != 0].tolist()) == [-10, -10, 10, 10]
    assert not (grid() @ move).any()


def test_no_count_moves_further_than_it_can():
    move = moved(ShortestMoves(sparse.csc_array(grid()), np.ones(SIDE * SIDE, dtype=bool)), 7, -10, rises=4.0)
    assert move[7] == -10 and move.max() == 4
    assert not (grid() @ move).any()


def test_an_answer_does_not_depend_on_the_questions_before_it():
    first = ShortestMoves(sparse.csc_array(grid()), np.ones(SIDE * SIDE, dtype=bool))
    alone = moved(first, 9, 5)
    other = ShortestMoves(sparse.csc_array(grid()), np.ones(SIDE * SIDE, dtype=bool))
    moved(other, 30, -12)
    moved(other, 9, 12, rises=3.0)
    assert np.array_equal(moved(other, 9, 5), alone)


def test_an_unknown_is_opened_by_a_short_move_before_whole_numbers_are_asked_for(monkeypatch: pytest.MonkeyPatch):
    own = component()
    monkeypatch.setattr(OpenComponent, "_nearby", lambda *_: pytest.fail("a program in whole numbers"))
    for unknown in range(SIDE * SIDE):
        assert own.judge(unknown, 10, 1000, residual=False) is State.OPEN
    assert (own.most - own.least >= 10).all()
    assert all((grid() @ table == SIDE * EACH).all() for table in own._tables)


def test_what_cannot_move_by_its_width_is_narrow_still():
    own = component(ceiling=EACH + 4)
    # the others' rises bound the falls: 5 · 4 for one cell, but its own rise is 4
    assert own.judge(0, 24, 1000, residual=False) is State.OPEN
    assert own.judge(0, 25, 1000, residual=False) is State.NARROW


def test_a_program_has_no_costs_of_its_own():
    program = linear_program(np.array([3.0]), sparse.csc_array([[1.0, 1.0]]), np.zeros(2), np.full(2, 5.0))
    program.run()
    assert program.getInfo().objective_function_value == 0
    assert sum(program.getSolution().col_value) == 3
