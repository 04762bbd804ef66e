"""The outsider's equations: unknown cells, whole numbers at or above a bound, tied by what is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from kobe_platform.disclosure.auditor.definitions import definition_equations
from kobe_platform.disclosure.auditor.entries import SCHEMA
from kobe_platform.disclosure.auditor.figures import GATHERED, Figures, published_fault
from kobe_platform.disclosure.auditor.joints import joint_equations
from kobe_platform.disclosure.auditor.means import mean_inequalities
from kobe_platform.disclosure.spec import Relation, Spec, Table


@dataclass(frozen=True)
class System:
    """``matrix @ x == right`` over the unknowns ``x >= lower``.

    Attributes:
        cells: unknown → cell number of the figures; −1 for the difference of an inequality, −2 for a joint cell.
        numbers: row of ``matrix`` → number of the equation as it was written down.
        impossible: numbers of the equations among published figures alone that do not hold.
        involved: (equation, cell) of every cell of every equation as it was written down, published cells included;
            numbers from ``seen`` on are the unknowns that no table shows.
        seen: number of cells; left_out: of each joint table that is too large to be asked for, the tables behind it
            (:mod:`joints`).
    """

    matrix: sparse.csr_array
    right: np.ndarray
    cells: np.ndarray
    lower: np.ndarray
    numbers: np.ndarray
    impossible: np.ndarray
    involved: tuple[np.ndarray, np.ndarray]
    seen: int
    left_out: list[tuple[str, ...]]

    def around(self, cells: np.ndarray) -> np.ndarray:
        """All cells, published ones included, that share an equation with these."""
        equation, cell = self.involved
        chosen = np.zeros(int(equation.max(initial=-1)) + 1, dtype=bool)
        chosen[equation[np.isin(cell, cells)]] = True
        return np.unique(cell[chosen[equation] & (cell < self.seen)])

    def named(self, equations: np.ndarray) -> int:
        """The last cell of a table, which of a sum is the total, in the first of these equations with one; else −1."""
        equation, cell = self.involved
        of_tables = cell < self.seen
        for number in equations.tolist():
            cells = cell[of_tables & (equation == number)]
            if len(cells):
                return int(cells[-1])
        return -1

    def part(self, unknowns: np.ndarray, equations: np.ndarray) -> System:
        """The system of some unknowns, and of equations in which no others stand."""
        return replace(
            self, matrix=sparse.csr_array(self.matrix[equations][:, unknowns]), right=self.right[equations],
            cells=self.cells[unknowns], lower=self.lower[unknowns], numbers=self.numbers[equations],
        )  # fmt: skip

    def told(self, unknowns: np.ndarray, values: np.ndarray) -> System | None:
        """The system with the values of some unknowns known; None where these alone make an equation wrong."""
        rest = np.setdiff1d(np.arange(len(self.cells)), unknowns)
        right = self.right - np.rint(self.matrix[:, unknowns] @ values).astype(np.int64)
        empty = np.diff(sparse.csr_array(self.matrix[:, rest]).indptr) == 0
        if right[empty].any() or (values < self.lower[unknowns]).any():
            return None
        return replace(self, right=right).part(rest, np.flatnonzero(~empty))


def build_system(spec: Spec, figures: Figures, means: Mapping[str, pl.DataFrame] | None = None) -> System:
    """All equations of all tables and relations, published figures moved to the right side.

    Args:
        means: published means by table (see :mod:`means`); those that are not given say nothing.
    """
    equations = [_table_equations(spec, table.name, figures) for table in spec.tables]
    joints = joint_equations(spec, figures)
    equations += [_regrouping_equations(spec, figures), *joints.equations]
    equations += [_relation_equations(relation, spec, figures) for relation in spec.relations]
    equations += definition_equations(spec, figures, joints.unseen)
    published = means or {}
    equations += [
        mean_inequalities(mean, spec, figures, published[mean.table]) for mean in spec.means if mean.table in published
    ]
    parts, offset = [], 0
    for frame in equations:
        parts.append(frame["equation"].to_numpy() + offset)
        offset += int(frame["equation"].to_numpy().max(initial=-1)) + 1
    equation = np.concatenate(parts)
    cell, sign = (np.concatenate([frame[c].to_numpy() for frame in equations]) for c in ("cell", "sign"))
    seen = len(figures.value)
    shared, extra = _number_unseen(cell, seen)
    value = np.concatenate([figures.value, np.full(extra, -1)])
    lower = np.concatenate([figures.lower, np.zeros(extra, dtype=np.int64)])
    unknown = value < 0
    right = np.zeros(offset, dtype=np.int64)
    known = ~unknown[cell]
    np.subtract.at(right, equation[known], sign[known] * value[cell[known]])
    numbers = np.flatnonzero(unknown)
    column = np.full(len(value), -1)
    column[numbers] = np.arange(len(numbers))
    matrix = sparse.csr_array(
        (sign[~known].astype(float), (equation[~known], column[cell[~known]])), shape=(offset, len(numbers))
    )
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    empty = np.diff(matrix.indptr) == 0
    impossible = np.flatnonzero(empty & (right != 0))
    cells = np.where(numbers < seen, numbers, np.where(numbers < seen + shared, -2, -1))
    kept = _distinct(matrix, right, empty)
    return System(
        matrix[kept], right[kept], cells, lower[numbers], kept, impossible, (equation, cell), seen, joints.left_out
    )


def rings_left_out(system: System) -> list[tuple[str, str, dict[str, str]]]:
    """(rule, table, other tables) of each ring that was too large to be asked for: without it no audit is complete."""
    return [("ring", names[0], {"beside": ", ".join(names[1:])}) for names in system.left_out]


def _number_unseen(cell: np.ndarray, first: int) -> tuple[int, int]:
    """Number what no table shows, in place, from ``first`` on: joint cells, then the differences.

    Returns:
        How many are joint (below −1, the same number is the same unknown), and how many there are in all.
    """
    own, shared = cell == -1, cell < -1
    parts, inverse = np.unique(cell[shared], return_inverse=True)
    cell[shared] = first + inverse
    cell[own] = first + len(parts) + np.arange(np.count_nonzero(own))
    return len(parts), len(parts) + int(np.count_nonzero(own))


def _distinct(matrix: sparse.csr_array, right: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Rows without those that repeat another (tables repeat the equations of their common margins)."""
    length, kept = np.diff(matrix.indptr), []
    for size in np.unique(length[~empty]).tolist():
        rows = np.flatnonzero(length == size)
        entries = matrix.indptr[rows][:, None] + np.arange(size)
        weight = matrix.data[entries].astype(np.int64)
        sign = np.sign(weight[:, :1])  # either side of an equation may stand on the left
        told = np.hstack([matrix.indices[entries], weight * sign, right[rows][:, None] * sign])
        kept.append(rows[np.unique(told, axis=0, return_index=True)[1]])
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, dtype=np.int64)


def _table_equations(spec: Spec, name: str, figures: Figures) -> pl.DataFrame:
    """In every column, every code with children equals their sum at each combination of the other columns."""
    rows, table = figures.rows[name], spec.table(name)
    cell, places = rows["cell"].to_numpy(), {column: _numbered(rows[column]) for column in table.dimensions}
    key, strides, total = np.zeros(len(cell), dtype=np.int64), {}, 1
    for column, (codes, place) in places.items():
        strides[column], key, total = total, key + total * place, total * len(codes)
    order = np.argsort(key)
    parts: list[np.ndarray] = [np.empty((3, 0), dtype=np.int64)]
    offset = 0
    for column, dimension in table.dimensions.items():
        codes, place = places[column]
        number, above = {code: n for n, code in enumerate(codes)}, figures.codes[dimension].parent
        parents = [above.get(code) for code in codes]
        if not number.keys() >= set(parents) - {None}:
            raise published_fault("a table lacks the row of a total", table.name, dimension=column)
        owner = np.array([-1 if code is None else number[code] for code in parents], dtype=np.int64)
        child = np.flatnonzero(owner[place] >= 0)
        of = key[child] + (owner[place[child]] - place[child]) * strides[column]
        owners, first, equation = np.unique(of, return_index=True, return_inverse=True)
        by_first = np.argsort(first)
        numbers = np.empty(len(owners), dtype=np.int64)
        numbers[by_first] = offset + np.arange(len(owners))
        at = order[np.searchsorted(key, owners[by_first], sorter=order).clip(max=len(order) - 1)]
        if not np.array_equal(key[at], owners[by_first]):
            raise published_fault("a table lacks the row of a total", table.name, dimension=column)
        parts.append(np.stack([numbers[equation], cell[child], np.ones_like(child)]))
        parts.append(np.stack([numbers[by_first], cell[at], np.full_like(at, -1)]))
        offset += len(owners)
    return pl.DataFrame(dict(zip(SCHEMA, np.concatenate(parts, axis=1), strict=True)), schema=SCHEMA)


def _numbered(column: pl.Series) -> tuple[list[str], np.ndarray]:
    """The codes of a column, sorted, and which of them each row has."""
    return column.unique().sort().to_list(), column.rank("dense").to_numpy().astype(np.int64) - 1


def _regrouping_equations(spec: Spec, figures: Figures) -> pl.DataFrame:
    """Codes that gather codes of a base dimension which another table of the population shows one by one."""
    rows: list[tuple[int, int, int]] = []
    count = 0
    for table in spec.tables:
        for column, dimension in table.dimensions.items():
            description = spec.dimension(dimension)
            if description.of is None:
                continue
            parts_of = _parts(figures, dimension, description.consists_of)
            for other in spec.tables:
                if other.population != table.population or other.name == table.name:
                    continue
                for equation in _matched(spec, figures, table, column, other, description.of, parts_of):
                    rows += [(count, cell, sign) for cell, sign in equation]
                    count += 1
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _parts(figures: Figures, dimension: str, gathered: dict[str, Any]) -> dict[str, list[str]]:
    """Code of the regrouping → codes of the base, where they are not simply the same."""
    own = figures.codes[dimension]
    parts = {}
    for code, canonical in own.canonical.items():
        if canonical.startswith(GATHERED):
            parts[code] = list(gathered[code]) if code in gathered else sorted(own.finest[code])
    return parts


def _matched(
    spec: Spec, figures: Figures, table: Table, column: str, other: Table, base: str, parts_of: Mapping[str, list[str]]
) -> Iterator[list[tuple[int, int]]]:
    """Cells of ``table`` at a regrouped code beside the cells of ``other`` that make it up."""
    with_base = [c for c, d in other.dimensions.items() if d == base]
    if not with_base or not parts_of:
        return
    here, there = figures.rows[table.name], figures.rows[other.name]
    shared = {}
    for c, d in table.dimensions.items():
        for oc, od in other.dimensions.items():
            if c != column and oc != with_base[0] and (spec.dimension(d).of or d) == (spec.dimension(od).of or od):
                shared[c] = (d, oc, od)
    left = here.filter(
        pl.all_horizontal(
            [pl.lit(True)]
            + [
                pl.col(c) == figures.codes[d].root
                for c, d in table.dimensions.items()
                if c != column and c not in shared
            ]
        )
    )
    used = {oc for _, oc, _ in shared.values()}
    right = there.filter(
        pl.all_horizontal(
            [pl.lit(True)]
            + [
                pl.col(c) == figures.codes[d].root
                for c, d in other.dimensions.items()
                if c != with_base[0] and c not in used
            ]
        )
    )
    index: dict[tuple[Any, ...], int] = {}
    for row in right.iter_rows(named=True):
        key = tuple(figures.codes[od].canonical[row[oc]] for _, oc, od in shared.values())
        index[(*key, row[with_base[0]])] = row["cell"]
    for row in left.filter(pl.col(column).is_in(list(parts_of))).iter_rows(named=True):
        key = tuple(figures.codes[d].canonical[row[c]] for c, (d, _, _) in shared.items())
        parts = [(*key, part) for part in parts_of[row[column]]]
        if all(part in index for part in parts):
            yield [(row["cell"], -1), *((index[part], 1) for part in parts)]


def _relation_equations(relation: Relation, spec: Spec, figures: Figures) -> pl.DataFrame:
    """One equation for each combination of codes that all terms have; an inequality gets a difference (cell −1)."""
    sides: list[pl.DataFrame] = []
    signs: list[int] = []
    for side, terms in ((1, relation.left), (-1, relation.right)):
        for term in terms:
            rows = figures.rows[term.table]
            for column, dimension in spec.table(term.table).dimensions.items():
                if column not in relation.on:
                    code = term.at.get(column, figures.codes[dimension].root)
                    rows = rows.filter(pl.col(column) == code)
            sides.append(rows.select(*relation.on, pl.col("cell").alias(f"term {len(signs)}")))
            signs.append(side * term.sign)
    joined, *others = sides
    for other in others:
        joined = joined.join(other, on=list(relation.on)) if relation.on else joined.join(other, how="cross")
    numbers = np.arange(joined.height)
    parts = [
        pl.DataFrame({"equation": numbers, "cell": joined[f"term {i}"], "sign": np.full(joined.height, sign)})
        for i, sign in enumerate(signs)
    ]
    if relation.sense == "<=":
        nothing = np.full(joined.height, -1)
        parts.append(
            pl.DataFrame({"equation": numbers, "cell": nothing, "sign": np.ones(joined.height, dtype=np.int64)})
        )
    return pl.concat([part.cast(SCHEMA) for part in parts])


def components(system: System) -> list[tuple[np.ndarray, np.ndarray]]:
    """(unknowns, equations) of the parts that no equation ties together."""
    height, width = system.matrix.shape
    if not width:
        return []
    graph = sparse.block_array([[None, system.matrix], [system.matrix.T, None]], format="csr")
    graph.data[:] = 1
    _, label = connected_components(graph, directed=False)
    rows, columns = label[:height], label[height:]
    by_row, by_column = np.argsort(rows, kind="stable"), np.argsort(columns, kind="stable")
    parts = np.unique(columns)
    cuts = [np.searchsorted(own[order], parts) for own, order in ((columns, by_column), (rows, by_row))]
    ends = [np.searchsorted(own[order], parts, "right") for own, order in ((columns, by_column), (rows, by_row))]
    return [(by_column[cuts[0][n] : ends[0][n]], by_row[cuts[1][n] : ends[1][n]]) for n in range(len(parts))]
