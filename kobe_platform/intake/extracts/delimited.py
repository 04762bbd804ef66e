"""Cuts delimited files into binary columns without decoding them, and finds the line of a record for errors."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv

from kobe_platform.contracts import Contract, Layout
from kobe_platform.errors import Coordinate, DeliveryRejected
from kobe_platform.intake.extracts.bytewise import compacted
from kobe_platform.intake.extracts.declaring import (
    SEARCHED,
    for_a_record,
    for_further,
    for_missing,
    for_renamed,
    for_the_header,
    for_unclassified,
)
from kobe_platform.intake.extracts.encodings import codec
from kobe_platform.intake.extracts.texts import normalised
from kobe_platform.vocabulary.rules import rejection

QUOTE, CR, LF = 0x22, 0x0D, 0x0A
BLOCKS = (1 << 20, 16 << 20)
"""Bytes that are parsed at a time: small blocks stay in the processor's cache, and a record that is longer than one
is tried again with large ones."""


@dataclass(frozen=True, repr=False)
class TextSource:
    """One file of a delivery in memory.

    Attributes:
        at: coordinates: delivery and file.
        data: its bytes without mark and padding, and without the records before its column line.
        lines_before: physical lines that these records took.
    """

    at: Mapping[str, str]
    data: memoryview
    encoding: str
    lines_before: int = 0


def line_of(source: TextSource, record: int) -> int:
    """The physical line (from 1) on which a record (from 0, the header counted) begins.

    Line ends inside quotes belong to their record; blank lines belong to none.
    """
    ends, records = _ends(source.data)
    starts = np.flatnonzero(records)
    line = int(starts[record]) if record < len(starts) else len(ends)
    return source.lines_before + line + 1


def position_of(source: TextSource, offset: int, layout: Layout) -> tuple[int, int]:
    """Physical line and column number (both from 1) of a byte."""
    data = source.data[:offset]
    ends, records = _ends(data)
    line = len(ends)
    starts = np.concatenate(([0], ends + 1)).astype(np.int64)
    begin = int(starts[np.flatnonzero(records)[-1]]) if records.any() else 0
    inside = np.frombuffer(data[begin:], dtype=np.uint8)
    column = int(np.count_nonzero((inside == ord(layout.delimiter)) & ~_inside_quotes(inside))) + 1
    return source.lines_before + line + 1, column


def _ends(data: memoryview) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of the last byte of each line end, and for each physical line whether a record begins on it."""
    raw = np.frombuffer(data, dtype=np.uint8)
    is_lf, is_cr = raw == LF, raw == CR
    ends = np.flatnonzero(is_lf | (is_cr & ~np.append(is_lf[1:], False)))
    two_bytes = is_lf[ends] & (ends > 0) & is_cr[np.maximum(ends - 1, 0)]
    starts = np.append(0, ends + 1)
    blank = np.append(ends - two_bytes, len(raw)) == starts
    inside_quotes = _inside_quotes(raw)[ends]
    return ends, ~np.append(False, inside_quotes) & ~blank


def _inside_quotes(raw: np.ndarray) -> np.ndarray:
    """For each byte whether an odd number of quotes stands up to it; one byte a byte, as files are large."""
    return np.logical_xor.accumulate(raw == QUOTE)


def header_columns(source: TextSource, contract: Contract, layout: Layout) -> tuple[list[str], int, dict[str, int]]:
    """Column ids in the file's order, the bytes that the header takes, and what was put right.

    Raises:
        DeliveryRejected: ``header.absent``, ``header.twice``, ``header.unclassified``, ``header.protection``,
            ``header.missing``. A header's text is never repeated: without a header it would be a person's row.
    """
    at: dict[str, Coordinate] = {**source.at, "line": source.lines_before + 1}
    size = _header_size(source.data)
    first = bytes(source.data[:size])
    try:
        fields = next(csv.reader([first.decode(codec(source.encoding))], delimiter=layout.delimiter), [])
    except UnicodeDecodeError:
        raise rejection("file.encoding", **at) from None
    except csv.Error:
        raise rejection("header.absent", **at) from None
    headers = normalised(pl.Series([column.header for column in contract.columns])).to_list()
    known = dict(zip(headers, contract.columns, strict=True))
    matched = [known.get(name) for name in normalised(pl.Series(fields, dtype=pl.String))]
    if not any(matched):
        raise rejection("header.absent", **at, **for_the_header(contract.columns, _head(source, layout)))
    ids = [column.id for column in matched if column]
    if len(set(ids)) != len(ids):
        raise rejection("header.twice", **at, column=next(i for i in ids if ids.count(i) > 1))
    protection = contract.protection
    if protection and protection.id not in ids:
        raise rejection("header.protection", **at, column=protection.id)
    if missing := [column.id for column in contract.columns if column.id not in ids]:
        said = for_missing([contract.column(name) for name in missing])
        said |= for_renamed(contract.column(missing[0]), fields, matched)
        raise rejection("header.missing", **at, column=missing[0], missing=len(missing), **said)
    if None in matched:
        places = [place for place, column in enumerate(matched) if column is None]
        said = for_unclassified(places) if contract.sensitivity == "public" else for_further(places, fields, contract)
        raise rejection("header.unclassified", **at, column_number=places[0] + 1, **said)
    reordered = ids != [column.id for column in contract.columns]
    return ids, size, {"header.reordered": 1} if reordered else {}


def _head(source: TextSource, layout: Layout) -> list[list[str]]:
    """The first records of a file, as far as they are texts."""
    text = bytes(source.data[: 1 << 14]).decode(codec(source.encoding), "replace")
    try:
        return list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=layout.delimiter), SEARCHED))
    except csv.Error:
        return []


def _header_size(data: memoryview) -> int:
    head = bytes(data[: 1 << 16])
    quoted = False
    for position, byte in enumerate(head):
        if byte == QUOTE:
            quoted = not quoted
        elif byte in (CR, LF) and not quoted:
            return position + (2 if head[position : position + 2] == b"\r\n" else 1)
    return len(head)


def parse(
    source: TextSource,
    ids: list[str],
    header_size: int,
    layout: Layout,
    *,
    public: bool = False,
    look: Callable[[pa.Array], None] | None = None,
) -> pa.Table:
    """The records below the header as binary columns of one chunk each, many by dictionary (:mod:`bytewise`).

    Args:
        public: whether a refusal may say how the contract would read the record.
        look: asked of all values (:func:`bytewise.compacted`).

    Raises:
        DeliveryRejected: ``file.record`` (line of the first record with another number of fields).
    """
    body = source.data[header_size:]
    if not bytes(body[:4096]).strip() and not bytes(body).strip():
        return pa.table({name: pa.array([], pa.binary()) for name in ids})
    for block in BLOCKS:
        with contextlib.suppress(pa.ArrowInvalid):
            return _records(body, ids, layout, block, look)
    raise _broken_record(source, len(ids), layout, public=public)


def _records(
    body: memoryview, ids: list[str], layout: Layout, block: int, look: Callable[[pa.Array], None] | None
) -> pa.Table:
    pieces = pa.csv.open_csv(
        pa.BufferReader(pa.py_buffer(body)),
        pa.csv.ReadOptions(column_names=ids, block_size=block, use_threads=False),
        pa.csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
        pa.csv.ConvertOptions(
            column_types=dict.fromkeys(ids, pa.binary()), strings_can_be_null=False, check_utf8=False
        ),
    )
    with pieces:
        return compacted(pieces, look)


def _broken_record(source: TextSource, fields: int, layout: Layout, *, public: bool) -> DeliveryRejected:
    """The rejection that names the first record with another number of fields (slow, but only once)."""
    data = source.data
    ends, records = _ends(data)
    starts = np.append(0, ends + 1)[records]
    raw = np.frombuffer(data, dtype=np.uint8)
    delimiters = np.flatnonzero((raw == ord(layout.delimiter)) & ~_inside_quotes(raw))
    count = np.diff(np.searchsorted(delimiters, np.append(starts, len(raw)))) + 1
    wrong = np.flatnonzero(count != fields)
    at: dict[str, Coordinate] = {**source.at, "contracted_fields": fields}
    if len(wrong):
        begin = int(starts[wrong[0]])
        record = bytes(data[begin : begin + (1 << 12)]).decode(codec(source.encoding), "replace").splitlines()[0]
        at |= for_a_record(record.split(layout.delimiter)) if public else {}
        line = line_of(source, int(wrong[0]))
        at |= {"line": line, "fields": int(count[wrong[0]])}
    return rejection("file.record", **at)
