"""Adds joint tables to the suppressor's model: a cross-tabulation A × B × C whose margins are the published tables.

Tables A × B, B × C and A × C may agree in their common margins although no A × B × C has all three as its margins. An
outsider knows that one exists, so the model says so: where agreement of the margins does not guarantee one
(:mod:`level_sets`), the cells of the joint table become integer variables ≥ 0 that are never published, and the cells
of the tables are their sums. Overlapping groupings of one classification (0–24 and 25+ beside 10–39 and the rest) are
treated alike: nobody is in two groups that share no code.

Where the population is part of a larger one (foreign men, all men), a sum of joint cells is at most the larger one's
count in the same cell. Classifications that only a table of the larger population crosses are therefore crossed in the
joint tables too: where nearly all men of a ward are foreign and no foreign man is 90, its old men are few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from kobe_platform.disclosure.equations import NO_ROWS, Rows, beneath
from kobe_platform.disclosure.level_sets import (
    Labels,
    LevelSet,
    coarser,
    common_refinement,
    labels_of,
    levels_of,
    open_sets,
    overlapping,
)
from kobe_platform.disclosure.spec import Spec
from kobe_platform.disclosure.suppression.programs import Solver
from kobe_platform.disclosure.table_index import TableIndex
from kobe_platform.disclosure.trees import Classification, base_of
from kobe_platform.errors import DisclosureError

MOST_JOINT_CELLS = 8_000
"""Of one joint table, without those that a published zero excludes; a larger one is left out; the audit tells."""
MOST_COMBINATIONS = 5_000_000
ROOM = 3
"""The people that are looked for are spread: up to so many in a cell count more than those beyond."""


@dataclass(frozen=True)
class Joint:
    """The cells of a joint table: at some levels, one axis a classification."""

    levels: LevelSet

    @cached_property
    def parts(self) -> dict[str, Labels]:
        """Classification → finest code → part."""
        bases = sorted({level.base for level in self.levels})
        return {base: common_refinement(_labels(self.levels, base)) for base in bases}

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of parts of each classification."""
        return tuple(int(labels.max()) + 1 for labels in self.parts.values())

    def margin(self, levels: LevelSet) -> np.ndarray:
        """Cell → number of its group at some levels (those of the joint table, or fewer)."""
        flat = np.zeros(self.shape, dtype=np.int64)
        for axis, (base, parts) in enumerate(self.parts.items()):
            groups = list(_labels(levels, base))
            if not groups:
                continue
            labels = common_refinement(groups)
            of_part = np.zeros(self.shape[axis], dtype=np.int64)
            of_part[parts] = labels
            flat = flat * (int(labels.max()) + 1) + of_part.reshape([-1 if a == axis else 1 for a in range(flat.ndim)])
        return flat.ravel()


def joint_tables(
    spec: Spec,
    classes: Mapping[str, Classification],
    layouts: Mapping[str, TableIndex],
    value: np.ndarray,
    known: np.ndarray,
) -> tuple[Rows, np.ndarray, list[Rows]]:
    """The joint tables of every population's suppressed counts, and their sums.

    Args:
        value: variable → count; known: variable → a published zero.

    Returns:
        Equations in which new variables have the numbers from ``len(value)`` on, a count for each of these that
        fits all rows (which of those that fit is of no matter: it says only that one does), and rows that come to 0 at
        most: what joint cells are part of.

    Raises:
        DisclosureError: no people were found that fit the tables.
    """
    blocks: list[Rows] = []
    counts: list[np.ndarray] = []
    parts: list[Rows] = []
    size = len(value)
    counted = [x for x in layouts.values() if x.table.method == "suppression" and not x.table.magnitude]
    for population in sorted({x.table.population for x in counted}):
        group = [x for x in counted if x.table.population == population]
        wholes = {inclusion.whole for inclusion in spec.includes if inclusion.part == population}
        people = _Population(spec, classes, group, known, [x for x in counted if x.table.population in wholes])
        rows, number, within = people.equations(size)
        blocks.append(rows)
        parts += within
        counts.append(_fitting(_with_room(rows, within, size + number), value, size, number))
        size += number
    return beneath(blocks), np.concatenate(counts or [np.empty(0, np.int64)]), parts


class _Population:
    """The tables of one population, the levels that they stand at, and what these leave open."""

    def __init__(
        self,
        spec: Spec,
        classes: Mapping[str, Classification],
        group: Sequence[TableIndex],
        known: np.ndarray,
        wholes: Sequence[TableIndex],
    ) -> None:
        self.spec, self.classes, self.group, self.known = spec, classes, group, known
        names = {dimension for x in group for dimension in x.table.dimensions.values()}
        self.levels: dict[str, LevelSet] = {}
        for base, classification in classes.items():
            own = {name: labels_of(classification, name) for name in sorted(names) if base_of(spec, name) == base}
            self.levels |= levels_of(base, own)
        self.of_table = [frozenset().union(*(self.levels[d] for d in x.table.dimensions.values())) for x in group]

        self.within = [(x, self._shared_levels(x)) for x in wholes]

    def _shared_levels(self, whole: TableIndex) -> LevelSet:
        """The levels of the population at which a table of a larger one can be summed."""
        own = {base_of(self.spec, d): labels_of(self.classes[base_of(self.spec, d)], d) for d in _dimensions(whole)}
        every = frozenset().union(*self.of_table)
        return frozenset(x for x in every if x.base in own and coarser(x.labels, own[x.base]))

    def equations(self, first: int) -> tuple[Rows, int, list[Rows]]:
        """Rows whose new unknowns are numbered from ``first``, how many these are, and rows of at most 0."""
        blocks = [self._agreement(i, j) for i in range(len(self.group)) for j in range(i)]
        joints, size = self._numbered(first)
        for joint, ids in joints:
            possible = ids >= 0
            for levels in self._margins(joint):
                blocks.append(_sums(joint.margin(levels)[possible], ids[possible], *self._shown(levels)))
        blocks += [_shared(one, other, self.of_table) for i, one in enumerate(joints) for other in joints[:i]]
        parts = [self._part(*joint, *whole) for joint in joints for whole in self.within]
        return beneath(blocks), size, [rows for rows in parts if len(rows[0])]

    def _numbered(self, first: int) -> tuple[list[tuple[Joint, np.ndarray]], int]:
        """Joint tables with the numbers of their unknowns (−1: nobody), and how many these are."""
        joints: list[tuple[Joint, np.ndarray]] = []
        size = 0
        for levels, possible in self._joints().items():
            if possible is None:
                continue
            count = int(np.count_nonzero(possible))
            ids = np.full(len(possible), -1)
            ids[possible] = first + size + np.arange(count)
            size += count
            joints.append((Joint(levels), ids))
        return joints, size

    def _possible(self, joint: Joint) -> np.ndarray | None:
        """Cell of a joint table → no table excludes it by a published zero. None where too many are left."""
        if _cells(joint) > MOST_COMBINATIONS:
            return None
        possible = np.ones(int(np.prod(joint.shape)), dtype=bool)
        for levels in self._margins(joint):
            groups = joint.margin(levels)
            number, variables = self._shown(levels)
            some = np.bincount(number[~self.known[variables]], minlength=int(groups.max()) + 1) > 0
            possible &= some[groups]
        return possible if np.count_nonzero(possible) <= MOST_JOINT_CELLS else None

    def _part(self, joint: Joint, ids: np.ndarray, whole: TableIndex, levels: LevelSet) -> Rows:
        """Joint cells less the cells of a larger population at their common levels, where no table is at these."""
        levels &= joint.levels
        if any(levels <= own for own in self.of_table):
            return NO_ROWS  # compared with a table (definitions.py)
        labels = {base: common_refinement(_labels(levels, base)) for base in sorted({x.base for x in levels})}
        number, variables = cells_at(self.spec, self.classes, whole, labels)
        groups = joint.margin(levels)[ids >= 0]
        some = np.isin(number, groups)
        return _sums(groups, ids[ids >= 0], number[some], variables[some])

    def _joints(self) -> dict[LevelSet, np.ndarray | None]:
        """The joint tables that have to be asked for, with :meth:`_possible` of each; None where it is too large.

        Where a larger population is shown in finer crosses than this one, this one's joint cells at its levels are
        asked for too, as far as that makes no joint table too large.
        """
        together = [
            overlapping({level for levels in self.of_table for level in levels if level.base == base})
            for base in self.classes
        ]
        joints = self._open(together)
        for levels in self._finer_crosses():
            more = self._open([*together, levels])
            if _too_large(more) <= _too_large(joints):
                together.append(levels)
                joints = more
        return joints

    def _finer_crosses(self) -> list[LevelSet]:
        """Levels of larger populations' tables that no table of this one has together, smallest first."""
        of_wholes = {levels for _, levels in self.within if not any(levels <= own for own in self.of_table)}
        return sorted(of_wholes, key=lambda levels: (_cells(Joint(levels)), sorted(levels)))

    def _open(self, together: Sequence[LevelSet]) -> dict[LevelSet, np.ndarray | None]:
        found = open_sets(self.of_table, together, lambda chosen: _cells(Joint(chosen)))
        return {levels: self._possible(Joint(levels)) for levels in found}

    def _margins(self, joint: Joint) -> list[LevelSet]:
        """What each table says of a joint one, without what another says too."""
        common = sorted({levels & joint.levels for levels in self.of_table} - {frozenset()}, key=sorted)
        return [levels for levels in common if not any(levels < other for other in common)]

    def _shown(self, levels: LevelSet) -> tuple[np.ndarray, np.ndarray]:
        """(group, variable) of the cells of some table that make up the groups at some levels."""
        table = next(i for i, own in enumerate(self.of_table) if levels <= own)
        return self._of_table(table, levels)

    def _of_table(self, table: int, levels: LevelSet) -> tuple[np.ndarray, np.ndarray]:
        bases = sorted({level.base for level in levels})
        labels = {base: common_refinement(_labels(levels, base)) for base in bases}
        return cells_at(self.spec, self.classes, self.group[table], labels)

    def _agreement(self, i: int, j: int) -> Rows:
        """What two tables say of their common levels, where one does not show the sum that the other shows."""
        levels = self.of_table[i] & self.of_table[j]
        if not levels:
            return NO_ROWS
        one, other = self._of_table(i, levels), self._of_table(j, levels)
        size = int(one[0].max()) + 1
        alone = [np.bincount(number, minlength=size) == 1 for number, _ in (one, other)]
        open_ones = ~(alone[0] & alone[1])
        (a, x), (b, y) = ((number[open_ones[number]], cells[open_ones[number]]) for number, cells in (one, other))
        sign = np.where(alone[0], -1.0, 1.0)  # the sum −1, its parts 1, as regrouped codes have it
        return np.concatenate([a, b]), np.concatenate([x, y]), np.concatenate([sign[a], -sign[b]])


def cells_at(
    spec: Spec, classes: Mapping[str, Classification], layout: TableIndex, labels: Mapping[str, Labels]
) -> tuple[np.ndarray, np.ndarray]:
    """(group, variable) of the cells of a table that make up the groups of some of its classifications.

    Args:
        labels: classification → groups, none finer than the table's; the others stand at their total.
    """
    axes = {base_of(spec, d): (axis, d) for axis, d in enumerate(layout.table.dimensions.values())}
    covers = [_cover(classes[base], axes[base][1], own) for base, own in labels.items()]
    grid = np.indices([len(nodes) for _, nodes in covers]).reshape(len(labels), -1 if labels else 1)
    number, index = np.zeros(grid.shape[1], np.int64), [np.zeros(grid.shape[1], np.int64)] * len(layout.trees)
    for (base, own), (groups, nodes), chosen in zip(labels.items(), covers, grid, strict=True):
        number = number * (int(own.max()) + 1) + groups[chosen]
        index[axes[base][0]] = nodes[chosen]
    return number, layout.variables[tuple(index)]


def _cover(classification: Classification, dimension: str, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """(group, node) of the nodes of a dimension's tree that make up each group: itself, else its finest."""
    key = (dimension, labels.tobytes())
    if key in classification.covers:
        return classification.covers[key]
    tree, ids = classification.trees[dimension], classification.nodes[dimension]
    size = np.bincount(labels)
    whole: dict[int, int] = {}
    finest: dict[int, list[int]] = {}
    for node, leaf in enumerate(tree.leaf.tolist()):
        own = labels[classification.leaves[ids[node]]]
        group = int(own[0])
        if len(own) == size[group] and (own == group).all():
            whole.setdefault(group, node)
        if leaf:
            finest.setdefault(group, []).append(node)
    pairs = [(g, node) for g in range(len(size)) for node in ([whole[g]] if g in whole else finest[g])]
    groups, nodes = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    classification.covers[key] = groups, nodes
    return groups, nodes


def _sums(groups: np.ndarray, ids: np.ndarray, number: np.ndarray, variables: np.ndarray) -> Rows:
    """One row a group: its cells of a table are the sum of its cells of a joint table."""
    signs = np.concatenate([np.ones(len(groups)), -np.ones(len(number))])
    return np.concatenate([groups, number]), np.concatenate([ids, variables]), signs


def _with_room(rows: Rows, parts: Sequence[Rows], first: int) -> Rows:
    """All rows as equations: what is at most 0 gets a difference, numbered from ``first``."""
    blocks = [rows]
    for number, variables, signs in parts:
        groups, at = np.unique(number, return_inverse=True)
        own = first + np.arange(len(groups))
        first += len(groups)
        ends = np.arange(len(groups))
        blocks.append(
            (
                np.concatenate([at, ends]),
                np.concatenate([variables, own]),
                np.concatenate([signs, np.ones(len(groups))]),
            )
        )
    return beneath(blocks)


def _dimensions(layout: TableIndex) -> list[str]:
    return list(layout.table.dimensions.values())


def _shared(one: tuple[Joint, np.ndarray], other: tuple[Joint, np.ndarray], tables: Sequence[LevelSet]) -> Rows:
    """What two joint tables have in common, where no table shows it."""
    levels = one[0].levels & other[0].levels
    if not levels or any(levels <= own for own in tables):
        return NO_ROWS
    (groups, ids), (number, variables) = (
        (joint.margin(levels)[cells >= 0], cells[cells >= 0]) for joint, cells in (one, other)
    )
    return _sums(groups, ids, number, variables)


def _too_large(joints: Mapping[LevelSet, np.ndarray | None]) -> set[LevelSet]:
    return {levels for levels, possible in joints.items() if possible is None}


def _cells(joint: Joint) -> int:
    return int(min(np.prod(joint.shape, dtype=np.float64), 1e15))


def _labels(levels: LevelSet, base: str) -> list[Labels]:
    return [level.labels for level in sorted(levels) if level.base == base]


def _fitting(block: Rows, value: np.ndarray, first: int, count: int) -> np.ndarray:
    """Whole numbers of 0 or more for the ``count`` variables from ``first`` on, spread over many."""
    rows, columns, signs = block
    height = int(rows.max(initial=-1)) + 1
    wanted, count = count, max(count, int(columns.max(initial=-1)) + 1 - first)  # differences, too
    matrix = sparse.csr_array((signs, (rows, columns)), shape=(height, first + count))
    known, unknown = matrix[:, : len(value)], sparse.csr_array(matrix[:, first:])
    right = -(known @ value)
    if right[np.diff(unknown.indptr) == 0].any():
        raise _contradiction()
    found = np.zeros(count, dtype=np.int64)
    if not count:
        return found
    solver = Solver()
    graph = sparse.block_array([[None, unknown], [unknown.T, None]], format="csr")
    _, label = connected_components(abs(graph), directed=False)
    of_row, of_column = label[:height], label[height:]
    by_column = np.argsort(of_column, kind="stable")
    for cells in np.split(by_column, np.flatnonzero(np.diff(of_column[by_column])) + 1):
        inside = np.flatnonzero(of_row == of_column[cells[0]])
        people = solver.spread(sparse.csc_array(unknown[inside][:, cells]), right[inside], ROOM)
        if people is None:
            raise _contradiction()
        found[cells] = people
    if (found < 0).any() or (unknown @ found != right).any():
        raise _contradiction()
    return found[:wanted]


def _contradiction() -> DisclosureError:
    return DisclosureError(
        "no people were found whom all tables of a population count",
        code="disclosure.contradiction",
        remedy="give tables that count different things different populations; if these do count the same people, add "
        "the table of all their columns",
    )
