"""Rounds every figure to a neighbouring multiple of a base so that the tables still add up (controlled rounding).

Zero-restricted controlled rounding (Cox 1987; Salazar-González 2006; Hundepool et al. 2012, chapter 5): a multiple
of the base stays, everything else goes down or up to the next one. For one hierarchy beside a flat column such a
rounding always exists and a linear program finds it; in three and more dimensions it may not, and is hard to find.
Then figures go up to one further step (less than two bases from the count), as few as the search finds, and their
number is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kobe_platform.disclosure.methods.rounding_search import exchange
from kobe_platform.disclosure.model import Model
from kobe_platform.errors import DisclosureError

INTEGRALITY = 1e-6
FURTHER = 50.0
"""What a further step costs, in units of the ordinary distance."""
MOST_ITERATIONS = 60_000
MOST_NODES = 200
WHOLE_AT_ONCE = 4_000
FEW_DIMENSIONS = 3


@dataclass(frozen=True)
class Rounded:
    """Published figure of every variable, and how many non-zero ones took the further step."""

    value: np.ndarray
    further: int
    programs: int


def round_model(model: Model, base: int) -> Rounded:
    """Round every variable of a model to ``base``.

    Raises:
        DisclosureError: no additive rounding was found (nothing can be published then).
    """
    free = np.flatnonzero(model.value > 0)
    problem = _Problem(sparse.csc_array(model.equations)[:, free], model.value[free], base)
    steps = None
    if max(len(layout.trees) for layout in model.layouts.values()) <= FEW_DIMENSIONS or len(model.layouts) > 1:
        steps = problem.by_programs()
    if (steps is None or problem.further(steps)) and len(model.layouts) == 1:
        found = exchange(next(iter(model.layouts.values())), model.value, base)
        other = None if found is None else found[free]
        if other is not None and (steps is None or problem.further(other) < problem.further(steps)):
            steps = other
    if steps is None or not problem.holds(steps):
        raise DisclosureError(
            "no additive rounding was found",
            code="disclosure.unprotected",
            at={"table": next(iter(model.layouts)), "base": base},
            remedy="take a larger base, or round the tables in populations of their own",
        )
    value = np.zeros(model.size, dtype=np.int64)
    value[free] = steps * base
    return Rounded(value, problem.further(steps), problem.programs)


class _Problem:
    """``equations @ y == 0`` for whole y near counts / base."""

    def __init__(self, equations: sparse.csc_array, counts: np.ndarray, base: int) -> None:
        self.equations, self.counts, self.base = equations, counts, base
        self.down = counts // base
        self.up = -(-counts // base)
        self.programs = 0

    def holds(self, steps: np.ndarray) -> bool:
        """Whether steps are additive, not negative and less than two bases from the counts."""
        near = np.abs(steps * self.base - self.counts) < 2 * self.base
        return bool(near.all() and (steps >= 0).all() and not (self.equations.astype(np.int64) @ steps).any())

    def further(self, steps: np.ndarray) -> int:
        """How many figures are neither of the count's two neighbouring multiples."""
        return int(((steps < self.down) | (steps > self.up)).sum())

    def by_programs(self) -> np.ndarray | None:
        """The nearest rounding by a linear program, its fractions made whole by integer ones around them."""
        if not len(self.counts):
            return np.empty(0, dtype=np.int64)
        everything = np.arange(len(self.counts))
        solution = self._solve(everything, np.zeros(self.equations.shape[0]), integer=False)
        if solution is None:
            return None
        steps = _whole(solution)
        if steps is None:
            steps = self._mended(solution)
        return steps

    def _mended(self, solution: np.ndarray) -> np.ndarray | None:
        by_row = self.equations.tocsr()
        region = np.flatnonzero(np.abs(solution - np.rint(solution)) > INTEGRALITY)
        for ties in (3, 2, 1):
            rows = np.unique(self.equations[:, region].indices)
            near = np.bincount(by_row[rows].indices, minlength=len(solution))
            region = np.union1d(region, np.flatnonzero(near >= ties))
            if len(region) > WHOLE_AT_ONCE:
                return None
            steps = np.rint(solution).astype(np.int64)
            steps[region] = 0
            part = self._solve(region, -(self.equations @ steps).astype(float), integer=True)
            if part is not None:
                steps[region] = np.rint(part).astype(np.int64)
                return steps
        return None

    def _solve(self, chosen: np.ndarray, right: np.ndarray, *, integer: bool) -> np.ndarray | None:
        """The cheapest steps of the chosen variables; each has two columns for a further step up and down."""
        import highspy

        size, part = len(chosen), self.equations[:, chosen]
        fraction = self.counts[chosen] / self.base - self.down[chosen]
        wide = np.minimum(self.down[chosen], np.where(fraction > 0, 1, 0))
        cost = np.concatenate([1 - 2 * fraction, np.full(2 * size, FURTHER)])
        lower = np.concatenate([self.down[chosen], np.zeros(2 * size)]).astype(float)
        upper = np.concatenate([self.up[chosen], np.where(fraction > 0, 1, 0), wide]).astype(float)
        matrix = sparse.csc_array(sparse.hstack([part, part, -part]))
        highs = highspy.Highs()
        options: dict[str, bool | int | float | str] = {
            "output_flag": False, "threads": 1, "solver": "simplex", "simplex_iteration_limit": MOST_ITERATIONS,
            "mip_max_nodes": MOST_NODES, "mip_rel_gap": 0.05,
        }  # fmt: skip
        for option, value in options.items():
            highs.setOptionValue(option, value)
        highs.passModel(
            3 * size, matrix.shape[0], matrix.nnz, 1, 1, 0.0, cost, lower, upper, right, right,
            matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data,
            np.full(3 * size, int(integer), dtype=np.int32),
        )  # fmt: skip
        highs.run()
        self.programs += 1
        solution = np.array(highs.getSolution().col_value)
        solved = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        if not solved and not (integer and len(solution) and highs.getInfo().primal_solution_status == 2):
            return None
        return solution[:size] + solution[size : 2 * size] - solution[2 * size :]


def _whole(steps: np.ndarray) -> np.ndarray | None:
    rounded = np.rint(steps)
    return rounded.astype(np.int64) if np.abs(steps - rounded).max(initial=0) <= INTEGRALITY else None
