"""What is proven: integer tables that agree with everything published, kept as moves away from the true one.

A cell is *open* when two of these tables lie its width apart. Every solution counts for all cells that it moves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_FIRST = 1_024
"""Tables and moves that there is room for at first."""


class Proofs:
    """The farthest proven moves of each variable, and the tables that prove them.

    The moves of all tables lie one after the other in a few arrays: what a variable is moved by is asked thousands of
    times, and each answer is one look over them.

    Args:
        size: number of variables.
        fall, rise: most of a variable's fall and rise that counts towards its width (None: all of it). Where they add
            up to the width, a cell is open only when it can fall *and* rise by its share.

    Attributes:
        down, up: largest proven fall and rise of each variable (both ≥ 0).
        down_by, up_by: number of the table that proves it, −1 for the true one.
        count: number of tables that were added, those that were withdrawn since included.
    """

    def __init__(self, size: int, fall: np.ndarray | None = None, rise: np.ndarray | None = None) -> None:
        self.size, self.fall, self.rise = size, fall, rise
        self.down, self.up = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.down_by, self.up_by = np.full(size, -1), np.full(size, -1)
        self.count = 0
        self._ends = [0]  # of each table's moves
        self._standing = np.ones(_FIRST, dtype=bool)  # one entry a table
        self._table, self._variable, self._moves = (np.empty(_FIRST, np.int64) for _ in range(3))  # one a move

    def add(self, variables: np.ndarray, moves: np.ndarray) -> None:
        """Count one table: integer ``moves`` of ``variables`` (distinct), checked by the caller."""
        number, moved = self.count, moves != 0
        variables, moves = variables[moved], moves[moved]
        start, end = self._ends[-1], self._ends[-1] + len(variables)
        if end > len(self._variable):
            more = max(end, 2 * len(self._variable))
            self._table, self._variable, self._moves = (
                np.resize(one, more) for one in (self._table, self._variable, self._moves)
            )
        if number == len(self._standing):
            self._standing = np.resize(self._standing, 2 * number)
        self._table[start:end], self._variable[start:end], self._moves[start:end] = number, variables, moves
        self._standing[number] = True
        self._ends.append(end)
        self.count += 1
        rises = moves > self.up[variables]
        self.up[variables[rises]], self.up_by[variables[rises]] = moves[rises], number
        falls = -moves > self.down[variables]
        self.down[variables[falls]], self.down_by[variables[falls]] = -moves[falls], number

    def tables(self, first: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
        """The standing tables from a number on: variables and their moves."""
        parts = [slice(*self._ends[n : n + 2]) for n in range(first, self.count) if self._standing[n]]
        return [(self._variable[part].copy(), self._moves[part].copy()) for part in parts]

    @property
    def spread(self) -> np.ndarray:
        """Proven width of each variable's interval, as far as it counts."""
        return self.spread_of(slice(None))

    def spread_of(self, variables: np.ndarray | slice) -> np.ndarray:
        """Proven width of the intervals of some variables, as far as it counts."""
        up, down = self.up[variables], self.down[variables]
        if self.fall is None or self.rise is None:
            return up + down
        return np.minimum(up, self.rise[variables]) + np.minimum(down, self.fall[variables])

    def opens(self, variable: int, width: int) -> bool:
        """Whether one variable's proven interval has a width."""
        return bool(self.spread_of(slice(variable, variable + 1))[0] >= width)

    def moving(self, *variables: int) -> np.ndarray:
        """Numbers of the tables that move one of some variables, in order."""
        used = slice(self._ends[-1])
        if len(variables) == 1:
            found = self._table[used][self._variable[used] == variables[0]]
            return found[self._standing[found]]
        found = np.zeros(self.count, dtype=bool)
        found[self._table[used][self._mark(np.array(variables))[self._variable[used]]]] = True
        return np.flatnonzero(found & self._standing[: self.count])

    def withdraw(self, numbers: np.ndarray) -> np.ndarray:
        """Forget these tables; returns the variables whose proven width shrank, sorted."""
        gone = numbers[self._standing[numbers]].tolist()
        parts = [self._variable[slice(*self._ends[n : n + 2])] for n in gone]
        touched = np.flatnonzero(self._mark(np.concatenate(parts))) if parts else np.empty(0, int)
        before = self.spread_of(touched)
        self._standing[numbers] = False
        by_gone = np.zeros(self.count + 1, dtype=bool)  # the last entry is the true table's
        by_gone[numbers] = True
        stale = touched[by_gone[self.up_by[touched]] | by_gone[self.down_by[touched]]]
        self._prove_anew(stale)
        return touched[self.spread_of(touched) < before]

    def _prove_anew(self, stale: np.ndarray) -> None:
        """What the standing tables prove of some variables: of equal moves the one that was first."""
        used = slice(self._ends[-1])
        entries = np.flatnonzero(self._mark(stale)[self._variable[used]])
        entries = entries[self._standing[self._table[entries]]]
        variables, moves = self._variable[entries], self._moves[entries]
        for farthest, by, way in ((self.up, self.up_by, moves), (self.down, self.down_by, -moves)):
            farthest[stale], by[stale] = 0, -1
            np.maximum.at(farthest, variables, way)
            # Backwards, for what is written last stays: of equal moves the first table's.
            reached = np.flatnonzero((way > 0) & (way == farthest[variables]))[::-1]
            by[variables[reached]] = self._table[entries[reached]]

    def _mark(self, variables: np.ndarray) -> np.ndarray:
        mark = np.zeros(self.size, dtype=bool)
        mark[variables] = True
        return mark

    def snapshot(self) -> tuple[Any, ...]:
        """What :meth:`restore` needs to undo additions and withdrawals."""
        proven = self.down.copy(), self.up.copy(), self.down_by.copy(), self.up_by.copy()
        return *proven, self.count, self._standing[: self.count].copy()

    def restore(self, state: tuple[Any, ...]) -> None:
        """Back to a snapshot; later ones are worth nothing afterwards."""
        self.down, self.up, self.down_by, self.up_by, self.count, standing = state
        self._standing[: self.count] = standing
        del self._ends[self.count + 1 :]
