"""What stands behind the tables of one population: people, who are in one cell of everything that is told of them.

Tables A × B, B × C and A × C may agree in all margins, and yet no people fit them all. An outsider knows that some do,
so the model does: wherever the tables leave it open (:mod:`partitions`), the cells of the joint table are unknowns that
nobody publishes, whole numbers of 0 or more, and the tables' cells are their sums. Groups that overlap (0–24 beside
10–39) are the same in one dimension: nobody is in groups that share no code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from kobe_platform.disclosure.equations import NO_ROWS, Rows, beneath
from kobe_platform.disclosure.layout import Layout
from kobe_platform.disclosure.partitions import (
    Labels,
    LevelSet,
    common_refinement,
    labels_of,
    levels_of,
    open_sets,
    overlapping,
)
from kobe_platform.disclosure.programs import Solver
from kobe_platform.disclosure.spec import Spec
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
    layouts: Mapping[str, Layout],
    value: np.ndarray,
    known: np.ndarray,
) -> tuple[Rows, np.ndarray]:
    """The joint tables of every population's suppressed counts, and their sums.

    Args:
        value: variable → count; known: variable → a published zero.

    Returns:
        Equations in which new variables have the numbers from ``len(value)`` on, and a count for each of these that
        fits all equations (which of those that fit is of no matter: it says only that one does).

    Raises:
        DisclosureError: no people were found that fit the tables.
    """
    blocks: list[Rows] = []
    counts: list[np.ndarray] = []
    size = len(value)
    counted = [x for x in layouts.values() if x.table.method == "suppression" and not x.table.magnitude]
    for population in sorted({x.table.population for x in counted}):
        group = [x for x in counted if x.table.population == population]
        people = _Population(spec, classes, group, known)
        rows, number = people.equations(size)
        blocks.append(rows)
        counts.append(_fitting(rows, value, size, number))
        size += number
    return beneath(blocks), np.concatenate(counts or [np.empty(0, np.int64)])


class _Population:
    """The tables of one population, the levels that they stand at, and what these leave open."""

    def __init__(
        self, spec: Spec, classes: Mapping[str, Classification], group: Sequence[Layout], known: np.ndarray
    ) -> None:
        self.spec, self.classes, self.group, self.known = spec, classes, group, known
        names = {dimension for x in group for dimension in x.table.dimensions.values()}
        self.levels: dict[str, LevelSet] = {}
        for base, classification in classes.items():
            own = {name: labels_of(classification, name) for name in sorted(names) if base_of(spec, name) == base}
            self.levels |= levels_of(base, own)
        self.of_table = [frozenset().union(*(self.levels[d] for d in x.table.dimensions.values())) for x in group]

    def equations(self, first: int) -> tuple[Rows, int]:
        """Rows whose new unknowns are numbered from ``first``, and how many these are."""
        blocks = [self._agreement(i, j) for i in range(len(self.group)) for j in range(i)]
        joints: list[tuple[Joint, np.ndarray]] = []
        size = 0
        for joint in self._joints():
            margins = [(levels, joint.margin(levels)) for levels in self._margins(joint)]
            possible = np.ones(int(np.prod(joint.shape)), dtype=bool)
            sums = []
            for levels, groups in margins:
                number, variables = self._shown(levels)
                sums.append((number, variables))
                some = np.bincount(number[~self.known[variables]], minlength=int(groups.max()) + 1) > 0
                possible &= some[groups]
            count = int(np.count_nonzero(possible))
            if count > MOST_JOINT_CELLS:
                continue
            ids = np.full(len(possible), -1)
            ids[possible] = first + size + np.arange(count)
            size += count
            joints.append((joint, ids))
            for (_, groups), (number, variables) in zip(margins, sums, strict=True):
                blocks.append(_sums(groups[possible], ids[possible], number, variables))
        blocks += [_shared(one, other, self.of_table) for i, one in enumerate(joints) for other in joints[:i]]
        return beneath(blocks), size

    def _joints(self) -> Iterator[Joint]:
        restrictions = [
            overlapping({level for levels in self.of_table for level in levels if level.base == base})
            for base in self.classes
        ]
        for levels in open_sets(self.of_table, restrictions, lambda chosen: _cells(Joint(chosen))):
            joint = Joint(levels)
            if _cells(joint) <= MOST_COMBINATIONS:
                yield joint

    def _margins(self, joint: Joint) -> list[LevelSet]:
        """What each table says of a joint one, without what another says too."""
        common = sorted({levels & joint.levels for levels in self.of_table} - {frozenset()}, key=sorted)
        return [levels for levels in common if not any(levels < other for other in common)]

    def _shown(self, levels: LevelSet) -> tuple[np.ndarray, np.ndarray]:
        """(group, variable) of the cells of some table that make up the groups at some levels."""
        table = next(i for i, own in enumerate(self.of_table) if levels <= own)
        return self._of_table(table, levels)

    def _of_table(self, table: int, levels: LevelSet) -> tuple[np.ndarray, np.ndarray]:
        layout = self.group[table]
        axes = {base_of(self.spec, d): (axis, d) for axis, d in enumerate(layout.table.dimensions.values())}
        bases = sorted({level.base for level in levels})
        labels = [common_refinement(_labels(levels, base)) for base in bases]
        covers = [_cover(self.classes[base], axes[base][1], own) for base, own in zip(bases, labels, strict=True)]
        grid = np.indices([len(nodes) for _, nodes in covers]).reshape(len(bases), -1)
        number, index = np.zeros(grid.shape[1], np.int64), [np.zeros(grid.shape[1], np.int64)] * len(layout.trees)
        for base, own, (groups, nodes), chosen in zip(bases, labels, covers, grid, strict=True):
            number = number * (int(own.max()) + 1) + groups[chosen]
            index[axes[base][0]] = nodes[chosen]
        return number, layout.variables[tuple(index)]

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


def _cover(classification: Classification, dimension: str, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """(group, node) of the nodes of a dimension's tree that make up each group: itself, else its finest."""
    tree, ids = classification.trees[dimension], classification.nodes[dimension]
    at = {leaf: position for position, leaf in enumerate(sorted(classification.finest[0]))}
    size = np.bincount(labels)
    whole: dict[int, int] = {}
    finest: dict[int, list[int]] = {}
    for node in range(len(tree)):
        leaves = classification.finest[ids[node]]
        group = int(labels[at[min(leaves)]])
        if len(leaves) == size[group] and all(labels[at[leaf]] == group for leaf in leaves):
            whole.setdefault(group, node)
        if tree.leaf[node]:
            finest.setdefault(group, []).append(node)
    pairs = [(g, node) for g in range(len(size)) for node in ([whole[g]] if g in whole else finest[g])]
    groups, nodes = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return groups, nodes


def _sums(groups: np.ndarray, ids: np.ndarray, number: np.ndarray, variables: np.ndarray) -> Rows:
    """One row a group: its cells of a table are the sum of its cells of a joint table."""
    signs = np.concatenate([np.ones(len(groups)), -np.ones(len(number))])
    return np.concatenate([groups, number]), np.concatenate([ids, variables]), signs


def _shared(one: tuple[Joint, np.ndarray], other: tuple[Joint, np.ndarray], tables: Sequence[LevelSet]) -> Rows:
    """What two joint tables have in common, where no table shows it."""
    levels = one[0].levels & other[0].levels
    if not levels or any(levels <= own for own in tables):
        return NO_ROWS
    (groups, ids), (number, variables) = (
        (joint.margin(levels)[cells >= 0], cells[cells >= 0]) for joint, cells in (one, other)
    )
    return _sums(groups, ids, number, variables)


def _cells(joint: Joint) -> int:
    return int(min(np.prod(joint.shape, dtype=np.float64), 1e15))


def _labels(levels: LevelSet, base: str) -> list[Labels]:
    return [level.labels for level in sorted(levels) if level.base == base]


def _fitting(block: Rows, value: np.ndarray, first: int, count: int) -> np.ndarray:
    """Whole numbers of 0 or more for the ``count`` variables from ``first`` on, spread over many."""
    rows, columns, signs = block
    height = int(rows.max(initial=-1)) + 1
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
    return found


def _contradiction() -> DisclosureError:
    return DisclosureError(
        "no people were found whom all tables of a population count",
        code="disclosure.contradiction",
        remedy="give tables that count different things different populations; if these do count the same people, add "
        "the table of all their columns",
    )
