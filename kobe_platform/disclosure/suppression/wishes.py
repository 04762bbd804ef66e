"""What a city wishes of single rows: to hide one whatever its count, to keep one shown, to hide one before others.

The same as the a-priori files of other tools, but that no wish makes a sensitive figure be shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.table_index import refusal

WISHES = {"hide": 1.0, "keep": 1_000.0, "yield": 0.1}
"""Wish → factor of what it costs to hide the row for others."""


@dataclass(frozen=True)
class Wishes:
    """One entry a variable: sensitive by hand, to be kept shown, and the factor of its cost."""

    hide: np.ndarray
    keep: np.ndarray
    weights: np.ndarray


def read_wishes(model: Model, wishes: Mapping[str, pl.DataFrame]) -> Wishes:
    """The wishes of all tables; of two that meet in one cell, hiding it weighs most and giving it least.

    Raises:
        DisclosureError: a word that is no wish, an unknown table or code, a row of a table to be hidden and kept.
    """
    for name, rows in wishes.items():
        wrong = ~rows["wish"].is_in(list(WISHES)).fill_null(value=False)
        if wrong.any():
            words = ", ".join(WISHES)
            at: dict[str, str | int] = {"table": name, "row": int(wrong.arg_max() or 0) + 1, "known": words}
            raise refusal("a wish is not one of those that are known", "disclosure.wish", **at)
    found = {wish: np.zeros(model.size, dtype=bool) for wish in WISHES}
    for name, rows in wishes.items():
        own = {wish: model.mask({name: rows.filter(wish=wish)}, "the wishes") for wish in WISHES}
        both = own["hide"] & own["keep"]
        if both.any():
            where = model.where(int(np.argmax(both)))
            raise refusal("a row is to be hidden and to be kept", "disclosure.wish", **where)
        found = {wish: found[wish] | own[wish] for wish in WISHES}
    weights = np.where(found["yield"], WISHES["yield"], 1.0)
    return Wishes(found["hide"], found["keep"], np.where(found["keep"], WISHES["keep"], weights))
