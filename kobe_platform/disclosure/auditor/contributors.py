"""The audit of magnitude tables by one who has the contributions: what a contributor makes of all figures together.

Published equations tell sums of hidden cells (a total less what is shown of it), and one who stands in such a union
knows his own part of it. So a rule that holds for every published sum may break for a union. This is asked here by the
attack itself, without listing unions: for every unknown cell, how great can it be over all tables that agree with the
figures and leave the attacker's own cells at least what he has there?

- p %: nobody may estimate another's contribution from above closer than p %: where x is the greatest contribution of
  others in a cell and y the attacker's own, the cell must reach (1 + p/100) · x + y.
- (n, k %): the cells of n contributors must reach 100/k times what these have there; asked for n contributors of one
  cell, of up to n finest cells together, and for what one contributor has in several.

The true table agrees with all that is published, so it is the first proof; where it does not do, linear programs are
asked, and every table that one finds counts for all questions (Hundepool et al., Statistical Disclosure Control, 2012,
chapter 4; Daalmans & de Waal, Transactions on Data Privacy 3, 2010, on unions).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, islice
from math import comb

import highspy
import numpy as np
import polars as pl
from scipy import sparse

from kobe_platform.disclosure.auditor.figures import Figures
from kobe_platform.disclosure.auditor.system import System, build_system, components
from kobe_platform.disclosure.holders import holders
from kobe_platform.disclosure.spec import Rule, Spec, Table
from kobe_platform.errors import DisclosureError

Found = list[tuple[str, int]]
ENDLESS, MOST_ITERATIONS = 1e30, 1_000_000
FEW = 5
"""Finest cells of one contributor up to which any of them are asked for together."""
MOST_TOGETHER = 10_000_000
"""Sets of three finest cells or more that are asked for in one part; more are left undecided."""
BATCH = 50_000
EXACT = 1e-6
"""Share of a need that counts as nothing: programs are real-valued."""


@dataclass(frozen=True)
class Reach:
    """Whether some unknowns reach a sum while others are at least what the attacker has there.

    Attributes:
        cells: unknowns of the part; need: what they must come to; own: unknown → least value the attacker knows.
    """

    cells: tuple[int, ...]
    need: float
    own: Mapping[int, float]

    def answered_by(self, table: np.ndarray) -> bool:
        """Whether a table shows that they do."""
        enough = table[list(self.cells)].sum() >= self.need * (1 - EXACT)
        return bool(enough) and all(table[at] >= least * (1 - EXACT) for at, least in self.own.items())


def audit_contributors(spec: Spec, figures: Figures, contributions: Mapping[str, pl.DataFrame]) -> Found:
    """Cells of which one contributor learns another's part too closely.

    Args:
        contributions: table → finest cells with their largest contributions, or one row a contribution.

    Raises:
        DisclosureError: a table's contributions are missing, or do not come to a published figure.
    """
    system = build_system(spec, figures)
    truth = np.full(len(figures.value), np.nan)
    held: dict[str, pl.DataFrame] = {}
    for table in spec.tables:
        rows = _named(table, figures, contributions)
        truth[rows["cell"].to_numpy()] = rows["sum"].to_numpy()
        if table.largest or table.contributor:
            held[table.name] = _held(table, figures, contributions[table.name])
    shown = (figures.value >= 0) & np.isfinite(truth)
    if (truth[shown] != figures.value[shown]).any():
        raise DisclosureError(
            "contributions do not come to the published figures",
            code="disclosure.contradiction",
            remedy="give the cells that these tables were made of",
        )
    found: Found = []
    for unknowns, equations in components(system):
        part = _Attacked(system, unknowns, equations, truth)
        for name, parts in held.items():
            found += part.asked(spec.table(name).rule(spec.rule), parts)
    for name, parts in held.items():
        found += _shown_too_much(spec.table(name).rule(spec.rule), parts, figures)
    return found


def _shown_too_much(rule: Rule, held: pl.DataFrame, figures: Figures) -> Found:
    """Cells that are shown, or hidden here and shown elsewhere, though a rule names them."""
    found: Found = []
    for (cell,), parts in held.group_by("cell"):
        known, values = int(figures.value[cell]), parts["value"].sort(descending=True).to_list()
        if known < 0:
            continue
        rest = known - sum(values[:2])
        estimated = rule.p_percent and 100 * rest < _written(rule.p_percent) * values[0]
        dominated = rule.dominance and 100 * sum(values[: rule.dominance.n]) > _written(rule.dominance.percent) * known
        if estimated or dominated:
            found.append(("dominated", int(cell)))
    return found


def _written(percent: float) -> Fraction:
    """A percentage as it was written: times a great sum, its float is wrong where the sum lies at the border."""
    return Fraction(str(percent))


class _Attacked:
    """One connected part of the unknowns: the tables known so far, and a program for what they do not show."""

    def __init__(self, system: System, unknowns: np.ndarray, equations: np.ndarray, truth: np.ndarray) -> None:
        self.cells = system.cells[unknowns]
        self.at = {int(cell): at for at, cell in enumerate(self.cells.tolist()) if cell >= 0}
        self.lower = system.lower[unknowns].astype(float)
        self.matrix = sparse.csc_array(system.matrix[equations][:, unknowns])
        self.right = system.right[equations].astype(float)
        # What no table shows is left open in the true table: no question is about it.
        self.tables = [np.where(self.cells >= 0, truth[np.maximum(self.cells, 0)], np.nan)]
        self._highs: highspy.Highs | None = None

    def asked(self, rule: Rule, held: pl.DataFrame) -> Found:
        """What is found of one table's contributors, by cell."""
        held = held.filter(pl.col("cell").is_in(list(self.at)))
        cells: dict[int, list[tuple[int, float]]] = {}
        owns: dict[int, dict[int, float]] = {}
        for cell, owner, value in held.select("cell", "owner", "value").iter_rows():
            cells.setdefault(self.at[cell], []).append((owner, float(value)))
            owns.setdefault(owner, {})[self.at[cell]] = float(value)
        for parts in cells.values():
            parts.sort(key=lambda one: -one[1])
        finest = sorted({self.at[cell] for cell in held.filter(pl.col("finest"))["cell"].to_list()})
        wrong: Found = []
        if rule.p_percent:
            factor = 1 + rule.p_percent / 100
            for at in cells:
                wrong += self._first_lacking(self._estimates(factor, at, cells, owns, finest))
            for owner, together in _in_several(owns, finest):
                wrong += self._first_lacking(self._of_one(factor, owner, together, cells, owns, finest))
        if rule.dominance:
            factor = 100 / rule.dominance.percent
            for question in self._dominated(rule.dominance.n, factor, cells, owns, finest):
                wrong += self._first_lacking([question])
            wrong += self._together(rule.dominance.n, factor, cells, finest)
        return list(dict.fromkeys(wrong))

    def _first_lacking(self, questions: Iterable[Reach]) -> Found:
        """The first of the questions that no table answers, as a finding."""
        for question in questions:
            answer = self._answered(question)
            if not answer:
                return [("undecided" if answer is None else "dominated", int(self.cells[question.cells[0]]))]
        return []

    def _answered(self, question: Reach) -> bool | None:
        """Whether a table answers a question (None: no program told)."""
        if any(question.answered_by(known) for known in self.tables):
            return True
        found = self._most(question)
        if found is None:
            return None
        self.tables.append(found)
        return question.answered_by(found)

    def _estimates(
        self,
        factor: float,
        at: int,
        cells: Mapping[int, list[tuple[int, float]]],
        owns: Mapping[int, dict[int, float]],
        finest: Sequence[int],
    ) -> Iterator[Reach]:
        """What a cell must reach for each who estimates the greatest contribution of others in it."""
        parts = cells[at]
        second = parts[1][1] if len(parts) > 1 else 0.0
        most = factor * parts[0][1] + second
        everybody = {other: cells[other][0][1] for other in finest if other != at}
        if self.tables[0][at] >= most or self._answered(Reach((at,), most, everybody)):
            return  # it reaches that for all of them at once
        yield Reach((at,), factor * parts[0][1], {})
        for attacker in _attackers(owns, cells) | {owner for owner, _ in parts[:2]}:
            others = [value for owner, value in parts if owner != attacker]
            if others:
                yield Reach((at,), factor * others[0] + owns[attacker].get(at, 0.0), owns[attacker])

    def _of_one(
        self,
        factor: float,
        owner: int,
        together: tuple[int, ...],
        cells: Mapping[int, list[tuple[int, float]]],
        owns: Mapping[int, dict[int, float]],
        finest: Sequence[int],
    ) -> Iterator[Reach]:
        """What several cells must reach for each who estimates what one has in all of them."""
        his = factor * sum(owns[owner][at] for at in together)
        others = {at: next((value for name, value in cells[at] if name != owner), 0.0) for at in finest}
        rivals = {name for at in together for name, _ in cells[at]} - {owner}
        most = his + max((sum(owns[name].get(at, 0.0) for at in together) for name in rivals), default=0.0)
        if self.tables[0][list(together)].sum() >= most or self._answered(Reach(together, most, others)):
            return
        yield Reach(together, his, {})
        for name in (_attackers(owns, cells) | rivals) - {owner}:
            yield Reach(together, his + sum(owns[name].get(at, 0.0) for at in together), owns[name])

    def _dominated(
        self,
        n: int,
        factor: float,
        cells: Mapping[int, list[tuple[int, float]]],
        owns: Mapping[int, dict[int, float]],
        finest: Sequence[int],
    ) -> Iterator[Reach]:
        for at, parts in cells.items():
            yield Reach((at,), factor * sum(value for _, value in parts[:n]), {})
        for owner, together in _in_several(owns, finest):
            yield Reach(together, factor * sum(owns[owner][at] for at in together), {})

    def _together(
        self, n: int, factor: float, cells: Mapping[int, list[tuple[int, float]]], finest: Sequence[int]
    ) -> Found:
        """What is found of two to n finest cells together."""
        sizes = range(2, min(n, len(finest)) + 1)
        if sum(comb(len(finest), size) for size in sizes[1:]) > MOST_TOGETHER:
            return [("undecided", int(self.cells[finest[0]]))]
        wrong: Found = []
        for size in sizes:
            sets = combinations(finest, size)
            while batch := list(islice(sets, BATCH)):
                at = np.array(batch)
                need = factor * np.array([_greatest(n, [cells[cell] for cell in chosen]) for chosen in batch])
                least = need * (1 - EXACT)
                left = np.full(len(batch), fill_value=True)
                for known in self.tables:
                    left &= known[at].sum(axis=1) < least
                while left.any():
                    first = int(np.flatnonzero(left)[0])
                    wrong += self._first_lacking([Reach(batch[first], float(need[first]), {})])
                    left[first] = False
                    left &= self.tables[-1][at].sum(axis=1) < least
                    if wrong:
                        return wrong
        return wrong

    def _most(self, question: Reach) -> np.ndarray | None:
        """The table in which the question's cells come to most (None: not found)."""
        highs = self._program()
        for at, least in question.own.items():
            highs.changeColBounds(at, max(self.lower[at], least), ENDLESS)
        for at in question.cells:
            # Endless cells are stopped where the true table has room for the need, so that the program has an end.
            most = self.tables[0][at] + question.need
            highs.changeColBounds(at, max(self.lower[at], question.own.get(at, self.lower[at])), most)
            highs.changeColCost(at, -1.0)
        highs.run()
        solved = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        table = np.array(highs.getSolution().col_value) if solved else None
        for at in question.cells:
            highs.changeColCost(at, 0.0)
        for at in {*question.cells, *question.own}:
            highs.changeColBounds(at, self.lower[at], ENDLESS)
        return table

    def _program(self) -> highspy.Highs:
        if self._highs is None:
            self._highs = highspy.Highs()
            options: dict[str, bool | int | str] = {
                "output_flag": False,
                "presolve": "off",
                "threads": 1,
                "simplex_iteration_limit": MOST_ITERATIONS,
            }
            for option, value in options.items():
                self._highs.setOptionValue(option, value)
            size, height = len(self.cells), len(self.right)
            self._highs.passModel(
                size, height, self.matrix.nnz, 1, 1, 0.0, np.zeros(size), self.lower, np.full(size, ENDLESS),
                self.right, self.right, self.matrix.indptr.astype(np.int32), self.matrix.indices.astype(np.int32),
                self.matrix.data, np.zeros(size, np.int32),
            )  # fmt: skip
        return self._highs


def _greatest(n: int, parts: Iterable[Iterable[tuple[int, float]]]) -> float:
    """What the n greatest contributors have in some cells together."""
    his: dict[int, float] = {}
    for of_cell in parts:
        for owner, value in of_cell:
            his[owner] = his.get(owner, 0.0) + value
    return sum(sorted(his.values(), reverse=True)[:n])


def _in_several(owns: Mapping[int, dict[int, float]], finest: Sequence[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(owner, finest cells) of who has part in several: any of them together where they are few, else two or all."""
    for owner, parts in owns.items():
        his = [at for at in finest if at in parts]
        sizes = range(2, len(his) + 1) if len(his) <= FEW else sorted({2, len(his)})
        for size in sizes:
            for together in combinations(his, size):
                yield owner, together


def _attackers(owns: Mapping[int, dict[int, float]], cells: Mapping[int, list[tuple[int, float]]]) -> set[int]:
    """Owners of whom no other knows at least as much: the first of each cell, and whoever has part in several."""
    leaders = {parts[0][0] for parts in cells.values()}
    return {owner for owner, parts in owns.items() if owner in leaders or len(parts) > 1}


def _named(table: Table, figures: Figures, contributions: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Every promised row of a table with its true sum."""
    if table.name not in contributions:
        raise DisclosureError(
            "the cells of a table are missing",
            code="disclosure.table",
            at={"table": table.name},
            remedy="give the cells that these tables were made of",
        )
    given = contributions[table.name].select(*table.dimensions, pl.col(table.measure).cast(pl.Int64).alias("value"))
    sums = _upwards(table, figures, given.with_columns(finest=pl.lit(value=True)))
    sums = sums.group_by("cell").agg(pl.col("value").sum().alias("sum"))
    rows = figures.rows[table.name].select("cell").unique().join(sums, on="cell", how="left")
    return rows.with_columns(pl.col("sum").fill_null(0))


def _held(table: Table, figures: Figures, given: pl.DataFrame) -> pl.DataFrame:
    """``cell, owner, value, finest``: what each contributor has in each cell, totals included."""
    if table.contributor:
        parts = given.with_columns(holders(table, given))
        parts = parts.select(*table.dimensions, "owner", value=pl.col(table.measure).cast(pl.Int64))
    else:
        largest = given.with_row_index("row").unpivot(
            list(table.largest), index=["row", *table.dimensions], variable_name="rank", value_name="value"
        )
        parts = largest.with_row_index("owner").select(*table.dimensions, pl.col("owner", "value").cast(pl.Int64))
    parts = _upwards(table, figures, parts.filter(pl.col("value") > 0).with_columns(finest=pl.lit(value=True)))
    return parts.group_by("cell", "owner").agg(pl.col("value").sum(), pl.col("finest").any()).sort("cell", "owner")


def _upwards(table: Table, figures: Figures, parts: pl.DataFrame) -> pl.DataFrame:
    """Rows of finest cells, repeated for every cell that counts them; ``finest`` only in their own."""
    for column, dimension in table.dimensions.items():
        parent = figures.codes[dimension].parent
        pairs = []
        for code in parent:
            above: str | None = code
            while above is not None:
                pairs.append((code, above, above == code))
                above = parent[above]
        lines = pl.DataFrame(pairs, schema={column: pl.String, "up": pl.String, "same": pl.Boolean}, orient="row")
        parts = parts.with_columns(pl.col(column).cast(pl.String)).join(lines, on=column, how="inner")
        parts = parts.with_columns(pl.col("up").alias(column), finest=pl.col("finest") & pl.col("same"))
        parts = parts.drop("up", "same")
    rows = figures.rows[table.name].select(*table.dimensions, "cell")
    return parts.join(rows, on=list(table.dimensions), how="inner").drop(list(table.dimensions))
