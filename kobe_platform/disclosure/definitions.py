"""Adds to the model the constraints between tables that follow from what is counted, not from hierarchies of codes.

For example: foreign residents are residents; a household of one person is of the family type *single*; a household of
three has three residents. An outsider can use such a definition wherever two tables share codes, so each becomes
equations and inequalities between the cells of the two tables, for the finest groups of codes that both can be summed
to (residual codes included). Those of coarser groups are sums of these and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy.sparse.csgraph import connected_components

from kobe_platform.disclosure.equations import Rows, beneath
from kobe_platform.disclosure.joints import cells_at
from kobe_platform.disclosure.level_sets import Labels, coarser, common_coarsening, labels_of
from kobe_platform.disclosure.spec import Combination, Inclusion, Members, Spec
from kobe_platform.disclosure.table_index import TableIndex, refusal
from kobe_platform.disclosure.trees import Classification, base_of

MOST_CODES = 12
"""Groups of the smaller of two combined dimensions: their subsets are gone through."""
MOST_MEMBERS = 30

Grain = Mapping[str, Labels]
"""Classification → groups of its finest codes."""
Cells = tuple[np.ndarray, np.ndarray]
"""Numbers of groups, and the variables whose sum each of them is."""


@dataclass
class Tied:
    """Rows over a model's variables and further ones, numbered from ``first``, with their true counts."""

    value: np.ndarray
    first: int
    blocks: list[Rows] = field(default_factory=list)
    counts: list[np.ndarray] = field(default_factory=list)
    size: int = 0

    def add(self, name: str, terms: Sequence[tuple[Cells, int]], *, equal: bool = False) -> None:
        """Σ sign · cells = 0 for every group, or ≤ 0.

        Raises:
            DisclosureError: the counts break it (``disclosure.relation``; coordinates: definition, number of groups).
        """
        number = np.concatenate([cells[0] for cells, _ in terms])
        variables = np.concatenate([cells[1] for cells, _ in terms])
        signs = np.concatenate([np.full(len(cells[0]), float(sign)) for cells, sign in terms])
        groups, number = np.unique(number, return_inverse=True)
        total = np.zeros(len(groups), dtype=np.int64)
        np.add.at(total, number, signs.astype(np.int64) * self._counts()[variables])
        wrong = total != 0 if equal else total > 0
        if wrong.any():
            raise refusal("a definition does not hold", "disclosure.relation", relation=name, rows=int(wrong.sum()))
        if not equal:
            number = np.concatenate([number, np.arange(len(groups))])
            variables = np.concatenate([variables, self._new(-total)])
            signs = np.concatenate([signs, np.ones(len(groups))])
        self.blocks.append((number, variables, signs))

    def sums(self, cells: Cells) -> Cells:
        """One further variable for each group's sum; the cells themselves where none is a sum of two."""
        number, variables = cells
        groups, inverse = np.unique(number, return_inverse=True)
        if len(groups) == len(number):
            return cells
        total = np.zeros(len(groups), dtype=np.int64)
        np.add.at(total, inverse, self._counts()[variables])
        sums = groups, self._new(total)
        self.add("", [(cells, 1), ((groups, sums[1]), -1)], equal=True)
        return sums

    def _new(self, counts: np.ndarray) -> np.ndarray:
        ids = self.first + self.size + np.arange(len(counts))
        self.counts.append(counts)
        self.size += len(counts)
        return ids

    def _counts(self) -> np.ndarray:
        return np.concatenate([self.value, *self.counts])


def defined(
    spec: Spec,
    classes: Mapping[str, Classification],
    layouts: Mapping[str, TableIndex],
    value: np.ndarray,
    parts: Sequence[Rows] = (),
) -> tuple[Rows, np.ndarray]:
    """The equations of all definitions of a specification.

    Args:
        value: variable → count, variables of joint tables included.
        parts: rows of these variables that come to 0 at most: joint cells within a larger population.

    Returns:
        Equations in which new variables (differences, sums) are numbered from ``len(value)`` on, and their counts.

    Raises:
        DisclosureError: the counts break a definition, or it names codes that its dimension does not have.
    """
    tied = Tied(value, len(value))
    for number, variables, signs in parts:
        below, above = signs > 0, signs < 0
        terms = [((number[below], variables[below]), 1), ((number[above], variables[above]), -1)]
        tied.add("joint cells of a part within the whole", terms)
    room = _Room(spec, classes, layouts)
    for inclusion in spec.includes:
        room.include(inclusion, tied)
    for combination in spec.combinations:
        room.combine(combination, tied)
    for members in spec.members:
        room.count_members(members, tied)
    return beneath(tied.blocks), np.concatenate(tied.counts or [np.empty(0, np.int64)])


class _Room:
    """The tables by population, and the groups of codes at which they stand."""

    def __init__(self, spec: Spec, classes: Mapping[str, Classification], layouts: Mapping[str, TableIndex]) -> None:
        self.spec, self.classes = spec, classes
        self.of: dict[str, list[TableIndex]] = {}
        for layout in layouts.values():
            self.of.setdefault(layout.table.population, []).append(layout)

    def include(self, inclusion: Inclusion, tied: Tied) -> None:
        """Part ≤ whole at the finest common groups of every pair of tables."""
        pairs = [(one, other) for one in self.of[inclusion.part] for other in self.of[inclusion.whole]]
        for one, other, grain in self._finest(pairs):
            terms = [(self._cells(one, grain), 1), (self._cells(other, grain), -1)]
            tied.add(f"{inclusion.part} within {inclusion.whole}", terms)

    def combine(self, combination: Combination, tied: Tied) -> None:
        """What the counts by one dimension say of the counts by another, for tables that have either."""
        names = combination.one, combination.other
        sides = [[x for x in self.of[combination.population] if name in self._grain(x)] for name in names]
        pairs = [(a, b) for a in sides[0] for b in sides[1] if not set(names) <= set(self._grain(a))]
        pairs = [(a, b) for a, b in pairs if not set(names) <= set(self._grain(b))]
        told = f"{names[0]} and {names[1]} of {combination.population}"
        for one, other, grain in self._finest(pairs, *names):
            parts = [{**grain, name: self._grain(table)[name]} for name, table in zip(names, (one, other), strict=True)]
            together = self._together(combination, parts[0][names[0]], parts[1][names[1]])
            cells = [self._by(table, own, name) for table, own, name in zip((one, other), parts, names, strict=True)]
            for left, right, equal in bounds(together):
                terms = [(cells[0][code], 1) for code in left] + [(cells[1][code], -1) for code in right]
                tied.add(told, terms, equal=equal)

    def count_members(self, members: Members, tied: Tied) -> None:
        """Every group of a code is so many of the whole at least: Σ least · groups ≤ the whole."""
        grain = {base_of(self.spec, name): self._labels(name) for name in members.on}
        tables = [x for x in self.of[members.groups] if self._has(x, {**grain, members.dimension: None})]
        wholes = [x for x in self.of[members.of] if self._has(x, grain)]
        if not tables or not wholes:
            return
        own = {**grain, members.dimension: self._grain(tables[0])[members.dimension]}
        by_code = self._by(tables[0], own, members.dimension)
        least = self._least(members, own[members.dimension], len(by_code))
        terms = []
        for number in range(1, max(least) + 1):
            cells = [by_code[code] for code, most in enumerate(least) if most >= number]
            sums = tuple(np.concatenate([part[i] for part in cells]) for i in (0, 1))
            terms.append((tied.sums((sums[0], sums[1])), 1))
        terms.append((self._cells(wholes[0], grain), -1))
        tied.add(f"members of {members.groups} within {members.of}", terms)

    # -- groups of codes -------------------------------------------------------------------------------------------

    def _grain(self, layout: TableIndex) -> dict[str, Labels]:
        return {base_of(self.spec, name): self._labels(name) for name in layout.table.dimensions.values()}

    def _labels(self, dimension: str) -> Labels:
        classification = self.classes.get(base_of(self.spec, dimension))
        if classification is None or dimension not in classification.nodes:
            raise refusal("a definition names a dimension that no table has", "disclosure.spec", dimension=dimension)
        return labels_of(classification, dimension)

    def _has(self, layout: TableIndex, grain: Mapping[str, Labels | None]) -> bool:
        own = self._grain(layout)
        return all(base in own and (labels is None or coarser(labels, own[base])) for base, labels in grain.items())

    def _finest(
        self, pairs: Sequence[tuple[TableIndex, TableIndex]], *apart: str
    ) -> Iterator[tuple[TableIndex, TableIndex, dict[str, Labels]]]:
        """Pairs of tables with their common groups, without pairs whose groups are sums of another's.

        Args:
            apart: classifications that only one table of a pair has; the finest of each takes part.
        """
        found: list[tuple[TableIndex, TableIndex, dict[str, Labels], dict[str, Labels]]] = []
        for one, other in pairs:
            left, right = self._grain(one), self._grain(other)
            grain = {base: common_coarsening(left[base], right[base]) for base in sorted({*left} & {*right})}
            grain = {base: labels for base, labels in grain.items() if labels.max(initial=0) > 0}
            whole = {**grain, **{base: {**left, **right}[base] for base in apart}}
            if any(_says(known, whole) for *_, known in found):
                continue
            found = [entry for entry in found if not _says(whole, entry[3])]
            found.append((one, other, grain, whole))
        for one, other, grain, _ in found:
            yield one, other, grain

    def _cells(self, layout: TableIndex, grain: Grain) -> Cells:
        return cells_at(self.spec, self.classes, layout, grain)

    def _by(self, layout: TableIndex, grain: dict[str, Labels], base: str) -> list[Cells]:
        """The cells of a table by group of one classification: for each the groups of the others."""
        labels = grain[base]
        number, variables = self._cells(layout, {**{b: x for b, x in grain.items() if b != base}, base: labels})
        size = int(labels.max()) + 1
        return [(number[number % size == code] // size, variables[number % size == code]) for code in range(size)]

    def _codes(self, dimension: str) -> dict[str, int]:
        """Finest code of a base dimension → its position among the finest codes."""
        classification = self.classes[dimension]
        codes = classification.trees[dimension].codes
        return {codes[leaf]: position for position, leaf in enumerate(sorted(classification.finest[0]))}

    def _together(self, combination: Combination, one: Labels, other: Labels) -> np.ndarray:
        """Groups of the one × groups of the other: whether somebody can be in both."""
        left, right = self._codes(combination.one), self._codes(combination.other)
        strange = set(combination.possible) - set(left)
        strange |= {code for codes in combination.possible.values() for code in codes} - set(right)
        if strange:
            raise refusal("a definition names an unknown code", "disclosure.code", code=min(strange))
        together = np.zeros((int(one.max()) + 1, int(other.max()) + 1), dtype=bool)
        for code, position in left.items():
            for partner in combination.possible.get(code, right):
                together[one[position], other[right[partner]]] = True
        return together

    def _least(self, members: Members, labels: Labels, size: int) -> list[int]:
        codes = self._codes(members.dimension)
        strange = set(members.least) - set(codes)
        if strange or max(members.least.values()) > MOST_MEMBERS:
            raise refusal(
                "the members of a group are not what they must be", "disclosure.code", dimension=members.dimension
            )
        least = [MOST_MEMBERS] * size
        for code, position in codes.items():
            least[labels[position]] = min(least[labels[position]], members.least.get(code, 1))
        return least


def bounds(together: np.ndarray) -> list[tuple[tuple[int, ...], tuple[int, ...], bool]]:
    """What counts by rows say of counts by columns, where only some rows and columns go together.

    Whole numbers with these sums exist in the possible cells if and only if every set of rows counts no more than the
    columns that go with one of them, and both come to the same total (Gale 1957, Hoffman 1960). Sets that follow from
    smaller ones, or from the totals, are left out.

    Args:
        together: rows × columns, booleans.

    Returns:
        (rows, columns, equal): the rows count as many as the columns, or at most as many.
    """
    parts = _parts(together)
    found = []
    for rows, columns in parts:
        inner = together[np.ix_(rows, columns)]
        if len(parts) > 1:
            found.append((rows, columns, True))
        if len(rows) <= len(columns):
            sets = _bounds(inner)
        else:  # what counts by columns say of rows says the same of all the others
            sets = [(_besides(b, inner, 0), _besides(a, inner, 1)) for a, b in _bounds(inner.T)]
        found += [(tuple(rows[i] for i in a), tuple(columns[j] for j in b), False) for a, b in sets]
    return found


def _parts(together: np.ndarray) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Rows and columns that hang together."""
    height, width = together.shape
    number, label = connected_components(
        np.block([[np.zeros((height, height)), together], [together.T, np.zeros((width, width))]])
    )
    ends = [np.flatnonzero(label == part) for part in range(number)]
    return [(tuple(e[e < height].tolist()), tuple((e[e >= height] - height).tolist())) for e in ends]


def _bounds(together: np.ndarray) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    height, width = together.shape
    if height > MOST_CODES:
        raise refusal("too many codes are combined", "disclosure.size", codes=height)
    found = []
    for size in range(1, height + 1):
        for chosen in combinations(range(height), size):
            columns = np.flatnonzero(together[list(chosen)].any(axis=0))
            inside = {row for row in range(height) if set(np.flatnonzero(together[row])) <= set(columns)}
            alone = len(_parts(together[list(chosen)][:, columns])) == 1  # else its bound is the sum of two
            if len(columns) < width and inside == set(chosen) and alone:
                found.append((chosen, tuple(columns.tolist())))
    return found


def _besides(chosen: tuple[int, ...], together: np.ndarray, axis: int) -> tuple[int, ...]:
    return tuple(number for number in range(together.shape[axis]) if number not in chosen)


def _says(finer: Grain, other: Grain) -> bool:
    """Whether the groups of ``other`` are sums of the groups of ``finer``."""
    return all(base in finer and coarser(labels, finer[base]) for base, labels in other.items())
