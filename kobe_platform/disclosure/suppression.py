"""Complementary suppression: the cells to hide besides the primary ones so that each of these stays open.

For every primary cell that no known table opens yet, a linear program looks for the cheapest move that shifts it by its
width, split into a rise and a fall around the true table (Fischetti & Salazar-González 2001 solve the same model
exactly; here it is solved cell by cell, near first, then wide, then everywhere). What the move needs is hidden; the two
tables that it gives are whole-numbered and are counted as proof for every other cell that they move. Where they are not
whole, an integer program certifies the pattern or the search goes on. A cell that cannot be opened stops everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.neighbourhood import ALL, NEAR, WIDE, Neighbourhoods
from kobe_platform.disclosure.openings import POOR, POOR_ROUNDS, ROUNDS, push
from kobe_platform.disclosure.programs import INFINITE, INTEGRALITY, Block, Solver, balanced, block_of, propagate, whole
from kobe_platform.disclosure.proofs import Proofs
from kobe_platform.errors import DisclosureError

Progress = Callable[[str, int, int], None]
BULK_AFTER = 100
"""Cells opened one by one before many are tried at once again."""
LARGEST_CERTIFIED = 400
MOST_TIDIED, FEW_LACKING = 1_000, 6
FEW_MATES = (6,)
SOME_MATES = (4, 6)
LAST_MATES = (3, 6, 12)
LARGE_SCOPE, SURE_SCOPE = 4_000, 1_000
REWEIGHTINGS, LARGEST_REWEIGHTED, EVENNESS = 2, 1_000, 0.3
"""Rounds of :meth:`Suppressor._sparser`, in programs of up to so many columns, and what softens its weights."""
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


class Suppressor:
    """Searches one model's pattern.

    Args:
        primary: cells that a rule hides; ratchet: cells that stay hidden because they were.
        preferred: cells that cost less (last month's pattern); begin: those of them that are hidden from the start
            where few enough to be tidied up (default: all).
        immovable: cells that must stay published.
        secondaries: whether complementary suppressions must be open themselves (the audit demands it).
    """

    def __init__(
        self,
        model: Model,
        primary: np.ndarray,
        ratchet: np.ndarray,
        preferred: np.ndarray,
        immovable: np.ndarray,
        progress: Progress | None = None,
        *,
        begin: np.ndarray | None = None,
        secondaries: bool = True,
    ) -> None:
        self.secondaries = secondaries
        self.model, self.progress = model, progress
        self.near = Neighbourhoods(model)
        self.solver = Solver()
        self.ratchet = ratchet
        self.pattern = Pattern(primary | ratchet, primary.copy(), Proofs(model.size, model.fall, model.rise))
        self.may_hide = ~(model.known | model.residual | model.slack | immovable)
        if (primary & immovable).any():
            raise _error(
                "a cell that must be hidden is already released", "disclosure.fixed", model, primary & immovable
            )
        start = (preferred if begin is None else begin) & self.may_hide & (model.value > 0) & ~self.pattern.hidden
        if np.count_nonzero(start) <= MOST_TIDIED:
            self.pattern.hidden |= start
        # How residuals are filled up is public (never 1 … k−1 below the ward), so one of k or more is known to stay so.
        lower = np.where(model.residual & (model.value >= model.k), model.k, model.lower)
        self.slackness = model.value - lower
        self.idle = model.residual & (model.value == 0)
        self.cost = _costs(model, preferred)

    @property
    def free(self) -> np.ndarray:
        """What the attacker does not know, but residuals that are zero (no proof leans on those)."""
        return self.pattern.hidden | ((self.model.residual | self.model.slack) & ~self.idle)

    def run(self) -> Pattern:
        """Hide until every primary cell and every residual is open, then make sure of all the others.

        Raises:
            DisclosureError: a cell cannot be opened (coordinates: table and codes).
        """
        model = self.model
        risky = (model.value > 0) & (model.value < model.k)
        targets = self.pattern.primary | (model.residual & risky)
        self.protect(targets, "primary")
        if self.secondaries:
            self.settle()
        return self.pattern

    def protect(self, targets: np.ndarray, stage: str) -> None:
        """Open each of the targets: first those that single equations show to be narrow, then what is left."""
        model, proofs = self.model, self.pattern.proofs
        for _ in range(10):
            fall, rise = propagate(self.near.by_row, self.free, self.slackness.astype(float))
            narrow = targets & (fall + rise < model.width - INTEGRALITY)
            if not narrow.any():
                break
            hidden = np.count_nonzero(self.pattern.hidden)
            self._open_narrow(narrow)
            if np.count_nonzero(self.pattern.hidden) == hidden:
                break
        self.bulk(targets & (proofs.spread < model.width))
        self._open_each(targets, stage, bulk=True)
        self.tidy(targets)

    def tidy(self, targets: np.ndarray) -> None:
        """Show again what others have made superfluous: dearest first, wherever every target can still be proven."""
        pattern, proofs, model = self.pattern, self.pattern.proofs, self.model
        extra = np.flatnonzero(pattern.hidden & ~pattern.primary & ~self.ratchet)
        if len(extra) > MOST_TIDIED or len(proofs.tables) > MOST_TIDIED:
            return
        for cell in extra[np.lexsort((extra, -self.cost[extra]))].tolist():
            if not self._superfluous(cell):
                continue
            state = proofs.snapshot()
            pattern.hidden[cell] = False
            shrunk = proofs.withdraw(proofs.moving(cell))
            lacking = shrunk[targets[shrunk] & (proofs.spread[shrunk] < model.width[shrunk])]
            if len(lacking) > FEW_LACKING:
                pattern.hidden[cell] = True
                proofs.restore(state)
                continue
            free = self.free
            for target in lacking.tolist():
                if not self._open(target):
                    self._try(target, self.near.around(target, NEAR, free, free), free, certify=False)
                if not self._open(target):
                    pattern.hidden[cell] = True
                    proofs.restore(state)
                    break

    def _superfluous(self, cell: int) -> bool:
        """Whether every equation of a cell would have no hidden cell left without it, or two or more."""
        columns, rows, free = self.near.by_column, self.near.by_row, self.free
        for row in columns.indices[columns.indptr[cell] : columns.indptr[cell + 1]]:
            others = rows.indices[rows.indptr[row] : rows.indptr[row + 1]]
            if np.count_nonzero(free[others]) == 2:
                return False
        return True

    def _open_narrow(self, targets: np.ndarray) -> None:
        """Open those of the targets that one equation still shows to be narrow when their turn comes."""
        order = np.flatnonzero(targets)
        order = order[np.lexsort((order, -self.model.depth[order], self.model.value[order]))]
        for done, target in enumerate(order.tolist()):
            if not self._open(target) and self._within(target) < self.model.width[target]:
                self.open(target)
            if self.progress and done % 50 == 0:
                self.progress("plainly narrow cells", done, len(order))

    def _within(self, target: int) -> float:
        """Width of a cell's interval that its single equations leave at most."""
        columns, rows, free = self.near.by_column, self.near.by_row, self.free
        rise, fall = np.inf, float(self.slackness[target])
        for entry in range(columns.indptr[target], columns.indptr[target + 1]):
            row = slice(rows.indptr[columns.indices[entry]], rows.indptr[columns.indices[entry] + 1])
            others = rows.indices[row]
            keep = free[others] & (others != target)
            give = np.where(rows.data[row] == columns.data[entry], self.slackness[others], np.inf)
            take = np.where(rows.data[row] == columns.data[entry], np.inf, self.slackness[others])
            rise, fall = min(rise, give[keep].sum()), min(fall, take[keep].sum())
        return rise + fall

    def _open_each(self, targets: np.ndarray, stage: str, *, bulk: bool = False) -> None:
        """Totals first, then small counts first; between them many at once, where ``bulk`` is set and it pays."""
        model, proofs = self.model, self.pattern.proofs
        order = np.flatnonzero(targets)
        order = order[np.lexsort((order, -model.depth[order], model.value[order]))]
        since, patience = 0, BULK_AFTER
        for done, target in enumerate(order.tolist()):
            if not self._open(target):
                self.open(target)
                since += 1
            if bulk and since >= patience:
                missing = targets & (proofs.spread < model.width)
                if missing.sum() > BULK_AFTER:
                    self.bulk(missing)
                    gained = missing.sum() - (missing & (proofs.spread < model.width)).sum()
                    patience = BULK_AFTER if gained > since else 2 * patience
                since = 0
            if self.progress and done % 50 == 0:
                self.progress(stage, done, len(order))

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
        if self._open_already(target, free):
            return
        raise _error("a cell cannot be protected", "disclosure.unprotected", self.model, np.array([target]))

    def _open_already(self, target: int, free: np.ndarray) -> bool:
        """Whether hidden cells around a cell open it by another rise and fall than :meth:`_splits` asks for.

        So it is where much is shown by former releases: the move of the whole width may be in no one's reach.
        """
        scopes = [self.near.hidden_mates(target, free, self.slackness, mates) for mates in LAST_MATES]
        return any(self.certify(target, scope, idle=bool(self.idle[target])) for scope in scopes)

    def _try(self, target: int, scope: np.ndarray, free: np.ndarray, *, certify: bool = True) -> bool:
        """Look for the cheapest move within a scope, hide what it needs and count it."""
        block = block_of(self.near.by_column, scope)
        for share in self._splits(target):
            moves = self._cheapest(block, target, share, free)
            if moves is None:
                continue
            moved = scope[np.abs(moves) > INTEGRALITY]
            if certify or free[moved].all() or whole(moves * share) is not None:
                self._hide(moved)
                if self._count(block, moves, share) and self._open(target):
                    return True
            if certify:
                idle = bool(self.idle[target])
                if self.certify(target, moved, idle=idle) or self.certify(target, scope, idle=idle):
                    return True
        return False

    def _open(self, target: int) -> bool:
        return bool(self.pattern.proofs.spread[target] >= self.model.width[target])

    def _splits(self, target: int) -> list[float]:
        """Shares of the move that are a rise: what cannot fall must rise."""
        width = int(self.model.width[target])
        fall = int(self.slackness[target])
        if self.model.rise is not None and self.model.rise[target] < width:
            return [int(self.model.rise[target]) / width]
        first = (width - fall) / width if fall < width else (width - width // 2) / width
        return [first, 1.0] if first < 1 else [1.0]

    def _cheapest(self, block: Block, target: int, share: float, free: np.ndarray) -> np.ndarray | None:
        scope = block.variables
        slack = self.slackness[scope].astype(float)
        lower = -np.floor(slack / share + INTEGRALITY)
        upper = np.floor(slack / (1 - share) + INTEGRALITY) if share < 1 else np.full(len(scope), INFINITE)
        at = int(np.searchsorted(scope, target))
        lower[at] = upper[at] = self.model.width[target]
        cost = np.where(free[scope], IDLE_COST, self.cost[scope])
        cost[at] = 0.0
        moves = self.solver.least_moves(block, lower, upper, cost)
        if moves is None:
            return None
        return self._sparser(block, (lower, upper), cost, moves, free[scope])

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
            price = np.inf if other is None else cost[paid & (np.abs(other) > INTEGRALITY)].sum()
            if price >= best - INTEGRALITY:
                break
            moves, best = other, price
        return moves

    def _hide(self, variables: np.ndarray) -> None:
        self.pattern.hidden[variables[self.may_hide[variables]]] = True

    def _count(self, block: Block, moves: np.ndarray, share: float) -> bool:
        """Count the rise and the fall as two tables, if they are whole."""
        rise, fall = whole(moves * share), whole(moves * (share - 1))
        if rise is None or fall is None:
            return False
        return self._accept(block, rise) and self._accept(block, fall)

    def _accept(self, block: Block, moves: np.ndarray) -> bool:
        scope = block.variables
        allowed = np.where(self.free[scope] | self.idle[scope], -self.slackness[scope], 0)
        still = moves[~(self.free | self.idle)[scope]]
        if (moves < allowed).any() or still.any() or not balanced(block, moves):
            return False
        self.pattern.proofs.add(scope, moves)
        return True

    def _accept_near(self, block: Block, moves: np.ndarray, keep: int = -1) -> None:
        """Count moves, or whole ones near them that agree in one column."""
        result = whole(moves)
        if result is None:
            result = self.solver.repair(block, moves, -self.slackness[block.variables].astype(float), keep)
        if result is not None:
            self._accept(block, result)

    def certify(self, target: int, variables: np.ndarray, *, idle: bool = False) -> bool:
        """Whether the present pattern opens a cell, shown by whole-numbered tables over some variables.

        Args:
            idle: zero residuals may move too (the question is about one of them).
        """
        free = self.free | self.idle if idle else self.free
        scope = np.union1d(variables[free[variables]], [target])
        block = block_of(self.near.by_column, scope)
        width = int(self.model.width[target])
        at = int(np.searchsorted(scope, target))
        for integer in (False, True):
            if integer and len(scope) > LARGEST_CERTIFIED:
                return False
            for sign in (1.0, -1.0):
                lower, upper = -self.slackness[scope].astype(float), np.full(len(scope), INFINITE)
                upper[at], lower[at] = width, max(lower[at], -width)
                reward = np.zeros(len(scope))
                reward[at] = sign
                moves = self.solver.extreme(block, lower, upper, reward, integer=integer)
                if moves is not None:
                    self._accept_near(block, moves, at)
                if self._open(target):
                    return True
        return False

    def bulk(self, targets: np.ndarray, *, idle: bool = False) -> None:
        """Open as many unproven targets as can be at once, part by part, while that pays."""
        model, proofs = self.model, self.pattern.proofs
        for scope in self.near.components(self.free | self.idle if idle else self.free):
            block: Block | None = None
            poor = 0
            for number in range(ROUNDS):
                missing = np.flatnonzero(targets[scope] & (proofs.spread[scope] < model.width[scope]))
                if len(missing) < 3 or poor == POOR_ROUNDS:
                    break
                block = block or block_of(self.near.by_column, scope)
                cells = scope[missing]
                moves = push(
                    self.solver, block, self.slackness[scope], missing, proofs.down[cells], model.width[cells], number
                )
                if moves is not None:
                    self._accept_near(block, moves)
                left = np.count_nonzero(proofs.spread[cells] < model.width[cells])
                poor = poor + 1 if len(missing) - left < max(2, POOR * len(missing)) else 0

    def settle(self) -> None:
        """Every other hidden cell and residual: open, or surely large, or (a residual) surely nothing."""
        model, proofs = self.model, self.pattern.proofs
        for _ in range(50):
            doubtful = (self.pattern.hidden | model.residual) & (proofs.spread < model.width)
            doubtful &= ~self._plainly_harmless()
            self.bulk(doubtful & ~self.idle)
            self.bulk(doubtful & self.idle, idle=True)
            doubtful &= proofs.spread < model.width
            before = np.count_nonzero(self.pattern.hidden)
            for target in np.flatnonzero(doubtful).tolist():
                if not self._open(target) and not self._harmless(target):
                    self.open(target)
            if np.count_nonzero(self.pattern.hidden) == before:
                return
        raise DisclosureError("the pattern does not settle", code="disclosure.unprotected", remedy="coarsen the tables")

    def _plainly_harmless(self) -> np.ndarray:
        """Unknowns that single equations, one after another, show to be at k or above, or (residuals) to be nothing."""
        model = self.model
        unknown = self.free | self.idle
        fall, rise = propagate(self.near.by_row, unknown, self.slackness.astype(float))
        large = model.value - fall > model.k - 1 + INTEGRALITY
        return large | (model.residual & (model.value + rise < 1 - INTEGRALITY))

    def _harmless(self, target: int) -> bool:
        """A cell whose interval is narrow but holds no value of 1 … k−1 (or only the zero of a residual)."""
        model = self.model
        free = self.free | self.idle
        for scope in self._scopes(target, free):
            if self.certify(target, scope, idle=True):
                return True
        whole_scope = self.near.around(target, ALL, free, free)
        block = block_of(self.near.by_column, whole_scope)
        at = int(np.searchsorted(whole_scope, target))
        lower, upper = -self.slackness[whole_scope].astype(float), np.full(len(whole_scope), INFINITE)
        reward = np.zeros(len(whole_scope))
        reward[at] = 1.0 if self.idle[target] else -1.0
        upper[at] = model.width[target]
        moves = self.solver.extreme(block, lower, upper, reward)
        if moves is None:
            return False
        if self.idle[target]:
            return bool(moves[at] < 1 - INTEGRALITY)
        return bool(model.value[target] + moves[at] > model.k[target] - 1 + INTEGRALITY)

    def _scopes(self, target: int, free: np.ndarray) -> list[np.ndarray]:
        near = self.near.around(target, NEAR, free, free)
        return [near]


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
