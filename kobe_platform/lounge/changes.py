"""Tells what a release changed since the former one: new tables, new periods, periods whose figures were corrected."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kobe_platform.lounge.release import Release


@dataclass(frozen=True)
class TableChange:
    """One table's change: its title, whether the former release lacks it, periods that are new, corrected or gone."""

    name: str
    title: str
    is_new: bool
    new: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def changes(former: Release, present: Release, tables: Collection[str]) -> list[TableChange]:
    """What differs in some tables of two releases, by title; only published rows are looked at.

    A table whose file is the same byte for byte has not changed; a new one without rows is not told.
    """
    found = []
    for name in sorted(set(tables) & set(present.tables)):
        title = str(present.tables[name].get("title") or name)
        file = f"tables/{name}.parquet"
        if name not in former.tables:
            if present.tables[name].get("rows", 1):  # a table that waits for its first figures is no news
                found.append(TableChange(name, title, True))
        elif former.files.get(file) != present.files.get(file):
            told = _periods(former.path / file, present.path / file)
            if any(told):
                found.append(TableChange(name, title, False, *told))
    return sorted(found, key=lambda change: change.title)


@lru_cache(maxsize=512)
def _periods(former: Path, present: Path) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Periods that are new, differ, and are gone; releases never change, so their paths say which."""
    import polars as pl

    before, after = pl.read_parquet(former), pl.read_parquet(present)
    had, has = set(before["period"]), set(after["period"])
    corrected = had & has
    if before.columns == after.columns:
        rows = after.filter(pl.col("period").is_in(list(corrected)))
        other = before.filter(pl.col("period").is_in(list(corrected)))
        keys = list(before.columns)
        only = [
            rows.join(other, on=keys, how="anti", nulls_equal=True),
            other.join(rows, on=keys, how="anti", nulls_equal=True),
        ]
        corrected = set(pl.concat(only)["period"])
    return tuple(sorted(has - had)), tuple(sorted(corrected)), tuple(sorted(had - has))
