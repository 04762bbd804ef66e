"""Finds the figure at which a line or note is drawn: a number, a query's only row, or a row for each choice.

``y={goal.人口}`` follows the filters of its chart that the query has a column for: with ``filter=area`` and a column
``area`` in ``goal``, each area has its own line. Figures of every choice travel with the chart's slices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.binding import Bound, reference
from kobe_platform.lounge.formats import SUPPRESSED, Cell, Format, is_period
from kobe_platform.lounge.slices import KEY, Matrix, cells_of
from kobe_platform.vocabulary.nearest import did_you_mean

if TYPE_CHECKING:
    import polars as pl

Fail = Callable[[str, str, str, int], LoungeError]
UNDRAWN = {SUPPRESSED: "秘匿のため描いていません", None: "データがないため描いていません"}


@dataclass(frozen=True)
class Level:
    """A figure and the filters that it follows.

    Attributes:
        filters: names of the filters, in the chart's order; empty where the figure is one for all choices.
        cells: values of these filters → figure.
    """

    filters: tuple[str, ...]
    cells: Mapping[tuple[str, ...], Cell]

    def at(self, choices: Mapping[str, str]) -> Cell:
        """The figure for the readers' choices; None where the query gives none."""
        return self.cells.get(tuple(choices[name] for name in self.filters))


@dataclass(frozen=True)
class Words:
    """A line or note in words: what it is and, where it has one, its figure."""

    told: str
    level: Level | None
    format: Format
    place: int = -1
    """Number among the figures that follow choices; -1 for any other."""
    x: str = ""
    to: str = ""

    def html(self, choices: Mapping[str, str], axis: Sequence[str]) -> str:
        """For the page as it opens; the browser replaces what depends on choices.

        A line or note that stands outside the axis is not drawn, so it is not shown in words.
        """
        ends = "".join(f' data-{name}="{escape(place)}"' for name, place in (("x", self.x), ("to", self.to)) if place)
        hidden = "" if self._stands(axis) else " hidden"
        return f'<span class="lounge-guide"{ends}{hidden}>{self._text(choices)}</span>'

    def _stands(self, axis: Sequence[str]) -> bool:
        """Whether the axis holds its place, or two places of its span."""
        if not self.to:
            return not self.x or self.x in axis
        if is_period(self.x):
            return sum(self.x <= place <= self.to for place in axis) > 1
        return self.x in axis and self.to in axis

    def _text(self, choices: Mapping[str, str]) -> str:
        if self.level is None:
            return escape(self.told)
        cell = self.level.at(choices)
        text = escape(UNDRAWN[cell] if cell is None or isinstance(cell, str) else self.format.text(cell))
        marked = f'<span data-level="{self.place}">{text}</span>' if self.place >= 0 else text
        return escape(self.told) + marked


def level_of(bound: Bound, filters: Sequence[str], results: Mapping[str, pl.DataFrame], fail: Fail) -> Level:
    """The figure of a line or note as its ``y`` says.

    Args:
        filters: those of its chart.
        results: query → rows.

    Raises:
        LoungeError: a column that the query lacks or that holds no figures, or more than one row for one choice.
    """
    named = reference(bound["y"])
    if named is None:
        return Level((), {(): float(bound["y"]) if "." in bound["y"] else int(bound["y"])})
    query, column = named
    frame = results[query]
    if column not in frame.columns:
        message = f"y names column {column}, which query {query} does not give"
        raise fail("column", message, did_you_mean(column, frame.columns), bound.tag.line)
    followed = tuple(name for name in filters if name in frame.columns)
    if not followed and frame.height != 1:
        remedy = "let its query give one row (LIMIT 1), or a column of the chart's filter"
        raise fail("value", f"query {query} gives {frame.height} rows, not one", remedy, bound.tag.line)
    cells = cells_of(frame, column)
    if any(isinstance(cell, str) and cell != SUPPRESSED for cell in cells):
        raise fail(
            "value", f"column {column} of query {query} is no number", "name a column of figures", bound.tag.line
        )
    choices = [tuple(map(str, row)) for row in frame.select(followed).iter_rows()] if followed else [()]
    if len(set(choices)) < len(choices):
        message = f"query {query} gives several rows for one choice of {', '.join(followed)}"
        raise fail("value", message, "narrow it with WHERE (totals are rows of their own)", bound.tag.line)
    return Level(followed, dict(zip(choices, cells, strict=True)))


def with_levels(
    matrix: Matrix, levels: Sequence[Level], sliced_by: str, value: str, keys: Sequence[str]
) -> dict[str, Any]:
    """A matrix as its slice holds it, with ``g``: key of its matrices → the figures of ``levels``, in their order."""
    record = matrix.as_record()
    if not levels:
        return record

    def choices(key: str) -> dict[str, str]:
        return {sliced_by: value, **dict(zip(keys, key.split(KEY), strict=False))}

    return {**record, "g": {key: [level.at(choices(key)) for level in levels] for key in matrix.cells}}
