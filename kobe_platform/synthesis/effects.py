"""Describes the effect of a quirk: functions that change rows, table, bytes, manifest or folder of a delivery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from kobe_platform.synthesis.city import City


@dataclass(frozen=True)
class ExtractTable:
    """An extract before it is written: text columns by id, and headers that differ from the contract's.

    ``headless`` leaves the header row out.
    """

    rows: pl.DataFrame
    headers: dict[str, str] = field(default_factory=dict)
    headless: bool = False


@dataclass(frozen=True)
class Effect:
    """The effect of one quirk; only the parts that it needs are given.

    Attributes:
        eligible: which rows it may change; None means any.
        change: column → new text, evaluated on the chosen rows.
        append: further rows, given the table's rows, the city, a generator and how many.
        table, data, manifest, folder: change the table, the bytes, the manifest, or the folder of the written delivery.
    """

    eligible: pl.Expr | None = None
    change: dict[str, pl.Expr] | None = None
    append: Callable[[pl.DataFrame, City, np.random.Generator, int], pl.DataFrame] | None = None
    table: Callable[[ExtractTable, np.random.Generator], ExtractTable] | None = None
    data: Callable[[bytes, np.random.Generator, str], bytes] | None = None
    manifest: Callable[[dict], None] | None = None
    folder: Callable[[Path, dict], None] | None = None
