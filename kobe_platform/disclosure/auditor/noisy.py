"""The audit of tables under the cell-key method: no small figure, and room around every one.

An outsider knows the largest change D: a count lies within D of its figure, is at least 1 where a figure is shown
and at most D where 0 is. The figures do not add up, but the true counts do, and that narrows them. The auditor
looks for a table of counts that stands in all these bounds with room for W above each: then adding up to W persons
to any finest cell, and to all figures that count it, is consistent too (:mod:`unit_moves` shows that such moves
keep the equations), so every figure's interval is at least W wide. W is the table's own ``interval_width``, else 1:
never exact. What a single figure tells by itself, the perturbation table bounds (``most_certain``), computed here
from the parameters.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsqr

from kobe_platform.disclosure.auditor.figures import Figures
from kobe_platform.disclosure.auditor.system import build_system
from kobe_platform.disclosure.auditor.unit_moves import unit_moves
from kobe_platform.disclosure.spec import Spec

Found = list[tuple[str, int]]
ENDLESS = 1e30
ROUNDS = 400
INSIDE, TOLERANCE = 0.05, 1e-6


def audit_noisy(spec: Spec, figures: Figures) -> Found:
    """Reasons to refuse tables with noise."""
    most = np.zeros(len(figures.value), dtype=np.int64)
    width = np.ones(len(figures.value), dtype=np.int64)
    for table in spec.tables:
        cells = figures.rows[table.name]["cell"].to_numpy()
        assert table.noise is not None
        most[cells] = table.noise.most
        width[cells] = np.maximum(width[cells], table.interval_width or 1)
    value = figures.value
    found: Found = [("hidden", cell) for cell in np.flatnonzero(figures.hidden).tolist()]
    small = (value > 0) & (value < figures.k) & ~figures.residual
    found += [("small", cell) for cell in np.flatnonzero(small).tolist()]
    if found:
        return found
    low = np.where(value > 0, np.maximum(1, value - most), 0)
    high = np.where(value < 0, ENDLESS, value + most)
    system = build_system(spec, dataclasses.replace(figures, value=np.full(len(value), -1)))
    moves = unit_moves(spec, figures)
    still = system.matrix.astype(np.int64) @ moves[system.cells]
    if still.count_nonzero() or (np.diff(moves.indptr) == 0).any():
        return [("undecided", 0)]
    narrow = np.flatnonzero(high - width < low)
    if len(narrow):
        return [("narrow", cell) for cell in narrow.tolist()]
    room = high - width
    lacking = _outside(moves, low.astype(float), np.where(high < ENDLESS, room, ENDLESS).astype(float))
    return [("undecided", cell) for cell in lacking.tolist()]


def _outside(moves: sparse.csr_array, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Cells out of bounds in the table that was found; none when it stands in all bounds, which is the proof.

    Alternating projections (von Neumann; Bregman 1965): what the bounds ask of the sums, then the sums nearest to that.
    They meet where the bounds leave room; where they do not, nothing is proven and the cells count as unsafe.
    """
    inner = np.minimum(INSIDE, (high - low) / 4)
    table = np.clip((low + np.minimum(high, low + 1)) / 2, low, high)
    people = np.zeros(moves.shape[1])
    matrix = sparse.csr_array(moves.astype(float))
    for _ in range(ROUNDS):
        people = lsqr(matrix, table - matrix @ people, atol=1e-7, btol=1e-7)[0] + people
        table = matrix @ people
        wrong = (table < low - TOLERANCE) | (table > high + TOLERANCE)
        if not wrong.any():
            break
        table = np.clip(table, low + inner, np.maximum(high - inner, low + inner))
    return np.flatnonzero(wrong)
