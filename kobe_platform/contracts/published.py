"""Defines the keys by which a layout describes a table that was made for readers, so that it can be read as rows.

A title stands above the columns and notes below the rows; years, sexes or ages are columns; a ward has a file of its
own, whose name or title alone says which. All of it is declared, nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kobe_platform.contracts.columns import Column, Number

if TYPE_CHECKING:
    from kobe_platform.contracts.model import Layout


class PublishedTable(BaseModel):
    """How one file of a layout is read.

    The patterns are Python's regular expressions, over texts whose widths are made one (NFKC); a named group
    ``(?P<ID>…)`` gives the column of that id its value, for every row or figure that the text stands over.

    Attributes:
        header_lines: records that name the columns, one below the other: their texts are joined by a space, and a cell
            that is merged over several columns counts for each.
        notes: what the first filled field of a record begins with where the notes begin; the rows end there.
        title: found in the records before the column line (``leading``).
        file_name: all of the file's name without its suffix.
        spread: columns whose names are like this become one column, ``figures``, row below row.
        figures: id of the column (rule ``number``) that the spread columns become.
        skip: columns whose names are like this are passed over.
        fill_down: columns whose blanks take the value above: a cell that is merged over rows stands in the first only.
        sheets: of workbooks: all of the name of a sheet that is read; empty where there is one sheet.
        other_sheets: sheets whose names are like this are passed over.
        hidden_cells: of workbooks: filled cells in hidden rows and columns refuse the delivery, or are read as others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    header_lines: int = Field(default=1, ge=1, le=5)
    notes: tuple[str, ...] = ()
    title: str = ""
    file_name: str = ""
    spread: str = ""
    figures: str = ""
    skip: str = ""
    fill_down: tuple[str, ...] = ()
    sheets: str = ""
    other_sheets: str = ""
    hidden_cells: Literal["refuse", "read"] = "refuse"

    @field_validator("title", "file_name", "spread", "skip", "sheets", "other_sheets")
    @classmethod
    def _is_a_pattern(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return pattern

    @property
    def given(self) -> frozenset[str]:
        """Columns that stand in no column of the file: a title, a name or the heads of figures give their values."""
        named = {
            name
            for pattern in (self.title, self.file_name, self.spread, self.sheets)
            for name in re.compile(pattern).groupindex
        }
        return frozenset(named | ({self.figures} if self.figures else set()))


def table_faults(layouts: Sequence[Layout], columns: Sequence[Column], public: bool) -> Iterator[str]:
    """What tables say that the contract's columns cannot hold."""
    known = {column.id: column for column in columns if column.read}
    for layout in layouts:
        table = layout.table
        if table is None:
            continue
        if not public:
            yield "a published table belongs to public contracts"
        if unknown := sorted(table.given - known.keys()):
            yield f"a table gives {unknown[0]}, which is no column that is read"
        if unknown := sorted(set(table.fill_down) - (known.keys() - table.given)):
            yield f"fill_down names {unknown[0]}, which is no column of the file that is read"
        if (table.sheets or table.other_sheets or table.hidden_cells == "read") and layout.form != "workbook":
            yield "sheets are those of a workbook"
        if bool(table.spread) != bool(table.figures):
            yield "spread and figures belong together"
        if table.figures and not isinstance(known.get(table.figures), Number):
            yield "the figures are a column with the rule number"
        if table.title and not layout.leading:
            yield "a title stands in leading records: leading says how many"
