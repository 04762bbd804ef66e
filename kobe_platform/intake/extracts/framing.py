"""Removes the records that some senders write before the column line and after the last row, and checks them."""

from __future__ import annotations

import csv

import numpy as np

from kobe_platform.contracts import Layout
from kobe_platform.errors import Coordinate
from kobe_platform.intake.extracts.delimited import CR, LF, QUOTE, TextSource
from kobe_platform.intake.extracts.encodings import codec
from kobe_platform.vocabulary.rules import rejection

LONGEST_RECORD = 1 << 16
"""Bytes of a leading record or a trailer at most; they name a file and count its rows."""


def unframed(source: TextSource, layout: Layout, rows: int | None) -> TextSource:
    """The column line and the rows of a file, without what the layout says stands around them.

    Args:
        rows: data rows of the file, as its manifest says; the trailer must say the same (quirk 19). None where there
            is no manifest yet.

    Raises:
        DeliveryRejected: ``file.leading``, ``file.trailer`` (what stands there is not what the contract says), or
            ``file.rows`` (the trailer counts other rows than the manifest).
    """
    if layout.leading:
        source = without_leading(source, layout)
    return _without_trailer(source, layout, rows) if layout.trailer else source


def without_leading(source: TextSource, layout: Layout) -> TextSource:
    """A file from its column line on; errors as :func:`unframed`."""
    at: dict[str, Coordinate] = {**source.at, "line": 1}
    start = 0
    for number in range(layout.leading):
        stop = _end(source.data, start, quotes=layout.form == "delimited")
        if number == 0 and layout.leading_mark:
            fields = _fields(source, start, stop, layout)
            if not _begins(fields, layout.leading_mark, layout):
                raise rejection("file.leading", **at, records=layout.leading)
        start = stop
    if start >= len(source.data):
        raise rejection("file.leading", **at, records=layout.leading)
    return TextSource(
        source.at, source.data[start:], source.encoding, source.lines_before + _lines(source.data[:start])
    )


def _without_trailer(source: TextSource, layout: Layout, rows: int | None) -> TextSource:
    data = source.data
    body = len(bytes(data[-LONGEST_RECORD:]).rstrip(b"\r\n")) + max(len(data) - LONGEST_RECORD, 0)
    tail = bytes(data[max(body - LONGEST_RECORD, 0) : body])
    start = body - len(tail) + max(tail.rfind(b"\n"), tail.rfind(b"\r")) + 1
    fields = _fields(source, start, body, layout)
    at: dict[str, Coordinate] = {**source.at, "line": source.lines_before + _lines(data[:start]) + 1}
    if not _begins(fields, layout.trailer_mark, layout):
        raise rejection("file.trailer", **at)
    counted = _counted(fields, layout)
    if counted is None:
        raise rejection("file.trailer", **at, field=layout.trailer_field)
    if rows is not None and counted != rows:
        raise rejection("file.rows", **at, trailer=counted, manifest=rows)
    return TextSource(source.at, data[:start], source.encoding, source.lines_before)


def _begins(fields: list[str], mark: str, layout: Layout) -> bool:
    if layout.form == "fixed":
        return bool(fields) and fields[0].startswith(mark)
    return bool(fields) and fields[0].strip() == mark


def _counted(fields: list[str], layout: Layout) -> int | None:
    """The rows that a trailer counts; of a fixed-width one, the number after its mark."""
    if layout.form == "fixed":
        text = fields[0].removeprefix(layout.trailer_mark).strip()
    else:
        text = fields[layout.trailer_field - 1].strip() if len(fields) >= layout.trailer_field else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _fields(source: TextSource, start: int, stop: int, layout: Layout) -> list[str]:
    """The fields of one record; of a fixed-width one, its text as a whole."""
    text = bytes(source.data[start:stop]).decode(codec(source.encoding), "replace").strip("\r\n")
    if layout.form == "fixed":
        return [text]
    try:
        return next(csv.reader([text], delimiter=layout.delimiter), [])
    except csv.Error:
        return []


def _end(data: memoryview, start: int, *, quotes: bool) -> int:
    """Where the record that begins at ``start`` ends, its line end included."""
    head = np.frombuffer(data[start : start + LONGEST_RECORD], dtype=np.uint8)
    ends = (head == LF) | (head == CR)
    if quotes:
        ends &= ~np.logical_xor.accumulate(head == QUOTE)
    found = np.flatnonzero(ends)
    if not len(found):
        return start + len(head)
    first = int(found[0])
    return start + first + (2 if head[first] == CR and head[first + 1 : first + 2].tolist() == [LF] else 1)


def _lines(data: memoryview) -> int:
    """Line ends in some bytes."""
    raw = np.frombuffer(data, dtype=np.uint8)
    is_lf, is_cr = raw == LF, raw == CR
    return int(np.count_nonzero(is_lf | (is_cr & ~np.append(is_lf[1:], False)))) if len(raw) else 0
