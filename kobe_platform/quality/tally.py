"""Counts a partition once: how often each distinct value occurs in a column, for the rows of a condition."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

N = "rows counted"
"""Name of the count beside the values (no lake column has a blank in its name)."""


class Tally:
    """Distinct values and their counts, worked out when first asked for and kept.

    Args:
        frame: the columns that a suite reads.
        columns: names of all columns of the partition, where the frame has not all of them.
    """

    def __init__(self, frame: pl.DataFrame, columns: tuple[str, ...] | None = None) -> None:
        self._frame = frame
        self._counted: dict[tuple[str, ...], pl.DataFrame] = {}
        self.columns = tuple(frame.columns) if columns is None else columns

    @property
    def rows(self) -> int:
        """Rows of the partition."""
        return self._frame.height

    def has(self, columns: tuple[str, ...]) -> bool:
        """Whether all of them are there."""
        return set(columns) <= set(self._frame.columns)

    def values(self, column: str, condition: Mapping | None = None) -> tuple[pl.Series, pl.Series]:
        """Distinct values (null among them) and how many rows have each, of the rows that the condition chooses."""
        if condition is None:
            counted = self._counts(column)
            return counted[column], counted[N]
        other = condition["column"]["name"]
        counted = self._counts(column, other) if other != column else self._counts(column)
        chosen = pl.col(other).eq_missing(pl.lit(condition["parameter"]))
        counted = counted.filter(chosen if condition["operator"] == "==" else ~chosen)
        return counted[column], counted[N]

    def nulls(self, column: str) -> int:
        """Rows in which a column is null."""
        return self._frame[column].null_count()

    def repeated(self, columns: list[str]) -> tuple[int, int]:
        """Rows that share their values with another row, and rows in which all values are null (they are left out)."""
        chosen = self._frame.select(columns)
        told = chosen.filter(~pl.all_horizontal(pl.all().is_null())) if _has_nulls(chosen) else chosen
        distinct = told.to_series().n_unique() if told.width == 1 else told.n_unique()
        again = 0 if distinct == told.height else int(told.is_duplicated().sum())
        return again, chosen.height - told.height

    def _counts(self, *columns: str) -> pl.DataFrame:
        if columns not in self._counted:
            self._counted[columns] = self._frame.lazy().group_by(columns).agg(pl.len().alias(N)).collect()
        return self._counted[columns]


def _has_nulls(frame: pl.DataFrame) -> bool:
    return any(column.null_count() for column in frame)
