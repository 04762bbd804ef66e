"""Finds the rows and columns of a workbook's sheet that are hidden from its reader, in the sheet's XML.

The library that reads the cells does not tell them row by row. A row is hidden where it says so or has no height, which
is how filters and closed groups write it; a column likewise by its width.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from xml.etree.ElementTree import Element, ParseError, iterparse

_MAY_HIDE = re.compile(rb"""\shidden\s*=|\s(?:ht|width)\s*=\s*["']0""")
_TRUE = ("1", "true")
_NONE = re.compile(r"0+(\.0*)?")


MOST_COLUMNS = 16_384
"""Columns that a sheet can have, and so ranges of columns that it can describe."""


@dataclass(frozen=True)
class HiddenCells:
    """Hidden rows and columns of a sheet, both counted from 1."""

    rows: frozenset[int] = frozenset()
    columns: frozenset[int] = frozenset()

    def first_filled(self, rows: Sequence[Sequence[str]]) -> dict[str, int]:
        """The first hidden row or column in which a cell is filled, as coordinates; empty where there is none.

        Args:
            rows: the sheet's texts from its first row on.
        """
        for line in sorted(self.rows):
            if line <= len(rows) and any(text.strip() for text in rows[line - 1]):
                return {"line": line}
        for line, fields in enumerate(rows, 1) if self.columns else ():
            for number, text in enumerate(fields, 1):
                if number in self.columns and text.strip():
                    return {"line": line, "column_number": number}
        return {}


def hidden_cells(part: bytes) -> HiddenCells:
    """What a sheet's part says to be hidden; the part has passed the limits of :mod:`.workbooks`.

    Raises:
        ValueError: the part is no XML, or says of a row or column what is no number.
    """
    if not _MAY_HIDE.search(part):
        return HiddenCells()
    rows: set[int] = set()
    columns = _Columns()
    line = 0
    try:
        for event, element in iterparse(BytesIO(part), ("start", "end")):
            name = element.tag.rpartition("}")[2]
            if event == "end":
                element.clear()
            elif name == "row":
                line = int(element.get("r", line + 1))
                rows |= {line} if _hidden(element, "ht") else set()
            elif name == "col":
                columns.add(element)
    except ParseError:
        raise ValueError("no XML") from None
    return HiddenCells(frozenset(rows), columns.hidden)


@dataclass
class _Columns:
    """Descriptions of columns as they are met; a sheet cannot make the work long by many that overlap."""

    described: int = 0
    marks: bytearray = field(default_factory=lambda: bytearray(MOST_COLUMNS + 1))

    def add(self, element: Element) -> None:
        self.described += 1
        if self.described > MOST_COLUMNS:
            raise ValueError("more descriptions than columns")
        first, last = (min(max(int(element.get(name, 0)), 0), MOST_COLUMNS) for name in ("min", "max"))
        if _hidden(element, "width") and first <= last:
            self.marks[first : last + 1] = b"\1" * (last + 1 - first)

    @property
    def hidden(self) -> frozenset[int]:
        return frozenset(number for number, mark in enumerate(self.marks) if mark and number)


def _hidden(element: Element, size: str) -> bool:
    return element.get("hidden", "").strip() in _TRUE or bool(_NONE.fullmatch(element.get(size, "").strip()))
