"""Hides more of magnitude tables until no contributor learns another's part from hidden cells taken together.

Every sensitive sum can move by its level already; here each contributor, who knows his own part, is asked besides. What
is hidden once stays hidden, so a table that was found for one of them stays a proof.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from kobe_platform.disclosure.methods.contributions import (
    Demand,
    Holdings,
    dominated,
    estimates,
    holdings,
    rising,
    unions,
)
from kobe_platform.disclosure.spec import Rule
from kobe_platform.disclosure.suppression.cell_protection import IDLE_COST
from kobe_platform.disclosure.suppression.neighbourhood import ALL, NEAR, WIDE
from kobe_platform.disclosure.suppression.programs import INFINITE, INTEGRALITY, block_of
from kobe_platform.disclosure.suppression.search import Suppressor
from kobe_platform.errors import DisclosureError

MOST_KEPT = 200
"""Tables that are kept as answers to further questions."""


class Contributors:
    """The demands of the contributors of one pattern."""

    def __init__(self, search: Suppressor) -> None:
        self.search = search
        self.tables: list[np.ndarray] = []
        self._free, self._parts = np.zeros(0, dtype=bool), list[np.ndarray]()

    def guard(self, cells: Mapping[str, pl.DataFrame]) -> None:
        """Hide until every demand has its table.

        What is hidden for one has contributors of its own, who know their part of it: so it goes on until nothing more
        is hidden.

        Raises:
            DisclosureError: a demand cannot be met (coordinates: table and codes).
        """
        model, pattern = self.search.model, self.search.pattern
        rules = {name: layout.table.rule(model.spec.rule) for name, layout in model.layouts.items()}
        own = {
            name: holdings(layout, cells[name])
            for name, layout in model.layouts.items()
            if rules[name].p_percent or rules[name].dominance
        }
        hidden = -1
        while hidden != int(pattern.hidden.sum()):
            hidden = int(pattern.hidden.sum())
            among = np.flatnonzero(pattern.hidden | model.residual)
            for name, parts in own.items():
                rule = rules[name]
                if rule.p_percent:
                    for together, apart in estimates(model, rule, parts, among):
                        if not self.met(together):
                            self._meet_all(apart)
                if rule.dominance:
                    self._meet_all(list(dominated(model, rule, parts, among)))
                    self._meet_unions(rule, parts)
            self.search.settle()

    def _meet_all(self, demands: list[Demand]) -> None:
        for demand in demands:
            if not self.met(demand):
                self.meet(demand)

    def _meet_unions(self, rule: Rule, own: Holdings) -> None:
        for part in self._hidden_parts():
            for cells, need in unions(rule, own, np.intersect1d(own.finest, part)):
                value = self.search.model.value[cells].sum(axis=1)
                left = need > value
                for table in self.tables:
                    left &= need > value + table[cells].sum(axis=1) + INTEGRALITY
                while left.any():
                    at = int(np.argmax(np.where(left, need - value, -1)))
                    if not self._reached(part, cells[at], int(need[at] - value[at])):
                        self._raise(cells[at], int(need[at]))
                    left[at] = False
                    left &= need > value + self.tables[0][cells].sum(axis=1) + INTEGRALITY

    def _reached(self, part: np.ndarray, cells: np.ndarray, rise: int) -> bool:
        """Whether some cells of one part come to so much more in a table of the present pattern."""
        search, model = self.search, self.search.model
        upper, reward = np.full(len(part), INFINITE), np.zeros(len(part))
        at = np.searchsorted(part, cells)
        upper[at], reward[at] = rise, 1.0
        falls = (model.value - model.lower)[part].astype(float)
        moves = search.solver.extreme(block_of(search.near.by_column, part), -falls, upper, reward)
        if moves is None or moves[at].sum() < rise - INTEGRALITY:
            return False
        self._keep(part, moves)
        return True

    def _raise(self, cells: np.ndarray, need: int) -> None:
        """Hide until some cells come to what is needed, one of them rising for all.

        Raises:
            DisclosureError: none of them can.
        """
        chosen = cells.tolist()
        for turn in range(len(chosen)):
            try:
                self.meet(rising(self.search.model, (*chosen[turn:], *chosen[:turn]), need, {}))
            except DisclosureError:
                if turn == len(chosen) - 1:
                    raise
            else:
                return

    def met(self, demand: Demand) -> bool:
        """Whether a table of the present pattern does what is demanded."""
        model, search = self.search.model, self.search
        rise = demand.amount - int(model.value[demand.variable])
        falls = self._falls(demand)
        for table in self.tables:
            if table[demand.variable] >= rise - INTEGRALITY and (table >= -falls - INTEGRALITY).all():
                return True
        if rise <= 0:
            return True
        scope = self._hidden_around(demand.variable)
        if scope is None:
            return False
        block = block_of(search.near.by_column, scope)
        upper, reward = np.full(len(scope), INFINITE), np.zeros(len(scope))
        at = int(np.searchsorted(scope, demand.variable))
        upper[at], reward[at] = rise, 1.0
        moves = search.solver.extreme(block, -falls[scope], upper, reward)
        if moves is None or moves[at] < rise - INTEGRALITY:
            return False
        self._keep(scope, moves)
        return True

    def meet(self, demand: Demand) -> None:
        """Hide what the cheapest table needs that does what is demanded.

        Raises:
            DisclosureError: there is none.
        """
        search, model = self.search, self.search.model
        falls = self._falls(demand)
        free = search.free | search.idle
        for reach in (NEAR, WIDE, ALL):
            scope = search.near.around(demand.variable, reach, free, free | search.may_hide)
            scope = np.union1d(scope, [demand.variable])
            block = block_of(search.near.by_column, scope)
            at = int(np.searchsorted(scope, demand.variable))
            lower, upper = -falls[scope], np.full(len(scope), INFINITE)
            lower[at] = upper[at] = demand.amount - int(model.value[demand.variable])
            cost = np.where(free[scope], IDLE_COST, search.cost[scope])
            cost[at] = 0.0
            moves = search.cheapest_within(block, (lower, upper), cost, free[scope])
            if moves is not None:
                search.hide(scope[np.abs(moves) > INTEGRALITY])
                self._keep(scope, moves)
                return
        raise DisclosureError(
            "one contributor's part would follow too closely",
            code="disclosure.unprotected",
            at=model.where(demand.variable),
            remedy="coarsen the table, or gather contributors",
        )

    def _falls(self, demand: Demand) -> np.ndarray:
        """How far each variable can fall for who knows his own part."""
        model = self.search.model
        falls = (model.value - model.lower).astype(float)
        falls[demand.cells] = np.minimum(falls[demand.cells], model.value[demand.cells] - demand.least)
        return falls

    def _hidden_around(self, variable: int) -> np.ndarray | None:
        """What is not shown and hangs together with a variable (None: it is shown)."""
        return next((part for part in self._hidden_parts() if np.isin(variable, part)), None)

    def _hidden_parts(self) -> list[np.ndarray]:
        """What is not shown, by what hangs together."""
        free = self.search.free | self.search.idle
        if not np.array_equal(free, self._free):
            self._free, self._parts = free, self.search.near.components(free)
        return self._parts

    def _keep(self, scope: np.ndarray, moves: np.ndarray) -> None:
        table = np.zeros(self.search.model.size)
        table[scope] = moves
        self.tables = [table, *self.tables[: MOST_KEPT - 1]]
