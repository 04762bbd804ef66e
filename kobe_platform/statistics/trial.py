"""Tries every form of a statistic on made-up rows when it is loaded, so that what loads also runs.

The made-up rows hold each value that a contract's columns can have, the unknown among them in small numbers, so that
the residual floor has rows to choose. Nobody is behind them: what DuckDB says of a failure may be shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from threading import Lock

import polars as pl

from kobe_platform.statistics.compute import prepare
from kobe_platform.statistics.definition import Statistic
from kobe_platform.statistics.duckdb_engine import engine, fetched
from kobe_platform.statistics.finest import FinestCells
from kobe_platform.statistics.residual_floor import apply_residual_floor
from kobe_platform.statistics.select.sources import SelectSource
from kobe_platform.statistics.select.syntax import SelectFault, line_told

_OPEN, _ONE = ExitStack(), Lock()


def tried(statistic: Statistic, sources: Mapping[str, SelectSource]) -> None:
    """Run a statistic that was judged: counted, row by row, with the residual floor; a public one as it is.

    Raises:
        SelectFault: DuckDB refuses it, or it gives other columns than the front matter names.
    """
    with _ONE:
        (_public if statistic.kind == "public" else _count)(statistic, sources)


def _count(statistic: Statistic, sources: Mapping[str, SelectSource]) -> None:
    (name,) = statistic.sources
    connection, columns = _rows(sources[name])
    connection.begin()
    try:
        with _told():
            apply_residual_floor(connection, [statistic], {name: columns}, finest=FinestCells(connection, _counted))
            _counted(connection, statistic)
    finally:
        connection.rollback()


def _counted(connection, statistic: Statistic) -> pl.DataFrame:
    return fetched(connection, statistic.counts.counted)


def _public(statistic: Statistic, sources: Mapping[str, SelectSource]) -> None:
    frames = {name: sources[name].made_up_rows() for name in statistic.sources}
    with engine(frames) as connection, _told():
        table = fetched(connection, statistic.sql)
    wanted = [*statistic.dimensions, statistic.measure]
    if table.columns != wanted:
        message = f"the SELECT gives {', '.join(table.columns)}; the front matter names {', '.join(wanted)}"
        raise SelectFault("columns", message, f"select {', '.join(wanted)}, in this order")
    if not table[statistic.measure].dtype.is_numeric():
        raise SelectFault("measure", f"{statistic.measure} is no number", "select a number as the measure")


@lru_cache(maxsize=16)
def _rows(source: SelectSource):
    """A connection that holds made-up rows as they are counted, and their columns; opened once for each contract.

    Every dimension is derived, and unknown districts are told apart by ward.
    """
    frame = prepare(source.made_up_rows(), source.columns)
    return _OPEN.enter_context(engine({source.name: frame})), tuple(frame.columns)


@contextmanager
def _told() -> Iterator[None]:
    """What DuckDB says of a failure, as a fault of the statement."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        message = str(error).split("\n")[0]
        raise SelectFault("run", message, "see docs/statistics.md", line_told(str(error))) from None
