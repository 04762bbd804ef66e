"""Solves small linear and integer programs over a model's equations with HiGHS, with the same result every time.

Programs are written in *moves* y (what is added to the true table), so every equation reads ``A y = 0``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from kobe_platform.disclosure.suppression.sorted_sets import distinct, union

if TYPE_CHECKING:
    import highspy

INTEGRALITY = 1e-6
INFINITE = 1e30
MOST_NODES = 50
MOST_ITERATIONS = 2_000_000
MOST_NODES_SPREAD = 10_000
REPAIR_RINGS = (3, 2, 1)
REPAIR_STEP = 5
REPAIR_NODES = 30
LARGEST_REPAIR = 1_200


@dataclass(frozen=True)
class Block:
    """The equations among chosen variables, all others standing still.

    Attributes:
        variables: model variables, one a column.
        starts, rows, values: the columns, compressed (rows renumbered from 0).
        height: number of rows.
    """

    variables: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    values: np.ndarray
    height: int

    def matrix(self) -> sparse.csc_array:
        """The equations, rows × columns."""
        return sparse.csc_array((self.values, self.rows, self.starts), shape=(self.height, len(self.variables)))


def block_of(columns: sparse.csc_array, variables: np.ndarray) -> Block:
    """The block of ``variables`` (distinct) of equations given by columns."""
    first, last = columns.indptr[variables], columns.indptr[variables + 1]
    lengths = last - first
    starts = np.concatenate([[0], np.cumsum(lengths)])
    entries = np.repeat(first - starts[:-1], lengths) + np.arange(starts[-1])
    rows = columns.indices[entries]
    used = np.zeros(columns.shape[0], dtype=bool)
    used[rows] = True
    number = used.cumsum(dtype=np.int32)  # of each row that is used, from 1
    height = int(number[-1]) if len(number) else 0
    return Block(variables, starts.astype(np.int32), number[rows] - np.int32(1), columns.data[entries], height)


def quiet_highs() -> highspy.Highs:
    """A HiGHS instance without output, clock or second thread."""
    import highspy

    highs = highspy.Highs()
    options: dict[str, bool | int | float | str] = {
        "output_flag": False,
        "threads": 1,
        "presolve": "off",
        "solver": "simplex",
        "simplex_iteration_limit": MOST_ITERATIONS,
        "mip_rel_gap": 0.0,
        "mip_abs_gap": 0.5,
        "mip_heuristic_run_feasibility_jump": False,  # half the time of a small integer program, and seldom of use
    }
    for option, value in options.items():
        highs.setOptionValue(option, value)
    return highs


def optimum(highs: highspy.Highs) -> np.ndarray | None:
    import highspy

    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.array(highs.getSolution().col_value)


class Solver:
    """A HiGHS instance with one thread and no clock: equal programs give equal answers.

    Attributes:
        programs, columns: how many were solved, and how many columns they had together: what the work is measured by.
    """

    def __init__(self) -> None:
        self._highs = quiet_highs()
        self.programs = self.columns = 0

    def least_moves(
        self, block: Block, lower: np.ndarray, upper: np.ndarray, cost: np.ndarray, *, integer: bool = False
    ) -> np.ndarray | None:
        """The move with the least Σ cost·|y|, or None where none exists.

        Args:
            lower, upper: bounds of each column; cost: ≥ 0, columns of cost 0 move freely.
        """
        paid = np.flatnonzero(cost > 0)
        # A paid column is split into its rise and its fall, both at its cost.
        up_high, up_low = upper.copy(), lower.copy()
        up_low[paid] = np.maximum(lower[paid], 0)
        lengths = np.diff(block.starts)[paid]
        extra = np.concatenate([[0], np.cumsum(lengths)])
        entries = np.repeat(block.starts[paid] - extra[:-1], lengths) + np.arange(extra[-1])
        solution = self._solve(
            np.concatenate([cost, cost[paid]]),
            np.concatenate([up_low, np.maximum(-upper[paid], 0)]),
            np.concatenate([up_high, np.maximum(-lower[paid], 0)]),
            np.concatenate([block.starts, block.starts[-1] + extra[1:]]),
            np.concatenate([block.rows, block.rows[entries]]),
            np.concatenate([block.values, -block.values[entries]]),
            block.height,
            integer,
        )
        if solution is None:
            return None
        moves = solution[: len(cost)].copy()
        moves[paid] -= solution[len(cost) :]
        return moves

    def extreme(
        self,
        block: Block,
        lower: np.ndarray,
        upper: np.ndarray,
        reward: np.ndarray,
        *,
        integer: bool = False,
        inner: bool = False,
        nodes: int = MOST_NODES,
    ) -> np.ndarray | None:
        """The move that maximises Σ reward·y (None: not solved to optimality).

        Args:
            nodes: so many at most, where the moves are to be whole.
            inner: by an interior point method, whose corners are whole more often where joint tables are large.
        """
        self._highs.setOptionValue("solver", "ipm" if inner else "simplex")
        moves = self._solve(
            -reward, lower, upper, block.starts, block.rows, block.values, block.height, integer, nodes=nodes,
            presolve=integer or inner,
        )  # fmt: skip
        self._highs.setOptionValue("solver", "simplex")
        return moves

    def spread(self, sums: sparse.csc_array, right: np.ndarray, room: int) -> np.ndarray | None:
        """Whole numbers ≥ 0 that have these sums, as many of them as can be at ``room`` or near it (None: not found).

        Args:
            sums: equations × unknowns; right: what each must come to (whole numbers).
        """
        height, size = sums.shape
        block = Block(np.arange(size), sums.indptr, sums.indices, sums.data, height)
        twice = sparse.csc_array(sparse.hstack([sums, sums]))
        cost = np.concatenate([-np.ones(size), np.zeros(size)])
        upper = np.concatenate([np.full(size, float(room)), np.full(size, INFINITE)])
        for integer in (False, True):
            solution = self._solve(
                cost, np.zeros(2 * size), upper, twice.indptr, twice.indices, twice.data, height, integer,
                right.astype(float), MOST_NODES_SPREAD, presolve=False,
            )  # fmt: skip
            if solution is None:
                return None
            found = solution[:size] + solution[size:]
            result = whole(found)
            if result is None:
                result = self.repair(block, found, np.zeros(size), right=right)
            if result is not None and (result >= 0).all() and (sums @ result == right).all():
                return result
        return None

    def repair(
        self, block: Block, moves: np.ndarray, lower: np.ndarray, keep: int = -1, right: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Whole-numbered moves near fractional ones, or None: only what surrounds the fractions is solved anew.

        Vertices of tables in three and more dimensions are fractional in a few cells (denominators 2, 3, 12 were seen),
        and an integer program over those cells' surroundings finds a whole neighbour in milliseconds.

        Args:
            lower: least move of each column; keep: position of a column that must stay (its move rounded).
            right: what the equations come to (default: 0).
        """
        matrix = block.matrix()
        by_row = matrix.tocsr()
        fractional = np.abs(moves - np.rint(moves)) > INTEGRALITY
        if keep >= 0 and fractional[keep]:
            return None
        region = np.flatnonzero(fractional)
        for shared in REPAIR_RINGS:
            rows = distinct(matrix[:, region].indices)
            near = np.bincount(by_row[rows].indices, minlength=len(moves))
            region = union(region, np.flatnonzero(near >= shared))
            if keep >= 0:
                region = region[region != keep]
            if len(region) > LARGEST_REPAIR:
                return None
            repaired = self._repaired(matrix, moves, lower, region, right)
            if repaired is not None:
                return repaired
        return None

    def _repaired(
        self,
        matrix: sparse.csc_array,
        moves: np.ndarray,
        lower: np.ndarray,
        region: np.ndarray,
        right: np.ndarray | None,
    ) -> np.ndarray | None:
        fixed = np.rint(moves)
        fixed[region] = 0
        part = matrix[:, region]
        rows = distinct(part.indices)
        part = sparse.csc_array(part.tocsr()[rows])
        right = ((0 if right is None else right) - matrix @ fixed)[rows]
        low = np.maximum(lower[region], np.floor(moves[region]) - REPAIR_STEP)
        solution = self._solve(
            np.zeros(len(region)), low, np.ceil(moves[region]) + REPAIR_STEP, part.indptr, part.indices, part.data,
            len(rows), integer=True, right=right, nodes=REPAIR_NODES,
        )  # fmt: skip
        if solution is None:
            return None
        fixed[region] = np.rint(solution)
        return fixed.astype(np.int64)

    def _solve(
        self,
        cost: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
        starts: np.ndarray,
        rows: np.ndarray,
        values: np.ndarray,
        height: int,
        integer: bool = False,
        right: np.ndarray | None = None,
        nodes: int = MOST_NODES,
        presolve: bool | None = None,
    ) -> np.ndarray | None:
        highs = self._highs
        sums = np.zeros(height) if right is None else right
        kind = np.full(len(cost), 1 if integer else 0, dtype=np.int32)
        highs.passModel(
            len(cost), height, len(rows), 1, 1, 0.0, cost, lower, upper, sums, sums,
            np.ascontiguousarray(starts, np.int32), np.ascontiguousarray(rows, np.int32), values, kind,
        )  # fmt: skip
        highs.setOptionValue("presolve", "on" if (integer if presolve is None else presolve) else "off")
        highs.setOptionValue("mip_max_nodes", nodes)
        highs.run()
        self.programs += 1
        self.columns += len(cost)
        return optimum(highs)


def whole(moves: np.ndarray) -> np.ndarray | None:
    """The moves as integers, or None where one of them is not whole."""
    rounded = np.rint(moves)
    if np.abs(moves - rounded).max(initial=0.0) > INTEGRALITY:
        return None
    return rounded.astype(np.int64)


def balanced(block: Block, moves: np.ndarray) -> bool:
    """Whether integer moves keep every equation, in exact arithmetic."""
    weights = np.repeat(moves, np.diff(block.starts)) * block.values.astype(np.int64)
    sums = np.zeros(block.height, dtype=np.int64)
    np.add.at(sums, block.rows, weights)
    return not sums.any()


def propagate(
    rows: sparse.csr_array, unknown: np.ndarray, slack: np.ndarray, rounds: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Largest fall and rise of each variable that single equations allow (outer bounds, no program solved).

    Args:
        rows: equations over moves; unknown: who may move; slack: how far each may fall at most.

    Returns:
        Two arrays, ≥ 0, one entry a variable; ``inf`` where nothing follows.
    """
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    keep = unknown[rows.indices]
    row, column, sign = row[keep], rows.indices[keep], rows.data[keep]
    fall, rise = np.where(unknown, slack, 0.0), np.where(unknown, np.inf, 0.0)
    for _ in range(rounds):
        before = fall.sum(), np.isinf(rise).sum(), rise[np.isfinite(rise)].sum()
        for side in (1, -1):
            # Σ c·y = 0: a rise of one entry needs falls of the others (in the sense of their sign).
            give = np.where(sign * side > 0, fall[column], rise[column])
            endless = np.isinf(give)
            number = np.bincount(row, endless, minlength=rows.shape[0])
            total = np.bincount(row, np.where(endless, 0.0, give), minlength=rows.shape[0])
            others = np.where(number[row] - endless > 0, np.inf, total[row] - np.where(endless, 0.0, give))
            up = sign * side > 0
            np.minimum.at(rise, column[up], others[up])
            np.minimum.at(fall, column[~up], others[~up])
        if before == (fall.sum(), np.isinf(rise).sum(), rise[np.isfinite(rise)].sum()):
            break
    return fall, rise
