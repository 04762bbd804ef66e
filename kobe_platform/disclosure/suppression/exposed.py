"""Finds the cells that former releases alone give away under the present rules, which no pattern can open any more.

Such a cell is no reason to publish nothing: what is asked of the pattern is that it leaves the cell the interval that
the former releases leave it (decision 0048). The auditor works the same out again, from published figures alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.released import Released
from kobe_platform.disclosure.suppression.neighbourhood import ALL
from kobe_platform.disclosure.suppression.programs import INFINITE, INTEGRALITY, block_of
from kobe_platform.disclosure.suppression.search import Suppressor

MOST_NODES = 2_000
"""Of an integer program that finds how far a cell can move; a cell for which it does not end counts as not exposed."""


def eased(model: Model, released: Released) -> Model | None:
    """The model in which an exposed cell needs no more width than former releases alone leave it; None: there is none.

    Args:
        released: what these fix; what they do not tell is unknown, whatever the present tables will show.
    """
    hidden = ~(released.told | model.known | model.residual | model.slack)
    outsider = _outsider(model, hidden, released.hidden)
    width = model.width.copy()
    for cell in _doubtful(outsider):
        left = _room(outsider, cell)
        if left is not None and left < model.width[cell]:
            width[cell] = left
    return replace(model, width=width) if (width < model.width).any() else None


def _outsider(model: Model, hidden: np.ndarray, known_positive: np.ndarray) -> Suppressor:
    """A search that hides nothing more: what it can prove is what an outsider cannot tell apart."""
    nothing = np.zeros(model.size, dtype=bool)
    lower = np.where(known_positive | model.slack, model.lower, 0)
    return Suppressor(replace(model, lower=lower), nothing, hidden, nothing, ~hidden)


def _doubtful(outsider: Suppressor) -> list[int]:
    """Unknown cells, and residuals, that are not plainly open or harmless."""
    model, proofs = outsider.model, outsider.pattern.proofs
    asked = (outsider.pattern.hidden | model.residual) & ~outsider.plainly_harmless()
    outsider.bulk(asked & ~outsider.idle)
    return [
        cell for cell in np.flatnonzero(asked & (proofs.spread < model.width)).tolist() if not outsider.harmless(cell)
    ]


def _room(outsider: Suppressor, cell: int) -> int | None:
    """How far apart the whole-numbered tables lie in which a cell is largest and smallest; None: not found out."""
    free = outsider.free | outsider.idle if outsider.idle[cell] else outsider.free
    scope = outsider.near.around(cell, ALL, free, free)
    block, at = block_of(outsider.near.by_column, scope), int(np.searchsorted(scope, cell))
    lower, upper = -outsider.slackness[scope].astype(float), np.full(len(scope), INFINITE)
    upper[at], room = outsider.model.width[cell], 0
    for sign in (1.0, -1.0):
        reward = np.zeros(len(scope))
        reward[at] = sign
        moves = outsider.solver.extreme(block, lower, upper, reward, integer=True, nodes=MOST_NODES)
        if moves is None:
            return None
        room += int(np.floor(abs(moves[at]) + INTEGRALITY))
    return room
