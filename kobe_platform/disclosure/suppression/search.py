"""Secondary suppression for a whole model: hides further cells until every primary cell is open.

A cell is open when its feasibility interval has the required width. Cells whose interval is plainly too narrow are
opened first, then many are proven open at once, then the rest are opened one by one (:mod:`cell_protection`);
suppressions that have become superfluous are undone. A cell that cannot be opened is an error: there is no pattern.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.suppression.bulk_proofs import POOR, POOR_ROUNDS, ROUNDS, push
from kobe_platform.disclosure.suppression.cell_protection import Pattern
from kobe_platform.disclosure.suppression.neighbourhood import NEAR
from kobe_platform.disclosure.suppression.outsiders import Outsiders
from kobe_platform.disclosure.suppression.programs import INTEGRALITY, Block, block_of, propagate
from kobe_platform.disclosure.suppression.sorted_sets import distinct, gather, union
from kobe_platform.errors import DisclosureError

Progress = Callable[[str, int, int], None]
BULK_AFTER = 100
"""Cells opened one by one before many are tried at once again."""
FEWEST_AT_ONCE = 3
"""So many unproven targets of a part are worth a program for many at once."""
MANY_JOINT = 500
MOST_TIDIED, FEW_LACKING, MANY_LACKING = 1_000, 6, 100
"""Targets that may lose their proof when a cell is shown again, in :meth:`Suppressor.tidy` and in a round of
:meth:`Suppressor.improve`; to prove more of them anew costs more than a cell is worth."""
ROUNDS_A_CELL, MOST_SHOWN = 3, 4
"""Rounds of :meth:`Suppressor.improve` for each complementary cell at most; cells shown beside it in each."""
MOST_COLUMNS, TIMES_COLUMNS = 400_000, 10
"""Without a number of rounds, they go on until the programs of the whole search have had so many columns, or so many
times those of the first pattern."""
UNEVEN, DEARER = 0.4, 3.0
"""Standard deviation of the logarithm by which costs are drawn for a round, and how much dearer its cell is."""


class Suppressor(Outsiders):
    """Searches one model's pattern.

    Args:
        primary: cells that a rule hides; ratchet: cells that stay hidden because they were.
        preferred: cells that cost less (last month's pattern); begin: those of them that are hidden from the start
            where few enough to be tidied up (default: all).
        immovable: cells that must stay published.
        secondaries: whether complementary suppressions must be open themselves (the audit demands it).
        proven: cells that were open when their tables were published (default: none). They are opened where they have
            become plainly narrow; whether the others still are open is left to the audit, which must follow.
        weights: factor of what it costs to hide each cell for others (default: 1).

    Attributes:
        carried: number of complementary cells that are hidden from the start.
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
        proven: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> None:
        super().__init__(model, primary, ratchet, preferred, immovable)
        if weights is not None:
            self.cost = self.cost * weights
        self.secondaries, self.progress = secondaries, progress
        self.proven = np.zeros(model.size, dtype=bool) if proven is None else proven
        start = (preferred if begin is None else begin) & self.may_hide & (model.value > 0) & ~self.pattern.hidden
        self.carried = np.count_nonzero(start) if np.count_nonzero(start) <= MOST_TIDIED else 0
        if self.carried:
            self.pattern.hidden |= start

    def run(self) -> Pattern:
        """Hide until every primary cell and every residual is open, then make sure of all the others.

        Raises:
            DisclosureError: a cell cannot be opened (coordinates: table and codes).
        """
        self.first_pattern()
        return self.finish()

    @property
    def targets(self) -> np.ndarray:
        """What must be open: primary cells, and residuals of 1 … k−1."""
        model = self.model
        return self.pattern.primary | (model.residual & (model.value > 0) & (model.value < model.k))

    def first_pattern(self) -> None:
        """Hide until every target is open: most of what the whole search will hide."""
        self.protect(self.targets, "primary")

    def finish(self) -> Pattern:
        """Hide less where that can be had, then make sure of every other hidden cell and residual."""
        self.improve(self.targets & (self.pattern.proofs.spread >= self.model.width))
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
        self._open_each(targets & ~self.proven, stage, bulk=True)
        self.tidy(targets & (proofs.spread >= model.width))

    @property
    def complementary(self) -> np.ndarray:
        """Hidden cells that may be shown again, by number."""
        return np.flatnonzero(self._is_complementary)

    @property
    def _is_complementary(self) -> np.ndarray:
        return self.pattern.hidden & ~self.pattern.primary & ~self.ratchet

    def improve(self, targets: np.ndarray) -> None:
        """Hide less: show what is hidden around a cell, open the targets at other costs, keep what is no dearer.

        A large neighbourhood search (Shaw 1998). The draws are the same for the same table, and so is the work.
        """
        if len(self.complementary) > MOST_TIDIED:
            return
        drawn, wanted = np.random.default_rng(0), self.model.spec.costs.rounds
        most = ROUNDS_A_CELL * len(self.complementary)
        rounds = most if wanted is None else min(wanted, most)
        columns = min(MOST_COLUMNS, TIMES_COLUMNS * self.solver.columns) if wanted is None else np.inf
        for done in range(rounds):
            cells = self.complementary
            if not len(cells) or self.solver.columns > columns:
                return
            self._once_more(targets, int(drawn.choice(cells)), drawn)
            if self.progress and done % 50 == 0:
                self.progress("fewer cells", done, rounds)

    def _once_more(self, targets: np.ndarray, cell: int, drawn: np.random.Generator) -> None:
        """One round of :meth:`improve`, around a complementary cell."""
        pattern, proofs, cost = self.pattern, self.pattern.proofs, self.cost
        state, hidden, price = proofs.snapshot(), pattern.hidden.copy(), cost[self.complementary].sum()
        near = distinct(self._sharing_an_equation(cell))
        near = near[self._is_complementary[near]]
        near = union(drawn.permutation(near)[:MOST_SHOWN], np.array([cell]))
        pattern.hidden[near] = False
        proofs.withdraw(proofs.moving(*near.tolist()))
        lacking = targets & (proofs.spread < self.model.width)
        if np.count_nonzero(lacking) > MANY_LACKING:
            pattern.hidden[:] = hidden
            proofs.restore(state)
            return
        self.cost = cost * np.exp(drawn.normal(0, UNEVEN, self.model.size))
        self.cost[cell] *= DEARER
        try:
            self._open_each(lacking, "primary")
            opened = True
        except DisclosureError:
            opened = False
        finally:
            self.cost = cost
        if opened:
            self.tidy(targets, np.flatnonzero(pattern.hidden & ~hidden))
        if not opened or cost[self.complementary].sum() > price:
            pattern.hidden[:] = hidden
            proofs.restore(state)

    def _sharing_an_equation(self, cell: int) -> np.ndarray:
        rows = gather(self.near.by_column, np.array([cell]))
        return gather(self.near.by_row, rows) if len(rows) else np.array([cell])

    def tidy(self, targets: np.ndarray, among: np.ndarray | None = None) -> None:
        """Show again what others have made superfluous: dearest first, wherever every target can still be proven.

        Args:
            among: the cells to look at, sorted (default: all complementary ones).
        """
        pattern, proofs, model = self.pattern, self.pattern.proofs, self.model
        extra = self.complementary if among is None else among[self._is_complementary[among]]
        if len(extra) > MOST_TIDIED or proofs.count > MOST_TIDIED:
            return
        for cell in extra[np.lexsort((extra, -self.cost[extra]))].tolist():
            if not self._superfluous(cell):
                continue
            state = proofs.snapshot()
            pattern.hidden[cell] = False
            shrunk = proofs.withdraw(proofs.moving(cell))
            lacking = shrunk[targets[shrunk] & (proofs.spread_of(shrunk) < model.width[shrunk])]
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

    def bulk(self, targets: np.ndarray, *, idle: bool = False) -> None:
        """Open as many unproven targets as can be at once, part by part, while that pays."""
        model, proofs = self.model, self.pattern.proofs
        lacking = targets & (proofs.spread < model.width)
        for scope in self.near.components(self.free | self.idle if idle else self.free):
            if np.count_nonzero(lacking[scope]) < FEWEST_AT_ONCE:
                continue
            block: Block | None = None
            poor, inner = 0, np.count_nonzero(model.joint[scope]) >= MANY_JOINT
            for number in range(ROUNDS):
                missing = np.flatnonzero(targets[scope] & (proofs.spread_of(scope) < model.width[scope]))
                if len(missing) < FEWEST_AT_ONCE or poor == POOR_ROUNDS:
                    break
                block = block or block_of(self.near.by_column, scope)
                cells = scope[missing]
                moves = push(
                    self.solver, block, self.slackness[scope], missing, proofs.down[cells], model.width[cells], number,
                    inner=bool(inner),
                )  # fmt: skip
                if moves is not None:
                    self._accept_near(block, moves)
                left = np.count_nonzero(proofs.spread_of(cells) < model.width[cells])
                poor = poor + 1 if len(missing) - left < max(2, POOR * len(missing)) else 0

    def settle(self) -> None:
        """Every other hidden cell and residual: open, or surely large, or (a residual) surely nothing."""
        model, proofs = self.model, self.pattern.proofs
        for _ in range(50):
            doubtful = (self.pattern.hidden | model.residual) & (proofs.spread < model.width)
            doubtful &= ~(self.plainly_harmless() | self.proven)
            self.bulk(doubtful & ~self.idle)
            self.bulk(doubtful & self.idle, idle=True)
            doubtful &= proofs.spread < model.width
            before = np.count_nonzero(self.pattern.hidden)
            for target in np.flatnonzero(doubtful).tolist():
                if not self._open(target) and not self.harmless(target):
                    self.widen(target) if self.filled[target] else self.open(target)
            if np.count_nonzero(self.pattern.hidden) == before:
                return
        raise DisclosureError("the pattern does not settle", code="disclosure.unprotected", remedy="coarsen the tables")

    def plainly_harmless(self) -> np.ndarray:
        """Unknowns that single equations, one after another, show to be at k or above, or (residuals) to be nothing."""
        model = self.model
        unknown = self.free | self.idle
        fall, rise = propagate(self.near.by_row, unknown, self.reach.astype(float))
        large = model.value - fall > model.k - 1 + INTEGRALITY
        return large | (model.residual & (model.value + rise < 1 - INTEGRALITY))
