"""Plain texts and whole numbers, and public extracts, which are nothing else."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pyarrow as pa

from kobe_platform.contracts import Contract
from kobe_platform.contracts.columns import Keep, Number
from kobe_platform.extracts.encodings import decoded, distinct
from kobe_platform.extracts.texts import normalised
from kobe_platform.rules import rejection


def plain_texts(values: pl.Series, column: Keep) -> tuple[pl.Series, pl.Series]:
    """Normalised texts with null for blank, and which of them have not the column's pattern."""
    odd = ~values.str.contains(column.pattern) if column.pattern else values.is_null()
    return values.replace("", None), odd


def whole_numbers(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Int64 with null for blank, and which texts are no whole number (thousands separators are allowed)."""
    numbers = values.str.replace_all(",", "").cast(pl.Int64, strict=False)
    return numbers, numbers.is_null() & (values != "")


def beyond(numbers: pl.Series, column: Number) -> pl.Series:
    """Which numbers lie outside the column's range."""
    low, high = (pl.lit(bound, pl.Int64) for bound in (column.least, column.most))
    outside = (pl.col("n") < low).fill_null(False) | (pl.col("n") > high).fill_null(False)
    return pl.DataFrame({"n": numbers}).select(outside).to_series()


def public_frame(table: pa.Table, contract: Contract, encoding: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """A public extract as typed columns, without the rows whose values have not their form (counts by rule).

    Raises:
        DeliveryRejected: ``delivery.set_aside_share`` when those rows are more than the contract allows.
    """
    columns: dict[str, pl.Series] = {}
    wrong = pl.Series([False]).new_from_index(0, table.num_rows)
    for column in contract.columns:
        values, index = distinct(table.column(column.id).combine_chunks())
        texts = normalised(decoded(values, encoding))
        if isinstance(column, Number):
            read, odd = whole_numbers(texts)
            odd |= beyond(read, column)
        elif isinstance(column, Keep):
            read, odd = plain_texts(texts, column)
        else:
            continue
        columns[column.outputs[0]] = read.gather(index)
        wrong |= odd.gather(index)
    typed = pl.DataFrame(columns).filter(~wrong)
    set_aside = Counter({"value.form": int(wrong.sum())})
    if set_aside.total() > contract.thresholds.set_aside * table.num_rows:
        raise rejection(
            "delivery.set_aside_share", source=contract.name, rows=table.num_rows, set_aside=set_aside.total()
        )
    return typed, {rule: n for rule, n in set_aside.items() if n}
