"""Works out what single equations say of the unknowns, and what they leave open, in components of their own.

Most of an outsider's unknowns are told by one equation after another, and most inequalities cannot be broken by values
within the bounds that follow. Taken out, they leave small components that no equation ties together, so that programs
are asked of these alone. Nothing is lost by it: bounds hold for every whole-numbered table, and what is taken out holds
for all values within them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

TOLERANCE = 1e-6
INFINITE = 1e30
MOST_TURNS = 20


@dataclass(frozen=True)
class Bounds:
    """Whole numbers that each unknown is surely not below and not above (as floats; ``INFINITE``: no upper one)."""

    floor: np.ndarray
    ceiling: np.ndarray

    @property
    def determined(self) -> np.ndarray:
        """Unknowns of which one value is left."""
        return self.floor == self.ceiling

    @property
    def empty(self) -> np.ndarray:
        """Unknowns of which no value is left."""
        return self.floor > self.ceiling + TOLERANCE

    def of(self, unknowns: np.ndarray) -> Bounds:
        """The bounds of some unknowns."""
        return Bounds(self.floor[unknowns], self.ceiling[unknowns])


def single_equations(matrix: sparse.csr_array, right: np.ndarray, lower: np.ndarray) -> Bounds:
    """Bounds of ``matrix @ x == right``, ``x >= lower``, x whole, from one equation after another, a few times."""
    floor, ceiling = lower.astype(float), np.full(len(lower), INFINITE)
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    column = matrix.indices
    for _ in range(MOST_TURNS):
        before = floor.copy(), ceiling.copy()
        for weight, goal in ((matrix.data, right), (-matrix.data, -right)):
            # weight·x ≤ goal − the least that the others add up to
            least = np.where(weight > 0, floor[column], ceiling[column])
            endless = least >= INFINITE
            finite = np.where(endless, 0.0, least * weight)
            total = np.bincount(row, finite, minlength=len(goal))[row] - finite
            number = np.bincount(row, endless, minlength=len(goal))[row] - endless
            bound = (goal[row] - total) / weight
            rising, falling = (number == 0) & (weight > 0), (number == 0) & (weight < 0)
            np.minimum.at(ceiling, column[rising], np.floor(bound[rising] + TOLERANCE))
            np.maximum.at(floor, column[falling], np.ceil(bound[falling] - TOLERANCE))
        if np.array_equal(before[0], floor) and np.array_equal(before[1], ceiling):
            break
    return Bounds(floor, ceiling)


@dataclass(frozen=True)
class Remainder:
    """What bounds leave open.

    Attributes:
        matrix: the equations that may still be broken (rows) over the unknowns that are not determined.
        right: what these come to, the determined unknowns taken off.
        unknowns: column → number of the unknown.
        broken: an equation among determined unknowns alone does not hold.
    """

    matrix: sparse.csr_array
    right: np.ndarray
    unknowns: np.ndarray
    broken: bool

    def components(self) -> Iterator[tuple[np.ndarray, sparse.csr_array, np.ndarray]]:
        """(positions among the columns, equations, right side) of what no equation ties together."""
        height, width = self.matrix.shape
        if not width:
            return
        graph = sparse.block_array([[None, self.matrix], [self.matrix.T, None]], format="csr")
        graph.data[:] = 1
        number, label = connected_components(graph, directed=False)
        rows, columns = (np.argsort(own, kind="stable") for own in (label[:height], label[height:]))
        row_ends, column_ends = (
            np.searchsorted(np.sort(own), np.arange(number + 1)) for own in (label[:height], label[height:])
        )
        place = np.empty(width, dtype=np.int64)
        place[columns] = np.arange(width) - column_ends[label[height:][columns]]
        ordered = self.matrix[rows]
        for part in range(number):
            chosen = columns[column_ends[part] : column_ends[part + 1]]
            first, last = row_ends[part], row_ends[part + 1]
            entries = slice(ordered.indptr[first], ordered.indptr[last])
            starts = ordered.indptr[first : last + 1] - ordered.indptr[first]
            own = sparse.csr_array(
                (ordered.data[entries], place[ordered.indices[entries]], starts), shape=(last - first, len(chosen))
            )
            yield chosen, own, self.right[rows[first:last]]


def left_open(
    matrix: sparse.csr_array, right: np.ndarray, bounds: Bounds, lower: np.ndarray, differences: np.ndarray
) -> Remainder:
    """The equations without determined unknowns, and without inequalities that hold for all values within the bounds.

    Args:
        lower: least value of each unknown; differences: mask of the unknowns that are the difference of an inequality
            (each in one equation, with coefficient 1).
    """
    row, column, weight = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices, matrix.data
    known = bounds.determined
    rest = right - np.bincount(row, np.where(known, bounds.floor, 0.0)[column] * weight, minlength=len(right))
    own = differences[column] & ~known[column]
    most = np.where(weight > 0, bounds.ceiling[column], bounds.floor[column])
    endless = np.bincount(row, (most >= INFINITE) & ~own, minlength=len(right)) > 0
    others = np.bincount(row, np.where(own | (most >= INFINITE), 0.0, most * weight), minlength=len(right))
    least = np.bincount(row[own], lower[column[own]], minlength=len(right))
    holds = (np.bincount(row, own, minlength=len(right)) > 0) & ~endless & (others + least <= right)
    open_ones = np.bincount(row, ~known[column], minlength=len(right)) > 0
    kept = np.flatnonzero(open_ones & ~holds)
    follows = np.zeros(len(lower), dtype=bool)  # the difference of an inequality that holds is told by the others
    follows[column[own & holds[row]]] = True
    unknowns = np.flatnonzero(~known & ~follows)
    return Remainder(
        sparse.csr_array(matrix[kept][:, unknowns]), np.rint(rest[kept]).astype(np.int64), unknowns,
        bool((rest[~open_ones] != 0).any()),
    )  # fmt: skip
