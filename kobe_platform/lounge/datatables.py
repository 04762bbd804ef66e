"""Draws DataTable, and makes the flat table of a Download; both are complete without JavaScript.

The browser sorts, searches and pages what stands here. Total rows are published rows that the author marks; they
stay on top and are never worked out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from kobe_platform.lounge.binding import Bound, column_formats, words
from kobe_platform.lounge.formats import SUPPRESSED, Cell, Format
from kobe_platform.lounge.periods import Periods
from kobe_platform.lounge.slices import rows_of

if TYPE_CHECKING:
    import polars as pl

HEADINGS = {"period": "年月", "area": "地域", "value": "値"}
PAGE = "50"
SIZES = (PAGE, "10", "20", "100", "all")


def heading(column: str) -> str:
    """A column's name as readers see it."""
    return HEADINGS.get(column, column)


@dataclass(frozen=True)
class FlatColumn:
    """A column of a flat table and how it reads."""

    name: str
    numeric: bool
    format: Format
    own_unit: bool

    @property
    def head(self) -> str:
        """Heading; with the unit where the column has one of its own."""
        unit = f"（{self.format.unit}）" if self.own_unit and self.format.unit else ""
        return f"{heading(self.name)}{unit}"

    def as_spec(self) -> dict[str, Any]:
        """What the browser must know."""
        fmt = self.format
        spec = {"head": self.head, "numeric": self.numeric}
        told = {"digits": fmt.digits, "signed": fmt.signed, "era": fmt.era}
        return spec | {name: value for name, value in told.items() if value}


@dataclass(frozen=True)
class FlatTable:
    """Rows by slice and key, and how many of them, at the front, are totals."""

    columns: tuple[FlatColumn, ...]
    rows: dict[str, dict[str, list[Sequence[Cell]]]]
    totals: dict[str, dict[str, int]]

    @property
    def records(self) -> dict[str, Any]:
        """As slice files hold them."""
        found = {}
        for part, by_key in self.rows.items():
            totals = {key: count for key, count in self.totals[part].items() if count}
            found[part] = {"v": by_key} | ({"t": totals} if totals else {})
        return found

    @property
    def cells(self) -> int:
        """Figures and texts shipped."""
        return sum(len(rows) for by_key in self.rows.values() for rows in by_key.values()) * len(self.columns)


def flat_table(bound: Bound, frame: pl.DataFrame, sliced_by: str, keys: Sequence[str]) -> FlatTable:
    """Cut a query's rows; without ``columns`` all but filters, status and the mark of totals are shown."""
    total = bound["total"]
    aside = {sliced_by, *keys, "status", total, bound["drill"]}
    names = words(bound["columns"]) or [
        name for name in frame.columns if name not in aside and not name.endswith("_status")
    ]
    own = {column: Format.parse(code) or Format() for column, code in column_formats(bound["fmt"]) if column}
    columns = tuple(
        FlatColumn(name, frame[name].dtype.is_numeric(), own.get(name, bound.format), name in own) for name in names
    )
    marked = rows_of(frame, [*names, total] if total else names, sliced_by=sliced_by, keys=keys)
    rows: dict[str, dict[str, list[Sequence[Cell]]]] = {}
    counts: dict[str, dict[str, int]] = {}
    for part, by_key in marked.items():
        for key, found in by_key.items():
            first = [row[:-1] for row in found if row[-1]] if total else []
            rest = [row[:-1] for row in found if not row[-1]] if total else found
            rows.setdefault(part, {})[key] = [*first, *rest]
            counts.setdefault(part, {})[key] = len(first)
    return FlatTable(columns, rows, counts)


def table_html(table: FlatTable, bound: Bound, part: str, key: str, periods: Periods) -> tuple[str, bool]:
    """The table for the default choices with all its rows, and whether something in it is hidden."""
    rows = table.rows.get(part, {}).get(key, [])
    totals = table.totals.get(part, {}).get(key, 0)
    head = "".join(
        f'<th scope="col"{" class=is-number" if column.numeric else ""}>{escape(column.head)}</th>'
        for column in table.columns
    )
    bodies = [("lounge-totals", rows[:totals]), ("lounge-rows", rows[totals:])]
    body = "".join(
        f'<tbody class="{kind}">{"".join(_row(row, table.columns, periods) for row in shown)}</tbody>'
        for kind, shown in bodies
        if shown or kind == "lounge-rows"
    )
    return f"<table>{caption(bound['title'], bound.format)}<thead><tr>{head}</tr></thead>{body}</table>", any(
        SUPPRESSED in row for row in rows
    )


def caption(title: str, fmt: Format) -> str:
    """A table's caption: the title for screen readers alone, since it stands above the figure; the unit for all."""
    unit = f"（単位：{escape(fmt.unit)}）" if fmt.unit else ""
    return f'<caption><span class="lounge-unseen">{escape(title)}</span>{unit}</caption>'


def _row(row: Sequence[Cell], columns: Sequence[FlatColumn], periods: Periods) -> str:
    cells = zip(row, columns, strict=True)
    return f"<tr>{''.join(cell_html(cell, column.format, periods=periods) for cell, column in cells)}</tr>"


def cell_html(cell: Cell, fmt: Format, shade: int = 0, periods: Periods | None = None) -> str:
    """One cell: 「X」 explained, text as it is, figures without their unit.

    Args:
        shade: step of a shaded table; 0 for none.
        periods: what periods among the texts cover.
    """
    if cell == SUPPRESSED:
        return '<td class="is-x"><abbr title="秘匿">X</abbr></td>'
    if isinstance(cell, str):
        text = fmt.text(cell)
        return f"<td>{escape(periods.beside(cell, text) if periods else text)}</td>"
    shaded = f" lounge-h{shade}" if shade else ""
    return f'<td class="is-number{shaded}">{fmt.text(cell, unit=False)}</td>'
