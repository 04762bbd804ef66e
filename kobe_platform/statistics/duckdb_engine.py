"""Opens a DuckDB over tables in memory that can reach nothing else: no disk, no file, no extension, no setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import polars as pl


@contextmanager
def engine(frames: Mapping[str, pl.DataFrame]) -> Iterator:
    """A DuckDB connection that holds ``frames`` as tables of its own and can reach nothing else."""
    import duckdb

    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET temp_directory=''")
        for source, frame in frames.items():
            connection.register("incoming", frame.to_arrow())
            connection.execute(f'CREATE TABLE "{source}" AS SELECT * FROM incoming')
            connection.unregister("incoming")
        connection.execute("SET enable_external_access=false")
        connection.execute("SET python_enable_replacements=false")
        connection.execute("SET lock_configuration=true")
        yield connection
    finally:
        connection.close()


def fetched(connection, sql: str) -> pl.DataFrame:
    """The result of one SELECT."""
    return pl.DataFrame(connection.sql(sql).to_arrow_table())
