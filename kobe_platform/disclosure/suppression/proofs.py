"""What is proven: integer tables that agree with everything published, kept as moves away from the true one.

A cell is *open* when two of these tables lie its width apart. Every solution counts for all cells that it moves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Proofs:
    """The farthest proven moves of each variable, and the tables that prove them.

    Attributes:
        fall, rise: most of a variable's fall and rise that counts towards its width (None: all of it). Where they add
            up to the width, a cell is open only when it can fall *and* rise by its share.
        down, up: largest proven fall and rise of each variable (both ≥ 0).
        down_by, up_by: number of the table that proves it, −1 for the true one.
        tables: number → (variables, moves); None where it was withdrawn.
    """

    size: int
    fall: np.ndarray | None = None
    rise: np.ndarray | None = None
    down: np.ndarray = field(init=False)
    up: np.ndarray = field(init=False)
    down_by: np.ndarray = field(init=False)
    up_by: np.ndarray = field(init=False)
    tables: list[tuple[np.ndarray, np.ndarray] | None] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.down, self.up = np.zeros(self.size, np.int64), np.zeros(self.size, np.int64)
        self.down_by, self.up_by = np.full(self.size, -1), np.full(self.size, -1)

    def add(self, variables: np.ndarray, moves: np.ndarray) -> None:
        """Count one table: integer ``moves`` of ``variables``, checked by the caller."""
        number = len(self.tables)
        moved = moves != 0
        variables, moves = variables[moved], moves[moved]
        self.tables.append((variables, moves))
        rises = moves > self.up[variables]
        self.up[variables[rises]], self.up_by[variables[rises]] = moves[rises], number
        falls = -moves > self.down[variables]
        self.down[variables[falls]], self.down_by[variables[falls]] = -moves[falls], number

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

    def withdraw(self, numbers: np.ndarray) -> np.ndarray:
        """Forget these tables; returns the variables whose proven width shrank."""
        touched = np.unique(
            np.concatenate([self.tables[n][0] for n in numbers if self.tables[n]] or [np.empty(0, int)])
        )
        before = self.spread_of(touched)
        for number in numbers:
            self.tables[number] = None
        stale = touched[np.isin(self.up_by[touched], numbers) | np.isin(self.down_by[touched], numbers)]
        mark = np.zeros(self.size, dtype=bool)
        mark[stale] = True
        for array, by in ((self.up, self.up_by), (self.down, self.down_by)):
            array[stale], by[stale] = 0, -1
        for number, table in enumerate(self.tables):
            if table is None:
                continue
            variables, moves = table
            inside = mark[variables]
            if not inside.any():
                continue
            variables, moves = variables[inside], moves[inside]
            rises = moves > self.up[variables]
            self.up[variables[rises]], self.up_by[variables[rises]] = moves[rises], number
            falls = -moves > self.down[variables]
            self.down[variables[falls]], self.down_by[variables[falls]] = -moves[falls], number
        return touched[self.spread_of(touched) < before]

    def snapshot(self) -> tuple[Any, ...]:
        """What :meth:`restore` needs to undo additions and withdrawals."""
        return self.down.copy(), self.up.copy(), self.down_by.copy(), self.up_by.copy(), list(self.tables)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Back to a snapshot."""
        self.down, self.up, self.down_by, self.up_by, self.tables = state

    def moving(self, variable: int) -> np.ndarray:
        """Numbers of the tables that move a variable."""
        return np.array(
            [n for n, table in enumerate(self.tables) if table is not None and (table[0] == variable).any()], dtype=int
        )
