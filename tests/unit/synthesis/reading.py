"""Reading back what was delivered."""

from __future__ import annotations

import polars as pl

from kobe_platform.synthesis import WrittenDelivery
from kobe_platform.synthesis.layout import ITEMS


def read(delivery: WrittenDelivery) -> pl.DataFrame:
    """A delimited UTF-8 delivery of a personal source by item ids; blanks are null."""
    rows = pl.read_csv(delivery.path / f"{delivery.source}.csv", infer_schema=False)
    return rows.rename({header: identifier for identifier, header, _ in ITEMS[delivery.source]})


def of(written: list[WrittenDelivery], source: str, month: str = "2025-07") -> WrittenDelivery:
    """The delivery of one source and month."""
    return next(w for w in written if w.source == source and w.month == month)
