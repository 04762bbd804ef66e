"""Opens a DuckDB over tables in memory that can reach nothing else: no disk, no file, no extension, no setting."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import polars as pl

from kobe_platform.statistics.enums import as_enum


@contextmanager
def engine(frames: Mapping[str, pl.DataFrame], *, numbered: Collection[str] = ()) -> Iterator:
    """A DuckDB connection that holds ``frames`` as tables of its own and can reach nothing else.

    Args:
        numbered: columns whose texts stay numbers (ENUM) where a frame holds them so; all others are texts.
    """
    import duckdb

    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET temp_directory=''")
        for source, frame in frames.items():
            connection.register("incoming", frame.to_arrow())
            kinds = {name: as_enum(kind) if name in numbered else "" for name, kind in frame.schema.items()}
            columns = ", ".join(f'"{name}"{kind} AS "{name}"' for name, kind in kinds.items())  # else as texts arrive
            connection.execute(f'CREATE TABLE "{source}" AS SELECT {columns} FROM incoming')
            connection.unregister("incoming")
        connection.execute("SET enable_external_access=false")
        connection.execute("SET python_enable_replacements=false")
        connection.execute("SET lock_configuration=true")
        yield connection
    finally:
        connection.close()


def fetched(connection, sql: str) -> pl.DataFrame:
    """The result of one SELECT; texts are texts, however the connection holds them."""
    return pl.DataFrame(connection.sql(sql).to_arrow_table()).cast({pl.Categorical: pl.String})
