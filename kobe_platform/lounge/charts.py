"""Components that show figures: their matrices, and the HTML that says the same without JavaScript.

Every chart stands above a table of its figures for the chosen filters. A suppressed figure is 「X」 in the table, a
gap in the chart, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kobe_platform.lounge.boundaries import load_boundaries
from kobe_platform.lounge.components import Bound, words
from kobe_platform.lounge.formats import ABSENT, SUPPRESSED, Cell, Format, is_period, period_label
from kobe_platform.lounge.guides import Guides
from kobe_platform.lounge.maps import map_html
from kobe_platform.lounge.slices import KEY, Matrix, matrices, rows_of

if TYPE_CHECKING:
    import polars as pl

HEADINGS = {"period": "年月", "area": "地域", "value": "値"}
STEPS = 7
"""Steps of a shaded table."""
_KINDS = {
    "LineChart": "折れ線グラフ",
    "AreaChart": "面グラフ",
    "BarChart": "棒グラフ",
    "Pyramid": "人口ピラミッド",
    "Heatmap": "行列の表",
    "Sankey": "流れの図",
}
NO_GUIDES = Guides()
NO_SHAPES = "境界データがないため、地図の代わりに表で示します。"
LEGEND = (
    "「X」は、少数のため秘匿した値（またはそこから逆算されないよう併せて秘匿した値）です。"
    "グラフでは空白とし、0ではありません。"
)


@dataclass(frozen=True)
class Choice:
    """What the filters of a component are: the one that cuts its files, the rest, and the one it reads along x."""

    sliced_by: str = ""
    keys: tuple[str, ...] = ()
    at: str = ""


@dataclass(frozen=True)
class Drawn:
    """A component ready for the page.

    Attributes:
        records: value of the slicing filter → what the slice file holds for this component.
        spec: what the browser must know beside the figures.
        html: the component with its table for the default filters, on one line.
        cells: figures shipped.
    """

    records: Mapping[str, Any]
    spec: Mapping[str, Any]
    html: str
    cells: int = 0
    words: tuple[str, ...] = field(default=())


def draw(
    bound: Bound,
    frame: pl.DataFrame,
    choice: Choice,
    defaults: Mapping[str, str],
    identity: str,
    boundaries: Path,
    guides: Guides = NO_GUIDES,
) -> Drawn:
    """Turn one component and its rows into slices and HTML.

    Args:
        frame: the query's rows, columns checked.
        choice: how its filters cut the rows.
        defaults: chosen value of every filter of the page when it opens.
        identity: the component's id in the page.
        boundaries: folder of the shapes that maps draw.
        guides: reference lines and annotations over a chart.

    Raises:
        SeveralRows: more than one row falls on one cell. LoungeError: boundaries that cannot be drawn.
    """
    if bound.name == "Map":
        return _map(bound, frame, choice, defaults, identity, boundaries)
    makers = {"BigValue": _big_value, "DataTable": _data_table}
    if bound.name in makers:
        return makers[bound.name](bound, frame, choice, defaults, identity)
    return _chart(bound, frame, choice, defaults, identity, guides)


def _selected(choice: Choice, defaults: Mapping[str, str]) -> tuple[str, str]:
    """Slice and key of the default filters."""
    return defaults.get(choice.sliced_by, ""), KEY.join(defaults[name] for name in choice.keys)


def _spec(bound: Bound, choice: Choice, identity: str) -> dict[str, Any]:
    fmt = bound.format
    spec = {
        "id": identity,
        "kind": bound.name,
        "title": bound["title"],
        "unit": fmt.unit,
        "digits": fmt.digits,
        "signed": fmt.signed,
        "slice": choice.sliced_by,
        "keys": list(choice.keys),
    }
    return spec | ({"at": choice.at} if choice.at else {})


def _chart(
    bound: Bound, frame: pl.DataFrame, choice: Choice, defaults: Mapping[str, str], identity: str, guides: Guides
) -> Drawn:
    x, y, series = bound["x"], bound["y"], bound["series"] or bound["side"]
    across = {"Heatmap": ("y", "x"), "Sankey": ("source", "target")}.get(bound.name)
    if across:
        x, y, series = bound[across[0]], bound["value"], bound[across[1]]
    found = matrices(frame, x=x, y=y, series=series, sliced_by=choice.sliced_by, keys=choice.keys)
    piled = bool(bound["stacked"] or bound["normalize"] or bound.name == "AreaChart")
    opts = {name: True for name, on in (("horizontal", bound["horizontal"]), ("stacked", piled)) if on}
    opts |= guides.opts | ({"total": bound["normalize"]} if bound["normalize"] else {})
    opts |= {"zero": True} if bound["base"] == "zero" else {}
    opts |= {"periods": True} if found and all(is_period(t) for x in {m.x for m in found.values()} for t in x) else {}
    corner = f"{_heading(x)}＼{_heading(series)}" if across else _heading(x)
    headings = (corner, _heading(series or y), bound["title"])
    spec = _spec(bound, choice, identity) | {"heads": headings[:2], "opts": opts}
    part, key = _selected(choice, defaults)
    matrix = found.get(part)
    table = matrix_table(matrix, key, headings, bound.format, shaded=bound.name == "Heatmap")
    alternative = f"{bound['title']}（{_KINDS[bound.name]}）。数値は直後の表にあります。"
    canvas = (
        f'<div class="lounge-canvas lounge-canvas--{bound["height"] or "normal"}" role="img" '
        f'aria-label="{escape(alternative)}"></div>'
    )
    hidden = matrix is not None and any(SUPPRESSED in row for row in matrix.cells.get(key, []))
    shown = _scroll(table, bound["title"]) if bound.name == "Heatmap" else canvas + _details(table)
    below = f'<p class="lounge-note">{escape(guides.words)}</p>' if guides.words else ""
    html = _figure(bound, identity, shown + below + _legend(hidden, _stack(bound) if piled else ""))
    records = {value: one.as_record() for value, one in found.items()}
    cells = sum(len(m.x) * len(m.series) * len(m.cells) for m in found.values())
    return Drawn(records, spec, html, cells, (bound["title"],))


def _map(
    bound: Bound, frame: pl.DataFrame, choice: Choice, defaults: Mapping[str, str], identity: str, folder: Path
) -> Drawn:
    found = matrices(frame, x=bound["x"], y=bound["y"], sliced_by=choice.sliced_by, keys=choice.keys)
    names = list(dict.fromkeys(name for matrix in found.values() for name in matrix.x))
    shapes = load_boundaries(folder, bound["shapes"], names)
    headings = (_heading(bound["x"]), _heading(bound["y"]), bound["title"])
    part, key = _selected(choice, defaults)
    matrix = found.get(part)
    rows = matrix.cells.get(key) if matrix else None
    table = matrix_table(matrix, key, headings, bound.format)
    shown = _scroll(table, bound["title"])
    if shapes is None:
        shown = f'<p class="lounge-note">{NO_SHAPES}</p>{shown}'
    else:
        names, values = (matrix.x, rows[0]) if rows else ((), ())
        drawn = map_html(shapes, names, values, bound.format, bound, identity)
        shown = f'<div class="lounge-map__box lounge-map__box--{bound["height"]}">{drawn}</div>{_details(table)}'
    html = _figure(bound, identity, shown + _legend(bool(rows) and SUPPRESSED in rows[0]))
    opts = {"free": bound["base"] == "free", "select": bound["select"], "drawn": shapes is not None}
    spec = _spec(bound, choice, identity) | {"heads": headings[:2], "opts": opts}
    records = {value: one.as_record() for value, one in found.items()}
    return Drawn(records, spec, html, sum(len(m.x) * len(m.cells) for m in found.values()), (bound["title"],))


def matrix_table(matrix: Matrix | None, key: str, headings: Sequence[str], fmt: Format, *, shaded: bool = False) -> str:
    """One matrix as an HTML table: x down, series across.

    Args:
        headings: of the x column, of the figures where there is one series, and the caption.
        shaded: mark figures by seven steps over the largest one.
    """
    rows = matrix.cells.get(key) if matrix else None
    if rows is None:
        return '<p class="lounge-empty">この条件のデータはありません。</p>'
    columns = [headings[1]] if matrix.series == ("",) else list(matrix.series)
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in (headings[0], *columns))
    largest = max((v for row in rows for v in row if isinstance(v, int | float)), default=0) if shaded else 0
    body = "".join(
        f'<tr><th scope="row">{escape(period_label(x))}</th>{"".join(_td(row[i], fmt, largest) for row in rows)}</tr>'
        for i, x in enumerate(matrix.x)
    )
    unit = f"（単位：{escape(fmt.unit)}）" if fmt.unit else ""
    return (
        f"<table><caption>{escape(headings[2])}{unit}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _td(cell: Cell, fmt: Format, largest: float = 0) -> str:
    if cell == SUPPRESSED:
        return '<td class="is-x"><abbr title="秘匿">X</abbr></td>'
    if isinstance(cell, str):
        return f"<td>{escape(cell)}</td>"
    shade = f" lounge-h{math.ceil(cell / largest * STEPS)}" if largest and cell and cell > 0 else ""
    return f'<td class="is-number{shade}">{escape(fmt.text(cell, unit=False))}</td>'


def _big_value(bound: Bound, frame: pl.DataFrame, choice: Choice, defaults: Mapping[str, str], identity: str) -> Drawn:
    import polars as pl

    date = bound["date"]
    rows = frame if date else frame.with_columns(pl.lit("").alias("_once"))
    compares = bool(date) and bound["compare"] != "none"
    found = matrices(
        rows, x=date or "_once", y=bound["value"], sliced_by=choice.sliced_by, keys=choice.keys, changes=compares
    )
    records = {value: {"x": matrix.x, "v": matrix.cells.text} for value, matrix in found.items()}
    cells = sum(len(matrix.x) * len(matrix.cells) for matrix in found.values())
    part, key = _selected(choice, defaults)
    matrix = found.get(part)
    lines = matrix.cells.get(key, []) if matrix else []
    periods = matrix.x if matrix else ()
    at = periods.index(defaults[choice.at]) if choice.at and defaults[choice.at] in periods else -1
    value = lines[0][at] if lines else None
    change = lines[1][at] if len(lines) > 1 else None
    html = _figure(bound, identity, _big_value_html(bound.format, value, change if compares else "none"))
    spec = _spec(bound, choice, identity) | {"opts": {"compare": compares}}
    return Drawn(records, spec, html, cells, (bound["title"],))


def _big_value_html(fmt: Format, value: Cell, change: Cell) -> str:
    figure = escape(fmt.text(value, unit=False))
    unit = f'<span class="lounge-unit">{escape(fmt.unit)}</span>' if value is not None and value != SUPPRESSED else ""
    parts = f'<p class="lounge-big"><span class="lounge-figure">{figure}</span>{unit}</p>'
    if change != "none":
        signed = Format(fmt.unit, fmt.digits, True)
        shown = ABSENT if change is None else signed.text(change)
        parts += f'<p class="lounge-change"><span>前月比</span> <b>{escape(shown)}</b></p>'
        parts += '<div class="lounge-spark" aria-hidden="true"></div>'
    return parts


def _data_table(bound: Bound, frame: pl.DataFrame, choice: Choice, defaults: Mapping[str, str], identity: str) -> Drawn:
    hidden = {choice.sliced_by, *choice.keys, "status"}
    columns = words(bound["columns"]) or [
        name for name in frame.columns if name not in hidden and not name.endswith("_status")
    ]
    found = rows_of(frame, columns, sliced_by=choice.sliced_by, keys=choice.keys)
    numeric = [frame[name].dtype.is_numeric() for name in columns]
    part, key = _selected(choice, defaults)
    rows = found.get(part, {}).get(key, [])
    head = "".join(
        f'<th scope="col"{" class=is-number" if n else ""}>{escape(_heading(c))}</th>'
        for c, n in zip(columns, numeric, strict=True)
    )
    body = "".join(f"<tr>{''.join(_td(cell, bound.format) for cell in row)}</tr>" for row in rows)
    unit = f"（単位：{escape(bound.format.unit)}）" if bound.format.unit else ""
    caption = f"<caption>{escape(bound['title'])}{unit}</caption>"
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    html = _figure(bound, identity, _scroll(table, bound["title"]) + _legend(any(SUPPRESSED in row for row in rows)))
    spec = _spec(bound, choice, identity) | {"heads": [_heading(c) for c in columns], "numeric": numeric}
    records = {value: {"v": by_key} for value, by_key in found.items()}
    return Drawn(
        records, spec, html, sum(len(r) for k in found.values() for r in k.values()) * len(columns), (bound["title"],)
    )


def _heading(column: str) -> str:
    return HEADINGS.get(column, column)


def _details(table: str) -> str:
    return f'<details class="lounge-details"><summary>表で見る</summary>{_scroll(table, "表")}</details>'


def _scroll(table: str, name: str) -> str:
    """A table that scrolls sideways by itself where it is wider than the screen."""
    return f'<div class="lounge-scroll" tabindex="0" role="region" aria-label="{escape(name)}">{table}</div>'


def _stack(bound: Bound) -> str:
    """What 「X」 means over a stack."""
    if bound["normalize"]:
        return "「X」のところは、秘匿した値があるため構成比を描いていません。"
    if bound.name == "AreaChart":
        return "「X」の時点は、秘匿した値があるため積み上げ全体を描いていません。"
    return "「X」を付けた薄い色の棒は、秘匿した部分を除いた高さで、合計ではありません。"


def _legend(shown: bool, more: str = "") -> str:
    return f'<p class="lounge-x"{"" if shown else " hidden"}>{LEGEND}{more}</p>'


def _figure(bound: Bound, identity: str, inside: str) -> str:
    kind = bound.name.lower()
    note = f'<p class="lounge-note">{escape(bound["note"])}</p>' if bound["note"] else ""
    return (
        f'<figure class="lounge-card lounge-{kind}" id="{identity}">'
        f"<figcaption>{escape(bound['title'])}</figcaption>{inside}{note}</figure>"
    )
