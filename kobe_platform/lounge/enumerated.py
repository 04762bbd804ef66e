"""Holds the texts of tables as ENUMs, in the order of texts: to be joined and sorted as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def kinds_of(texts: pl.Series) -> pl.Enum:
    """An ENUM of the texts that occur, in their order."""
    import polars as pl

    return pl.Enum(texts.drop_nulls().unique().sort())


def enumerated(frame: pl.DataFrame, kinds: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """A table with its texts as ENUMs: of a column's own texts, or of those in ``kinds`` where it has no others."""
    import polars as pl

    columns = []
    for column in frame.select(pl.col(pl.String)):
        own = kinds_of(column)
        given = kinds.get(column.name, own)
        fits = isinstance(given, pl.Enum) and set(own.categories).issubset(given.categories)
        columns.append(column.cast(given if fits else own))
    return frame.with_columns(columns)


def as_enum(kind: pl.DataType) -> str:
    """The SQL that casts a column to its ENUM; nothing for one that is none, or has no texts and stays text."""
    import polars as pl

    if not isinstance(kind, pl.Enum) or kind.categories.is_empty():
        return ""
    told = ", ".join("'" + text.replace("'", "''") + "'" for text in kind.categories)
    return f"::ENUM({told})"


def is_text(kind: str) -> bool:
    """Whether a type, as DESCRIBE names it, holds texts."""
    return kind == "VARCHAR" or kind.startswith("ENUM(")
