"""A lone member: whoever is the one person of a hidden cell, and knows that he is, knows a count that others do not.

Two cells of which one is a multiple of the other plus a constant in every table that fits the equations are one unknown
shown twice: who knows the one knows the other. (For magnitude tables this is the singleton problem of τ-ARGUS; see
also Castro, European Journal of Operational Research 216, 2012.) Such cells are found by linear algebra: in random
solutions of the homogeneous equations they vary in one proportion. What the bounds of other cells add to the
knowledge of one count is not looked at.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import lsqr

from kobe_platform.disclosure.auditor.bounds import TOLERANCE, Part

DRAWS = 3
STILL, ALIKE = 1e-7, 1e-6
MOST_STEPS = 20_000


def told_to_members(part: Part, hidden: np.ndarray, k: np.ndarray) -> list[int]:
    """Hidden unknowns that are 1 … k−1 and follow as soon as another one that may be 1 is known to be 1.

    Args:
        hidden: unknowns that are suppressed cells; k: minimum frequency of each unknown.
    """
    moves = _random_moves(part)
    size = np.linalg.norm(moves, axis=0)
    persons = _same_persons(part)
    found: set[int] = set()
    for group in _proportional(moves, size):
        group = group[hidden[group]]
        for lone in group[(part.floor[group] <= 1 + TOLERANCE) & (part.ceiling[group] >= 1 - TOLERANCE)].tolist():
            ratio = (moves[:, group] * moves[:, [lone]]).sum(axis=0) / size[lone] ** 2
            value = part.table[group] + ratio * (1 - part.table[lone])
            possible = (value >= part.floor[group] - ALIKE) & (value <= part.ceiling[group] + ALIKE)
            if possible.all():
                small = (value > ALIKE) & (value < k[group] - ALIKE) & (persons[group] != persons[lone])
                found.update(group[small].tolist())
    return sorted(found)


def _same_persons(part: Part) -> np.ndarray:
    """Unknown → number of its set of persons: two that an equation makes equal (but for what is nothing) share it."""
    nothing = part.ceiling < 1 - TOLERANCE
    matrix = sparse.csr_array(part.matrix[:, ~nothing])
    pairs = np.flatnonzero((np.diff(matrix.indptr) == 2) & (part.right == 0))
    first = matrix.indptr[pairs]
    equal = matrix.data[first] == -matrix.data[first + 1]
    cells = np.flatnonzero(~nothing)
    ends = cells[matrix.indices[first[equal]]], cells[matrix.indices[first[equal] + 1]]
    links = sparse.csr_array((np.ones(len(ends[0])), ends), shape=(part.size, part.size))
    return connected_components(links, directed=False)[1]


def _random_moves(part: Part) -> np.ndarray:
    """Random directions (one a row) in which the unknowns can move without breaking an equation among cells.

    Unknowns that bounds hold in one place (the parts of a residual of nothing) stand still.
    """
    free_rows = np.ones(part.by_row.shape[0], dtype=bool)
    free_rows[part.slack_rows] = False
    loose = np.flatnonzero(np.floor(part.ceiling + TOLERANCE) > np.ceil(part.floor - TOLERANCE))
    transposed = sparse.csr_array(part.matrix[:, loose][free_rows].T)
    random = np.random.default_rng(0)
    moves = np.zeros((DRAWS, part.size))
    for draw in range(DRAWS):
        start = random.standard_normal(len(loose))
        steps = lsqr(transposed, start, atol=1e-14, btol=1e-14, iter_lim=MOST_STEPS)[0]
        moves[draw, loose] = start - transposed @ steps
    return moves


def _proportional(moves: np.ndarray, size: np.ndarray) -> list[np.ndarray]:
    """Groups of two or more unknowns whose moves are proportional; unknowns that do not move are in none."""
    unknowns = np.flatnonzero(size > STILL)
    unit = moves[:, unknowns] / size[unknowns]
    largest = np.abs(unit).argmax(axis=0)
    unit = unit * np.sign(unit[largest, np.arange(len(unknowns))])
    order = np.argsort(unit[0], kind="stable")
    apart = (np.abs(np.diff(unit[:, order], axis=1)) > ALIKE).any(axis=0)
    groups = np.split(unknowns[order], np.flatnonzero(apart) + 1)
    return [np.sort(group) for group in groups if len(group) > 1]
