"""The oracle of the disclosure tests: every whole-numbered table that agrees with what is published, by enumeration."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import polars as pl

from kobe_platform.disclosure import Spec


def hidden_ranges(
    spec: Spec,
    cells: Mapping[str, pl.DataFrame],
    tables: Mapping[str, pl.DataFrame],
    trees: Mapping[str, Mapping[str, str | None]],
    previous: Sequence[Mapping[str, pl.DataFrame]] = (),
    holds: Callable[[Mapping[tuple[str, ...], int]], bool] | None = None,
) -> dict[tuple[str, tuple[str, ...]], tuple[int, int]]:
    """(table, codes) of every suppressed row → least and largest count over all consistent tables (empty: none).

    Written for tables over the same dimensions' finest cells: the finest joint cells are enumerated by depth-first
    search with the published totals as limits, so it is exact, and slow beyond a dozen cells.

    Args:
        trees: dimension → {code: parent}, residual codes included.
        previous: tables of former releases under the same specification that count the same.
        holds: what else is known of the finest cells, such as a published mean.
    """
    (table,) = [t for t in spec.tables if len(t.dimensions) == max(len(u.dimensions) for u in spec.tables)][:1]
    columns = list(table.dimensions)
    leaves = {c: [x for x in trees[c] if x not in set(trees[c].values())] for c in columns}
    finest = list(itertools.product(*(leaves[c] for c in columns)))
    index = {codes: i for i, codes in enumerate(finest)}
    constraints, unknown = [], {}
    for t in spec.tables:
        rows = [(row, release is tables) for release in (tables, *previous) for row in release[t.name].rows(named=True)]
        for row, present in rows:
            members = frozenset(
                i
                for codes, i in index.items()
                if all(
                    _below(trees[c], code, row[c]) for c, code in zip(columns, codes, strict=True) if c in t.dimensions
                )
            )
            if row["status"] == "published":
                constraints.append((members, row["value"], row["value"]))
            else:
                low = 0 if t.rule(spec.rule).zeros == "hidden" else 1
                constraints.append((members, low, None))
                if present:
                    unknown[(t.name, tuple(row[c] for c in t.dimensions))] = members
    check = None if holds is None else lambda values: holds(dict(zip(finest, values, strict=True)))
    return ranges_of_sums(len(finest), constraints, unknown, check)


def _below(tree: Mapping[str, str | None], code: str, ancestor: str) -> bool:
    at: str | None = code
    while at is not None:
        if at == ancestor:
            return True
        at = tree[at]
    return False


def ranges_of_sums(
    count: int, constraints: list, unknown: dict, holds: Callable[[list[int]], bool] | None = None
) -> dict:
    """Key → least and largest sum over all whole numbers ≥ 0 that fit ``constraints`` (members, least, most)."""
    closing: dict[int, list] = {i: [] for i in range(count)}
    for members, low, high in constraints:
        closing[max(members)].append((members, low, high))
    limits = [min((h for m, _, h in constraints if h is not None and i in m), default=None) for i in range(count)]
    assert all(limit is not None for limit in limits), "some cell has no published total above it"
    ranges: dict = {}
    values = [0] * count
    upper = [(m, h) for m, _, h in constraints if h is not None]
    above = [[(m, h) for m, h in upper if i in m] for i in range(count)]

    def visit(i: int) -> None:
        if i == count:
            if holds is not None and not holds(values):
                return
            for key, members in unknown.items():
                total = sum(values[j] for j in members)
                low, high = ranges.get(key, (total, total))
                ranges[key] = (min(low, total), max(high, total))
            return
        room = min(h - sum(values[j] for j in m if j < i) for m, h in above[i])
        for value in range(room + 1):
            values[i] = value
            if all(
                low <= sum(values[j] for j in members) and (high is None or sum(values[j] for j in members) == high)
                for members, low, high in closing[i]
            ):
                visit(i + 1)
        values[i] = 0

    visit(0)
    return ranges
