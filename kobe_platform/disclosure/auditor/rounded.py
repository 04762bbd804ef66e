"""The audit of rounded tables: multiples of the base that add up, and room of at least base − 1 around every one.

An outsider knows that every count lies less than the base from its figure (where the publisher had to go further,
his belief is false and leads him astray) and that counts add up. Then the interval that follows for a figure v is
exactly [max(0, v − base + 1), v + base − 1]: taking v itself as the table of counts, base − 1 persons may be added
to any finest cell and to all that count it, and as many taken from one that shows something; no figure is passed by
a whole base. That the figures add up, and that such moves keep all equations, is computed here from the
specification, not assumed.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import sparse

from kobe_platform.disclosure.auditor.figures import Figures
from kobe_platform.disclosure.auditor.system import build_system
from kobe_platform.disclosure.auditor.unit_moves import unit_moves
from kobe_platform.disclosure.spec import Spec

Found = list[tuple[str, int]]
"""Rule and cell."""


def audit_rounded(spec: Spec, figures: Figures) -> Found:
    """Reasons to refuse rounded tables."""
    bases = np.ones(len(figures.value), dtype=np.int64)
    needed = np.zeros(len(figures.value), dtype=np.int64)
    for table in spec.tables:
        cells = figures.rows[table.name]["cell"].to_numpy()
        assert table.base is not None
        bases[cells] = table.base
        needed[cells] = max(table.interval_width or 0, table.rule(spec.rule).minimum_frequency - 1)
    found: Found = [("hidden", cell) for cell in np.flatnonzero(figures.hidden).tolist()]
    known = figures.value >= 0
    found += [("unrounded", cell) for cell in np.flatnonzero(known & (figures.value % bases != 0)).tolist()]
    unknown = dataclasses.replace(figures, value=np.full(len(figures.value), -1))
    system = build_system(spec, unknown)
    matrix = system.matrix.astype(np.int64)
    found += _sums(matrix, system.cells, figures, bases)
    moves = unit_moves(spec, figures)
    if (matrix @ moves[system.cells]).count_nonzero():
        found.append(("undecided", 0))
    uncounted = np.diff(moves.indptr) == 0
    found += [("undecided", cell) for cell in np.flatnonzero(uncounted).tolist()]
    narrow = known & (bases - 1 < needed)
    return found + [("narrow", cell) for cell in np.flatnonzero(narrow).tolist()]


def _sums(matrix: sparse.csr_array, cells: np.ndarray, figures: Figures, bases: np.ndarray) -> Found:
    """Equations that do not hold; a residual that one equation leaves open is what it must be, if that can be."""
    value = figures.value[cells].copy()
    found: Found = []
    open_rows = np.arange(matrix.shape[0])
    while True:
        lacking = np.zeros(matrix.shape[1], dtype=np.int64)
        lacking[value < 0] = 1
        number = abs(matrix) @ lacking
        sums = matrix @ np.where(value < 0, 0, value)
        wrong = open_rows[(number[open_rows] == 0) & (sums[open_rows] != 0)]
        if len(wrong):
            return [("contradiction", int(cells[matrix.indices[matrix.indptr[row]]])) for row in wrong.tolist()]
        single = open_rows[number[open_rows] == 1]
        if not len(single):
            break
        for row in single.tolist():
            part = slice(matrix.indptr[row], matrix.indptr[row + 1])
            members, signs = matrix.indices[part], matrix.data[part]
            gap = value[members] < 0
            if gap.sum() != 1:
                continue
            derived = int(-(signs[~gap] * value[members[~gap]]).sum() * signs[gap][0])
            at = int(cells[members[gap][0]])
            if derived < 0:
                return [("contradiction", at)]
            value[members[gap][0]] = derived
    return found
