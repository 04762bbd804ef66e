"""Holds a series of published rows as an array of months × cells, in which a hidden or absent figure is a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from kobe_platform.errors import ConfigurationError

MONTH = "month"
VALUE = "value"


@dataclass(frozen=True)
class Panel:
    """A series of published figures.

    Attributes:
        months: months with rows, ``YYYY-MM``, ascending; months may be missing in between.
        keys: one row a cell (area, age, …), sorted by its columns.
        values: months × cells, float; NaN where a figure is hidden or absent.
        flows: series of events beside it, by what happens (``components.EVENTS``): a year's stand at its December.
    """

    months: tuple[str, ...]
    keys: pl.DataFrame
    values: np.ndarray
    flows: Mapping[str, Panel] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Panel:
        """The panel of published rows.

        Args:
            rows: columns ``month`` (``YYYY-MM``), ``value`` (null where hidden) and at least one dimension; one row a
                month and cell.

        Raises:
            ConfigurationError: a month and cell stand there twice, or there are no rows.
        """
        dimensions = [name for name in rows.columns if name not in (MONTH, VALUE)]
        if rows.is_empty():
            raise ConfigurationError(
                "a series without rows cannot be forecast",
                code="forecast.empty",
                remedy="Name a published table that has rows.",
            )
        twice = rows.height - rows.select(MONTH, *dimensions).unique().height
        if twice:
            raise ConfigurationError(
                "a month and cell stand in the series more than once",
                code="forecast.twice",
                at={"rows": twice},
                remedy="Name every dimension of the table, or choose one code of those that are left out.",
            )
        months = rows[MONTH].unique().sort()
        keys = rows.select(dimensions).unique().sort(dimensions)
        placed = rows.join(keys.with_row_index("_cell"), on=dimensions, how="left").join(
            pl.DataFrame({MONTH: months}).with_row_index("_row"), on=MONTH, how="left"
        )
        values = np.full((len(months), keys.height), np.nan)
        values[placed["_row"].to_numpy(), placed["_cell"].to_numpy()] = placed[VALUE].cast(pl.Float64).to_numpy()
        return cls(tuple(months), keys, values)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {month: row for row, month in enumerate(self.months)}

    def at(self, month: str) -> np.ndarray:
        """Figures of one month, one a cell; all NaN where the month is missing."""
        row = self._rows.get(month)
        return np.full(self.keys.height, np.nan) if row is None else self.values[row]

    def over(self, months: Sequence[str]) -> np.ndarray:
        """Figures of several months: months × cells, NaN where one is missing."""
        return np.stack([self.at(month) for month in months])

    def until(self, origin: str) -> Panel:
        """What was known at ``origin``: its month and those before it."""
        kept = sum(month <= origin for month in self.months)
        flows = {event: flow.until(origin) for event, flow in self.flows.items()}
        return Panel(self.months[:kept], self.keys, self.values[:kept], flows)

    @property
    def origin(self) -> str:
        """The last month with rows."""
        return self.months[-1]
