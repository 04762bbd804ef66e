"""Holds the columns of a delivery as bytes: where most values repeat, each distinct value stands once.

Most columns of an extract are codes, dates and places of few distinct values. Such a column is held by dictionary, so
that whatever is asked of its values is asked of the distinct ones. Columns whose values hardly repeat (keys, names) are
held as they stand.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

SAMPLE = 10_000
"""First rows by which it is decided how a column is held."""


def compact(columns: dict[str, pa.ChunkedArray]) -> pa.Table:
    """Binary columns as one array each, by dictionary where at most half of the first rows' values are distinct.

    Args:
        columns: by name, in the table's order; they are taken from it one by one, so that none is held twice.
    """
    return pa.table({name: _compact(columns.pop(name)) for name in list(columns)})


def _compact(column: pa.ChunkedArray) -> pa.Array:
    head = column.slice(0, SAMPLE)
    repeating = 0 < 2 * pc.count_distinct(head).as_py() <= len(head)
    return (column.dictionary_encode() if repeating else column).combine_chunks()


def by_dictionary(column: pa.Array) -> bool:
    """Whether a column is held by dictionary."""
    return pa.types.is_dictionary(column.type)


def plain(column: pa.Array) -> pa.Array:
    """A column as it stands, one value a row."""
    return column.dictionary_decode() if by_dictionary(column) else column


def values(column: pa.Array) -> pa.Array:
    """The values that a column holds: its distinct ones, where it is held by dictionary."""
    return column.dictionary if by_dictionary(column) else column


def flat(series: pl.Series) -> pa.Array:
    """A binary column as one Arrow array with offsets."""
    array = series.to_arrow(compat_level=pl.CompatLevel.oldest())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def distinct(column: pl.Series | pa.Array) -> tuple[pl.Series, pl.Series]:
    """Distinct values of a binary column and, for each row, which one it is (UInt32)."""
    array = flat(column) if isinstance(column, pl.Series) else column
    encoded = array if by_dictionary(array) else array.dictionary_encode()
    index = pl.Series("index", encoded.indices).cast(pl.UInt32)
    return pl.Series("value", encoded.dictionary, dtype=pl.Binary), index


def sizes(array: pa.Array) -> np.ndarray:
    """Bytes of each value of a binary array without nulls."""
    return np.diff(_offsets(array))


def content(array: pa.Array) -> np.ndarray:
    """All bytes of a binary array, one value after the other."""
    offsets, data = _offsets(array), array.buffers()[2]
    whole = np.frombuffer(data or b"", dtype=np.uint8)
    return whole[int(offsets[0]) : int(offsets[-1])] if len(offsets) else whole[:0]


def within(array: pa.Array, least: int, most: int) -> bool:
    """Whether every byte of a binary array lies between two bounds."""
    data = content(array)
    return not len(data) or (int(data.max()) <= most and int(data.min()) >= least)


def is_ascii(array: pa.Array) -> bool:
    """Whether a binary array holds ASCII only."""
    return within(array, 0, 0x7F)


def is_digits(array: pa.Array) -> bool:
    """Whether a binary array holds ASCII digits only."""
    return within(array, 0x30, 0x39)


def is_visible_ascii(array: pa.Array) -> bool:
    """Whether a binary array holds visible ASCII only: neither spaces nor what has another width."""
    return within(array, 0x21, 0x7E)


def _offsets(array: pa.Array) -> np.ndarray:
    large = pa.types.is_large_binary(array.type) or pa.types.is_large_string(array.type)
    kind = np.int64 if large else np.int32
    raw = np.frombuffer(array.buffers()[1] or b"", dtype=kind)
    return raw[array.offset : array.offset + len(array) + 1]
