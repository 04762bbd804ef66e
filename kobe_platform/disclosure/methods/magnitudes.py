"""Finds sensitive cells of magnitude tables, those that reveal one contributor's value too closely, and their widths.

The rules and their protection levels are those of Hundepool et al., Statistical Disclosure Control (2012), chapter
4:

- (n, k %) dominance: sensitive when the n largest contributions exceed k % of the total X; upper level 100/k ·
  (their sum) − X.
- p %: sensitive when the rest without the two largest, R = X − x₁ − x₂, is less than p % of x₁, for then the second
  contributor estimates the largest too well; upper level p/100 · x₁ − R.
- fewer than k contributors: upper level p % (10 % where no p is given) of X.

A sensitive cell must be able to rise by its upper level and to fall by as much (as far as it can fall at all), each
shown by a consistent table: sliding protection alone would leave the true total at the end of an interval that
starts where the rule is broken. Largest contributions are carried up the hierarchies exactly: the largest of a
total are the largest of its parts', which holds where no contributor stands in two finest cells; where contributors are
named (``contributor``), they are added up by name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import polars as pl

from kobe_platform.disclosure.methods.contributions import expanded
from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.spec import Rule
from kobe_platform.disclosure.table_index import TableIndex, refusal

NEVER_LARGE = 2**40
"""Stands for k: no hidden sum counts as harmless because it is large."""
UNLIMITED = 2**62
DEFAULT_RANGE = 10.0
LARGEST_TOTAL = 2**40


def sensitive_magnitudes(
    model: Model, cells: Mapping[str, pl.DataFrame], by_hand: np.ndarray
) -> tuple[Model, np.ndarray]:
    """The model with protection levels as widths, and its sensitive cells.

    Raises:
        DisclosureError: contributions are missing, negative, not in order or more than their cell's total.
    """
    if model.value.max(initial=0) > LARGEST_TOTAL:
        raise refusal("a total is too large to be computed exactly: give larger units", "disclosure.count")
    level = np.zeros(model.size, dtype=np.int64)
    for layout in model.layouts.values():
        frame, ids = cells[layout.table.name], layout.variables
        rule = layout.table.rule(model.spec.rule)
        if layout.table.contributor:
            largest, contributors = _of_contributors(layout, frame, max(2, rule.dominance.n if rule.dominance else 2))
        else:
            largest, contributors = _largest(layout, frame), _contributors(layout, frame)
        total = model.value[ids]
        _check(layout, total, largest)
        found = upper_levels(rule, total, largest, contributors)
        given = np.where(by_hand[ids], _share(rule, total), 0)
        level[ids] = np.maximum(level[ids], np.maximum(found, given))
    zeros = (model.value == 0) & ~model.known
    primary = ((level > 0) | zeros | by_hand) & ~model.residual & ~model.slack
    level = np.where(primary, np.maximum(level, 1), 0)
    fall = np.where(primary, np.minimum(level, model.value - model.lower), UNLIMITED)
    rise = np.where(primary, level, UNLIMITED)
    width = np.where(primary, np.where(primary, level + fall, 1), 1)
    k = np.full(model.size, NEVER_LARGE, dtype=np.int64)
    return dataclasses.replace(model, k=k, width=width, rise=rise, fall=fall), primary


def upper_levels(
    rule: Rule, total: np.ndarray, largest: np.ndarray | None, contributors: np.ndarray | None
) -> np.ndarray:
    """Upper protection level of every cell, 0 where no rule calls it sensitive.

    Args:
        total: sums, any shape; largest: the same shape with the largest contributions, in order, on one more axis;
            contributors: how many there are.
    """
    level = np.zeros(total.shape)
    if rule.dominance and largest is not None:
        top = largest[..., : rule.dominance.n].sum(axis=-1)
        sensitive = (100 * top > rule.dominance.percent * total) & (total > 0)
        level = np.where(sensitive, np.maximum(level, 100 * top / rule.dominance.percent - total), level)
    if rule.p_percent and largest is not None:
        rest = total - largest[..., 0] - largest[..., 1]
        needed = rule.p_percent * largest[..., 0] / 100
        sensitive = (rest < needed) & (total > 0)
        level = np.where(sensitive, np.maximum(level, needed - rest), level)
    result = np.ceil(np.round(level, 6)).astype(np.int64)
    if contributors is not None:
        few = (contributors > 0) & (contributors < rule.minimum_frequency)
        result = np.where(few, np.maximum(result, _share(rule, total)), result)
    return result


def _share(rule: Rule, total: np.ndarray) -> np.ndarray:
    return np.maximum(1, np.ceil((rule.p_percent or DEFAULT_RANGE) * total / 100)).astype(np.int64)


def _largest(layout: TableIndex, frame: pl.DataFrame) -> np.ndarray | None:
    """The largest contributions of every cell, largest first."""
    columns = layout.table.largest
    if not columns:
        return None
    largest = np.zeros((*layout.variables.shape, len(columns)), dtype=np.int64)
    positions = layout.locate(frame, "the cells")
    for number, column in enumerate(columns):
        largest.reshape(-1, len(columns))[positions, number] = _whole(layout, frame, column)
    if (np.diff(largest, axis=-1) > 0).any():
        raise refusal("largest contributions are not in order", "disclosure.count", table=layout.table.name)
    for axis, tree in enumerate(layout.trees):
        moved = np.moveaxis(largest, axis, 0)
        for node in range(len(tree) - 1, 0, -1):
            parent = tree.parents[node]
            both = np.concatenate([moved[parent], moved[node]], axis=-1)
            moved[parent] = -np.sort(-both, axis=-1)[..., : len(columns)]
    return largest


def _of_contributors(layout: TableIndex, frame: pl.DataFrame, most: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The largest contributions of every cell and their number, where one contributor may stand in several cells."""
    rows = expanded(layout, frame).sort("position", "value", descending=[False, True])
    rows = rows.with_columns(rank=pl.int_range(pl.len()).over("position"))
    numbers = np.zeros(layout.variables.shape, dtype=np.int64)
    counts = rows.group_by("position").len()
    numbers.ravel()[counts["position"].to_numpy()] = counts["len"].to_numpy()
    largest = np.zeros((*layout.variables.shape, most), dtype=np.int64)
    top = rows.filter(pl.col("rank") < most)
    largest.reshape(-1, most)[top["position"].to_numpy(), top["rank"].to_numpy()] = top["value"].to_numpy()
    return largest, numbers


def _contributors(layout: TableIndex, frame: pl.DataFrame) -> np.ndarray | None:
    column = layout.table.contributors
    if column is None:
        return None
    numbers = np.zeros(layout.variables.shape, dtype=np.int64)
    numbers.ravel()[layout.locate(frame, "the cells")] = _whole(layout, frame, column)
    for axis, tree in enumerate(layout.trees):
        moved = np.moveaxis(numbers, axis, 0)
        for node in range(len(tree) - 1, 0, -1):
            moved[tree.parents[node]] += moved[node]
    return numbers


def _whole(layout: TableIndex, frame: pl.DataFrame, column: str) -> np.ndarray:
    name = layout.table.name
    if column not in frame.columns:
        raise refusal("a table lacks a column", "disclosure.column", table=name, column=column)
    numbers = frame[column].cast(pl.Int64, strict=False)
    if numbers.null_count() or (numbers < 0).any():
        raise refusal("a contribution is missing or negative", "disclosure.count", table=name, column=column)
    return numbers.to_numpy()


def _check(layout: TableIndex, total: np.ndarray, largest: np.ndarray | None) -> None:
    if largest is not None and (largest.sum(axis=-1) > total).any():
        raise refusal("contributions are more than their total", "disclosure.count", table=layout.table.name)
