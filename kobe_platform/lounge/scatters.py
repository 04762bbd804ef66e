"""Prepares Scatter: two published figures of each place, as two series of one matrix.

A place with a hidden figure has no point; the words below the chart count such places and the table shows their 「X」.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kobe_platform.lounge.binding import Bound, column_formats
from kobe_platform.lounge.formats import Format
from kobe_platform.lounge.slices import status_of

if TYPE_CHECKING:
    import polars as pl


def formats_of(bound: Bound) -> tuple[Format, Format]:
    """How the figures along x and y read: each by ``fmt="COLUMN:…"``, or by the code of all."""
    own = {column: Format.parse(code) or Format() for column, code in column_formats(bound["fmt"]) if column}
    return own.get(bound["x"], bound.format), own.get(bound["y"], bound.format)


def measured(bound: Bound, frame: pl.DataFrame) -> tuple[pl.DataFrame, str, str, str]:
    """One row for each place and figure; with the names of its columns of places, figures and series."""
    import polars as pl

    kept = [bound["label"], *bound.filters]
    parts = []
    for column, fmt in zip((bound["x"], bound["y"]), formats_of(bound), strict=True):
        status = status_of(frame, column)
        name = f"{column}（{fmt.unit}）" if fmt.unit else column
        hidden = pl.col(status) if status else pl.lit("published")
        figure = pl.col(column).cast(pl.Float64).alias("_value")
        parts.append(
            frame.select(*kept, figure, hidden.cast(pl.String).alias("_value_status"), pl.lit(name).alias("_measure"))
        )
    return pl.concat(parts), bound["label"], "_value", "_measure"
