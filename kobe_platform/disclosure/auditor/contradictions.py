"""Figures that cannot all be true: where they contradict each other, and which of them can be believed together.

What no table agrees with says nothing of anybody, but a part of it does to an outsider who takes that part for true. So
a contradiction is never taken for safety: it is named by an equation that cannot hold, and figures from before a
correction are believed in sets that can be true, as large as they can be, until each stands in one or cannot be true.
"""

from __future__ import annotations

import highspy
import numpy as np
from scipy import sparse

from kobe_platform.disclosure.auditor.bounds import INFINITE, TOLERANCE, Contradiction, Part, Undecided
from kobe_platform.disclosure.auditor.presolve import Bounds
from kobe_platform.disclosure.auditor.system import System, components


def part_of(system: System, bounds: Bounds | None = None) -> Part:
    """A system as :class:`bounds.Part` takes it.

    Args:
        bounds: what single equations say of its unknowns (default: worked out).

    Raises:
        Contradiction: no table agrees with it. Undecided: none was found within the budget.
    """
    return Part(system.matrix, system.right, system.lower, system.cells != -1, system.cells == -2, bounds)


def place_of(system: System) -> int:
    """A cell of an equation that cannot hold together with the others; −1 where no table shows one.

    Of all the ways to let every equation miss its right side, a linear program takes the one that misses least.
    """
    height, width = system.matrix.shape
    matrix = sparse.hstack([system.matrix, sparse.eye_array(height), -sparse.eye_array(height)], format="csc")
    program, right = highspy.Highs(), system.right.astype(float)
    for option, value in (("output_flag", False), ("threads", 1), ("simplex_iteration_limit", 3_000_000)):
        program.setOptionValue(option, value)
    size = width + 2 * height
    program.passModel(
        size, height, matrix.nnz, 1, 1, 0.0, np.concatenate([np.zeros(width), np.ones(2 * height)]),
        np.concatenate([system.lower.astype(float), np.zeros(2 * height)]), np.full(size, INFINITE), right, right,
        matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data.astype(float),
        np.zeros(size, np.int32),
    )  # fmt: skip
    program.run()
    missed = np.array(program.getSolution().col_value)[width:].reshape(2, -1).sum(axis=0)
    wrong = np.flatnonzero(missed > TOLERANCE)
    others = np.setdiff1d(np.arange(height), wrong)
    return system.named(system.numbers[np.concatenate([wrong, others])])


def believable(system: System, unknowns: np.ndarray, values: np.ndarray) -> tuple[list[System], np.ndarray]:
    """Values of some unknowns, known in sets that can be true.

    Returns:
        A system for each set, with its values known. Which of the unknowns can have their value in no table.
    """
    found: list[System] = []
    left = everything = np.arange(len(unknowns))
    while len(left):
        chosen = _together(system, unknowns, values, left, left[:0])
        if not len(chosen):
            break
        both = _together(system, unknowns, values, np.setdiff1d(everything, left), chosen)
        found += [told] if (told := system.told(unknowns[both], values[both])) else []
        left = np.setdiff1d(left, chosen)
    return found, unknowns[left]


def _together(
    system: System, unknowns: np.ndarray, values: np.ndarray, added: np.ndarray, held: np.ndarray
) -> np.ndarray:
    """``held`` and as many of ``added`` (positions) as can be true together: all, or else of each half in turn."""
    both = np.concatenate([held, added])
    if not len(added) or _can_be(system.told(unknowns[both], values[both])):
        return both
    if len(added) == 1:
        return held
    first, second = np.array_split(added, 2)
    return _together(system, unknowns, values, second, _together(system, unknowns, values, first, held))


def _can_be(system: System | None) -> bool:
    """Whether some table agrees with a system, or none was found within the budget: then it may."""
    if system is None:
        return False
    for unknowns, equations in components(system):
        try:
            part_of(system.part(unknowns, equations))
        except Contradiction:
            return False
        except Undecided:
            continue
    return True
