"""Keeps the finest cells of tables while rows become unknown: a table is counted again where a column of it changed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import polars as pl

from kobe_platform.statistics.definition import Statistic

Counter = Callable[[Any, Statistic], pl.DataFrame]


class FinestCells:
    """The finest cells of tables over the sources of one connection, as its rows are now.

    Whoever changes rows says so (:meth:`changed`).

    Args:
        connection: holds the prepared sources.
        counted: counts a statistic on the connection.
    """

    def __init__(self, connection: Any, counted: Counter) -> None:
        self._connection = connection
        self._counted = counted
        self._kept: dict[str, tuple[Statistic, pl.DataFrame]] = {}

    def of(self, statistic: Statistic) -> pl.DataFrame:
        """Dimensions and measures of a table, in no order."""
        if statistic.name not in self._kept:
            self._kept[statistic.name] = (statistic, self._counted(self._connection, statistic))
        return self._kept[statistic.name][1]

    def changed(self, source: str, columns: Collection[str]) -> None:
        """Forget the tables that read one of these columns of a source."""
        self._kept = {
            name: (statistic, cells)
            for name, (statistic, cells) in self._kept.items()
            if statistic.sources[0] != source or statistic.counts.columns.isdisjoint(columns)
        }
