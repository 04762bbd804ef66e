"""Holds texts by number: an ENUM of the texts of a column, for Polars and for DuckDB."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def kinds_of(texts: pl.Series, further: Iterable[str] = ()) -> pl.Enum:
    """An ENUM of the texts that occur, and of further ones, in their order."""
    import polars as pl

    told = texts.drop_nulls().unique()
    more = pl.Series(list(further), dtype=pl.String)
    return pl.Enum((pl.concat([told.cast(pl.String), more]).unique() if len(more) else told).sort())


def as_enum(kind: pl.DataType) -> str:
    """The SQL that casts a column to its ENUM; nothing for one that is none, or has no texts and stays text."""
    import polars as pl

    if not isinstance(kind, pl.Enum) or kind.categories.is_empty():
        return ""
    told = ", ".join("'" + text.replace("'", "''") + "'" for text in kind.categories)
    return f"::ENUM({told})"
