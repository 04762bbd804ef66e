"""The audit of magnitude tables: no hidden sum follows exactly.

Whoever reads published sums only cannot know how much room a hidden one needs, for that follows from contributions;
the publisher proves each protection level by two whole-numbered tables before anything is written. What can be
checked from outside is checked here: published sums do not contradict each other, and every hidden one can take two
values at least one unit apart (linear programs; sums are large, so what is between whole numbers does not matter).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from kobe_platform.disclosure.auditor.contradictions import place_of
from kobe_platform.disclosure.auditor.figures import Figures
from kobe_platform.disclosure.auditor.system import System, build_system, components
from kobe_platform.disclosure.spec import Spec

Found = list[tuple[str, int]]
ENDLESS, MOST_ITERATIONS = 1e30, 1_000_000


def audit_sums(spec: Spec, figures: Figures) -> Found:
    """Reasons to refuse magnitude tables."""
    system = build_system(spec, figures)
    if len(system.impossible):
        return [("contradiction", system.named(system.impossible))]
    found: Found = [("exact", cell) for cell in np.flatnonzero(figures.hidden & (figures.value >= 0)).tolist()]
    for unknowns, equations in components(system):
        found += _part(system, figures, unknowns, equations)
    return found


def intervals(system: System, unknowns: np.ndarray, equations: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Least and greatest value of every unknown of a connected part over all consistent tables; None: there is none."""
    import highspy

    matrix = sparse.csc_array(system.matrix[equations][:, unknowns])
    right, size = system.right[equations].astype(float), len(unknowns)
    highs = highspy.Highs()
    options: dict[str, bool | int | str] = {"output_flag": False, "presolve": "off", "threads": 1}
    for option, value in (options | {"simplex_iteration_limit": MOST_ITERATIONS}).items():
        highs.setOptionValue(option, value)
    highs.passModel(
        size, len(right), matrix.nnz, 1, 1, 0.0, np.zeros(size), system.lower[unknowns].astype(float),
        np.full(size, ENDLESS), right, right, matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32),
        matrix.data, np.zeros(size, np.int32),
    )  # fmt: skip
    least, most = np.full(size, -np.inf), np.full(size, np.inf)
    for at in range(size):
        for sign, found in ((1.0, least), (-1.0, most)):
            highs.changeColCost(at, sign)
            highs.run()
            status = highs.getModelStatus()
            if status == highspy.HighsModelStatus.kInfeasible:
                return None
            if status == highspy.HighsModelStatus.kOptimal:
                found[at] = np.array(highs.getSolution().col_value)[at]
            elif status != highspy.HighsModelStatus.kUnbounded:
                found[at] = np.nan
        highs.changeColCost(at, 0.0)
    return least, most


def _part(system: System, figures: Figures, unknowns: np.ndarray, equations: np.ndarray) -> Found:
    cells = system.cells[unknowns]
    ranges = intervals(system, unknowns, equations)
    if ranges is None:
        return [("contradiction", place_of(system.part(unknowns, equations)))]
    least, most = ranges
    found: Found = []
    for cell, low, high in zip(cells.tolist(), least, most, strict=True):
        if cell < 0 or figures.residual[cell]:
            continue
        if np.isnan(low) or np.isnan(high):
            found.append(("undecided", cell))
        elif high - low < 1 - 1e-6:
            found.append(("exact", cell))
    return found
