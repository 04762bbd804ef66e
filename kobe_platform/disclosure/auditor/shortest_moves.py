"""Moves one unknown of a component by an amount and all others as little as can be: most such moves are whole.

A table that satisfies the equations, moved along them, satisfies them still. A program that takes many unknowns as far
as they go ends in fractions here and there; one that moves a single unknown, and pays for what else moves, ends in a
few short cycles, which are seldom anything but whole.
"""

from __future__ import annotations

import highspy
import numpy as np
from scipy import sparse

from kobe_platform.disclosure.auditor.programs import linear_program


class ShortestMoves:
    """The programs of one component, ``matrix @ move == 0``, over the rises and the falls of all unknowns.

    Args:
        paid: mask of the unknowns whose moves are paid for; the others are told by them.
    """

    def __init__(self, matrix: sparse.csc_array, paid: np.ndarray) -> None:
        height, self.size = matrix.shape
        self._index = np.arange(2 * self.size, dtype=np.int32)
        nothing = np.zeros(2 * self.size)
        both = sparse.hstack([matrix, -matrix], format="csc")
        self._program = linear_program(np.zeros(height), both, nothing, nothing)
        self._program.setOptionValue("presolve", "off")
        self._program.changeColsCost(2 * self.size, self._index, np.tile(np.where(paid, 1.0, 0.0), 2))

    def asked(self, unknown: int, step: float, falls: np.ndarray, rises: np.ndarray) -> highspy.Highs:
        """The program, not solved, that moves an unknown by ``step``.

        It begins with nothing moved and not where the last one ended: from there the way is longer.

        Args:
            falls, rises: how far each unknown can go.
        """
        lower, upper = np.zeros(2 * self.size), np.concatenate([rises, falls])
        lower[unknown] = upper[unknown] = max(step, 0.0)
        lower[self.size + unknown] = upper[self.size + unknown] = max(-step, 0.0)
        self._program.changeColsBounds(2 * self.size, self._index, lower, upper)
        self._program.clearSolver()
        return self._program

    def moves(self, solution: np.ndarray) -> np.ndarray:
        """The move of each unknown in a solution."""
        return solution[: self.size] - solution[self.size :]
