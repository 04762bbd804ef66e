"""Judges narrow cells for two kinds of attacker: one knows how residuals are filled up, the other does not.

The first knows that a residual is 0 or at least k. The other takes any count from 0 on as possible. A count is
protected from both: hidden cells by proofs that hold for the one and so for the other; residuals that are none or k or
more, of which the first learns nothing small, by the interval that the other is left with.
"""

from __future__ import annotations

import numpy as np

from kobe_platform.disclosure.suppression.cell_protection import LARGEST_WHOLE, CellProtector
from kobe_platform.disclosure.suppression.extremes import Extremes
from kobe_platform.disclosure.suppression.neighbourhood import ALL, NEAR, WIDE
from kobe_platform.disclosure.suppression.programs import INTEGRALITY, Block, balanced, block_of, whole


class Outsiders(CellProtector):
    """A pattern's narrow cells, judged for both outsiders and opened for the one who needs it."""

    _kept: tuple[Extremes, ...] = ()

    @property
    def filled(self) -> np.ndarray:
        """Residuals that are none or at least k."""
        model = self.model
        return model.residual & ((model.value == 0) | (model.value >= model.k))

    def harmless(self, target: int) -> bool:
        """A cell whose interval is narrow but holds no value of 1 … k−1 (or only the zero of a residual).

        So it must be for both. The one knows a residual that cannot rise to be k or more, and one that cannot reach k
        to be nobody. To the other it may be anything that the figures leave, and that is no less than its width.
        """
        if self._tells_nothing_small(target, self.reach):
            return True
        if (self.filled[target] or self._tells_nothing_small(target, self.slackness)) and self._wide(target):
            return True
        free = self.free | self.idle
        return self.certify(target, self.near.around(target, NEAR, free, free), idle=True)

    def widen(self, target: int) -> None:
        """Hide what a residual needs to have its width for the outsider who does not know how it was filled up.

        His tables let every residual fall to zero, so they prove nothing of other cells. Where the cheap way to whole
        numbers finds none (:meth:`_wide`), an integer program looks for them among what is hidden, before more is.
        """
        free = self.free | self.idle
        if self._wide_in_whole_numbers(target):
            return
        for reach in (NEAR, WIDE, ALL):
            scope = self.near.around(target, reach, free, free | self.may_hide)
            block = block_of(self.near.by_column, scope)
            for share in self._shares(target):
                moves = self._cheapest(block, target, share, free, falls=self.reach)
                if moves is None:
                    continue
                self.hide(scope[np.abs(moves) > INTEGRALITY])
                if _two_tables(block, moves, share) or self._wide(target):
                    return
        if not self._wide_in_whole_numbers(target):
            self.open(target)

    def _shares(self, target: int) -> list[float]:
        """Shares of the move that are a rise: none where there is enough to fall, half, all of it."""
        width, fall = int(self.model.width[target]), int(self.reach[target])
        return [0.0, (width - width // 2) / width, 1.0] if fall >= width else self._splits(target)

    def _tells_nothing_small(self, target: int, falls: np.ndarray) -> bool:
        """Whether no value of 1 … k−1 is left for a cell where every unknown falls by as much at most."""
        model = self.model
        if not self.idle[target] and model.value[target] < model.k[target]:
            return False
        free = self.free | self.idle
        scope = self.near.around(target, ALL, free, free)
        at, extremes = int(np.searchsorted(scope, target)), self._extremes_of(scope, falls)
        if self.idle[target]:
            return extremes.stays(at, 1 - INTEGRALITY)
        return extremes.stays(at, float(model.k[target] - 1 - model.value[target]) + INTEGRALITY)

    def _extremes_of(self, scope: np.ndarray, falls: np.ndarray) -> Extremes:
        """The programs over a scope, those of the last question where it was the same."""
        for kept in self._kept:
            if np.array_equal(kept.block.variables, scope) and np.array_equal(kept.falls, falls[scope]):
                return kept
        differences = self.model.slack[scope] & ~self.model.joint[scope]
        made = Extremes(block_of(self.near.by_column, scope), falls[scope], differences)
        self._kept = (made, *self._kept[:1])
        return made

    def _wide(self, target: int) -> bool:
        """Whether whole tables leave a cell its width for who does not know how residuals are filled up."""
        free, blocks = self.free | self.idle, []
        for reach in (NEAR, ALL):
            scope = self.near.around(target, reach, free, free)
            block = block_of(self.near.by_column, scope)
            blocks.append(block)
            for share in self._shares(target):
                moves = self._cheapest(block, target, share, free, falls=self.reach)
                if moves is not None and _two_tables(block, moves, share):
                    return True
        # The farthest rise and fall cost more to find, and are seldom needed.
        return any(self._spread(block, target) >= self.model.width[target] for block in blocks)

    def _wide_in_whole_numbers(self, target: int) -> bool:
        """:meth:`_wide` by integer programs, where these are not too large."""
        free = self.free | self.idle
        for reach in (NEAR, WIDE, ALL):
            scope = self.near.around(target, reach, free, free)
            if len(scope) > LARGEST_WHOLE:
                return False
            if self._spread(block_of(self.near.by_column, scope), target, integer=True) >= self.model.width[target]:
                return True
        return False

    def _spread(self, block: Block, target: int, *, integer: bool = False) -> int:
        """Width that the farthest rise and the farthest fall leave, each made whole."""
        scope, spread = block.variables, 0
        at, lower = int(np.searchsorted(scope, target)), -self.reach[scope].astype(float)
        for sign in (1.0, -1.0):
            lowest = -int(self.model.width[target])
            moves = self._farthest(block, at, self.reach, sign, lowest=lowest, integer=integer)
            table = None if moves is None else self._whole_near(block, moves, self.reach, at)
            if table is not None and (table >= lower).all() and balanced(block, table):
                spread += abs(int(table[at]))
        return spread


def _two_tables(block: Block, moves: np.ndarray, share: float) -> bool:
    """Whether a move's rise and fall are whole tables."""
    tables = whole(moves * share), whole(moves * (share - 1))
    return all(table is not None and balanced(block, table) for table in tables)
