"""``python -m tests.benchmarks.disclosure.bound [case …] [--minutes N]``: how far the search is from the best pattern.

A lower bound of the number of secondaries, on the peers' terms (:func:`engine.on_peers_terms`), by the decomposition of
Fischetti & Salazar-González (Management Science 47, 2001): a master program chooses which cells are hidden; where the
rise and the fall of a primary do not add up to its width, the dual of the programs that look for them is a cut. Their
coefficients are cut down to what the inequality needs. First the master is a linear program, then an integer one; its
bound holds whenever it is stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Iterator

import highspy
import numpy as np
from scipy import sparse

from kobe_platform.bench.disclosure_cases import CASES
from kobe_platform.bench.disclosure_engine import on_peers_terms
from kobe_platform.disclosure.model import Model, build_model
from kobe_platform.disclosure.suppression.primary import primary_cells

TOLERANCE = 1e-6
ROUNDS = (0, 100, 400)
ENOUGH = 0.02
"""A cut is added where it is violated by this share of what it asks for."""


class Attacks:
    """The farthest rise and fall of one cell after another, where each cell moves as far as it is hidden."""

    def __init__(self, model: Model) -> None:
        self.unknown = np.flatnonzero(~model.known)
        part = model.equations[:, self.unknown].tocsc()
        self.value, self.width = model.value[self.unknown].astype(float), model.width[self.unknown].astype(float)
        self.most = float(model.value.sum())
        self.program = highspy.Highs()
        self.program.setOptionValue("output_flag", False)
        size, height = part.shape[1], part.shape[0]
        self.all = np.arange(size, dtype=np.int32)
        nothing = np.zeros(size)
        self.program.passModel(
            size, height, part.nnz, 1, 1, 0.0, nothing, nothing, nothing, np.zeros(height), np.zeros(height),
            part.indptr.astype(np.int32), part.indices.astype(np.int32), part.data.astype(float),
            np.zeros(size, np.int32),
        )  # fmt: skip

    def cut(self, at: int, chosen: np.ndarray, reach: float) -> tuple[np.ndarray, float] | None:
        """Coefficients and right side of a cut that a choice violates, or None where the cell has its width.

        Args:
            chosen: how far each cell is hidden, 0 … 1; reach: how far a hidden cell rises at most in this attack.
        """
        width, fall = self.width[at], min(self.value[at], self.width[at])
        lower, upper = -np.minimum(self.value, reach) * chosen, reach * chosen
        coefficients, right, found = np.zeros(len(chosen)), width, 0.0
        for sign, own in ((1.0, (0.0, width)), (-1.0, (-fall, 0.0))):
            lower[at], upper[at] = own
            self.program.changeColsBounds(len(self.all), self.all, lower, upper)
            self.program.changeColCost(at, -sign)
            self.program.run()
            status = self.program.getModelStatus()
            info, solution = self.program.getInfo(), self.program.getSolution()
            self.program.changeColCost(at, 0.0)
            if status != highspy.HighsModelStatus.kOptimal:
                raise RuntimeError(f"the attack on a cell ended as {status}")
            found -= info.objective_function_value
            dual = -np.array(solution.col_dual)
            dual[np.abs(dual) < TOLERANCE] = 0.0
            right -= abs(dual[at]) * (width if sign > 0 else fall)
            dual[at] = 0.0
            coefficients += np.where(dual > 0, dual * self.most, -dual * self.value)
        if found > width - TOLERANCE or right < TOLERANCE:
            return None
        return np.minimum(coefficients, right), right


class Master:
    """Which cells are hidden: the fewest that satisfy every cut so far."""

    def __init__(self, model: Model, primary: np.ndarray) -> None:
        unknown = np.flatnonzero(~model.known)
        self.primary = primary[unknown]
        self.program = highspy.Highs()
        self.program.setOptionValue("output_flag", False)
        for hidden in self.primary.tolist():
            self.program.addVar(float(hidden), 1.0)
        size = len(unknown)
        self.program.changeColsCost(size, np.arange(size, dtype=np.int32), (~self.primary).astype(float))
        part = sparse.csr_array(model.equations[:, unknown])
        for row in range(part.shape[0]):
            cells = part.indices[part.indptr[row] : part.indptr[row + 1]]
            for cell in cells.tolist():  # who is hidden alone in a sum is shown
                self._row(np.append(cell, cells[cells != cell]), np.append(-1.0, np.ones(len(cells) - 1)), 0.0)

    def _row(self, cells: np.ndarray, coefficients: np.ndarray, right: float) -> None:
        self.program.addRow(right, highspy.kHighsInf, len(cells), cells.astype(np.int32), coefficients)

    def add(self, coefficients: np.ndarray, right: float) -> None:
        """A cut, scaled so that it asks for 1."""
        cells = np.flatnonzero(coefficients > TOLERANCE * right)
        self._row(cells, coefficients[cells] / right, 1.0)

    def whole(self) -> None:
        """Ask for whole numbers from now on."""
        for cell in range(len(self.primary)):
            self.program.changeColIntegrality(cell, highspy.HighsVarType.kInteger)

    def solve(self, seconds: float) -> tuple[np.ndarray, float]:
        """A choice and a bound that no choice is below."""
        self.program.setOptionValue("time_limit", self.program.getRunTime() + seconds)
        self.program.run()
        info = self.program.getInfo()
        linear = self.program.getModelStatus() == highspy.HighsModelStatus.kOptimal and info.mip_node_count < 0
        bound = info.objective_function_value if linear else info.mip_dual_bound
        return np.array(self.program.getSolution().col_value), bound


def bounded(model: Model, primary: np.ndarray, seconds: float) -> tuple[float, float, bool]:
    """The bound of the linear master, the best one, and whether the last choice leaves every primary its width."""
    ends = time.perf_counter() + seconds
    attacks, master = Attacks(model), Master(model, primary)
    linear = best = 0.0
    integer = False
    while (left := ends - time.perf_counter()) > 1:
        chosen, bound = master.solve(left)
        best = max(best, bound)
        if not len(chosen):
            break
        chosen = np.rint(chosen) if integer else np.clip(chosen, 0, 1)
        cuts = list(_violated(attacks, np.flatnonzero(master.primary), chosen, integer=integer))
        for cut in cuts:
            master.add(*cut)
        print(f"  {seconds - ends + time.perf_counter():6.0f} s  bound {best:.2f}  {len(cuts)} cuts", flush=True)
        if not cuts and integer:
            return linear, best, True
        if not cuts:
            linear, integer = best, True
            master.whole()
    return linear or best, best, False


def _violated(
    attacks: Attacks, targets: np.ndarray, chosen: np.ndarray, *, integer: bool
) -> Iterator[tuple[np.ndarray, float]]:
    for at in targets.tolist():
        cut = attacks.cut(at, chosen, attacks.most if integer else attacks.width[at])
        if cut is not None and cut[0] @ chosen < cut[1] * (1 - ENOUGH):
            yield cut


def main() -> None:
    """Print, for each case, what the search hides and the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=["small", "ward_nation"])
    parser.add_argument("--minutes", type=float, default=20)
    arguments = parser.parse_args()
    for name in arguments.cases:
        spec, cells = CASES[name].build()
        found = {rounds: on_peers_terms(spec, cells, rounds) for rounds in ROUNDS}
        model = build_model(spec, cells)
        model = dataclasses.replace(model, lower=np.zeros_like(model.lower))
        primary = primary_cells(model, np.zeros(model.size, dtype=bool))
        for rounds, record in found.items():
            told = f"{record['secondaries']} secondaries, {record['narrow']} narrow, {record['seconds']} s"
            print(f"{CASES[name].title}, {rounds} further rounds: {told}", flush=True)
        linear, best, closed = bounded(model, primary, 60 * arguments.minutes)
        least = int(np.ceil(best - TOLERANCE))
        gaps = ", ".join(f"{record['secondaries'] / max(least, 1) - 1:.1%}" for record in found.values())
        print(f"  at least {least} (linear master {linear:.1f}); gaps {gaps}{', optimum found' if closed else ''}")


if __name__ == "__main__":
    main()
