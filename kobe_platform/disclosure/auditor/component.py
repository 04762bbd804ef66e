"""Computes the feasibility interval of each unknown in one component of what single equations leave open.

It first finds one integer table that satisfies the equations. Linear programs then move many unknowns at once, up and
down, to find further tables, until two in a row bring little. An unknown whose values still lie too close together is
moved by what it lacks, and all others as little as can be, from the table that has taken it farthest; where this gives
no whole table, in whole numbers with everything but its surroundings held still. It is decided at last by programs over
the whole component. Only integer tables count as proof that an interval is wide enough; only a program solved to its
end counts as proof that it is not.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

import highspy
import numpy as np
from scipy import sparse

from kobe_platform.disclosure.auditor.presolve import INFINITE, TOLERANCE, Bounds
from kobe_platform.disclosure.auditor.programs import in_whole_numbers, linear_program
from kobe_platform.disclosure.auditor.shortest_moves import ShortestMoves

ROUNDS = 60
POOR, FEW = 2, 0.025
"""So many rounds in a row that open less than that share of a component's unknowns end the movement of many at once
(one alone may have failed to be whole): an unknown moved by itself takes a tenth of a round's time or less."""
NEARBY = (150, 1500, 3000)
NODES, MENDING_NODES = 200, 300
KEPT = 64
"""Tables to begin from near an unknown, the last ones that were found."""
ROOM = 3
MANY_UNSEEN = 500
MENDED = 3_000
LARGEST_INTEGER = 8_000


class State(Enum):
    """Verdict on one unknown."""

    OPEN = "open"
    NARROW = "narrow"
    UNDECIDED = "undecided"


class Contradiction(Exception):
    """No table agrees with the published figures."""


class Undecided(Exception):
    """No whole-numbered table was found within the budget."""


def is_open(
    found: tuple[np.ndarray, np.ndarray],
    proven: tuple[np.ndarray, np.ndarray],
    width: np.ndarray | int,
    k: np.ndarray | int,
    residual: np.ndarray | bool,
) -> np.ndarray:
    """Unknowns that what is known so far settles as open: their interval spans ``width``, or lies at k or above, or (a
    residual's) is only 0.

    Args:
        found: smallest and largest values over whole-numbered tables; proven: bounds.
    """
    (least, most), (floor, ceiling) = found, proven
    large = np.ceil(floor - TOLERANCE) >= k
    return (most - least >= width) | large | (residual & (ceiling < 1 - TOLERANCE))


class OpenComponent:
    """One component: ``matrix @ x == right``, ``bounds``, x whole; coefficients are whole numbers.

    Attributes:
        wanted: unknowns that are counts; every other one is the difference of an inequality (its row's alone, with
            coefficient 1), so it follows exactly from the counts.
        unseen: number of unknowns that stand in no table.
        least, most: smallest and largest value of each unknown over the whole-numbered tables found so far.
        floor, ceiling: proven bounds (from solved programs).
        collected: where it is a list, tables that are found and widen some ``least`` or ``most`` are put there.

    Raises:
        Contradiction: no table fits. Undecided: none was found within the budget.
    """

    def __init__(
        self, matrix: sparse.csr_array, right: np.ndarray, bounds: Bounds, wanted: np.ndarray, unseen: int = 0
    ) -> None:
        self.matrix = sparse.csc_array(matrix)
        self.by_row = matrix
        self.right, self.wanted, self.unseen = right, wanted, unseen
        self.size = len(wanted)
        self.lower, self.upper = bounds.floor, bounds.ceiling
        self.floor, self.ceiling = bounds.floor.copy(), bounds.ceiling.copy()
        self.programs = 0
        self._begun: highspy.Highs | None = None
        self._shortest: ShortestMoves | None = None
        self.slacks = np.flatnonzero(~wanted)
        self.slack_rows = self.matrix[:, self.slacks].indices if len(self.slacks) else np.empty(0, np.int64)
        self.table = self._first_table()
        self.least, self.most = self.table.copy(), self.table.copy()
        self._tables = deque([self.table], maxlen=KEPT)
        self.collected: list[np.ndarray] | None = None

    # -- finding tables -------------------------------------------------------------------------------------------

    def _run(self, program: highspy.Highs) -> np.ndarray | None:
        program.run()
        self.programs += 1
        status = program.getModelStatus()
        if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            raise Contradiction
        if status != highspy.HighsModelStatus.kOptimal:
            return None
        return np.array(program.getSolution().col_value)

    def _first_table(self) -> np.ndarray:
        """Some table that fits, with room between the unknowns and their bounds where it can be had."""
        program = self._bounded_program(np.minimum(self.floor + ROOM, self.ceiling))
        weight = np.concatenate([np.full(self.size, -1.0), np.zeros(self.size)])
        program.changeColsCost(2 * self.size, np.arange(2 * self.size, dtype=np.int32), weight)
        solution = self._run(program)
        table = None if solution is None else self._fitting(solution[: self.size] + solution[self.size :])
        if table is None:
            right = self.right.astype(float)
            program = linear_program(right, self.matrix, self.floor, self.ceiling)
            table = self._whole(self._run(in_whole_numbers(program)))
        if table is None:
            raise Undecided
        return table

    def _fitting(self, solution: np.ndarray) -> np.ndarray | None:
        """The solution itself where it is whole; else a whole table beside it, solved anew around its fractions."""
        table = self._whole(solution)
        if table is not None:
            return table
        region = np.flatnonzero((np.abs(solution - np.rint(solution)) > TOLERANCE) & self.wanted)
        for ties in (3, 2, 1):
            rows = np.unique(self.matrix[:, region].indices)
            ties_of = np.bincount(self.by_row[rows].indices, minlength=self.size)
            region = self._with_slacks(np.union1d(region, np.flatnonzero((ties_of >= ties) & self.wanted)))
            if len(region) > MENDED:
                return None
            table = self._mended(solution, region)
            if table is not None:
                return table
        return None

    def _with_slacks(self, columns: np.ndarray) -> np.ndarray:
        """Columns, and the differences of the inequalities that they stand in."""
        if not len(self.slacks):
            return columns
        rows = self.matrix[:, columns].indices
        return np.union1d(columns, self.slacks[np.isin(self.slack_rows, rows)])

    def _mended(self, solution: np.ndarray, region: np.ndarray) -> np.ndarray | None:
        still = np.rint(solution)
        still[region] = 0
        part = sparse.csr_array(self.matrix[:, region])
        rows = np.unique(self.matrix[:, region].indices)
        right = (self.right - self.matrix @ still)[rows].astype(float)
        cell = self.wanted[region]
        low = np.where(cell, np.maximum(self.lower[region], np.floor(solution[region]) - 5), self.lower[region])
        high = np.where(cell, np.minimum(self.upper[region], np.ceil(solution[region]) + 5), self.upper[region])
        program = in_whole_numbers(linear_program(right, sparse.csc_array(part[rows]), low, high), nodes=MENDING_NODES)
        program.run()
        self.programs += 1
        if program.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        still[region] = np.rint(program.getSolution().col_value)
        return self._whole(still)

    def _whole(self, solution: np.ndarray | None) -> np.ndarray | None:
        """A solution as an exactly fitting whole-numbered table, or None."""
        if solution is None:
            return None
        apart = np.abs(solution - np.rint(solution))
        if apart[self.wanted].max(initial=0) > TOLERANCE:
            return None
        table = np.rint(solution).astype(np.int64)
        if len(self.slacks):
            table[self.slacks] = 0
            table[self.slacks] = (self.right - self.matrix @ table)[self.slack_rows]
        within = (table >= self.lower).all() and (table <= self.upper).all()
        fits = within and (self.matrix @ table == self.right).all()
        return table if fits else None

    def _count(self, table: np.ndarray) -> None:
        self._tables.append(table)
        if self.collected is not None and ((table < self.least) | (table > self.most)).any():
            self.collected.append(table)
        np.minimum(self.least, table, out=self.least)
        np.maximum(self.most, table, out=self.most)

    # -- many at once ---------------------------------------------------------------------------------------------

    def spread_out(self, width: np.ndarray, settled: np.ndarray) -> None:
        """Tables that push as many wanted unknowns apart as they can, while that pays.

        Args:
            settled: unknowns that need no proof, for their bounds already say enough.
        """
        program: highspy.Highs | None = None
        poor = 0
        for number in range(ROUNDS):
            missing = np.flatnonzero(self.wanted & (self.most - self.least < width) & ~settled)
            if len(missing) < 3:
                return
            program = program or self._bounded_program(np.maximum(self.floor, self.table))
            self._push(program, missing, width, number)
            left = np.count_nonzero(self.most[missing] - self.least[missing] < width[missing])
            poor = poor + 1 if len(missing) - left < max(2, FEW * self.size) else 0
            if poor == POOR:
                return

    def _bounded_program(self, goal: np.ndarray) -> highspy.Highs:
        """Each unknown as a first column up to its goal and a second one beyond it (only the first is rewarded)."""
        matrix = sparse.hstack([self.matrix, self.matrix], format="csc")
        lower = np.concatenate([self.floor, np.zeros(self.size)])
        upper = np.concatenate([goal, np.maximum(self.ceiling - goal, 0)])
        program = linear_program(self.right.astype(float), matrix, lower, upper)
        if self.unseen < MANY_UNSEEN:
            program.setOptionValue("presolve", "off")
        else:  # corners of such programs are whole more often when they are come upon from within
            program.setOptionValue("solver", "ipm")
        return program

    def _push(self, program: highspy.Highs, missing: np.ndarray, width: np.ndarray, number: int) -> None:
        generator = np.random.default_rng(number)
        weight = np.zeros(2 * self.size)
        # Falls first on one half of the cells in odd rounds: a cell cannot rise where all around it rise.
        falls = generator.random(len(missing)) < (0.5 if number % 2 else 0.0)
        strength = generator.uniform(0.5, 1.0, len(missing))
        weight[missing] = np.where(falls, strength, -strength)
        weight[self.size + missing[falls]] = strength[falls]
        goal = np.full(self.size, 0.0)
        goal[missing] = np.where(falls, self.least[missing], self.least[missing] + width[missing])
        goal = np.minimum(np.maximum(goal, self.floor), np.maximum(self.floor, self.ceiling))
        index = np.arange(2 * self.size, dtype=np.int32)
        program.changeColsCost(2 * self.size, index, weight)
        lower = np.concatenate([self.floor, np.zeros(self.size)])
        upper = np.concatenate([goal, np.maximum(self.ceiling - goal, 0)])
        program.changeColsBounds(2 * self.size, index, lower, upper)
        solution = self._run(program)
        if solution is None:
            return
        table = self._fitting(solution[: self.size] + solution[self.size :])
        if table is not None:
            self._count(table)

    # -- one by one -----------------------------------------------------------------------------------------------

    def judge(self, unknown: int, width: int, k: int, residual: bool) -> State:
        """Whether an unknown is open: its interval spans ``width``, or lies at k or above, or (residual) is only 0."""
        if self.harmless(unknown, width, k, residual):
            return State.OPEN
        if self._narrow(unknown, width, k, residual):
            return State.NARROW
        self._shortly(unknown, width)
        if self.harmless(unknown, width, k, residual):
            return State.OPEN
        for size in NEARBY:
            self._nearby(unknown, width, size)
            if self.harmless(unknown, width, k, residual):
                return State.OPEN
            if size >= self.size:
                break
        return self._by_extremes(unknown, width, k, residual)

    def _by_extremes(self, unknown: int, width: int, k: int, residual: bool) -> State:
        """The verdict from the largest and the smallest value in all equations: by fractions, then by whole numbers."""
        for integer in (False, True):
            if integer and self.size > LARGEST_INTEGER:
                return State.UNDECIDED
            for sign in (1, -1):
                self._extreme(unknown, sign, integer, width)
                if self.harmless(unknown, width, k, residual):
                    return State.OPEN
            if self._narrow(unknown, width, k, residual):
                return State.NARROW
        return State.UNDECIDED

    def bounds(self, unknown: int) -> tuple[int, int]:
        """Whole numbers that an unknown is surely not below and not above: the nearest that programs can prove.

        Raises:
            Undecided: no upper bound was found.
        """
        for integer in (False, True):
            if integer and self.size > LARGEST_INTEGER:
                break
            low, high = self._proven(unknown)
            if self.least[unknown] > low:
                self._extreme(unknown, -1, integer)
            if self.most[unknown] < high:
                self._extreme(unknown, 1, integer)
        low, high = self._proven(unknown)
        if high >= INFINITE:
            raise Undecided
        return int(low), int(high)

    def reaches(self, unknown: int, low: int, high: int) -> bool:
        """Whether whole tables are found in which an unknown is at ``low`` or below, and at ``high`` or above."""
        for integer in (False, True):
            for sign in (-1, 1):
                missing = self.least[unknown] > low if sign < 0 else self.most[unknown] < high
                if missing and not (integer and self.size > LARGEST_INTEGER):
                    self._extreme(unknown, sign, integer)
        return bool(self.least[unknown] <= low and self.most[unknown] >= high)

    def _proven(self, unknown: int) -> tuple[float, float]:
        return np.ceil(self.floor[unknown] - TOLERANCE), np.floor(self.ceiling[unknown] + TOLERANCE)

    def _narrow(self, unknown: int, width: int, k: int, residual: bool) -> bool:
        """Whether the interval is surely shorter than the width and reaches below k (a residual: not only 0)."""
        low, high = self._proven(unknown)
        below = self.least[unknown] < k and (not residual or self.most[unknown] > 0)
        return bool(high - low < width and below)

    def harmless(self, unknown: int, width: int, k: int, residual: bool) -> bool:
        """Whether what is known so far settles an unknown as open."""
        found, proven = (self.least[unknown], self.most[unknown]), (self.floor[unknown], self.ceiling[unknown])
        return bool(is_open(found, proven, width, k, residual))

    def _shortly(self, unknown: int, width: int) -> None:
        """Rise or fall of one unknown by what it lacks, the others moved as little as can be."""
        self._shortest = self._shortest or ShortestMoves(self.matrix, self.wanted)
        for sign in (1, -1):
            table = max(self._tables, key=lambda table: sign * table[unknown])
            goal = self.least[unknown] + width if sign > 0 else self.most[unknown] - width
            if not self.lower[unknown] <= goal <= self.upper[unknown]:
                continue
            step = float(goal - table[unknown])
            program = self._shortest.asked(unknown, step, table - self.lower, self.upper - table)
            try:
                solution = self._run(program)
            except Contradiction:  # so far it cannot go
                continue
            moved = None if solution is None else self._fitting(table + self._shortest.moves(solution))
            if moved is not None:
                self._count(moved)
            if self.most[unknown] - self.least[unknown] >= width:
                return

    def _nearby(self, unknown: int, width: int, size: int) -> None:
        """Rise and fall of one unknown, in whole numbers, with everything but its surroundings held still."""
        scope = self._with_slacks(self._surroundings(unknown, size))
        block = self.matrix[:, scope]
        rows = np.unique(block.indices)
        block = sparse.csc_array(block.tocsr()[rows])
        at = int(np.searchsorted(scope, unknown))
        program = linear_program(np.zeros(len(rows)), block, np.zeros(len(scope)), np.full(len(scope), INFINITE))
        program, index = in_whole_numbers(program, nodes=NODES), np.arange(len(scope), dtype=np.int32)
        for sign in (1, -1):
            table = max(self._tables, key=lambda table: sign * table[unknown])
            low = max(self.lower[unknown], self.most[unknown] - width)
            lower, upper = (self.lower - table)[scope], (self.upper - table)[scope]
            lower[at] = low - table[unknown]
            upper[at] = min(upper[at], self.least[unknown] + width - table[unknown])
            program.changeColsBounds(len(scope), index, lower, upper)
            program.changeColCost(at, -float(sign))
            solution = self._run(program)
            if solution is not None:
                moved = table.astype(float)
                moved[scope] += solution
                found = self._whole(moved)
                if found is not None:
                    self._count(found)
            if self.most[unknown] - self.least[unknown] >= width:
                return

    def _surroundings(self, unknown: int, size: int) -> np.ndarray:
        """About ``size`` unknowns that hang together with one, those with most room first where there are more."""
        known = np.array([unknown])
        front = known
        while len(front) and len(known) < size:
            rows = np.unique(self.matrix[:, front].indices)
            reached = np.setdiff1d(np.unique(self.by_row[rows].indices), known, assume_unique=True)
            if len(known) + len(reached) > size:
                ties = np.bincount(self.by_row[rows].indices, minlength=self.size)[reached]
                room = (self.table - self.lower)[reached]
                reached = reached[np.lexsort((reached, -room, -ties))[: size - len(known)]]
            front = reached
            known = np.union1d(known, front)
        return known

    def _extreme(self, unknown: int, sign: int, integer: bool, width: int | None = None) -> None:
        """Largest (sign 1) or smallest (−1) value of an unknown over the whole component.

        With a ``width`` a whole-numbered program ends as soon as it has a table that is so far from the farthest one
        on the other side; where there is none, one without it proves the bound.
        """
        low, high = self.floor[unknown], min(self.ceiling[unknown], float(self.least[unknown] + 10**6))
        if integer and width is not None:
            low, high = max(low, float(self.most[unknown] - width)), min(high, float(self.least[unknown] + width))
        solution = None if integer else self._from_the_last(unknown, sign, high)
        if solution is None:
            program = self._of_all()
            program.changeColBounds(unknown, low, high)
            program.changeColCost(unknown, -float(sign))
            solution = self._run(in_whole_numbers(program) if integer else program)
        if solution is None:
            return
        table = self._fitting(solution)
        if table is not None:
            self._count(table)
        reached = float(solution[unknown])
        if integer and width is not None:
            if low < reached < high:  # what lies beyond may still be reached in whole numbers: a bound needs all of it
                self._extreme(unknown, sign, integer)
        elif sign < 0:
            self.floor[unknown] = max(self.floor[unknown], reached)
        elif reached < high:
            self.ceiling[unknown] = min(self.ceiling[unknown], reached)

    def _of_all(self) -> highspy.Highs:
        """The program of the whole component, every unknown within its proven bounds."""
        return linear_program(self.right.astype(float), self.matrix, self.floor, np.maximum(self.ceiling, self.floor))

    def _from_the_last(self, unknown: int, sign: int, upper: float) -> np.ndarray | None:
        """An extreme whose program begins where that of the last unknown ended (None: it did not come to an end)."""
        if self._begun is None:
            self._begun = self._of_all()
        program, index = self._begun, np.arange(self.size, dtype=np.int32)
        ceiling = np.maximum(self.ceiling, self.floor)
        ceiling[unknown] = upper
        program.changeColsBounds(self.size, index, self.floor, ceiling)
        program.changeColCost(unknown, -float(sign))
        try:
            return self._run(program)
        except Contradiction:
            return None
        finally:
            program.changeColCost(unknown, 0.0)
