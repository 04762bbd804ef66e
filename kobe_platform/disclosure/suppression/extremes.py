"""Answers how far single variables can move, by programs over what single equations leave open of it.

Most of what moves in a whole model is told by one equation after another, and most inequalities cannot be broken within
the bounds that follow. What is left falls into small components, and a question is one of one component alone. Only the
largest and the least value of a variable are asked for, which all of this leaves as they are.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from kobe_platform.disclosure.suppression.programs import (
    INFINITE,
    Block,
    block_of,
    optimum,
    propagate,
    quiet_highs,
)


class Extremes:
    """How far single variables of one block can move.

    Args:
        block: the equations; falls: how far each column can fall at most.
        differences: mask of the columns that are the difference of an inequality, which nobody asks about.
    """

    def __init__(self, block: Block, falls: np.ndarray, differences: np.ndarray) -> None:
        self.block, self.falls = block, falls
        matrix = block.matrix()
        fall, rise = falls.astype(float), np.full(len(falls), np.inf)
        kept = np.ones(block.height, dtype=bool)
        if (np.abs(block.values) == 1).all():  # what single equations say is worked out for these
            fall, rise = propagate(matrix.tocsr(), np.ones(len(falls), dtype=bool), fall)
            kept = ~_holding(block, fall, rise, falls, differences)
        self._fall, self._rise = fall, rise
        self._matrix = sparse.csc_array(matrix.tocsr()[kept])
        self._component = _components(self._matrix, np.flatnonzero(fall + rise > 0), len(falls))
        self._programs: dict[int, _OneComponent] = {}

    def stays(self, at: int, limit: float) -> bool:
        """Whether the column at a place never rises to a limit > 0, or never falls to one < 0 (not solved: False)."""
        if (self._rise[at] < limit) if limit > 0 else (-self._fall[at] > limit):
            return True
        label = int(self._component[at])
        if label not in self._programs:
            columns = np.flatnonzero(self._component == label)
            part = block_of(self._matrix, columns)
            self._programs[label] = _OneComponent(part, self._fall[columns], self._rise[columns])
        program = self._programs[label]
        return program.stays(int(np.searchsorted(program.block.variables, at)), limit)


class _OneComponent:
    """The questions about one component, one after another: each program begins where the last one ended."""

    def __init__(self, block: Block, fall: np.ndarray, rise: np.ndarray) -> None:
        self.block = block
        self._lower, self._upper = -fall, np.minimum(rise, INFINITE)
        size = len(fall)
        self._least, self._most = np.zeros(size), np.zeros(size)
        self._highs = quiet_highs()
        self._highs.passModel(
            size, block.height, len(block.rows), 1, 1, 0.0, np.zeros(size), self._lower, self._upper,
            np.zeros(block.height), np.zeros(block.height), block.starts, block.rows, block.values,
            np.zeros(size, dtype=np.int32),
        )  # fmt: skip

    def stays(self, at: int, limit: float) -> bool:
        if self._least[at] <= limit < 0 or 0 < limit <= self._most[at]:
            return False
        highs, lower, upper = self._highs, float(self._lower[at]), float(self._upper[at])
        highs.changeColBounds(at, lower, min(upper, max(limit, 0.0) + 1))
        highs.changeColCost(at, -np.sign(limit))
        highs.run()
        moves = optimum(highs)
        highs.changeColBounds(at, lower, upper)
        highs.changeColCost(at, 0.0)
        if moves is None:
            return False
        np.minimum(self._least, moves, out=self._least)
        np.maximum(self._most, moves, out=self._most)
        return bool(moves[at] < limit if limit > 0 else moves[at] > limit)


def _holding(
    block: Block, fall: np.ndarray, rise: np.ndarray, falls: np.ndarray, differences: np.ndarray
) -> np.ndarray:
    """Rows of inequalities that hold for all moves within bounds: their difference takes up what the others add up to.

    Args:
        fall, rise: bounds that the programs keep, worked out by single equations (coefficients 1 and −1).
        falls: how far each column can fall by itself; how far it can rise has no bound.
    """
    column = np.repeat(np.arange(len(falls)), np.diff(block.starts))
    single = (differences & (np.diff(block.starts) == 1))[column]
    taker = np.full(block.height, -1)
    taker[block.rows[single]] = column[single]
    sign = np.zeros(block.height)
    sign[block.rows[single]] = block.values[single]
    others = column != taker[block.rows]
    # Where the taker falls by what the others add up to in its own sense, none of them may add up to more than it has.
    give = np.where(block.values == sign[block.rows], rise[column], fall[column])
    need = np.bincount(block.rows[others], give[others], minlength=block.height)
    return (taker >= 0) & (need <= np.where(taker >= 0, falls[taker], 0))


def _components(matrix: sparse.csc_array, moving: np.ndarray, size: int) -> np.ndarray:
    """Number of the component of each moving column; −1 for the others."""
    part = sparse.csc_array(matrix[:, moving])
    graph = sparse.block_array([[None, part], [part.T, None]], format="csr")
    _, label = connected_components(graph, directed=False)
    component = np.full(size, -1)
    component[moving] = label[part.shape[0] :]
    return component
