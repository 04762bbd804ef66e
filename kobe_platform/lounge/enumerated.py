"""Holds the texts of tables as ENUMs, in the order of texts: to be joined and sorted as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kobe_platform.statistics.enums import as_enum, kinds_of

if TYPE_CHECKING:
    import polars as pl


MANY_ROWS = 50_000
"""Rows from which texts are handed over as their places."""


def enumerated(frame: pl.DataFrame, kinds: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """A table with its texts as ENUMs: of those in ``kinds`` where a column has no others, else of its own texts."""
    import polars as pl

    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    given = {name: kind for name, kind in kinds.items() if name in texts and isinstance(kind, pl.Enum)}
    try:
        frame = frame.with_columns(pl.col(name).cast(kind) for name, kind in given.items())
    except pl.exceptions.InvalidOperationError:  # a column has other texts
        fits = {n: k for n, k in given.items() if set(kinds_of(frame[n]).categories) <= set(k.categories)}
        return enumerated(frame, fits)
    own = frame.select(pl.col(name).drop_nulls().unique().sort().implode() for name in texts if name not in given)
    return frame.with_columns(pl.col(name).cast(pl.Enum(own[name][0])) for name in own.columns)


def handed_over(frame: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """A table as the engine takes it in, and the SQL of its columns, ENUMs among them.

    Of a long table the places of its texts are handed over and looked up there: a row costs half of what casting its
    texts does, a statement more.
    """
    import polars as pl

    kinds = frame.schema.items()
    if frame.height < MANY_ROWS:
        return frame, ", ".join(f'"{name}"{as_enum(kind)} AS "{name}"' for name, kind in kinds)
    listed = {name: as_enum(kind) for name, kind in kinds if as_enum(kind)}
    made = (
        f'([{listed[name][7:-1]}]{listed[name]}[])["{name}"::INTEGER + 1]' if name in listed else f'"{name}"'
        for name in frame.columns
    )
    told = ", ".join(f'{column} AS "{name}"' for column, name in zip(made, frame.columns, strict=True))
    return frame.with_columns(pl.col(name).to_physical() for name in listed), told


def is_text(kind: str) -> bool:
    """Whether a type, as DESCRIBE names it, holds texts."""
    return kind == "VARCHAR" or kind.startswith("ENUM(")
