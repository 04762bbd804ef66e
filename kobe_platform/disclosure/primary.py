"""Primary rules: which cells say too much by themselves."""

from __future__ import annotations

import numpy as np

from kobe_platform.disclosure.model import Model


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
