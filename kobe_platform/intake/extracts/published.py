"""Published tables as rows: titles and notes put aside, columns of figures one below the other.

Such tables are small (a city's towns by age), so they are read as texts at once. Every row keeps the line and, where a
figure came from a column of many, the number of its column, so that a refusal names the cell.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import polars as pl
import pyarrow as pa

from kobe_platform.contracts import Contract, Layout
from kobe_platform.contracts.columns import Column
from kobe_platform.contracts.published import PublishedTable
from kobe_platform.errors import Coordinate, DeliveryRejected
from kobe_platform.intake.extracts.declaring import for_a_record, for_missing, for_the_header, for_unclassified
from kobe_platform.intake.extracts.delimited import TextSource, position_of
from kobe_platform.intake.extracts.encodings import codec, undecodable
from kobe_platform.intake.extracts.framing import without_leading
from kobe_platform.intake.extracts.texts import normalised
from kobe_platform.vocabulary.rules import rejection

MOST_FIGURES = 20_000_000
"""Figures of one file: a table that is looked at has far fewer."""


@dataclass(frozen=True, repr=False)
class PublishedFigures:
    """A published table as columns.

    Attributes:
        table: UTF-8 texts of the contract's columns that are read, by id.
        lines: the line of each row in the file.
        fields: the number of the column that each row's figure stood in; empty where no columns are spread.
        records: rows of the file, before columns became rows: those that a manifest counts.
    """

    table: pa.Table
    lines: list[int]
    fields: list[int]
    records: int


@dataclass(frozen=True, repr=False)
class _Heads:
    """What the columns of a file are, by their place."""

    plain: Mapping[str, int]
    spread: Mapping[int, Mapping[str, str]]


_Record = tuple[int, list[str]]
"""Its first line, and its fields."""


def read_published(source: TextSource, contract: Contract, layout: Layout, table: PublishedTable) -> PublishedFigures:
    """The rows of a published table.

    Args:
        source: the file as a whole, without mark and padding.

    Raises:
        DeliveryRejected: ``file.encoding``, ``file.leading``, ``file.record``, ``header.*`` or ``table.given``; where a
            line in the contract would read the file, ``declare`` says which.
    """
    _check_encoding(source, layout)
    body = without_leading(source, layout) if layout.leading else source
    title = source.data[: len(source.data) - len(body.data)]
    given = _given(source, bytes(title).decode(codec(source.encoding)), table)
    records = list(_records(body))
    names = _names(records[: table.header_lines])
    rows = _rows(records[table.header_lines :], table)
    at: dict[str, Coordinate] = {**source.at, "line": records[0][0] if records else body.lines_before + 1}
    heads = _heads(at, names, rows, contract, table, records)
    _check_widths(source.at, rows, len(names))
    return _figures(heads, given, rows, contract, table)


def _check_encoding(source: TextSource, layout: Layout) -> None:
    offset = undecodable(source.data, source.encoding)
    if offset is not None:
        line, column = position_of(source, offset, layout)
        raise rejection("file.encoding", **source.at, line=line, column_number=column)


def _given(source: TextSource, title: str, table: PublishedTable) -> dict[str, str]:
    """What the title and the file's name say of all rows."""
    given: dict[str, str] = {}
    for where, text, find in (
        ("title", title, re.compile(table.title).search),
        ("file_name", PurePath(str(source.at["file"])).stem, re.compile(table.file_name).fullmatch),
    ):
        if not getattr(table, where):
            continue
        found = find(_plain([text])[0])
        if found is None or None in found.groupdict().values():
            raise rejection("table.given", **source.at, given_by=where)
        given |= found.groupdict()
    return given


def _records(body: TextSource) -> Iterator[_Record]:
    """Records with any text, and the line that each begins on."""
    reader = csv.reader(io.StringIO(bytes(body.data).decode(codec(body.encoding)), newline=""))
    line = 1
    while True:
        try:
            fields = next(reader, None)
        except csv.Error:
            raise rejection("file.record", **body.at, line=body.lines_before + line) from None
        if fields is None:
            return
        if any(field.strip() for field in fields):
            yield body.lines_before + line, fields
        line = reader.line_num + 1


def _names(records: list[_Record]) -> list[str]:
    """The columns' names; a text above stands for the columns to its right too, as far as these have names below."""
    width = max((len(fields) for _, fields in records), default=0)
    lines = [_plain(fields + [""] * (width - len(fields))) for _, fields in records]
    for above in lines[:-1]:
        merged = ""
        for place, below in enumerate(lines[-1]):
            merged = above[place] or (merged if below else "")
            above[place] = merged
    return [" ".join(part for part in parts if part) for parts in zip(*lines, strict=True)]


def _rows(records: list[_Record], table: PublishedTable) -> list[_Record]:
    """The records above the notes."""
    marks = tuple(_plain(list(table.notes)))
    for place, (_, fields) in enumerate(records):
        if marks and next(filter(None, _plain(fields)), "").startswith(marks):
            return records[:place]
    return records


def _heads(
    at: Mapping[str, str | int],
    names: list[str],
    rows: list[_Record],
    contract: Contract,
    table: PublishedTable,
    records: list[_Record],
) -> _Heads:
    columns = [column for column in contract.columns if column.id not in table.given]
    known = dict(zip(_plain([column.header for column in columns]), columns, strict=True))
    spread, skip = re.compile(table.spread or "(?!)"), re.compile(table.skip or "(?!)")
    plain: dict[str, int] = {}
    spread_heads: dict[int, Mapping[str, str]] = {}
    unclassified: list[int] = []
    for place, name in enumerate(names):
        column = known.get(name or f"#{place + 1}")
        if column is not None and column.id in plain:
            raise rejection("header.twice", **at, column=column.id)
        if column is not None:
            plain[column.id] = place
        elif skip.search(name) or (name == "" and _empty(rows, place)):
            continue
        elif found := spread.fullmatch(name):
            spread_heads[place] = {key: value or "" for key, value in found.groupdict().items()}
        else:
            unclassified.append(place)
    return _complete(at, _Heads(plain, spread_heads), columns, unclassified, table, records)


def _complete(
    at: Mapping[str, str | int],
    heads: _Heads,
    columns: Sequence[Column],
    unclassified: list[int],
    table: PublishedTable,
    records: list[_Record],
) -> _Heads:
    if not heads.plain and not heads.spread:
        raise rejection("header.absent", **at, **for_the_header(columns, [fields for _, fields in records]))
    missing = [column for column in columns if column.id not in heads.plain]
    if missing:
        raise rejection("header.missing", **at, column=missing[0].id, missing=len(missing), **for_missing(missing))
    if table.spread and not heads.spread:
        raise rejection("header.missing", **at, column=table.figures, missing=1)
    if unclassified:
        said = for_unclassified(unclassified)
        raise rejection("header.unclassified", **at, column_number=unclassified[0] + 1, **said)
    return heads


def _empty(rows: list[_Record], place: int) -> bool:
    return not any(len(fields) > place and fields[place].strip() for _, fields in rows)


def _check_widths(at: Mapping[str, str], rows: list[_Record], width: int) -> None:
    """Every record has as many fields as there are columns; what stands beyond them is blank."""
    for line, fields in rows:
        if len(fields) < width or any(field.strip() for field in fields[width:]):
            said = for_a_record(fields)
            raise rejection("file.record", **at, line=line, fields=len(fields), contracted_fields=width, **said)


def _figures(
    heads: _Heads, given: Mapping[str, str], rows: list[_Record], contract: Contract, table: PublishedTable
) -> PublishedFigures:
    places = list(heads.spread) or [-1]
    if len(rows) * len(places) > MOST_FIGURES:
        raise _too_large(len(rows) * len(places))
    values: dict[str, list[str]] = {}
    for column in contract.columns:
        if column.id in heads.plain:
            place = heads.plain[column.id]
            values[column.id] = [fields[place] for _, fields in rows for _ in places]
        elif column.id == table.figures:
            values[column.id] = [fields[place] for _, fields in rows for place in places]
        else:
            said = [heads.spread.get(place, {}).get(column.id, given.get(column.id, "")) for place in places]
            values[column.id] = said * len(rows)
    columns = {name: pl.Series(texts, dtype=pl.String).cast(pl.Binary).to_arrow() for name, texts in values.items()}
    binary = {name: array.cast(pa.binary()) for name, array in columns.items()}
    lines = [line for line, _ in rows for _ in places]
    fields = [place + 1 for _ in rows for place in places] if heads.spread else []
    return PublishedFigures(pa.table(binary), lines, fields, len(rows))


def _too_large(figures: int) -> DeliveryRejected:
    return rejection("table.figures", figures=figures, most=MOST_FIGURES)


def _plain(texts: list[str]) -> list[str]:
    return [" ".join(text.split()) for text in normalised(pl.Series(texts, dtype=pl.String))]
