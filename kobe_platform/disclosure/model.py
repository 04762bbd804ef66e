"""Builds the system of equations of a protection group: an integer variable for each distinct cell, and their sums.

Suppression hides cells of this system so that the equations leave every hidden count an interval. Tables of one
population share the cells of their common margins (district × age at the total of sex is one variable, whichever tables
show it). Equations are sparse rows with coefficients ±1: a total is the sum of its children, a regrouped code is the
sum of the codes that it gathers, and relations tie populations. An inequality becomes an equation by a slack variable,
which is never published and which the attacker knows to be ≥ 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from kobe_platform.disclosure.definitions import defined
from kobe_platform.disclosure.equations import Rows, additive, regrouped, relation_rows, stacked
from kobe_platform.disclosure.joints import joint_tables
from kobe_platform.disclosure.spec import SUPPRESSED, Spec, Table
from kobe_platform.disclosure.table_index import TableIndex, refusal
from kobe_platform.disclosure.trees import Classification, Tree, base_of, classifications
from kobe_platform.errors import DisclosureError

MOST_CELLS = 20_000_000
LARGEST_TOTAL = 2**52
"""Up to this number a float represents every whole number, and every sum of two, exactly."""


@dataclass(frozen=True)
class Model:
    """Variables and equations of a whole specification.

    Attributes:
        layouts: table → how its cells are arranged in an array.
        value: true count of each variable (int64).
        k, width: minimum frequency and interval width of each variable.
        lower: least count that the attacker takes as possible (1; 0 where zeros are hidden, residuals, slacks).
        known: always published: zeros, where zeros are published.
        residual: counted in totals only, never published.
        slack: difference of an inequality, or the cell of a joint table: in no table, never published.
        joint: which of these are cells of joint tables.
        fixed: shown by a table that is already released.
        depth: in how many dimensions the cell is a total.
        height: levels below it, summed over its dimensions (a ward's total over districts 1, the city's 2).
        equations: rows × variables, ``equations @ value == offset``.
        fall, rise: how much of a variable's fall and rise counts at most towards its width (None: all of it).
    """

    spec: Spec
    layouts: Mapping[str, TableIndex]
    value: np.ndarray
    k: np.ndarray
    width: np.ndarray
    lower: np.ndarray
    known: np.ndarray
    residual: np.ndarray
    slack: np.ndarray
    joint: np.ndarray
    fixed: np.ndarray
    depth: np.ndarray
    height: np.ndarray
    equations: sparse.csr_array
    fall: np.ndarray | None = None
    rise: np.ndarray | None = None

    @property
    def size(self) -> int:
        """Number of variables."""
        return len(self.value)

    def where(self, variable: int) -> dict[str, str]:
        """Coordinates of a variable for messages: the first table that holds it and its codes."""
        for layout in self.layouts.values():
            found = np.flatnonzero(layout.variables.ravel() == variable)
            if len(found):
                return {"table": layout.table.name, **layout.frame(found[:1]).row(0, named=True)}
        return {"table": "relation"}

    def mask(self, patterns: Mapping[str, pl.DataFrame] | None, subject: str) -> np.ndarray:
        """Mask of the variables in ``{table: rows}``; rows with a ``status`` other than suppressed are left out."""
        chosen = np.zeros(self.size, dtype=bool)
        for name, rows in (patterns or {}).items():
            if name not in self.layouts:
                raise refusal(f"{subject} name an unknown table", "disclosure.table", table=name)
            if "status" in rows.columns:
                rows = rows.filter(pl.col("status") == SUPPRESSED)
            layout = self.layouts[name]
            chosen[layout.variables.ravel()[layout.locate(rows, subject)]] = True
        return chosen


def build_model(spec: Spec, cells: Mapping[str, pl.DataFrame]) -> Model:
    """The model of all tables of ``spec``.

    Args:
        cells: table → finest cells: its dimension columns and the measure (whole numbers ≥ 0; absent = 0).

    Raises:
        DisclosureError: a table or column is missing, a code unknown or not the finest, a cell given twice, negative
            or not whole, tables of one population disagree on a common total, a relation does not hold.
    """
    seen: dict[str, set[str]] = {}
    for table in spec.tables:
        frame = _frame_of(table, cells)
        for column, dimension in table.dimensions.items():
            seen.setdefault(base_of(spec, dimension), set()).update(frame[column].cast(pl.String).drop_nulls().unique())
            seen.setdefault(dimension, set()).update(frame[column].cast(pl.String).drop_nulls().unique())
    classes = classifications(spec, seen)
    arrays = [_aggregate(table, _trees(spec, classes, table), _frame_of(table, cells)) for table in spec.tables]
    variables, first, count = _identify(spec, classes, arrays)
    layouts = {
        table.name: TableIndex(table, tuple(table.dimensions), _trees(spec, classes, table), ids)
        for table, ids in zip(spec.tables, variables, strict=True)
    }
    _check_shared(layouts, variables, arrays, np.concatenate([a.ravel() for a in arrays])[first])
    attributes = _attributes(spec, layouts, np.concatenate([a.ravel() for a in arrays])[first], count)
    rows = [additive(layout, attributes["known"]) for layout in layouts.values()]
    rows += regrouped(spec, classes, layouts)
    sums, joint, parts = joint_tables(spec, classes, layouts, attributes["value"], attributes["known"])
    said, further = defined(spec, classes, layouts, np.concatenate([attributes["value"], joint]), parts)
    return _with_relations(spec, layouts, attributes, [*rows, sums, said], (joint, further))


def _frame_of(table: Table, cells: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    if table.name not in cells:
        raise refusal("the cells of a table are missing", "disclosure.table", table=table.name)
    frame = cells[table.name]
    named = (table.contributor,) if table.contributor else ()
    for column in (*table.dimensions, table.measure, *named):
        if column not in frame.columns:
            raise refusal("a table lacks a column", "disclosure.column", table=table.name, column=column)
    if not table.contributor:
        return frame
    _counts(table, frame)
    return frame.group_by(*table.dimensions, maintain_order=True).agg(pl.col(table.measure).sum())


def _trees(spec: Spec, classes: Mapping[str, Classification], table: Table) -> tuple[Tree, ...]:
    return tuple(classes[base_of(spec, d)].trees[d] for d in table.dimensions.values())


def _aggregate(table: Table, trees: tuple[Tree, ...], frame: pl.DataFrame) -> np.ndarray:
    """Counts of every node combination, from the finest cells."""
    size = int(np.prod([len(tree) for tree in trees], dtype=np.float64))
    if size > MOST_CELLS:
        raise refusal("a table has too many cells", "disclosure.size", table=table.name, cells=size)
    shape = tuple(len(tree) for tree in trees)
    layout = TableIndex(table, tuple(table.dimensions), trees, np.empty(shape, dtype=np.int8))
    positions = layout.locate(frame, "the cells")
    for axis, (column, tree) in enumerate(zip(layout.columns, trees, strict=True)):
        inner = ~tree.leaf[np.unravel_index(positions, shape)[axis]]
        if inner.any() and len(tree) > 1:
            at: dict[str, str | int] = {"table": table.name, "column": column, "row": int(np.argmax(inner)) + 1}
            raise refusal("the finest cells hold a code that has children", "disclosure.code", **at)
    counts = _counts(table, frame)
    if len(np.unique(positions)) != len(positions):
        raise refusal("a cell is given twice", "disclosure.duplicate", table=table.name)
    array = np.zeros(shape, dtype=np.int64)
    array.ravel()[positions] = counts
    for axis, tree in enumerate(trees):
        moved = np.moveaxis(array, axis, 0)
        for node in range(len(tree) - 1, 0, -1):
            moved[tree.parents[node]] += moved[node]
    return array


def _counts(table: Table, frame: pl.DataFrame) -> np.ndarray:
    measure, at = frame[table.measure], {"table": table.name, "column": table.measure}
    if not measure.len():
        return np.empty(0, dtype=np.int64)
    if not measure.dtype.is_numeric() or measure.null_count():
        raise refusal("a count is not a number", "disclosure.count", **at)
    if measure.dtype.is_decimal() or measure.dtype.is_float():
        measure = measure.cast(pl.Float64)
    values = measure.to_numpy()
    if not (np.isfinite(values).all() and (values == np.floor(values)).all()):
        raise refusal("a count is not a whole number", "disclosure.count", **at)
    if (values < 0).any():
        raise refusal("a count is negative", "disclosure.count", **at, row=int(np.argmax(values < 0)) + 1)
    if values.sum(dtype=np.float64) > LARGEST_TOTAL:
        raise refusal("the total is too large to be computed exactly", "disclosure.count", **at, most=LARGEST_TOTAL)
    return values.astype(np.int64)


def _identify(
    spec: Spec, classes: Mapping[str, Classification], arrays: list[np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray, int]:
    """Variable ids per table, position of each variable's first cell (in the concatenation), number of variables.

    A cell's key is its population and, for every classification, its node there (0, the total, where a table does
    not have it). Keys are compressed one classification at a time, so they never overflow.
    """
    key = np.concatenate(
        [
            np.full(array.size, sorted({t.population for t in spec.tables}).index(table.population))
            for table, array in zip(spec.tables, arrays, strict=True)
        ]
    )
    for base, classification in classes.items():
        parts = []
        for table, array in zip(spec.tables, arrays, strict=True):
            node = np.zeros(array.shape, dtype=np.int64)
            for axis, dimension in enumerate(table.dimensions.values()):
                if base_of(spec, dimension) == base:
                    shape = [1] * array.ndim
                    shape[axis] = -1
                    node = node + classification.nodes[dimension].reshape(shape)
            parts.append(node.ravel())
        _, key = np.unique(key * classification.size + np.concatenate(parts), return_inverse=True)
    _, first, ids = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    ids, first = order[ids], np.sort(first)
    bounds = np.cumsum([0, *(array.size for array in arrays)])
    split = [ids[a:b].reshape(x.shape) for a, b, x in zip(bounds[:-1], bounds[1:], arrays, strict=True)]
    return split, first, len(first)


def _check_shared(
    layouts: Mapping[str, TableIndex], variables: list[Any], arrays: list[Any], value: np.ndarray
) -> None:
    for layout, ids, array in zip(layouts.values(), variables, arrays, strict=True):
        wrong = np.flatnonzero(value[ids.ravel()] != array.ravel())
        if len(wrong):
            raise DisclosureError(
                "tables of one population disagree on a common total",
                code="disclosure.contradiction",
                at={"table": layout.table.name, **layout.frame(wrong[:1]).row(0, named=True), "cells": len(wrong)},
                remedy="give tables that count different things different populations",
            )


def _attributes(spec: Spec, layouts: Mapping[str, TableIndex], value: np.ndarray, count: int) -> dict[str, np.ndarray]:
    k, width = np.ones(count, dtype=np.int64), np.ones(count, dtype=np.int64)
    depth, height = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    hides_zeros, shown, fixed = (np.zeros(count, dtype=bool) for _ in range(3))
    for layout in layouts.values():
        levels = np.zeros(layout.variables.shape, dtype=np.int64)
        rule, ids = layout.table.rule(spec.rule), layout.variables
        k[ids] = np.maximum(k[ids], rule.minimum_frequency)
        width[ids] = np.maximum(width[ids], rule.width)
        hides_zeros[ids] |= rule.zeros == "hidden"
        fixed[ids] |= layout.table.fixed
        unpublished = np.zeros(ids.shape, dtype=bool)
        for axis, tree in enumerate(layout.trees):
            shape = [1] * ids.ndim
            shape[axis] = -1
            unpublished |= tree.residual.reshape(shape)
            depth[ids] += (~tree.leaf).reshape(shape)
            levels = levels + tree.heights.reshape(shape)
        shown[ids] |= ~unpublished
        height[ids] = np.maximum(height[ids], levels)
    residual = ~shown  # a view may publish a cell that its base does not: it is then treated as any other cell
    known = (value == 0) & ~hides_zeros & ~residual
    lower = np.where(hides_zeros | residual, 0, 1)
    return {
        "value": value, "k": k, "width": width, "lower": lower, "known": known, "residual": residual,
        "slack": np.zeros(count, dtype=bool), "joint": np.zeros(count, dtype=bool), "fixed": fixed, "depth": depth,
        "height": height,
    }  # fmt: skip


def _with_relations(
    spec: Spec,
    layouts: Mapping[str, TableIndex],
    attributes: dict[str, Any],
    blocks: list[Rows],
    unseen: tuple[np.ndarray, np.ndarray],
) -> Model:
    """The model with joint cells, the cells that definitions add, and the equations of the relations."""
    joint = unseen[0]
    slacks = list(unseen)
    first = len(attributes["value"])
    size = first + sum(len(counts) for counts in unseen)
    for relation in spec.relations:
        number, variables, coefficients = relation_rows(relation, layouts)
        difference = np.zeros(number.max(initial=-1) + 1)
        np.add.at(difference, number, coefficients * attributes["value"][variables])
        if (relation.sense == "=" and difference.any()) or (difference > 0).any():
            wrong = int(np.count_nonzero(difference if relation.sense == "=" else difference > 0))
            raise refusal("a relation does not hold", "disclosure.relation", relation=relation.name, rows=wrong)
        if relation.sense == "<=":
            ids = size + np.arange(len(difference))
            slacks.append(-difference.astype(np.int64))
            number = np.concatenate([number, np.arange(len(difference))])
            variables = np.concatenate([variables, ids])
            coefficients = np.concatenate([coefficients, np.ones(len(difference))])
            size += len(difference)
        blocks.append((number, variables, coefficients))
    extra = np.concatenate(slacks)
    attributes = {
        name: np.concatenate([array, np.zeros(len(extra), array.dtype)]) for name, array in attributes.items()
    }
    if len(extra):
        attributes["value"][-len(extra) :] = extra
        attributes["slack"][-len(extra) :] = True
        attributes["joint"][first : first + len(joint)] = True
        attributes["k"][-len(extra) :] = attributes["width"][-len(extra) :] = 1
    return Model(spec, layouts, **attributes, equations=stacked(blocks, size, attributes["known"]))
