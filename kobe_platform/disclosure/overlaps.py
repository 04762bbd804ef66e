"""Regroupings of one dimension beside each other without its finest codes: what they share is counted once.

Where one table shows 0–24, 25+ and another 0–9, 10–39, 40+, neither gathers the other's codes, yet both are sums of the
same people: 0–9, 10–24, 25–39, 40+. These parts are unknowns that no table shows, whole numbers of 0 or more; an
outsider counts with them, so the model does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy import sparse

from kobe_platform.disclosure.equations import Rows, combinations
from kobe_platform.disclosure.layout import Layout
from kobe_platform.disclosure.spec import Spec
from kobe_platform.disclosure.trees import Classification
from kobe_platform.errors import DisclosureError


@dataclass(frozen=True)
class Parts:
    """What the groups of some views share.

    Attributes:
        nodes: part → node of the classification that is just this part; −1 where no view shows it.
        sums: ``(node, parts)``: the group is the sum of these parts.
    """

    nodes: tuple[int, ...]
    sums: tuple[tuple[int, tuple[int, ...]], ...]


def parts_of(classification: Classification, views: frozenset[str]) -> Parts:
    """The coarsest parts of which all groups of all views are sums."""
    groups: dict[int, None] = {}
    shown: dict[frozenset[int], int] = {}
    for name in sorted(views):
        ids = classification.nodes[name]
        groups |= dict.fromkeys(ids[classification.trees[name].leaf].tolist())
        for node in ids.tolist():
            shown.setdefault(classification.finest[node], node)
    together: dict[frozenset[int], set[int]] = {}
    for leaf in sorted(frozenset().union(*(classification.finest[node] for node in groups))):
        inside = frozenset(node for node in groups if leaf in classification.finest[node])
        together.setdefault(inside, set()).add(leaf)
    parts = [frozenset(leaves) for leaves in together.values()]
    sums = [
        (node, tuple(i for i, part in enumerate(parts) if part <= classification.finest[node]))
        for node in groups
        if classification.finest[node] not in parts
    ]
    return Parts(tuple(shown.get(part, -1) for part in parts), tuple(sums))


def shared_parts(
    spec: Spec, classes: Mapping[str, Classification], layouts: Mapping[str, Layout], value: np.ndarray
) -> tuple[Rows, np.ndarray]:
    """Every group as the sum of its parts, wherever overlapping groups stand without their base.

    Args:
        value: variable → count.

    Returns:
        Equations in which new variables have the numbers from ``len(value)`` on, and a count for each of these that
        fits all equations (which of those that fit is of no matter: it says only that one does).

    Raises:
        DisclosureError: no whole-numbered parts fit: the tables do not count the same people.
    """
    entries: list[tuple[int, int, int]] = []  # equation, variable, coefficient
    equation, size = 0, len(value)
    for parts, cells in _places(spec, classes, layouts):
        variables = []
        for node in parts.nodes:
            variables.append(cells[node] if node >= 0 else size)
            size += node < 0
        for node, members in parts.sums:
            entries += [(equation, variables[i], 1) for i in members]
            entries.append((equation, cells[node], -1))
            equation += 1
    rows, columns, signs = np.array(entries, dtype=np.int64).reshape(-1, 3).T
    block = (rows, columns, signs.astype(float))
    return block, _fitting(block, value, size)


def _places(
    spec: Spec, classes: Mapping[str, Classification], layouts: Mapping[str, Layout]
) -> Iterator[tuple[Parts, Mapping[int, int]]]:
    """Parts, and node → variable, of every combination of other codes where groups of suppressed counts overlap."""
    counted = [x for x in layouts.values() if x.table.method == "suppression" and not x.table.magnitude]
    for base, classification in classes.items():
        if len(classification.trees) < 3:
            continue
        shape = cache(partial(parts_of, classification))
        for population in sorted({x.table.population for x in counted}):
            group = [x for x in counted if x.table.population == population]
            for combination in combinations(spec, base, classification, group).values():
                views = frozenset(combination.views)
                if base not in views and len(views) > 1 and shape(views).sums:
                    yield shape(views), combination.cells


def _fitting(block: Rows, value: np.ndarray, size: int) -> np.ndarray:
    """Whole numbers of 0 or more for the variables from ``len(value)`` on."""
    rows, columns, signs = block
    matrix = sparse.csr_array((signs, (rows, columns)), shape=(int(rows.max(initial=-1)) + 1, size))
    known, unknown = matrix[:, : len(value)], matrix[:, len(value) :]
    right = -(known @ value)
    if not unknown.shape[1]:
        if right.any():
            raise _contradiction()
        return np.empty(0, dtype=np.int64)
    from scipy.optimize import LinearConstraint, milp

    solution = milp(np.zeros(unknown.shape[1]), constraints=LinearConstraint(unknown, right, right), integrality=1)
    if solution.x is None:
        raise _contradiction()
    found = np.rint(solution.x).astype(np.int64)
    if (found < 0).any() or (unknown @ found != right).any():
        raise _contradiction()
    return found


def _contradiction() -> DisclosureError:
    return DisclosureError(
        "regroupings of one dimension cannot count the same people",
        code="disclosure.contradiction",
        remedy="give tables that count different things different populations",
    )
