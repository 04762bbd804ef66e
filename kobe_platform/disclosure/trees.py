"""Turns hierarchies into arrays: trees of codes, and the nodes that trees over one classification share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from kobe_platform.disclosure.spec import Dimension, Spec
from kobe_platform.errors import DisclosureError


@dataclass(frozen=True)
class Tree:
    """A rooted tree of codes, parents before children.

    Attributes:
        codes: node → code, the root first.
        parents: node → node of its parent, −1 at the root.
        residual: node → counted in totals only.
    """

    codes: tuple[str, ...]
    parents: np.ndarray
    residual: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def node(self) -> dict[str, int]:
        """code → node."""
        return {code: node for node, code in enumerate(self.codes)}

    @cached_property
    def children(self) -> tuple[np.ndarray, ...]:
        """node → its children."""
        order = np.argsort(self.parents, kind="stable")
        starts = np.searchsorted(self.parents[order], np.arange(len(self) + 1))
        return tuple(order[starts[n] : starts[n + 1]] for n in range(len(self)))

    @cached_property
    def leaf(self) -> np.ndarray:
        """node → has no children."""
        return np.array([len(children) == 0 for children in self.children])

    @cached_property
    def heights(self) -> np.ndarray:
        """node → levels below it (0: finest)."""
        levels = np.zeros(len(self), dtype=np.int64)
        for node in range(len(self) - 1, 0, -1):
            levels[self.parents[node]] = max(levels[self.parents[node]], levels[node] + 1)
        return levels

    @cached_property
    def shown(self) -> np.ndarray:
        """The nodes that are published, in order."""
        return np.flatnonzero(~self.residual)

    @cached_property
    def below(self) -> np.ndarray:
        """Matrix of booleans, nodes × nodes: the column's node lies in the row's subtree (itself included)."""
        matrix = np.eye(len(self), dtype=bool)
        for node in range(len(self) - 1, 0, -1):
            matrix[self.parents[node]] |= matrix[node]
        return matrix


def tree(name: str, dimension: Dimension, flat_codes: Iterable[str] = ()) -> Tree:
    """The tree of a dimension; ``flat_codes`` are the codes seen where it has no hierarchy.

    Raises:
        DisclosureError: no root or two, a cycle, an unknown parent, a code given twice, a residual code with children.
    """
    if dimension.hierarchy is None:
        codes = sorted(set(flat_codes) | set(dimension.residual))
        links: list[tuple[str, str | None]] = [(dimension.total, None)]
        links += [(code, dimension.total) for code in codes if code != dimension.total]
    else:
        links = _links(dimension.hierarchy, name)
    ordered = _ordered(name, links)
    node = {code: index for index, (code, _) in enumerate(ordered)}
    parents = np.array([-1 if parent is None else node[parent] for _, parent in ordered], dtype=np.int64)
    unknown = [code for code in dimension.residual if code not in node]
    if unknown:
        raise _error("a residual code is not in the hierarchy", name, code=unknown[0])
    residual = np.zeros(len(ordered), dtype=bool)
    residual[[node[code] for code in dimension.residual]] = True
    result = Tree(tuple(code for code, _ in ordered), parents, residual)
    inner = [code for code in dimension.residual if not result.leaf[node[code]]]
    if inner or residual[0]:
        raise _error("a residual code has children", name, code=inner[0] if inner else result.codes[0])
    return result


def _links(source: pl.DataFrame | Mapping[str, str | None] | str, name: str) -> list[tuple[str, str | None]]:
    if isinstance(source, str):
        raise _error("a hierarchy is a path but the specification was not loaded from a file", name)
    if isinstance(source, pl.DataFrame):
        if not {"code", "parent"} <= set(source.columns):
            raise _error("a hierarchy lacks the columns code and parent", name)
        rows = source.select(pl.col("code", "parent").cast(pl.String)).rows()
    else:
        rows = list(source.items())
    if any(code is None or code == "" for code, _ in rows):
        raise _error("a hierarchy has a row without a code", name)
    return [(code, parent or None) for code, parent in rows]


def _ordered(name: str, links: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """Depth first from the root, siblings in the order given."""
    parent_of = dict(links)
    if len(parent_of) != len(links):
        raise _error("a hierarchy names a code twice", name)
    roots = [code for code, parent in links if parent is None]
    if len(roots) != 1:
        raise _error("a hierarchy needs exactly one root", name, roots=len(roots))
    children: dict[str, list[str]] = {}
    for code, parent in links:
        if parent is not None:
            if parent not in parent_of:
                raise _error("a hierarchy names a parent that is no code of it", name, code=parent)
            children.setdefault(parent, []).append(code)
    ordered, stack = [], [roots[0]]
    while stack:
        code = stack.pop()
        ordered.append((code, parent_of[code]))
        stack.extend(reversed(children.get(code, ())))
    if len(ordered) != len(links):
        raise _error("a hierarchy has a cycle", name, unreachable=len(links) - len(ordered))
    return ordered


def _error(message: str, dimension: str, **at: str | int) -> DisclosureError:
    return DisclosureError(
        message,
        code="disclosure.hierarchy",
        at={"dimension": dimension, **at},
        remedy="correct the hierarchy: columns code,parent, one root with an empty parent, every code once",
    )


@dataclass(frozen=True)
class Classification:
    """A base dimension with all trees that regroup it.

    Attributes:
        size: number of distinct nodes over all trees; node 0 is the base's total.
        trees: dimension name → its tree.
        nodes: dimension name → (node of its tree → node of the classification).
        sums: ``(node, parts)`` of regrouped codes: the node is the sum of these nodes of the base tree.
        finest: node → the finest nodes of the base tree that it gathers.
        labels, covers: what was worked out of dimensions and groups (``level_sets.labels_of``, ``joints.cells_at``).
    """

    size: int
    trees: Mapping[str, Tree]
    nodes: Mapping[str, np.ndarray]
    sums: tuple[tuple[int, tuple[int, ...]], ...]
    finest: tuple[frozenset[int], ...]
    labels: dict[str, np.ndarray] = field(default_factory=dict, compare=False)
    covers: dict[tuple[str, bytes], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, compare=False)

    @cached_property
    def leaves(self) -> tuple[np.ndarray, ...]:
        """node → positions of its finest nodes among all finest ones, in order."""
        at = {leaf: position for position, leaf in enumerate(sorted(self.finest[0]))}
        return tuple(np.array(sorted(at[leaf] for leaf in own), dtype=np.int64) for own in self.finest)


def classifications(spec: Spec, codes_seen: Mapping[str, Iterable[str]]) -> dict[str, Classification]:
    """Base dimension → classification, for every dimension that a table uses.

    Args:
        codes_seen: dimension → codes found in the data (read for flat dimensions only).

    Raises:
        DisclosureError: a hierarchy is unsound, or a regrouping names codes that its base does not have.
    """
    used = {dimension for table in spec.tables for dimension in table.dimensions.values()}
    views: dict[str, list[str]] = {}
    for name in sorted(used):
        views.setdefault(base_of(spec, name), []).append(name)
    result = {}
    for base, names in views.items():
        base_tree = tree(base, spec.dimension(base), codes_seen.get(base, ()))
        regroupings = {
            name: tree(name, spec.dimension(name), codes_seen.get(name, ())) for name in names if name != base
        }
        result[base] = _classify(spec, base, base_tree, regroupings)
    return result


def base_of(spec: Spec, dimension: str) -> str:
    """The dimension itself, or the one that it regroups."""
    return spec.dimension(dimension).of or dimension


def _classify(spec: Spec, base: str, base_tree: Tree, regroupings: Mapping[str, Tree]) -> Classification:
    leaf_sets = [
        frozenset(np.flatnonzero(base_tree.below[node] & base_tree.leaf).tolist()) for node in range(len(base_tree))
    ]
    known: dict[frozenset[int], int] = {}
    for node, leaves in enumerate(leaf_sets):
        known.setdefault(leaves, node)
    sums: list[tuple[int, tuple[int, ...]]] = []
    finest = list(leaf_sets)
    nodes = {base: np.arange(len(base_tree))}
    for name, view in regroupings.items():
        gathered = spec.dimension(name).consists_of
        ids = np.full(len(view), -1)
        sets: dict[int, frozenset[int]] = {}
        for node in range(len(view) - 1, -1, -1):
            parts = _parts(name, view, node, gathered, base_tree)
            sides = [leaf_sets[part] for part in parts] or [sets[child] for child in view.children[node]]
            leaves = sets[node] = frozenset[int]().union(*sides)
            if parts and sum(map(len, sides)) != len(leaves):
                raise _error("a regrouping gathers a code twice", name, code=view.codes[node])
            if len(parts) == 1:
                ids[node] = parts[0]
            elif leaves in known:
                ids[node] = known[leaves]
            else:
                ids[node] = known[leaves] = len(base_tree) + len(sums)
                sums.append((int(ids[node]), parts or tuple(sorted(leaves))))
                finest.append(leaves)
        _check_partition(name, view, sets)
        if ids[0] != 0:
            raise _error("a regrouping's total is not the total of its base", name, code=view.codes[0])
        nodes[name] = ids
    trees = {base: base_tree, **regroupings}
    return Classification(len(base_tree) + len(sums), trees, nodes, tuple(sums), tuple(finest))


def _parts(
    name: str, view: Tree, node: int, gathered: Mapping[str, Collection[str]], base_tree: Tree
) -> tuple[int, ...]:
    """Nodes of the base that make up a node of a regrouping; none where its own children do."""
    code = view.codes[node]
    if code in gathered:
        missing = [part for part in gathered[code] if part not in base_tree.node]
        if missing:
            raise _error("a regrouping gathers a code that its base does not have", name, code=missing[0])
        return tuple(base_tree.node[part] for part in gathered[code])
    if code in base_tree.node:
        return (base_tree.node[code],)
    if view.leaf[node]:
        raise _error("a regrouping has a code that is neither in its base nor in consists_of", name, code=code)
    return ()


def _check_partition(name: str, view: Tree, sets: Mapping[int, frozenset[int]]) -> None:
    for node, children in enumerate(view.children):
        if len(children) and (
            frozenset[int]().union(*(sets[c] for c in children)) != sets[node]
            or sum(len(sets[c]) for c in children) != len(sets[node])
        ):
            raise _error("a regrouping's children do not make up their parent", name, code=view.codes[node])
