"""Secondary suppression for one cell: hides cells at low cost until its feasibility interval has the required width.

To open a cell is to find the cheapest change of the table that moves it by that width; all cells that change are
hidden. The change is split into a rise and a fall around the true table (Fischetti & Salazar-González 2001 solve the
same model exactly; here it is solved cell by cell, near first, then wide, then everywhere). The two tables that it
gives are counted as proof for every other cell that they move. Where they are not whole, an integer program certifies
the pattern or the search goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.suppression.neighbourhood import ALL, NEAR, WIDE, Neighbourhoods
from kobe_platform.disclosure.suppression.programs import (
    INFINITE,
    INTEGRALITY,
    Block,
    Solver,
    balanced,
    block_of,
    whole,
)
from kobe_platform.disclosure.suppression.proofs import Proofs
from kobe_platform.disclosure.suppression.sorted_sets import union
from kobe_platform.errors import DisclosureError

LARGEST_CERTIFIED, LARGEST_WHOLE = 400, 20_000
"""Columns up to which integer programs certify a pattern, and up to which one is the last way to open a cell."""
FEW_MATES = (6,)
SOME_MATES = (4, 6)
LAST_MATES = (3, 6, 12)
HIDDEN_AROUND = (NEAR, WIDE, ALL)
"""Where hidden cells are looked for that open a cell already, before it counts as one that cannot be protected."""
LARGE_SCOPE, SURE_SCOPE = 4_000, 1_000
REWEIGHTINGS, LARGEST_REWEIGHTED, EVENNESS = 2, 1_000, 0.3
"""Rounds of :meth:`CellProtector._sparser`, in programs of up to so many columns, and what softens its weights."""
IDLE_COST = 0.001
"""Cost of moving a cell that is hidden already: short moves tend to be whole."""


@dataclass
class Pattern:
    """A suppression pattern in the making, with what is proven of it.

    Attributes:
        hidden: cells shown as suppressed; primary: those that a rule named (both one entry a variable).
        proofs: tables that agree with all that is published.
    """

    hidden: np.ndarray
    primary: np.ndarray
    proofs: Proofs


class CellProtector:
    """One model's pattern, and the means to open a cell of it.

    Args:
        primary: cells that a rule hides; ratchet: cells that stay hidden because they were.
        preferred: cells that cost less; immovable: cells that must stay published.
    """

    def __init__(
        self, model: Model, primary: np.ndarray, ratchet: np.ndarray, preferred: np.ndarray, immovable: np.ndarray
    ) -> None:
        self.model = model
        self.near = Neighbourhoods(model)
        self.solver = Solver()
        self.ratchet = ratchet
        self.pattern = Pattern(primary | ratchet, primary.copy(), Proofs(model.size, model.fall, model.rise))
        self.may_hide = ~(model.known | model.residual | model.slack | immovable)
        if (primary & immovable).any():
            raise _error(
                "a cell that must be hidden is already released", "disclosure.fixed", model, primary & immovable
            )
        # How residuals are filled up is public (never 1 … k−1 below the ward), so one of k or more is known to stay so.
        lower = np.where(model.residual & (model.value >= model.k), model.k, model.lower)
        self.slackness = model.value - lower
        # Whoever does not know it reckons with more tables, so a cell counts as harmless only if it is so for him too.
        self.reach = model.value - model.lower
        self.idle = model.residual & (model.value == 0)
        self._untold = (model.residual | model.slack) & ~self.idle
        self.cost = _costs(model, preferred)

    @property
    def free(self) -> np.ndarray:
        """What the attacker does not know, but residuals that are zero (no proof leans on those)."""
        return self.pattern.hidden | self._untold

    def open(self, target: int) -> None:
        """Hide what it takes for one cell to vary by its width."""
        idle = bool(self.idle[target])
        # A residual of zero may lean on other such ones: whoever wonders about it cannot exclude them either.
        free = self.free | self.idle if idle else self.free
        for mates in FEW_MATES if not idle else ():
            scope = self.near.hidden_mates(target, free, self.slackness, mates)
            if self._try(target, scope, free, certify=False):
                return
        movable = free | self.may_hide
        near = self.near.around(target, NEAR, free, movable)
        if len(near) > LARGE_SCOPE:
            for mates in SOME_MATES:
                scope = self.near.grid(target, free, movable, self.slackness, mates)
                if len(scope) < LARGE_SCOPE and self._try(target, scope, free, certify=len(scope) < SURE_SCOPE):
                    return
        for reach in (NEAR, WIDE, ALL):
            if self._try(target, self.near.around(target, reach, free, movable), free):
                return
        if self._open_already(target, free) or self._open_whole(target, free, movable):
            return
        if self._open_apart(target, free, movable):
            return
        raise _error("a cell cannot be protected", "disclosure.unprotected", self.model, np.array([target]))

    def _open_already(self, target: int, free: np.ndarray) -> bool:
        """Whether hidden cells around a cell open it by another rise and fall than :meth:`_splits` asks for.

        So it is where much is shown by fixed tables and former releases: a move of the whole width may not exist,
        though a rise and a fall that add up to it do. Among all that is hidden the search cannot miss them.
        """
        mates = (self.near.hidden_mates(target, free, self.slackness, mates) for mates in LAST_MATES)
        around = (self.near.around(target, reach, free, free) for reach in HIDDEN_AROUND)
        idle = bool(self.idle[target])
        if any(self.certify(target, scope, idle=idle) for scope in (*mates, *around)):
            return True
        return any(
            self.certify(target, self.near.around(target, reach, free, free), idle=idle, largest=LARGEST_WHOLE)
            for reach in HIDDEN_AROUND
        )

    def _open_whole(self, target: int, free: np.ndarray, movable: np.ndarray) -> bool:
        """Hide what a whole-numbered rise needs: the last way, where cheaper moves are fractional.

        Definitions make it necessary: a household of six is six residents, so what moves one by the whole is a move of
        several others, and half of such a move is none.
        """
        for reach in (NEAR, WIDE, ALL):
            scope = self.near.around(target, reach, free, movable)
            if len(scope) > LARGEST_WHOLE:
                return False
            block = block_of(self.near.by_column, scope)
            moves = self._cheapest(block, target, 1.0, free, integer=True)
            if moves is None:
                continue
            self.hide(scope[np.abs(moves) > INTEGRALITY])
            if self._count(block, moves, 1.0) and self._open(target):
                return True
        return False

    def _open_apart(self, target: int, free: np.ndarray, movable: np.ndarray) -> bool:
        """Hide what a rise as far as it goes needs, and what another table needs that falls by the rest of the width.

        Where fixed tables leave little room, the cells that give way to a rise may be none of those that do to a fall.
        """
        width = int(self.model.width[target])
        for reach in (NEAR, WIDE, ALL):
            scope = self.near.around(target, reach, free, movable)
            if len(scope) > LARGEST_WHOLE:
                return False
            block = block_of(self.near.by_column, scope)
            at = int(np.searchsorted(scope, target))
            farthest = self._farthest(block, at, self.slackness, 1.0, lowest=0.0)
            rise = 0 if farthest is None else int(farthest[at] + INTEGRALITY)
            amounts = [amount for amount in (rise, rise - width) if amount]
            found = [self._cheapest_by(block, at, amount, free) for amount in amounts]
            tables = [table for table in found if table is not None]
            if len(tables) < len(amounts):
                continue
            for table in tables:
                self.hide(scope[table != 0])
            if all(self._accept(block, table) for table in tables) and self._open(target):
                return True
        return False

    def _cheapest_by(self, block: Block, at: int, amount: int, free: np.ndarray) -> np.ndarray | None:
        """Whole moves of least cost in which the variable at a place moves by an amount."""
        scope = block.variables
        lower, upper = -self.slackness[scope].astype(float), np.full(len(scope), INFINITE)
        lower[at] = upper[at] = amount
        cost = np.where(free[scope], IDLE_COST, self.cost[scope])
        cost[at] = 0.0
        moves = self.solver.least_moves(block, lower, upper, cost, integer=True)
        return None if moves is None else whole(moves)

    def _try(self, target: int, scope: np.ndarray, free: np.ndarray, *, certify: bool = True) -> bool:
        """Look for the cheapest move within a scope, hide what it needs and count it."""
        block = block_of(self.near.by_column, scope)
        for share in self._splits(target):
            moves = self._cheapest(block, target, share, free)
            if moves is None:
                continue
            moved = scope[np.abs(moves) > INTEGRALITY]
            if certify or free[moved].all() or whole(moves * share) is not None:
                self.hide(moved)
                if self._count(block, moves, share) and self._open(target):
                    return True
            if certify:
                idle = bool(self.idle[target])
                if self.certify(target, moved, idle=idle) or self.certify(target, scope, idle=idle):
                    return True
        return False

    def _open(self, target: int) -> bool:
        return self.pattern.proofs.opens(target, int(self.model.width[target]))

    def _splits(self, target: int) -> list[float]:
        """Shares of the move that are a rise: what cannot fall must rise."""
        width = int(self.model.width[target])
        fall = int(self.slackness[target])
        if self.model.rise is not None and self.model.rise[target] < width:
            return [int(self.model.rise[target]) / width]
        first = (width - fall) / width if fall < width else (width - width // 2) / width
        return [first, 1.0] if first < 1 else [1.0]

    def _cheapest(
        self,
        block: Block,
        target: int,
        share: float,
        free: np.ndarray,
        *,
        integer: bool = False,
        falls: np.ndarray | None = None,
    ) -> np.ndarray | None:
        """Moves of least cost by a target's width; ``falls``: how far each variable can (default: the slackness)."""
        scope = block.variables
        slack = (self.slackness if falls is None else falls)[scope].astype(float)
        lower = -np.floor(slack / share + INTEGRALITY) if share > 0 else np.full(len(scope), -INFINITE)
        upper = np.floor(slack / (1 - share) + INTEGRALITY) if share < 1 else np.full(len(scope), INFINITE)
        at = int(np.searchsorted(scope, target))
        lower[at] = upper[at] = self.model.width[target]
        cost = np.where(free[scope], IDLE_COST, self.cost[scope])
        cost[at] = 0.0
        if integer:
            return self.solver.least_moves(block, lower, upper, cost, integer=True)
        return self.cheapest_within(block, (lower, upper), cost, free[scope])

    def cheapest_within(
        self, block: Block, bounds: tuple[np.ndarray, np.ndarray], cost: np.ndarray, free: np.ndarray
    ) -> np.ndarray | None:
        """Moves of least cost within bounds, of few cells; ``free``: which columns are hidden already."""
        moves = self.solver.least_moves(block, *bounds, cost)
        return None if moves is None else self._sparser(block, bounds, cost, moves, free)

    def _sparser(
        self, block: Block, bounds: tuple[np.ndarray, np.ndarray], cost: np.ndarray, moves: np.ndarray, free: np.ndarray
    ) -> np.ndarray:
        """Moves of fewer or cheaper cells: what moved far costs less a unit (Candès, Wakin & Boyd 2008).

        A cell is hidden at its whole cost however little it moves; the linear program pays by the unit.
        """
        paid = ~free & (cost > 0)
        best = cost[paid & (np.abs(moves) > INTEGRALITY)].sum()
        for _ in range(REWEIGHTINGS if len(cost) <= LARGEST_REWEIGHTED else 0):
            far = np.abs(moves)
            if np.count_nonzero(far[paid] > INTEGRALITY) < 2:
                break
            weighted = np.where(paid, cost / (far / far.max() + EVENNESS), cost)
            other = self.solver.least_moves(block, *bounds, weighted)
            if other is None:
                break
            price = cost[paid & (np.abs(other) > INTEGRALITY)].sum()
            if price >= best - INTEGRALITY:
                break
            moves, best = other, price
        return moves

    def hide(self, variables: np.ndarray) -> None:
        """Hide those of some variables that may be hidden."""
        self.pattern.hidden[variables[self.may_hide[variables]]] = True

    def _count(self, block: Block, moves: np.ndarray, share: float) -> bool:
        """Count the rise and the fall as two tables, if they are whole."""
        rise, fall = whole(moves * share), whole(moves * (share - 1))
        if rise is None or fall is None:
            return False
        return self._accept(block, rise) and self._accept(block, fall)

    def _accept(self, block: Block, moves: np.ndarray) -> bool:
        scope = block.variables
        movable = self.pattern.hidden[scope] | self._untold[scope] | self.idle[scope]
        allowed = np.where(movable, -self.slackness[scope], 0)
        still = moves[~movable]
        if (moves < allowed).any() or still.any() or not balanced(block, moves):
            return False
        self.pattern.proofs.add(scope, moves)
        return True

    def _accept_near(self, block: Block, moves: np.ndarray, keep: int = -1) -> None:
        """Count moves, or whole ones near them that agree in one column."""
        result = self._whole_near(block, moves, self.slackness, keep)
        if result is not None:
            self._accept(block, result)

    def _whole_near(self, block: Block, moves: np.ndarray, falls: np.ndarray, keep: int) -> np.ndarray | None:
        """Moves as whole numbers: themselves, or the nearest that agree in one column and fall no further."""
        table = whole(moves)
        return self.solver.repair(block, moves, -falls[block.variables].astype(float), keep) if table is None else table

    def _farthest(
        self, block: Block, at: int, falls: np.ndarray, sign: float, *, lowest: float, integer: bool = False
    ) -> np.ndarray | None:
        """The table in which the variable at a place rises (``sign`` 1) or falls most, up to its width.

        Args:
            falls: how far each variable of the model can fall; ``lowest``: how far this one falls at most (a move ≤ 0).
        """
        scope = block.variables
        lower, upper = -falls[scope].astype(float), np.full(len(scope), INFINITE)
        upper[at], lower[at] = self.model.width[scope[at]], max(lower[at], lowest)
        reward = np.zeros(len(scope))
        reward[at] = sign
        return self.solver.extreme(block, lower, upper, reward, integer=integer)

    def certify(
        self, target: int, variables: np.ndarray, *, idle: bool = False, largest: int = LARGEST_CERTIFIED
    ) -> bool:
        """Whether the present pattern opens a cell, shown by whole-numbered tables over some variables.

        Args:
            idle: zero residuals may move too (the question is about one of them).
            largest: columns up to which an integer program is asked where linear ones found room, but no whole table.
        """
        free = self.free | self.idle if idle else self.free
        scope = union(variables[free[variables]], np.array([target]))
        block = block_of(self.near.by_column, scope)
        width = int(self.model.width[target])
        at = int(np.searchsorted(scope, target))
        proofs = self.pattern.proofs
        for integer in (False, True):
            room = 0.0
            for sign, proven in ((1.0, proofs.up), (-1.0, proofs.down)):
                moves = self._farthest(block, at, self.slackness, sign, lowest=-width, integer=integer)
                if moves is not None:
                    self._accept_near(block, moves, at)
                room += np.inf if moves is None else max(abs(moves[at]), proven[target])
                if self._open(target):
                    return True
            if len(scope) > largest or room < width - INTEGRALITY:
                return False
        return False


def _costs(model: Model, preferred: np.ndarray) -> np.ndarray:
    costs = model.spec.costs
    size = np.log1p(model.value.astype(float))
    base = 1.0 + 0.02 * size if costs.by == "count" else size + 0.01
    return base * costs.totals ** model.height.astype(float) * np.where(preferred, costs.keep, 1.0)


def _error(message: str, code: str, model: Model, cells: np.ndarray) -> DisclosureError:
    found = np.flatnonzero(cells) if cells.dtype == bool else cells
    return DisclosureError(
        message,
        code=code,
        at={**model.where(int(found[0])), "cells": len(found)},
        remedy="coarsen the table, release fewer fixed tables, or choose another method for it",
    )
