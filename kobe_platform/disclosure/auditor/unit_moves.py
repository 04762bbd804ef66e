"""What one person more or less changes in all tables at once: the auditor's proof that figures leave room.

Where every figure may be off by up to r (rounding, noise), adding one finest cell's persons to all figures that
count it gives another consistent table. So each figure's true count can be shown to vary without a program being
solved.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from scipy import sparse

from kobe_platform.disclosure.auditor.figures import Figures
from kobe_platform.disclosure.spec import Spec


def unit_moves(spec: Spec, figures: Figures) -> sparse.csr_array:
    """Matrix cells × moves of 0 and 1: which cells count one person of some combination of finest codes.

    For every table there is a move for each combination of its finest codes; in classifications that the table does not
    have, the person has the first finest code.
    """
    sets = {name: _sets(spec, name, figures) for t in spec.tables for name in t.dimensions.values()}
    finest = {spec.dimension(name).of or name: list(codes) for name, codes in sets.items()}
    blocks = []
    for table in spec.tables:
        people = _people(spec, figures, table.name, finest)
        entries = [_counting(spec, figures, other.name, people, sets) for other in spec.tables]
        rows, columns = (np.concatenate([entry[i] for entry in entries]) for i in range(2))
        shape = (len(figures.value), people.height)
        block = sparse.csr_array((np.ones(len(rows), dtype=np.int64), (rows, columns)), shape=shape)
        block.data[:] = 1
        blocks.append(block)
    return sparse.csr_array(sparse.hstack(blocks, format="csr"))


def _sets(spec: Spec, name: str, figures: Figures) -> dict[str, list[str]]:
    """Finest code of the base → the codes of a dimension that count it."""
    base = spec.dimension(name).of
    own = figures.codes[name].parent
    inner = set(own.values())
    above = {code: _line(own, code) for code in own if code not in inner}
    if base is None:
        return above
    parents = figures.codes[base].parent
    leaves = [code for code in parents if code not in set(parents.values())]
    gathered = spec.dimension(name).consists_of
    found: dict[str, list[str]] = {}
    for code, line in above.items():
        parts = set(gathered.get(code, (code,)))
        for leaf in leaves:
            if parts & set(_line(parents, leaf)):
                found[leaf] = line
    return {leaf: found[leaf] for leaf in leaves}


def _line(parents: Mapping[str, str | None], code: str) -> list[str]:
    line: list[str] = []
    at: str | None = code
    while at is not None:
        line.append(at)
        at = parents[at]
    return line


def _people(spec: Spec, figures: Figures, name: str, finest: Mapping[str, list[str]]) -> pl.DataFrame:
    """One row a move: population, and a finest code in every classification."""
    table = spec.table(name)
    own = {spec.dimension(d).of or d for d in table.dimensions.values()}
    frame = pl.DataFrame({"population": [table.population]})
    for base, codes in finest.items():
        choice = codes if base in own else codes[:1]
        frame = frame.join(pl.DataFrame({base: choice}, schema={base: pl.String}), how="cross")
    return frame.with_row_index("move")


def _counting(
    spec: Spec, figures: Figures, name: str, people: pl.DataFrame, sets: Mapping[str, Mapping[str, list[str]]]
) -> tuple[np.ndarray, np.ndarray]:
    """(cell, move) of every cell of a table that counts a move's person."""
    table = spec.table(name)
    moved = people.filter(pl.col("population") == table.population).select("move", *sets_of(spec, name))
    for column, dimension in table.dimensions.items():
        base = spec.dimension(dimension).of or dimension
        pairs = [(leaf, code) for leaf, line in sets[dimension].items() for code in line]
        lines = pl.DataFrame(pairs, schema={"leaf of it": pl.String, f"code of {column}": pl.String}, orient="row")
        moved = moved.join(lines, left_on=base, right_on="leaf of it", how="inner")
    codes = {f"code of {column}": column for column in table.dimensions}
    keyed = moved.select("move", *(pl.col(code).alias(column) for code, column in codes.items()))
    rows = figures.rows[name].select(*table.dimensions, "cell")
    joined = keyed.join(rows, on=list(table.dimensions), how="inner")
    return joined["cell"].to_numpy().astype(np.int64), joined["move"].to_numpy().astype(np.int64)


def sets_of(spec: Spec, name: str) -> list[str]:
    """The classifications of a table, each once."""
    return list(dict.fromkeys(spec.dimension(d).of or d for d in spec.table(name).dimensions.values()))
