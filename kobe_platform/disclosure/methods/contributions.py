"""Who has what in which cell of a magnitude table, and what each of them must not learn of the others.

A *demand* is a table that has to exist beside the true one: a sum reaches an amount while the cells of one attacker
stay at least at what he knows to be there. Published sums of hidden cells (unions) are what breaks such a demand though
every cell is protected by itself: of two firms alone in two hidden cells each knows the other by the total.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice
from math import comb

import numpy as np
import polars as pl

from kobe_platform.disclosure.holders import holders
from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.spec import Rule
from kobe_platform.disclosure.table_index import TableIndex
from kobe_platform.errors import DisclosureError

FEW = 5
"""Finest cells of one contributor up to which any of them are asked for together."""

MOST_UNIONS = 10_000_000
"""Sets of three finest cells or more that are asked for in one part of a pattern; of two there is no such limit."""
AT_ONCE = 100_000


@dataclass(frozen=True)
class Demand:
    """A table that must exist.

    Attributes:
        variable: the cell that rises; amount: what it must reach.
        cells, least: variables that stay at least at these values meanwhile.
    """

    variable: int
    amount: int
    cells: np.ndarray
    least: np.ndarray


@dataclass(frozen=True)
class Holdings:
    """One table's contributions by variable.

    Attributes:
        parts: variable → (owner, value), the largest first; of: owner → {variable: value}, totals included.
        finest: the variables of finest cells.
    """

    parts: Mapping[int, list[tuple[int, int]]]
    of: Mapping[int, dict[int, int]]
    finest: np.ndarray


def holdings(layout: TableIndex, frame: pl.DataFrame) -> Holdings:
    """What every contributor has in every cell, totals included."""
    rows = expanded(layout, frame)
    variable = layout.variables.ravel()[rows["position"].to_numpy()]
    parts: dict[int, list[tuple[int, int]]] = {}
    of: dict[int, dict[int, int]] = {}
    for cell, owner, value in zip(variable.tolist(), rows["owner"].to_list(), rows["value"].to_list(), strict=True):
        parts.setdefault(cell, []).append((owner, value))
        of.setdefault(owner, {})[cell] = value
    for own in parts.values():
        own.sort(key=lambda one: (-one[1], one[0]))
    leaves = layout.variables[np.ix_(*(np.flatnonzero(tree.leaf) for tree in layout.trees))]
    return Holdings(parts, of, np.intersect1d(leaves.ravel(), np.array(sorted(parts), dtype=np.int64)))


def expanded(layout: TableIndex, frame: pl.DataFrame) -> pl.DataFrame:
    """``position, owner, value``: one row for each contributor and each cell that counts him, totals included.

    Raises:
        DisclosureError: a contributor has no name.
    """
    table = layout.table
    positions = pl.Series("position", layout.locate(frame, "the cells"), dtype=pl.Int64)
    if table.contributor:
        value = frame[table.measure].cast(pl.Int64).alias("value")
        rows = pl.DataFrame([positions, holders(table, frame), value])
    else:
        wide = frame.select(pl.col(table.largest).cast(pl.Int64)).with_columns(positions)
        rows = wide.unpivot(list(table.largest), index="position", value_name="value").with_row_index("owner")
        rows = rows.select("position", pl.col("owner").cast(pl.Int64), "value")
    rows = rows.filter(pl.col("value") > 0)
    size = 1
    for tree in reversed(layout.trees):
        ancestor, node = np.nonzero(tree.below)
        lines = pl.DataFrame({"node": node.astype(np.int64), "ancestor": ancestor.astype(np.int64)})
        rows = rows.with_columns(node=pl.col("position") // size % len(tree)).join(lines, on="node")
        rows = rows.with_columns(position=pl.col("position") + (pl.col("ancestor") - pl.col("node")) * size)
        rows = rows.drop("node", "ancestor")
        size *= len(tree)
    return rows.group_by("position", "owner").agg(pl.col("value").sum()).sort("position", "owner")


def estimates(model: Model, rule: Rule, own: Holdings, among: np.ndarray) -> Iterator[tuple[Demand, list[Demand]]]:
    """The demands of p %, cell by cell: one that settles all of a cell's, and these one by one.

    Args:
        among: variables that are not shown: only of these anything is to be learnt, and only these an attacker knows
            better than others. The true table shows that of a cell that is not sensitive nobody learns anything.
    """
    factor = 1 + (rule.p_percent or 0) / 100
    open_cells = set(among.tolist())
    finest = [cell for cell in own.finest.tolist() if cell in open_cells]
    leaders = {own.parts[other][0][0] for other in finest} | set(_several(own, finest))
    for cell in sorted(open_cells & own.parts.keys()):
        parts = own.parts[cell]
        most = _least_whole(factor * parts[0][1] + sum(value for _, value in parts[1:2]))
        if model.value[cell] >= most:
            continue
        others = [other for other in finest if other != cell]
        together = _demand(cell, most, {other: own.parts[other][0][1] for other in others})
        apart = [_demand(cell, _least_whole(factor * parts[0][1]), {})]
        for attacker in sorted(leaders | {owner for owner, _ in parts[:2]}):
            rest = [value for owner, value in parts if owner != attacker]
            known = {at: value for at, value in own.of[attacker].items() if at in open_cells and at != cell}
            if rest:
                apart.append(_demand(cell, _least_whole(factor * rest[0]) + own.of[attacker].get(cell, 0), known))
        yield together, apart
    for owner, several in _in_several(own, finest):
        his = factor * sum(own.of[owner][cell] for cell in several)
        rivals = sorted({name for cell in several for name, _ in own.parts[cell]} - {owner})
        theirs = {name: sum(own.of[name].get(cell, 0) for cell in several) for name in rivals}
        most = _least_whole(his + max(theirs.values(), default=0))
        if model.value[list(several)].sum() >= most:
            continue
        known = {at: value for at in finest for value in [v for name, v in own.parts[at] if name != owner][:1]}
        apart = [rising(model, several, _least_whole(his), {})]
        for name in sorted((leaders | set(rivals)) - {owner}):
            knows = {at: value for at, value in own.of[name].items() if at in open_cells}
            apart.append(rising(model, several, _least_whole(his + theirs.get(name, 0)), knows))
        yield rising(model, several, most, known), apart


def dominated(model: Model, rule: Rule, own: Holdings, among: np.ndarray) -> Iterator[Demand]:
    """The demands of (n, k %): cells of n contributors, or all cells of one, come to 100/k of what these have."""
    assert rule.dominance is not None
    n, factor = rule.dominance.n, 100 / rule.dominance.percent
    open_cells = set(among.tolist())
    tops = {cell: [value for _, value in own.parts[cell][:n]] for cell in sorted(open_cells & own.parts.keys())}
    for cell, top in tops.items():
        if model.value[cell] < _least_whole(factor * sum(top)):
            yield _demand(cell, _least_whole(factor * sum(top)), {})
    finest = [cell for cell in own.finest.tolist() if cell in tops]
    several = [
        (cells, factor * sum(own.of[owner][cell] for cell in cells)) for owner, cells in _in_several(own, finest)
    ]
    for cells, need in several:
        if model.value[list(cells)].sum() < _least_whole(need):
            yield rising(model, cells, _least_whole(need), {})


def unions(rule: Rule, own: Holdings, among: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Sets of two to n finest cells and what each must come to by (n, k %), many at a time.

    Of n contributors who stand in one finest cell each no union of more than n cells matters: without the cells where
    none of them stands it is smaller, and they have as much of it.

    Args:
        among: finest cells that hang together: what is in different parts comes to most independently.

    Raises:
        DisclosureError: there are too many of them (``disclosure.size``).
    """
    assert rule.dominance is not None
    n, factor = rule.dominance.n, 100 / rule.dominance.percent
    number = sum(comb(len(among), size) for size in range(3, n + 1))
    if number > MOST_UNIONS:
        raise DisclosureError(
            "too many unions of hidden cells are to be asked for",
            code="disclosure.size",
            at={"unions": number, "contributors": n},
            remedy="take dominance of two contributors or p %, or coarsen the table",
        )
    tops = np.zeros((len(among), n))
    for row, cell in enumerate(among.tolist()):
        values = [value for _, value in own.parts[cell][:n]]
        tops[row, : len(values)] = values
    mates = _mates(own, among.tolist())
    for size in range(2, min(n, len(among)) + 1):
        sets = combinations(range(len(among)), size)
        while (block := np.fromiter(chain.from_iterable(islice(sets, AT_ONCE)), np.int64)).size:
            chosen = block.reshape(-1, size)
            pooled = np.sort(tops[chosen].reshape(len(chosen), -1), axis=1)[:, -n:].sum(axis=1)
            for at in np.flatnonzero(_together(mates, chosen)).tolist():
                both: dict[int, int] = {}
                for owner, value in chain.from_iterable(own.parts[int(cell)] for cell in among[chosen[at]]):
                    both[owner] = both.get(owner, 0) + value
                pooled[at] = sum(sorted(both.values(), reverse=True)[:n])
            yield among[chosen], np.ceil(np.round(factor * pooled, 6))


def _mates(own: Holdings, cells: Sequence[int]) -> np.ndarray:
    """Which two of the cells have a contributor in common."""
    place = {cell: at for at, cell in enumerate(cells)}
    mates = np.zeros((len(cells), len(cells)), dtype=bool)
    for his in _several(own, cells).values():
        at = [place[cell] for cell in his]
        mates[np.ix_(at, at)] = True
    return mates


def _together(mates: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    found = np.zeros(len(chosen), dtype=bool)
    for one, other in combinations(range(chosen.shape[1]), 2):
        found |= mates[chosen[:, one], chosen[:, other]]
    return found


def _several(own: Holdings, finest: Sequence[int]) -> dict[int, list[int]]:
    """Owner → his finest cells, of who has part in more than one."""
    cells: dict[int, list[int]] = {}
    for cell in finest:
        for owner, _ in own.parts[cell]:
            cells.setdefault(owner, []).append(cell)
    return {owner: his for owner, his in sorted(cells.items()) if len(his) > 1}


def _in_several(own: Holdings, finest: Sequence[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(owner, finest cells) of who has part in several: any of them together where they are few, else two or all."""
    for owner, his in _several(own, finest).items():
        for size in range(2, len(his) + 1) if len(his) <= FEW else sorted({2, len(his)}):
            for together in combinations(his, size):
                yield owner, together


def rising(model: Model, cells: tuple[int, ...], amount: int, known: Mapping[int, int]) -> Demand:
    """That several cells come to an amount: the first rises, and the others do not fall."""
    first, *others = cells
    least = {at: value for at, value in known.items() if at != first} | {at: int(model.value[at]) for at in others}
    return _demand(first, amount - sum(int(model.value[at]) for at in others), least)


def _demand(variable: int, amount: int, known: Mapping[int, int]) -> Demand:
    cells = np.array(sorted(known), dtype=np.int64)
    return Demand(variable, amount, cells, np.array([known[cell] for cell in cells.tolist()], dtype=np.int64))


def _least_whole(need: float) -> int:
    return int(np.ceil(round(need, 6)))
