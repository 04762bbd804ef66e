"""Searches a controlled rounding by exchanges for one table of many dimensions, where linear programs give fractions.

Only the finest cells are chosen, down or up, so sums hold by construction; a margin that ends further than one base
from its count has a weight that grows while it stays so (the breakout method, Morris 1993), and each step turns the
cell that mends most. The start rounds the running sum, which keeps every run of cells right already.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from kobe_platform.disclosure.table_index import TableIndex

STEPS = 20_000
REST = 10
"""Steps in which a cell that was turned is not turned again."""
MARGIN = 1e-6
HEAVIER = 0.3


def membership(layout: TableIndex) -> tuple[sparse.csr_array, np.ndarray]:
    """Which finest cells each cell is the sum of (cells × finest, 0/1), and the finest cells' flat positions."""
    matrix = sparse.csr_array(np.ones((1, 1)))
    for tree in layout.trees:
        matrix = sparse.kron(matrix, sparse.csr_array(tree.below[:, tree.leaf].astype(float)), format="csr")
    grid = np.ix_(*(np.flatnonzero(tree.leaf) for tree in layout.trees))
    return sparse.csr_array(matrix), np.arange(layout.variables.size).reshape(layout.variables.shape)[grid].ravel()


def exchange(layout: TableIndex, value: np.ndarray, base: int) -> np.ndarray | None:
    """Steps (multiples of ``base``) of every variable of one table, or None where the search ends too far off.

    Args:
        value: counts, one a variable; every variable stands in the table.
    """
    sums, finest = membership(layout)
    counts = value[layout.variables.ravel()]
    steps = counts[finest] // base
    open_cells = np.flatnonzero(counts[finest] % base)
    fraction = counts[finest][open_cells] / base - steps[open_cells]
    others = np.setdiff1d(np.arange(len(counts)), finest)
    up = _turned(sparse.csr_array(sums[others][:, open_cells]), fraction)
    steps[open_cells] += up
    every = np.rint(sums @ steps).astype(np.int64)
    if (np.abs(every * base - counts) >= 2 * base).any():
        return None
    result = np.zeros(len(value), dtype=np.int64)
    result[layout.variables.ravel()] = every
    return result


def _turned(margins: sparse.csr_array, fraction: np.ndarray) -> np.ndarray:
    """Which cells go up, so that as few sums of ``margins`` as can be found end one base or more from their counts."""
    state = np.diff(np.floor(np.concatenate([[0.0], np.cumsum(fraction)]) + MARGIN))
    if not len(fraction) or not margins.shape[0]:
        return state.astype(np.int64)
    columns = sparse.csr_array(margins.T)
    off = margins @ (state - fraction)
    weight, resting = np.ones(len(off)), np.zeros(len(state), dtype=np.int64)
    best, fewest = state.copy(), _rank(off)
    for step in range(STEPS):
        wrong = _excess(off)
        gains = columns @ np.stack([weight * (_excess(off + 1) - wrong), weight * (_excess(off - 1) - wrong)], axis=1)
        gain = np.where(resting > step, np.inf, np.where(state > 0, gains[:, 1], gains[:, 0]))
        cell = int(np.argmin(gain))
        if gain[cell] >= -MARGIN:
            weight[wrong > 0] += HEAVIER
        if not np.isfinite(gain[cell]):
            continue
        turn = 1 - 2 * state[cell]
        state[cell] += turn
        off[columns.indices[columns.indptr[cell] : columns.indptr[cell + 1]]] += turn
        resting[cell] = step + REST
        rank = _rank(off)
        if rank < fewest:
            best, fewest = state.copy(), rank
            if rank == (0, 0):
                break
    return best.astype(np.int64)


def _excess(off: np.ndarray) -> np.ndarray:
    """How far sums lie beyond one base of their counts."""
    return np.maximum(0.0, np.abs(off) - (1 - MARGIN))


def _rank(off: np.ndarray) -> tuple[int, int]:
    """Sums two bases off, sums one base off: fewer is better."""
    distance = np.abs(off)
    return int((distance >= 2 - MARGIN).sum()), int((distance >= 1 - MARGIN).sum())
