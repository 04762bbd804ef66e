"""Which variables a local program looks at: a cell's relatives in every table, and what is hidden around."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.suppression.sorted_sets import distinct, gather, union, without
from kobe_platform.disclosure.table_index import TableIndex
from kobe_platform.disclosure.trees import Tree

NEAR, WIDE, ALL = 0, 1, 2
LEAST_SCOPE = 500
UNSEEN_STEPS = 2
"""A cell's own differences and sums, and the differences of these sums."""


def relatives(tree: Tree, node: int, reach: int) -> np.ndarray:
    """Nodes near a node: itself, parent, siblings, children; when wide also aunts, grandparent and all below itself."""
    parent = tree.parents[node]
    chosen = {node, *tree.children[node].tolist()}
    if parent >= 0:
        chosen |= {int(parent), *tree.children[parent].tolist()}
    if reach == WIDE:
        chosen |= set(np.flatnonzero(tree.below[node]).tolist())
        if parent > 0:
            grandparent = int(tree.parents[parent])
            chosen |= {grandparent, *tree.children[grandparent].tolist()}
            chosen |= set(np.flatnonzero(tree.below[parent]).tolist())
    return np.array(sorted(chosen))


class Neighbourhoods:
    """Local scopes of a model's variables."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.by_row = model.equations
        self.by_column = sparse.csc_array(model.equations)
        layouts = list(model.layouts.values())
        flat = np.concatenate([x.variables.ravel() for x in layouts])
        table = np.repeat(np.arange(len(layouts)), [x.variables.size for x in layouts])
        position = np.concatenate([np.arange(x.variables.size) for x in layouts])
        order = np.argsort(flat, kind="stable")
        self._table, self._position = table[order], position[order]
        self._starts = np.searchsorted(flat[order], np.arange(model.size + 1))
        self._layouts = layouts
        self._unseen = bool(model.slack.any())
        self._single = model.slack & ~model.joint
        self._relatives = cache(lambda table, axis, node, reach: relatives(layouts[table].trees[axis], node, reach))

    def around(self, variable: int, reach: int, free: np.ndarray, movable: np.ndarray) -> np.ndarray:
        """Sorted movable variables around one; ``free`` ones (hidden already) that hang together with them included."""
        if reach == ALL:
            return np.flatnonzero(movable)
        parts = [np.array([variable])]
        for table, layout, nodes in self._places(variable):
            index = [self._relatives(table, axis, node, reach) for axis, node in enumerate(nodes)]
            parts.append(layout.variables[np.ix_(*index)].ravel())
        chosen = distinct(np.concatenate(parts))
        chosen = chosen[movable[chosen]]
        return self._with_hidden(chosen, free)

    def hidden_mates(self, variable: int, free: np.ndarray, slack: np.ndarray, mates: int) -> np.ndarray:
        """A small grid of free variables around one: on each axis the ``mates`` relatives whose cells can give most."""
        return self._small_grid(variable, free, lambda line: np.argsort(-slack[line], kind="stable")[:mates])

    def grid(self, variable: int, free: np.ndarray, movable: np.ndarray, slack: np.ndarray, mates: int) -> np.ndarray:
        """Like :meth:`hidden_mates` with cells that may yet be hidden: on each axis half the mates of either kind."""

        def half_of_either(line: np.ndarray) -> np.ndarray:
            wide = slack[line] >= self.model.width[line]
            known = np.lexsort((-slack[line], ~free[line]))[: mates // 2]
            cheap = np.lexsort((slack[line], ~wide, free[line]))[: mates - mates // 2]
            return union(known, cheap)

        return self._small_grid(variable, movable, half_of_either)

    def _small_grid(self, variable: int, allowed: np.ndarray, choose: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Sorted allowed variables of a grid around one in each of its tables, with those that no table shows.

        Args:
            choose: from the allowed variables beside it on one axis, the positions of those that span the grid.
        """
        parts = [np.array([variable])]
        for table, layout, nodes in self._places(variable):
            index = []
            for axis, node in enumerate(nodes):
                near = self._relatives(table, axis, node, NEAR)
                line = layout.variables[tuple(near if a == axis else n for a, n in enumerate(nodes))]
                usable = allowed[line] & (near != node)
                index.append(np.concatenate([[node], near[usable][choose(line[usable])]]))
            block = layout.variables[np.ix_(*index)].ravel()
            parts.append(block[allowed[block]])
        return self._with_unseen(distinct(np.concatenate(parts)))

    def _places(self, variable: int) -> Iterator[tuple[int, TableIndex, list[int]]]:
        """Where a variable stands: number of the table, its layout, and the node on each of its axes."""
        for entry in range(self._starts[variable], self._starts[variable + 1]):
            table = int(self._table[entry])
            layout = self._layouts[table]
            nodes = np.unravel_index(self._position[entry], layout.variables.shape)
            yield table, layout, [int(node) for node in nodes]

    def _with_unseen(self, chosen: np.ndarray) -> np.ndarray:
        """The variables with those that no table shows and that move with them: differences, sums, joint cells.

        Foreign residents can vary under a published number of residents only because the difference of the two varies
        with them. Without it, a program would have to move, and hide, the residents as well.
        """
        if not self._unseen:
            return chosen
        front, moves = chosen, self.model.slack
        for _ in range(UNSEEN_STEPS):
            beside = distinct(gather(self.by_row, distinct(gather(self.by_column, front))))
            front = without(beside[moves[beside]], chosen)
            chosen, moves = union(chosen, front), self._single
        return chosen

    def _with_hidden(self, chosen: np.ndarray, free: np.ndarray) -> np.ndarray:
        chosen = self._with_unseen(chosen)
        front, known, goal = chosen[free[chosen]], chosen, max(len(chosen), LEAST_SCOPE)
        while len(front) and len(known) < goal:
            rows = distinct(gather(self.by_column, front))
            reached = distinct(gather(self.by_row, rows))
            front = without(reached[free[reached]], known)
            known = union(known, front)
        return known

    def components(self, free: np.ndarray) -> list[np.ndarray]:
        """The free variables, split into sets that no equation ties to each other."""
        chosen = np.flatnonzero(free)
        part = self.by_column[:, chosen]
        graph = sparse.block_array([[None, part.T], [part, None]], format="csr")  # variables before equations
        label = connected_components(graph, directed=False)[1][: len(chosen)] if len(chosen) else np.empty(0, int)
        order = np.argsort(label, kind="stable")
        cuts = np.flatnonzero(np.diff(label[order])) + 1
        return [np.sort(chosen[group]) for group in np.split(order, cuts)] if len(chosen) else []
