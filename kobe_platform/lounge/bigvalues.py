"""Draws BigValue: a headline figure, its comparisons, and a small line of its past or a bar of what is reached.

Differences are made here, not in the browser, and one of a hidden figure is hidden itself: 「X」 on either side
gives 「X」.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from kobe_platform.lounge.binding import Bound, words
from kobe_platform.lounge.formats import ABSENT, SUPPRESSED, Cell, Format, is_period
from kobe_platform.lounge.periods import UNLIKE, Periods
from kobe_platform.lounge.slices import Comparison, Matrix, WrittenCells, as_json, matrices

if TYPE_CHECKING:
    import polars as pl

MONTH, YEAR, NONE = "month", "year", "none"
GAUGE = "gauge"
_MONTHLY = {MONTH: ("前月比", 1), YEAR: ("前年同月比", 12)}


def comparisons(bound: Bound, frame: pl.DataFrame) -> list[Comparison]:
    """What the figure is compared with, in the author's order: earlier periods, then another column."""
    date = bound["date"]
    found: list[Comparison] = []
    if date and frame.height:
        known = {str(code) for code in frame[date].unique().to_list()}
        asked = [word for word in words(bound["compare"]) if word != NONE]
        pairs = [_MONTHLY[word] if _are_months(known) else (_before(known), 1) for word in asked]
        found = [Comparison(label, lag=lag) for label, lag in dict.fromkeys(pairs)]
    if bound["against"]:
        found.append(Comparison(f"{bound['against']}との差", column=bound["against"]))
    return found


def _are_months(codes: set[str]) -> bool:
    return all(is_period(code) and len(code) == len("2025-07") for code in codes)


def _before(codes: set[str]) -> str:
    """What the figure before is: last year's where no year lacks, else the former one."""
    years = sorted(int(code) for code in codes if re.fullmatch(r"\d{4}", code))
    unbroken = len(years) == len(codes) and years[-1] - years[0] == len(years) - 1
    return "前年比" if unbroken else "前回比"


def figures_of(
    bound: Bound, frame: pl.DataFrame, sliced_by: str, keys: tuple[str, ...], periods: Periods
) -> dict[str, Matrix]:
    """Slice → the figure's line over time, then a line of differences per comparison."""
    import polars as pl

    rows = frame if bound["date"] else frame.with_columns(pl.lit("").alias("_once"))
    x = bound["date"] or "_once"
    compared = comparisons(bound, frame)
    found = matrices(rows, x=x, y=bound["value"], sliced_by=sliced_by, keys=keys, compared=compared)
    if not periods.incomplete:
        return found
    return {part: _of_like_periods(matrix, compared, periods) for part, matrix in found.items()}


def _of_like_periods(matrix: Matrix, compared: list[Comparison], periods: Periods) -> Matrix:
    """A matrix with words in place of differences between periods that do not cover the same months."""
    cells = {key: [list(line) for line in lines] for key, lines in matrix.cells.items()}
    for n, lag in ((n, one.lag) for n, one in enumerate(compared, 1) if one.lag):
        unlike = [i for i in range(lag, len(matrix.x)) if not periods.alike(matrix.x[i], matrix.x[i - lag])]
        for lines, i in ((lines, i) for lines in cells.values() for i in unlike):
            lines[n][i] = UNLIKE
    return Matrix(matrix.x, matrix.series, WrittenCells(sorted(cells), as_json(cells)))


def big_value_spec(bound: Bound, frame: pl.DataFrame) -> dict[str, Any]:
    """What the browser must know beside the figures."""
    return {"compared": len(comparisons(bound, frame)), "spark": _has_spark(bound), "gauge": _has_gauge(bound)}


def _has_spark(bound: Bound) -> bool:
    return bool(bound["date"]) and bound["spark"] not in (NONE, GAUGE) and bound["compare"] != NONE


def _has_gauge(bound: Bound) -> bool:
    """Whether a bar shows how much of the column ``against`` is reached; without that column there is none."""
    return bound["spark"] == GAUGE and bool(bound["against"])


def big_value_html(bound: Bound, frame: pl.DataFrame, matrix: Matrix | None, key: str, period: str) -> tuple[str, bool]:
    """The figure for the default choices, and whether something of it is hidden.

    Args:
        period: the period chosen; empty for the last one.
    """
    fmt = bound.format
    lines = matrix.cells.get(key, []) if matrix else []
    at = matrix.x.index(period) if matrix and period in matrix.x else -1
    value = lines[0][at] if lines else None
    hidden = "" if value is not None and value != SUPPRESSED else " hidden"
    unit = f'<span class="lounge-unit"{hidden}>{escape(fmt.unit)}</span>' if fmt.unit else ""
    figure = escape(fmt.text(value, unit=False))
    parts = [f'<p class="lounge-big"><span class="lounge-figure">{figure}</span>{unit}</p>']
    changes = [lines[n][at] if len(lines) > n else None for n in range(1, len(comparisons(bound, frame)) + 1)]
    for comparison, change in zip(comparisons(bound, frame), changes, strict=True):
        shown = escape(change_text(fmt, change))
        parts.append(f'<p class="lounge-change"><span>{escape(comparison.label)}</span> <b>{shown}</b></p>')
    if _has_gauge(bound):
        parts.append(gauge_html(value, changes[-1]))
    if _has_spark(bound):
        parts.append('<div class="lounge-spark" aria-hidden="true"></div>')
    return "".join(parts), SUPPRESSED in (value, *changes)


def gauge_html(value: Cell, missing: Cell) -> str:
    """A bar of the figure's share of what it is held against; empty where one of the two is hidden or absent."""
    width, told = 0, ""
    if isinstance(value, int | float) and isinstance(missing, int | float) and value > missing:
        share = round(100 * value / (value - missing))
        width, told = min(share, 100), f"{share}%"
    bar = (
        '<svg class="lounge-gauge__bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width}" height="8"></rect></svg>'
    )
    return f'<p class="lounge-gauge">{bar} <b>{told}</b></p>'


def change_text(fmt: Format, change: Cell) -> str:
    """A difference with its sign; of percentages in points."""
    unit = "ポイント" if fmt.unit in ("%", "％") else fmt.unit
    return ABSENT if change is None else Format(unit, fmt.digits, True).text(change)
