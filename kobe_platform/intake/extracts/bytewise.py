"""Holds the columns of a delivery as bytes: where most values repeat, each distinct value stands once.

Most columns of an extract are codes, dates and places of few distinct values. Such a column is held by dictionary, so
that whatever is asked of its values is asked of the distinct ones. Columns whose values hardly repeat (keys, names) are
held as they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

SAMPLE = 10_000
"""First rows by which it is decided how a column is held."""
GROUP = 100_000
"""Rows that are put away together."""
OFTEN = 8
"""So many times each value of a column stands at least whose dictionaries are united group by group."""


def compact(columns: dict[str, pa.ChunkedArray]) -> pa.Table:
    """Binary columns as one array each, by dictionary where at most half of the first rows' values are distinct.

    Args:
        columns: by name, in the table's order; they are taken from it one by one, so that none is held twice.
    """
    return pa.table({name: _compact(columns.pop(name)) for name in list(columns)})


def compacted(pieces: Iterable[pa.RecordBatch], look: Callable[[pa.Array], None] | None = None) -> pa.Table:
    """The same of rows that come piece by piece: a second thread puts away what there is while the next ones are made.

    Args:
        pieces: at least one, of binary columns; what is held by dictionary never stands in memory value by value.
        look: asked of all values, in several threads: of the distinct ones of a column by dictionary, of others as they
            come.
    """
    columns: dict[str, _Column] = {}

    def put_away(group: list[pa.RecordBatch]) -> None:
        rows = pa.Table.from_batches(group)
        for name in rows.column_names:
            columns.setdefault(name, _Column(look)).add(rows.column(name))

    with ThreadPoolExecutor(1) as beside:
        group: list[pa.RecordBatch] = []
        before: Future[None] | None = None
        for piece in pieces:
            group.append(piece)
            if sum(map(len, group)) >= GROUP:
                if before is not None:
                    before.result()  # no more than two groups are held as they came
                before, group = beside.submit(put_away, group), []
        if before is not None:
            before.result()
        if group:
            put_away(group)
    with ThreadPoolExecutor(2) as two:
        return pa.table(dict(zip(columns, two.map(_Column.whole, columns.values()), strict=True)))


class _Column:
    """A column that comes group by group; what it becomes is what :func:`_compact` makes of it at once."""

    def __init__(self, look: Callable[[pa.Array], None] | None) -> None:
        self._look = look or (lambda values: None)
        self._chunks: list[pa.Array] = []
        self._repeating = self._few = False

    def add(self, rows: pa.ChunkedArray) -> None:
        """Take further rows; the first ones say how the column is held."""
        if not self._chunks:
            self._repeating = _repeating(rows, 2)
            self._few = _repeating(rows, OFTEN)
        # Dictionaries of many values are dear to unite: such a column waits for its last rows.
        self._chunks += (rows.dictionary_encode() if self._few else rows).chunks
        if not self._repeating:
            for chunk in rows.chunks:
                self._look(chunk)

    def whole(self) -> pa.Array:
        """All rows as one array; the column itself holds them no longer."""
        rows, self._chunks = pa.chunked_array(self._chunks), []
        held = (rows.dictionary_encode() if self._repeating and not self._few else rows).combine_chunks()
        if self._repeating:
            self._look(values(held))
        return held


def _compact(column: pa.ChunkedArray) -> pa.Array:
    return (column.dictionary_encode() if _repeating(column, 2) else column).combine_chunks()


def _repeating(column: pa.ChunkedArray, times: int) -> bool:
    """Whether the values of the first rows stand so many times on average, at least."""
    head = column.slice(0, SAMPLE)
    return bool(0 < times * pc.count_distinct(head).as_py() <= len(head))


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


@dataclass(frozen=True, repr=False)
class ByteColumns:
    """Rows of binary columns, as they are held.

    Attributes:
        columns: by name, in their order: Arrow's arrays, by dictionary or not, or Polars' columns.
        height: rows.
    """

    columns: Mapping[str, pa.Array | pl.Series]
    height: int

    @classmethod
    def of(cls, rows: pl.DataFrame | pa.Table) -> ByteColumns:
        """The columns of a frame, or of a table, best of one chunk a column."""
        if isinstance(rows, pl.DataFrame):
            return cls({column.name: column for column in rows}, rows.height)
        columns = zip(rows.column_names, rows.columns, strict=True)
        return cls({name: held.combine_chunks() for name, held in columns}, rows.num_rows)

    def held(self, name: str) -> pa.Array:
        """A column as it is held, by dictionary or not."""
        column = self.columns[name]
        return flat(column) if isinstance(column, pl.Series) else column

    def array(self, name: str) -> pa.Array:
        """A column as Arrow has it, one value a row."""
        return plain(self.held(name))

    def series(self, name: str) -> pl.Series:
        """A column as Polars has it."""
        column = self.columns[name]
        if isinstance(column, pl.Series):
            return column
        if not by_dictionary(column):
            return pl.Series(name, column)
        values, index = distinct(column)
        return values.gather(index).rename(name)

    def at_rows(self, name: str, rows: pl.Series) -> pl.Series:
        """A column at some rows (positions, UInt32)."""
        column = self.columns[name]
        if isinstance(column, pl.Series):
            return column.gather(rows)
        chosen = pa.Array.from_buffers(pa.uint32(), len(rows), [None, pa.py_buffer(rows.to_numpy())])
        return pl.Series(name, plain(column.take(chosen)))

    def frame(self, names: Iterable[str] | None = None, *, rows: pl.Series | None = None) -> pl.DataFrame:
        """Columns, all or some of them, as Polars has them; at all rows or at some (positions, UInt32)."""
        chosen = self.columns if names is None else names
        return pl.DataFrame([self.series(name) if rows is None else self.at_rows(name, rows) for name in chosen])

    def table(self) -> pa.Table:
        """The columns as they are held."""
        return pa.table({name: self.held(name) for name in self.columns})


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
