"""Reads a published table into rows: skips titles and notes, and puts the columns of figures below one another.

Other cities and offices publish figures as tables that people read: a title, a line of column names, records, notes. A
text file has one such page, a workbook one on each sheet; each page is read by the same rules. The tables are small (a
city's towns by age), so they are read into memory as texts. Every row keeps its line and, where columns were put below
one another, the number of its column, so that a refusal can name the cell.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePath

import polars as pl
import pyarrow as pa

from kobe_platform.contracts import Contract, Layout
from kobe_platform.contracts.columns import Column
from kobe_platform.contracts.published import PublishedTable
from kobe_platform.errors import Coordinate
from kobe_platform.intake.extracts.declaring import (
    for_a_record,
    for_a_sheet,
    for_missing,
    for_the_header,
    for_unclassified,
)
from kobe_platform.intake.extracts.delimited import TextSource, position_of
from kobe_platform.intake.extracts.encodings import codec, undecodable
from kobe_platform.intake.extracts.framing import without_leading
from kobe_platform.intake.extracts.texts import normalised
from kobe_platform.intake.extracts.workbooks import read_sheets
from kobe_platform.vocabulary.rules import rejection

MOST_FIGURES = 20_000_000
"""Most figures of one file; a table for readers has far fewer."""


_Record = tuple[int, list[str]]
"""Its first line, and its fields."""


@dataclass(frozen=True, repr=False)
class PublishedFigures:
    """A published table as columns.

    Attributes:
        table: UTF-8 texts of the contract's columns that are read, by id.
        lines: the line of each row in the file.
        fields: the number of the column that each row's figure stood in; empty where no columns are spread.
        records: rows of the file, before columns became rows: those that a manifest counts.
        sheets: of workbooks, the number of each row's sheet; else empty.
    """

    table: pa.Table
    lines: list[int]
    fields: list[int]
    records: int
    sheets: list[int]

    def at(self, row: int) -> dict[str, Coordinate]:
        """Where a row stands in its file."""
        told = {"sheet": self.sheets, "line": self.lines, "column_number": self.fields}
        return {name: places[row] for name, places in told.items() if places}


@dataclass(frozen=True, repr=False)
class _Page:
    """A text file, or a sheet of a workbook.

    Attributes:
        at: coordinates: delivery, file and, of a workbook, the number of the sheet.
        given: values that its title and the names of file and sheet give for all rows.
        records: from the column line on.
        line: where they begin.
    """

    at: Mapping[str, Coordinate]
    given: Mapping[str, str]
    records: list[_Record]
    line: int


@dataclass(frozen=True, repr=False)
class _Heads:
    """What each column of a file is, by its place."""

    plain: Mapping[str, int]
    spread: Mapping[int, Mapping[str, str]]


def read_published(source: TextSource, contract: Contract, layout: Layout, table: PublishedTable) -> PublishedFigures:
    """The rows of a published table.

    Args:
        source: the file as a whole, without mark and padding.

    Raises:
        DeliveryRejected: ``file.encoding``, ``file.leading``, ``file.record``, ``header.*``, ``table.given`` or
            ``workbook.*``; where a line in the contract would read the file, ``declare`` says which.
    """
    pages = _sheets(source, layout, table) if layout.form == "workbook" else _text(source, layout, table)
    return _joined([_read_page(page, contract, table) for page in pages], source.at)


def _text(source: TextSource, layout: Layout, table: PublishedTable) -> Iterator[_Page]:
    """The one page of a text file."""
    _check_encoding(source, layout)
    body = without_leading(source, layout) if layout.leading else source
    title = source.data[: len(source.data) - len(body.data)]
    given = _given(source.at, bytes(title).decode(codec(source.encoding)), table)
    yield _Page(source.at, given, list(_records(body)), body.lines_before + 1)


def _sheets(source: TextSource, layout: Layout, table: PublishedTable) -> Iterator[_Page]:
    """The sheets that the contract reads; the contract must name the others as skipped."""
    wanted, others = re.compile(table.sheets or ".*"), re.compile(table.other_sheets or "(?!)")
    read = 0
    for sheet in read_sheets(source.data, source.at):
        name = _plain([sheet.name])[0]
        at: dict[str, Coordinate] = {**source.at, "sheet": sheet.number}
        if others.search(name):
            continue
        found = wanted.fullmatch(name)
        read += 1
        if found is None or None in found.groupdict().values() or (read > 1 and not table.sheets):
            raise rejection("workbook.sheet", **at, **for_a_sheet())
        if sheet.hidden:
            raise rejection("workbook.hidden", **at)
        rows = list(sheet.rows)
        if table.hidden_cells == "refuse" and (unseen := sheet.unseen.first_filled(rows)):
            raise rejection("workbook.hidden_cells", **at, **unseen)
        if len(rows) <= layout.leading:
            raise rejection("file.leading", **at, records=layout.leading)
        title = "\n".join(",".join(fields) for fields in rows[: layout.leading])
        given = _given(at, title, table) | found.groupdict()
        records = [(line, fields) for line, fields in enumerate(rows, 1) if any(field.strip() for field in fields)]
        yield _Page(at, given, _evened([one for one in records if one[0] > layout.leading]), layout.leading + 1)
    if not read:
        raise rejection("workbook.sheet", **source.at, sheets=0, **for_a_sheet())


def _evened(records: list[_Record]) -> list[_Record]:
    """Records of one length; those of a sheet end with their last filled cell and are padded."""
    width = max((len(fields) for _, fields in records), default=0)
    return [(line, fields + [""] * (width - len(fields))) for line, fields in records]


def _read_page(page: _Page, contract: Contract, table: PublishedTable) -> PublishedFigures:
    names = _names(page.records[: table.header_lines])
    rows = _rows(page.records[table.header_lines :], table)
    at = {**page.at, "line": page.records[0][0] if page.records else page.line}
    heads = _heads(at, names, rows, contract, table, page.records)
    _check_widths(page.at, rows, len(names))
    for name in table.fill_down:
        rows = _filled(rows, heads.plain[name])
    return _figures(page, heads, rows, contract, table)


def _filled(rows: list[_Record], place: int) -> list[_Record]:
    """Rows in which a blank in a column is replaced by the text above it."""
    above, filled = "", []
    for line, fields in rows:
        above = fields[place] if fields[place].strip() else above
        filled.append((line, [*fields[:place], above, *fields[place + 1 :]]))
    return filled


def _joined(pages: Sequence[PublishedFigures], at: Mapping[str, Coordinate]) -> PublishedFigures:
    """The rows of all pages of a file in one table."""
    if (figures := sum(len(page.lines) for page in pages)) > MOST_FIGURES:
        raise rejection("table.figures", **at, figures=figures, most=MOST_FIGURES)
    return PublishedFigures(
        pa.concat_tables([page.table for page in pages]).combine_chunks(),
        _chained(page.lines for page in pages),
        _chained(page.fields for page in pages),
        sum(page.records for page in pages),
        _chained(page.sheets for page in pages),
    )


def _chained(lists: Iterable[list[int]]) -> list[int]:
    return list(chain.from_iterable(lists))


def _check_encoding(source: TextSource, layout: Layout) -> None:
    offset = undecodable(source.data, source.encoding)
    if offset is not None:
        line, column = position_of(source, offset, layout)
        raise rejection("file.encoding", **source.at, line=line, column_number=column)


def _given(at: Mapping[str, Coordinate], title: str, table: PublishedTable) -> dict[str, str]:
    """Values that the title and the file's name give for all rows."""
    given: dict[str, str] = {}
    for where, text, find in (
        ("title", title, re.compile(table.title).search),
        ("file_name", PurePath(str(at["file"])).stem, re.compile(table.file_name).fullmatch),
    ):
        if not getattr(table, where):
            continue
        found = find(_plain([text])[0])
        if found is None or None in found.groupdict().values():
            raise rejection("table.given", **at, given_by=where)
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


def _check_widths(at: Mapping[str, Coordinate], rows: list[_Record], width: int) -> None:
    """Check that every record has as many fields as there are columns; further fields must be blank."""
    for line, fields in rows:
        if len(fields) < width or any(field.strip() for field in fields[width:]):
            said = for_a_record(fields)
            raise rejection("file.record", **at, line=line, fields=len(fields), contracted_fields=width, **said)


def _figures(
    page: _Page, heads: _Heads, rows: list[_Record], contract: Contract, table: PublishedTable
) -> PublishedFigures:
    places = list(heads.spread) or [-1]
    if len(rows) * len(places) > MOST_FIGURES:
        raise rejection("table.figures", **page.at, figures=len(rows) * len(places), most=MOST_FIGURES)
    values: dict[str, list[str]] = {}
    for column in contract.columns:
        if column.id in heads.plain:
            place = heads.plain[column.id]
            values[column.id] = [fields[place] for _, fields in rows for _ in places]
        elif column.id == table.figures:
            values[column.id] = [fields[place] for _, fields in rows for place in places]
        else:
            said = [heads.spread.get(place, {}).get(column.id, page.given.get(column.id, "")) for place in places]
            values[column.id] = said * len(rows)
    columns = {name: pl.Series(texts, dtype=pl.String).cast(pl.Binary).to_arrow() for name, texts in values.items()}
    binary = {name: array.cast(pa.binary()) for name, array in columns.items()}
    lines = [line for line, _ in rows for _ in places]
    fields = [place + 1 for _ in rows for place in places] if heads.spread else []
    sheets = [int(page.at["sheet"])] * len(lines) if "sheet" in page.at else []
    return PublishedFigures(pa.table(binary), lines, fields, len(rows), sheets)


def _plain(texts: list[str]) -> list[str]:
    return [" ".join(text.split()) for text in normalised(pl.Series(texts, dtype=pl.String))]
