"""Primary rules: which cells say too much by themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.table_index import TableIndex


def sensitive_cells(model: Model, cells: Mapping[str, pl.DataFrame], by_hand: np.ndarray) -> tuple[Model, np.ndarray]:
    """The model with the widths that its rules ask for, and the cells to hide by rule.

    Args:
        cells: table → finest cells, with their contributions where the tables hold magnitudes.
        by_hand: one boolean a variable, cells that are sensitive whatever their count.
    """
    if any(layout.table.magnitude for layout in model.layouts.values()):
        from kobe_platform.disclosure.methods.magnitudes import sensitive_magnitudes

        return sensitive_magnitudes(model, cells, by_hand)
    return model, primary_cells(model, by_hand | homogeneous(model))


def primary_cells(model: Model, sensitive: np.ndarray) -> np.ndarray:
    """Cells to hide by rule: 0 < n < k, zeros where the rule hides them, and those given by hand.

    Residuals are never shown; the search opens those of 1 … k−1 all the same. Cells that a released (fixed) table
    shows are left to the caller.

    Args:
        sensitive: one boolean a variable, cells given by hand.
    """
    small = (model.value > 0) & (model.value < model.k)
    zeros = (model.value == 0) & ~model.known
    return (small | zeros | sensitive) & ~model.residual & ~model.slack


def homogeneous(model: Model) -> np.ndarray:
    """Cells that hold all of their row in a column named under ``homogeneity``: everybody counted is of that kind.

    Source: group attribute disclosure, Hundepool et al. (2012), chapter 5. Hidden zeros
    beside such a cell are open, so nobody can tell that the whole row stands in it.
    """
    found = np.zeros(model.size, dtype=bool)
    for layout in model.layouts.values():
        for column in layout.table.homogeneity:
            found[_homogeneous(model, layout, layout.columns.index(column))] = True
    return found


def _homogeneous(model: Model, layout: TableIndex, axis: int) -> np.ndarray:
    tree = layout.trees[axis]
    rows = np.moveaxis(layout.variables, axis, 0).reshape(len(tree), -1)
    if int((tree.leaf & ~tree.residual).sum()) < 2:
        return np.empty(0, dtype=np.int64)
    counts = model.value[rows]
    whole = (counts == counts[0]) & (counts[0] > 0)
    whole[0] = False
    return rows[whole]
