"""Reads plain texts and whole numbers."""

from __future__ import annotations

import polars as pl

from kobe_platform.contracts.columns import Keep, Number


def plain_texts(values: pl.Series, column: Keep) -> tuple[pl.Series, pl.Series]:
    """Normalised texts with null for blank, and which of them have not the column's pattern."""
    odd = ~values.str.contains(column.pattern) if column.pattern else values.is_null()
    return values.replace("", None), odd


NUMBER = r"^(\d+|\d{1,3}(,\d{3})+)(\.0+)?$"
NEGATIVE = "^[-\u2212▲△]"
"""A minus sign, or the triangles of Japanese tables."""


def whole_numbers(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Int64 with null for blank, and which texts are no whole number.

    Digits may be grouped by thousands, decimals are zeros, and a negative number has a sign or a triangle before it.
    """
    negative, digits = values.str.contains(NEGATIVE), values.str.replace(NEGATIVE, "")
    read = digits.str.replace_all(",", "").str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)
    table = pl.DataFrame({"read": read, "negative": negative, "fits": digits.str.contains(NUMBER)})
    signed = pl.when("negative").then(-pl.col("read")).otherwise("read")
    numbers = table.select(pl.when("fits").then(signed)).to_series()
    return numbers, numbers.is_null() & (values != "")


def beyond(numbers: pl.Series, column: Number) -> pl.Series:
    """Which numbers lie outside the column's range."""
    low, high = (pl.lit(bound, pl.Int64) for bound in (column.least, column.most))
    outside = (pl.col("n") < low).fill_null(False) | (pl.col("n") > high).fill_null(False)
    return pl.DataFrame({"n": numbers}).select(outside).to_series()
