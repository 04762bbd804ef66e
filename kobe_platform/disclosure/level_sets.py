"""Finds the sets of levels for which a population's tables leave open whether people can fit them all.

A level is a way to part the finest codes of a classification into groups. A table over districts also says something
by ward: it stands at the level of districts and at every coarser one. So tables are sets of levels. Where these form a
tree (each meets all earlier ones within one of them), whole-numbered tables that agree in their common margins always
come from some people (Vorob'ev, Theory of Probability and its Applications 7, 1962). Where they form a ring (A × B,
B × C, A × C) they need not: somebody has to stand in the cells of A × B × C. :func:`open_sets` finds the sets of levels
for which that has to be asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kobe_platform.disclosure.trees import Classification

Labels = np.ndarray
"""Finest code of a classification → number of its group; groups are numbered in the order of their first codes."""


@dataclass(frozen=True, order=True)
class CodeLevel:
    """One way to part the finest codes of ``base`` into groups."""

    base: str
    groups: bytes

    @property
    def labels(self) -> Labels:
        """Finest code → number of its group."""
        return np.frombuffer(self.groups, dtype=np.int64)


LevelSet = frozenset[CodeLevel]


def labels_of(classification: Classification, dimension: str) -> Labels:
    """The groups that the finest codes of a dimension make."""
    if dimension not in classification.labels:
        ids = classification.nodes[dimension][classification.trees[dimension].leaf]
        labels = np.full(len(classification.finest[0]), -1)
        for number, node in enumerate(ids.tolist()):
            labels[classification.leaves[node]] = number
        classification.labels[dimension] = _numbered(labels)
    return classification.labels[dimension]


def common_refinement(levels: Iterable[Labels]) -> Labels:
    """The coarsest groups that every group of every level is a sum of."""
    first, *others = levels
    result = first
    for labels in others:
        result = _numbered(result * (labels.max(initial=0) + 1) + labels)
    return result


def common_coarsening(one: Labels, other: Labels) -> Labels:
    """The finest groups that are sums of the groups of either level."""
    labels = one
    while True:
        wider = _least_of_group(_least_of_group(labels, other), one)
        if (wider == labels).all():
            return _numbered(labels)
        labels = wider


def coarser(one: Labels, other: Labels) -> bool:
    """Whether every group of ``other`` lies in one group of ``one``."""
    return bool((_least_of_group(one, other) == one).all())


def levels_of(base: str, views: Mapping[str, Labels]) -> dict[str, LevelSet]:
    """Dimension → the levels that a table over it stands at: its own and every coarser one that others have."""
    known = list({labels.tobytes(): labels for labels in views.values()}.values())
    for position, one in enumerate(known):
        for other in known[:position]:
            shared = common_coarsening(one, other)
            if not any((shared == labels).all() for labels in known):
                known.append(shared)  # its turn comes
    known = [labels for labels in known if labels.max(initial=0) > 0]
    return {
        name: frozenset(CodeLevel(base, labels.tobytes()) for labels in known if coarser(labels, own))
        for name, own in views.items()
    }


def overlapping(levels: Collection[CodeLevel]) -> LevelSet:
    """The finest of some levels of one classification, where not every choice of one group each shares a code.

    (0–24, 25+ beside 0–9, 10–39, 40+: nobody is in 0–9 and in 25+.) Nothing where one level is finer than all others.
    """
    finest = [
        level for level in sorted(levels) if not any(coarser(level.labels, x.labels) for x in levels if x != level)
    ]
    if len(finest) < 2:
        return frozenset()
    if len(finest) == 2:
        one, other = (level.labels for level in finest)
        shared, both = common_coarsening(one, other), common_refinement([one, other])
        met = [len(np.unique(labels[shared == s])) for s in np.unique(shared) for labels in (one, other, both)]
        if all(a * b == c for a, b, c in zip(met[::3], met[1::3], met[2::3], strict=True)):
            return frozenset()
    return frozenset(finest)


def open_sets(
    tables: Sequence[LevelSet], restrictions: Iterable[LevelSet], size: Callable[[LevelSet], int]
) -> list[LevelSet]:
    """Sets of levels that together with the tables form a tree, and that no table covers.

    The cliques of a triangulation of the graph that links levels of one table (least fill first, then least size). A
    tree of tables has none; a ring of three has one.

    Args:
        tables: the levels of each table.
        restrictions: further sets of levels that are linked, though no table shows them together.
        size: number of cells over some levels.
    """
    links: dict[CodeLevel, set[CodeLevel]] = {}
    for levels in (*tables, *restrictions):
        for level in levels:
            links.setdefault(level, set()).update(levels - {level})
    cliques: list[LevelSet] = []
    while links:
        level = min(links, key=lambda x: (_fill(links, x), size(frozenset({x, *links[x]})), x))
        around = links.pop(level)
        cliques.append(frozenset({level, *around}))
        for other in around:
            links[other] |= around - {other}
            links[other].discard(level)
    open_ones = [clique for clique in cliques if not any(clique <= levels for levels in tables)]
    largest = [clique for clique in open_ones if not any(clique < other for other in open_ones)]
    return sorted(set(largest), key=sorted)


def _fill(links: Mapping[CodeLevel, set[CodeLevel]], level: CodeLevel) -> int:
    """Number of links that come in when a level is taken out."""
    around = sorted(links[level])
    return sum(b not in links[a] for a, b in itertools.combinations(around, 2))


def _numbered(labels: Labels) -> Labels:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def _least_of_group(values: Labels, groups: Labels) -> Labels:
    """Each entry's least value within its group."""
    least = np.full(int(groups.max(initial=0)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, groups, values)
    return least[groups]
