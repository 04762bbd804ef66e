"""Reads workbooks (XLSX) of public figures as texts, sheet by sheet.

A workbook is a ZIP archive that a stranger made: its entries are counted, measured and unpacked within limits first,
and only parts that passed are given to the library that reads them (openpyxl, row by row). What would do something
(macros, links to other files, embedded objects) or show something else than was looked at (hidden sheets, rows and
columns, formulas without a value, cells with an error) is refused.
"""

from __future__ import annotations

import os
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from kobe_platform.errors import Coordinate
from kobe_platform.intake.extracts.hidden_cells import HiddenCells, hidden_cells
from kobe_platform.vocabulary.rules import rejection

LARGEST_WORKBOOK = 16 << 20
"""Bytes of a workbook as it is delivered."""
MOST_UNPACKED = 64 << 20
"""Bytes of its parts together."""
MOST_PARTS = 2_000
MOST_TAGS = 6_000_000
"""Tags of its parts together: about 1.5 million cells."""
MOST_TAGS_A_ROW = 20_000
MOST_TAGS_ELSEWHERE = 300_000
"""Tags of a part that is neither a sheet nor the list of texts, such as the styles."""
MOST_ROWS, MOST_COLUMNS = 100_000, 2_000
"""Rows and columns of a sheet."""
CHUNK = 1 << 20

_OLD_OR_ENCRYPTED = bytes.fromhex("d0cf11e0a1b11ae1")
"""Head of the container of workbooks before 2007 and of those with a password."""
_ACTIVE = re.compile(
    r"vbaproject|/macrosheets/|/externallinks/|/embeddings/|/activex/|/ctrlprops/|/querytables/|/webextensions/"
    r"|connections\.xml$|/custom(ui|data)/"
)
_TEXTS = "xl/sharedstrings.xml"
_SHEETS = "xl/worksheets/"
_ROW = re.compile(rb"<(?:\w+:)?row[ >/]")
_FORMULA = re.compile(rb"<(?:\w+:)?f[ >/]")
_OTHER_ENCODING = re.compile(rb"""^<\?xml[^>]*encoding\s*=\s*["'](?!utf-8["'])""", re.IGNORECASE)

_At = Mapping[str, Coordinate]


@dataclass(frozen=True, repr=False)
class Sheet:
    """A sheet's name, its number among the tabs (from 1), whether it is hidden, and its rows as texts.

    Attributes:
        unseen: its rows and columns that are hidden.
    """

    name: str
    number: int
    hidden: bool
    rows: Iterator[list[str]]
    unseen: HiddenCells


def read_sheets(data: bytes | memoryview, at: _At) -> Iterator[Sheet]:
    """The sheets of a workbook in the tabs' order; ``rows`` are read as they are asked for, before the next sheet.

    Whole numbers are written without a point, days as ``YYYY-MM-DD``; a formula counts by the value that was stored
    with it. A merged cell stands in its first place only, as in a saved CSV; phonetic guides are no part of a text.

    Raises:
        DeliveryRejected: ``workbook.protected``, ``workbook.active``, ``workbook.size``, ``workbook.unreadable``, and
            from the rows ``workbook.formula`` or ``workbook.error`` with sheet, line and number of the column.
    """
    parts = _parts(data, at)
    formulas = any(_FORMULA.search(content) for name, content in parts.items() if name.lower().startswith(_SHEETS))
    book = _opened(parts, at, values=True)
    written = _opened(parts, at, values=False) if formulas else None
    states = {sheet.title: sheet.sheet_state for sheet in book.worksheets}
    for number, name in enumerate(book.sheetnames, 1):
        if name not in states:  # a sheet that is a chart
            continue
        place = {**at, "sheet": number}
        rows = _rows(book[name], written[name] if written else None, place)
        yield Sheet(name, number, states[name] != "visible", rows, _unseen(book[name], parts, place))


def _unseen(sheet, parts: Mapping[str, bytes], at: _At) -> HiddenCells:
    try:
        return hidden_cells(parts[sheet._worksheet_path])
    except (KeyError, ValueError):
        raise rejection("workbook.unreadable", **at) from None


def _parts(data: bytes | memoryview, at: _At) -> dict[str, bytes]:
    """The XML parts of a workbook, each unpacked within the limits; images and the like are left out."""
    if len(data) > LARGEST_WORKBOOK:
        raise rejection("workbook.size", **at, bytes=len(data), most=LARGEST_WORKBOOK)
    if bytes(data[: len(_OLD_OR_ENCRYPTED)]) == _OLD_OR_ENCRYPTED:
        raise rejection("workbook.protected", **at)
    try:
        with ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries, at)
            return {
                entry.filename: _unpacked(archive, entry, at)
                for entry in entries
                if entry.filename.lower().endswith((".xml", ".rels"))
            }
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError):
        raise rejection("workbook.unreadable", **at) from None


def _check_entries(entries: Sequence[ZipInfo], at: _At) -> None:
    names = [entry.filename.lower() for entry in entries]
    if any(entry.flag_bits & 1 for entry in entries):
        raise rejection("workbook.protected", **at)
    if any(_ACTIVE.search(f"/{name}") for name in names):
        raise rejection("workbook.active", **at)
    known = all(entry.compress_type in (ZIP_STORED, ZIP_DEFLATED) for entry in entries)
    if not known or len(set(names)) != len(names) or "[content_types].xml" not in names:
        raise rejection("workbook.unreadable", **at)
    if len(entries) > MOST_PARTS:
        raise rejection("workbook.size", **at, parts=len(entries), most=MOST_PARTS)
    if (unpacked := sum(entry.file_size for entry in entries)) > MOST_UNPACKED:
        raise rejection("workbook.size", **at, unpacked=unpacked, most=MOST_UNPACKED)


def _unpacked(archive: ZipFile, entry: ZipInfo, at: _At) -> bytes:
    """A part, unpacked piece by piece: an entry may say that it is smaller than it is."""
    pieces: list[bytes] = []
    with archive.open(entry) as opened:
        while piece := opened.read(CHUNK):
            pieces.append(piece)
    content = b"".join(pieces)
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    plain = start.startswith(b"<") and not _OTHER_ENCODING.search(start)
    if not plain or b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise rejection("workbook.unreadable", **at)
    if b"macroEnabled" in content and entry.filename.lower() == "[content_types].xml":
        raise rejection("workbook.active", **at)
    _check_tags(entry.filename.lower(), content, at)
    return content


def _check_tags(name: str, content: bytes, at: _At) -> None:
    """Tags, before a parser makes objects of them."""
    tags = content.count(b"<")
    most = MOST_TAGS if name == _TEXTS or name.startswith(_SHEETS) else MOST_TAGS_ELSEWHERE
    if tags > most:
        raise rejection("workbook.size", **at, tags=tags, most=most)
    if name.startswith(_SHEETS) and not name.endswith(".rels"):
        longest = max(part.count(b"<") for part in _ROW.split(content))
        if longest > MOST_TAGS_A_ROW:
            raise rejection("workbook.size", **at, tags=longest, most=MOST_TAGS_A_ROW)


def _opened(parts: Mapping[str, bytes], at: _At, *, values: bool):
    """A workbook of the parts that were checked, and of nothing else."""
    os.environ.setdefault("OPENPYXL_LXML", "False")  # the same parser everywhere, whatever else is installed
    from openpyxl import load_workbook  # loaded where a workbook is delivered: most sources have none

    checked = BytesIO()
    with ZipFile(checked, "w", ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load_workbook(checked, read_only=True, data_only=values, keep_links=False)
    except Exception:  # over a damaged workbook openpyxl may raise anything, with values of cells in it
        raise rejection("workbook.unreadable", **at) from None


def _rows(sheet, written, at: _At) -> Iterator[list[str]]:
    """The rows of a sheet from its first on, as texts; ``written`` is the same sheet with its formulas."""
    formulas = _cells(written, at) if written is not None else None
    for line, cells in enumerate(_cells(sheet, at), 1):
        own = next(formulas, ()) if formulas is not None else ()
        place = {**at, "line": line}
        if len(cells) > MOST_COLUMNS:
            raise rejection("workbook.size", **place, columns=len(cells), most=MOST_COLUMNS)
        if line > MOST_ROWS:
            raise rejection("workbook.size", **at, rows=line, most=MOST_ROWS)
        yield [_text(cell, own[n] if n < len(own) else None, place, n + 1) for n, cell in enumerate(cells)]


def _cells(sheet, at: _At) -> Iterator[tuple]:
    sheet.reset_dimensions()  # what a sheet says of its size is not believed
    rows = iter(sheet.iter_rows())
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                cells = next(rows, None)
        except Exception:  # as in _opened
            raise rejection("workbook.unreadable", **at) from None
        if cells is None:
            return
        yield cells


def _text(cell, written, place: _At, number: int) -> str:
    """A cell as a saved CSV would have it, but for numbers, which are whole and unrounded."""
    value = cell.value
    if cell.data_type == "e":
        raise rejection("workbook.error", **place, column_number=number)
    if value is None:
        if written is not None and written.data_type == "f" and cell.data_type != "str":  # "str": an empty text
            raise rejection("workbook.formula", **place, column_number=number)
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime) and not any((value.hour, value.minute, value.second, value.microsecond)):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)
