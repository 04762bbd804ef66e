"""Computes the feasibility interval of each unknown in a part of the auditor's equations.

Single equations tell most of it (:mod:`presolve`); programs are asked of the components that they leave open
(:mod:`component`).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from kobe_platform.disclosure.auditor.component import Contradiction, OpenComponent, State, Undecided, is_open
from kobe_platform.disclosure.auditor.presolve import INFINITE, TOLERANCE, Bounds, left_open, single_equations

__all__ = ["INFINITE", "TOLERANCE", "Contradiction", "Part", "State", "Undecided"]
FAR = 10**6
"""So far from the least value of an unknown without an upper bound its largest is taken to be."""


class Part:
    """A part: ``matrix @ x == right``, ``x >= lower``, x whole; coefficients are whole numbers.

    Args:
        unseen: mask of the unknowns that stand in no table (default: none).
        bounds: what single equations say (default: worked out).

    Attributes:
        wanted: unknowns that are counts; every other one is the difference of an inequality (its row's alone, with
            coefficient 1), so it follows exactly from the counts.
        table: some whole-numbered table that fits.
        least, most: smallest and largest value of each count over the whole-numbered tables found so far.
        floor, ceiling: proven bounds (from single equations and solved programs).

    Raises:
        Contradiction: no table agrees with the published figures. Undecided: none was found within the budget.
    """

    def __init__(
        self,
        matrix: sparse.csr_array,
        right: np.ndarray,
        lower: np.ndarray,
        wanted: np.ndarray,
        unseen: np.ndarray | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self.matrix, self.by_row = sparse.csc_array(matrix), matrix
        self.right, self.wanted = right, wanted
        self.size = len(lower)
        self.slacks = np.flatnonzero(~wanted)
        self.slack_rows = self.matrix[:, self.slacks].indices if len(self.slacks) else np.empty(0, np.int64)
        bounds = bounds or single_equations(matrix, right, lower)
        if bounds.empty.any():
            raise Contradiction
        rest = left_open(matrix, right, bounds, lower, ~wanted)
        if rest.broken:
            raise Contradiction
        self.floor, self.ceiling = bounds.floor.copy(), bounds.ceiling.copy()
        self.least = self.floor.astype(np.int64)
        self.most = np.minimum(self.ceiling, self.floor + FAR).astype(np.int64)
        self.table = self.least.copy()
        self._components: list[tuple[np.ndarray, OpenComponent]] = []
        self._place = np.full((2, self.size), -1)
        joint = np.zeros(self.size, dtype=bool) if unseen is None else unseen
        for positions, equations, own_right in rest.components():
            unknowns = rest.unknowns[positions]
            if not equations.shape[0]:
                continue  # anything within its bounds
            own = OpenComponent(
                equations, own_right, bounds.of(unknowns), wanted[unknowns], int(np.count_nonzero(joint[unknowns]))
            )
            self._place[0, unknowns], self._place[1, unknowns] = len(self._components), np.arange(len(unknowns))
            self._components.append((unknowns, own))
            self.table[unknowns] = own.table
            self._take_over(len(self._components) - 1)
        if len(self.slacks):
            self.table[self.slacks] = 0
            self.table[self.slacks] = (self.right - self.matrix @ self.table)[self.slack_rows]

    @property
    def programs(self) -> int:
        """Number of programs solved."""
        return sum(own.programs for _, own in self._components)

    def _take_over(self, number: int) -> None:
        """What a component knows, entered here."""
        unknowns, own = self._components[number]
        self.least[unknowns], self.most[unknowns] = own.least, own.most
        self.floor[unknowns], self.ceiling[unknowns] = own.floor, own.ceiling

    def open_ones(self, width: np.ndarray, k: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Mask of the unknowns that what is known so far settles as open."""
        return is_open((self.least, self.most), (self.floor, self.ceiling), width, k, residual)

    def spread_out(self, width: np.ndarray, settled: np.ndarray) -> None:
        """Tables that push as many wanted unknowns apart as they can (:meth:`component.OpenComponent.spread_out`).

        Args:
            settled: unknowns that need no proof, for their bounds already say enough.
        """
        for number, (unknowns, own) in enumerate(self._components):
            own.spread_out(width[unknowns], settled[unknowns])
            self._take_over(number)

    def collect(self) -> None:
        """Keep the tables that are found from here on, for :meth:`collected`."""
        for _, own in self._components:
            own.collected = [own.table]

    def collected(self) -> list[tuple[np.ndarray, list[np.ndarray]]]:
        """(unknowns, their tables) of each set of unknowns that moves by itself; every other unknown has one value."""
        found = [(unknowns, own.collected or [own.table]) for unknowns, own in self._components]
        apart = np.flatnonzero((self._place[0] < 0) & (self.least < self.most))
        return found + [(np.array([n]), [self.least[[n]], self.most[[n]]]) for n in apart.tolist()]

    def judge(self, unknown: int, width: int, k: int, residual: bool) -> State:
        """Whether an unknown is open: its interval spans ``width``, or lies at k or above, or (residual) is only 0."""
        number, at = self._place[:, unknown].tolist()
        if number >= 0:
            try:
                return self._components[number][1].judge(at, width, k, residual)
            finally:
                self._take_over(number)
        found, proven = (self.least[unknown], self.most[unknown]), (self.floor[unknown], self.ceiling[unknown])
        return State.OPEN if is_open(found, proven, width, k, residual) else State.NARROW

    def bounds(self, unknown: int) -> tuple[int, int]:
        """Whole numbers that an unknown is surely not below and not above: the nearest that programs can prove.

        Raises:
            Undecided: no upper bound was found.
        """
        number, at = self._place[:, unknown].tolist()
        if number >= 0:
            try:
                return self._components[number][1].bounds(at)
            finally:
                self._take_over(number)
        if self.ceiling[unknown] >= INFINITE:
            raise Undecided
        return int(self.floor[unknown]), int(self.ceiling[unknown])

    def reaches(self, unknown: int, low: int, high: int) -> bool:
        """Whether whole tables are found in which an unknown is at ``low`` or below, and at ``high`` or above."""
        number, at = self._place[:, unknown].tolist()
        if number >= 0:
            try:
                return self._components[number][1].reaches(at, low, high)
            finally:
                self._take_over(number)
        return bool(self.least[unknown] <= low and self.most[unknown] >= high)
