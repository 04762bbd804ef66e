"""Published means as the outsider reads them: two inequalities over the counts behind each.

A mean m, rounded to d decimals, of persons in classes a with counts x_a whose values lie in [least_a, most_a] says

    Σ (2·10^d·least_a − (2M + 1))·x_a ≤ 0 ≤ Σ (2·10^d·most_a − (2M − 1))·x_a,   M = 10^d·m,

all coefficients whole. The ends are taken in: whoever rounds in binary fractions may round a tie either way.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from kobe_platform.disclosure.auditor.entries import SCHEMA
from kobe_platform.disclosure.auditor.figures import Figures
from kobe_platform.disclosure.spec import PUBLISHED, Mean, Spec
from kobe_platform.errors import DisclosureError


def read_means(spec: Spec, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The published means by table: their columns and ``scaled``, the mean in units of its last decimal.

    Raises:
        DisclosureError: a table or column is missing, a row stands twice, a published mean is no number or has more
            decimals than the specification says.
    """
    return {mean.table: _read(mean, spec, tables) for mean in spec.means}


def mean_inequalities(mean: Mean, spec: Spec, figures: Figures, published: pl.DataFrame) -> pl.DataFrame:
    """``equation, cell, sign`` (the coefficient) with a difference (cell −1) in each; equations numbered from 0."""
    on = _columns(mean, spec)
    table = spec.table(mean.of)
    codes = figures.codes[table.dimensions[mean.dimension]]
    unknown = set(mean.values) - set(codes.parent)
    if unknown:
        raise _error("a class of a mean is no code of the averaged dimension", mean, code=sorted(unknown)[0])
    rows = figures.rows[mean.of].filter(pl.col(mean.dimension).is_in(list(mean.values)))
    for column, dimension in table.dimensions.items():
        if column != mean.dimension and column not in on:
            rows = rows.filter(pl.col(column) == figures.codes[dimension].root)
    scale = 2 * 10**mean.decimals
    joined = published.with_row_index("line").join(rows, on=on, how="inner") if on else _crossed(published, rows)
    if joined["line"].n_unique() != published.height:
        raise _error("a mean stands at codes that its counts do not have", mean)
    ends = {code: values for code, values in mean.values.items()}
    least, most = ({code: end[i] for code, end in ends.items()} for i in (0, 1))
    parts = []
    for side, (values, sign) in enumerate(((least, 1), (most, -1))):
        value = pl.col(mean.dimension).replace_strict(values, return_dtype=pl.Int64) * scale
        coefficient = sign * (value - 2 * pl.col("scaled")) - 1
        number = pl.col("line").cast(pl.Int64) * 2 + side
        parts.append(joined.select(number.alias("equation"), pl.col("cell").cast(pl.Int64), coefficient.alias("sign")))
    numbers = np.arange(2 * published.height)
    nothing = pl.DataFrame({"equation": numbers, "cell": np.full(len(numbers), -1), "sign": np.ones(len(numbers), int)})
    return pl.concat([*parts, nothing.cast(SCHEMA)]).filter(pl.col("sign") != 0)


def _crossed(published: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    return published.with_row_index("line").join(rows, how="cross")


def _columns(mean: Mean, spec: Spec) -> list[str]:
    return list(mean.on) or [c for c in spec.table(mean.of).dimensions if c != mean.dimension]


def _read(mean: Mean, spec: Spec, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    if mean.table not in tables:
        raise _error("a published table is missing", mean)
    frame, on = tables[mean.table], _columns(mean, spec)
    for column in (*on, "value", "status"):
        if column not in frame.columns:
            raise _error("a published table lacks a column", mean, column=column)
    if len(on) and frame.select(on).is_duplicated().any():
        raise _error("a published row is given twice", mean)
    shown = frame.filter(pl.col("status") == PUBLISHED).select(
        *(pl.col(c).cast(pl.String) for c in on), pl.col("value").cast(pl.Float64, strict=False) * 10**mean.decimals
    )
    value = shown["value"]
    if value.null_count() or not (np.abs(value.to_numpy() - np.rint(value.to_numpy())) < 1e-6).all():
        raise _error("a published mean is no number of the decimals that the specification says", mean)
    return shown.select(*on, pl.col("value").round().cast(pl.Int64).alias("scaled"))


def _error(message: str, mean: Mean, **at: str | int) -> DisclosureError:
    return DisclosureError(
        message,
        code="disclosure.published",
        at={"table": mean.table, **at},
        remedy="publish exactly what the specification promises",
    )
