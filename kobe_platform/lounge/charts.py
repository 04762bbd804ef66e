"""Turns the rows of a query into a chart: matrices for the browser, and a table in HTML that needs no JavaScript.

Below every chart stands a table of its figures for the chosen filters. A suppressed figure is 「X」 in the table and a
gap in the chart, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kobe_platform.lounge.bigvalues import big_value_html, big_value_spec, figures_of
from kobe_platform.lounge.binding import Bound, words
from kobe_platform.lounge.boundaries import load_boundaries
from kobe_platform.lounge.datatables import caption, cell_html, flat_table, heading, table_html
from kobe_platform.lounge.formats import SUPPRESSED, Cell, Format, is_period, period_label
from kobe_platform.lounge.guides import Guides, place_label
from kobe_platform.lounge.levels import with_levels
from kobe_platform.lounge.maps import map_html
from kobe_platform.lounge.periods import Periods
from kobe_platform.lounge.scatters import formats_of, measured
from kobe_platform.lounge.slices import APART, KEY, Matrix, faceted, matrices

if TYPE_CHECKING:
    import polars as pl

STEPS = 7
"""Steps of a shaded table."""
_LONG = ((12, "normal"), (24, "tall"))
"""Most places that fit on a canvas of a height."""
_KINDS = {
    "LineChart": "折れ線グラフ",
    "AreaChart": "面グラフ",
    "BarChart": "棒グラフ",
    "Pyramid": "人口ピラミッド",
    "Heatmap": "行列の表",
    "Sankey": "流れの図",
    "Scatter": "散布図",
}
NO_GUIDES = Guides()
WHOLE = Periods()
ALONE = "データが1時点だけなので、推移の線ではなく棒で示しています。"
NO_SHAPES = "境界データがないため、地図の代わりに表で示します。"
LEGEND = (
    "「X」は、少数のため秘匿した値（またはそこから逆算されないよう併せて秘匿した値）です。"
    "グラフでは空白とし、0ではありません。"
)
HIDDEN_ALTERNATIVE = "秘匿した値（X）があります。"
"""End of a chart's text for screen readers while a hidden figure is shown as X (lounge.js has the same text)."""
SHORT_LEGEND = "「X」は秘匿した値です。0ではありません。"


@dataclass(frozen=True)
class ChartChoice:
    """The filters of a component: the one that decides its file, the others, and the one that is its x axis."""

    sliced_by: str = ""
    keys: tuple[str, ...] = ()
    at: str = ""

    def within(self, name: str) -> ChartChoice:
        """The same, of which readers open one place at a time; the places decide the file where nothing else does."""
        if self.sliced_by:
            return replace(self, keys=(*self.keys, name))
        return replace(self, sliced_by=name)


@dataclass(frozen=True)
class Drawn:
    """A component ready for the page.

    Attributes:
        records: value of the slicing filter → what the slice file holds for this component.
        spec: what the browser needs beside the figures.
        html: the component with its table for the default filters, on one line.
        cells: number of figures in the slices.
    """

    records: Mapping[str, Any]
    spec: Mapping[str, Any]
    html: str
    cells: int = 0
    words: tuple[str, ...] = field(default=())


def draw(
    bound: Bound,
    frame: pl.DataFrame,
    choice: ChartChoice,
    defaults: Mapping[str, str],
    identity: str,
    boundaries: Path,
    guides: Guides = NO_GUIDES,
    periods: Periods = WHOLE,
) -> Drawn:
    """Turn one component and its rows into slices and HTML.

    Args:
        frame: the query's rows, columns checked.
        choice: how its filters cut the rows.
        defaults: chosen value of every filter of the page when it opens.
        identity: the component's id in the page.
        boundaries: folder of the shapes that maps draw.
        guides: reference lines and annotations over a chart.
        periods: what the periods of its query cover.

    Raises:
        SeveralRows: several rows belong to one cell. LoungeError: boundaries that cannot be drawn.
    """
    if bound.name == "Map":
        drawn = _map(bound, frame, choice, defaults, identity, boundaries, periods)
        return _with_months(drawn, choice, defaults, periods)
    makers = {"BigValue": _big_value, "DataTable": _data_table, "Download": _download}
    if bound.name in makers:
        drawn = makers[bound.name](bound, frame, choice, defaults, identity, periods)
    else:
        drawn = _chart(bound, frame, choice, defaults, identity, guides, periods)
    return _with_months(drawn, choice, defaults, periods)


def _with_months(drawn: Drawn, choice: ChartChoice, defaults: Mapping[str, str], periods: Periods) -> Drawn:
    """Months of incomplete years for the browser, and those of the chosen year in the title."""
    if not periods.incomplete:
        return drawn
    names = [name for name in (choice.at, choice.sliced_by, *choice.keys) if name]
    chosen = next((defaults[name] for name in names if defaults[name] in periods.incomplete), "")
    told = periods.label(chosen) if chosen else ""
    html = drawn.html.replace("</figcaption>", f'<span class="lounge-covers">{escape(told)}</span></figcaption>', 1)
    spec = {**drawn.spec, "opts": {**drawn.spec.get("opts", {}), "months": periods.remarks}}
    return replace(drawn, html=html, spec=spec)


def _selected(choice: ChartChoice, defaults: Mapping[str, str]) -> tuple[str, str]:
    """Slice and key of the default filters."""
    return defaults.get(choice.sliced_by, ""), KEY.join(defaults[name] for name in choice.keys)


def _spec(bound: Bound, choice: ChartChoice, identity: str) -> dict[str, Any]:
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
    bound: Bound,
    frame: pl.DataFrame,
    choice: ChartChoice,
    defaults: Mapping[str, str],
    identity: str,
    guides: Guides,
    periods: Periods,
) -> Drawn:
    x, y, series = bound["x"], bound["y"], bound["series"] or bound["side"]
    across = {"Heatmap": ("y", "x"), "Sankey": ("source", "target")}.get(bound.name)
    if across:
        x, y, series = bound[across[0]], bound["value"], bound[across[1]]
    corner = f"{heading(x)}＼{heading(series)}" if across else heading(x)
    headings = (corner, heading(series or y), bound["title"])
    if bound.name == "Scatter":
        frame, x, y, series = measured(bound, frame)
        headings = (heading(x), "", bound["title"])
    if bound["facet"]:
        frame, series = faceted(frame, bound["facet"], series)
    found = matrices(frame, x=x, y=y, series=series, sliced_by=choice.sliced_by, keys=choice.keys)
    piled = bool(bound["stacked"] or bound["normalize"] or bound.name == "AreaChart")
    opts: dict[str, Any] = {name: True for name, on in (("horizontal", bound["horizontal"]), ("stacked", piled)) if on}
    opts |= {**guides.opts, **({"total": bound["normalize"]} if bound["normalize"] else {})}
    opts |= {"zero": True} if bound["base"] == "zero" else {}
    opts |= {"band": [bound["lower"], bound["upper"]]} if bound["lower"] else {}
    opts |= {"dashed": bound["dashed"]} if bound["dashed"] else {}
    opts |= {"marked": words(bound["marked"])} if bound["marked"] else {}
    places = set[str]().union(*{one.x for one in found.values()})
    opts |= {"periods": True} if found and all(map(is_period, places)) else {}
    opts |= {"era": True} if bound["axis"] else {}
    opts |= {"facet": True} if bound["facet"] else {}
    opts |= {"top": 0 if bound["top"] == "all" else int(bound["top"])} if bound["top"] else {}
    opts |= {"rest": bound["rest"]} if bound["rest"] else {}
    opts |= {"views": words(bound["views"])} if bound["views"] else {}
    spec = _spec(bound, choice, identity) | {"heads": headings[:2], "opts": opts}
    formats = formats_of(bound) if bound.name == "Scatter" else ()
    spec |= {"formats": [{"unit": one.unit, "digits": one.digits} for one in formats]} if formats else {}
    part, key = _selected(choice, defaults)
    matrix = found.get(part)
    place, shaded = place_label(bound, periods), bound.name == "Heatmap"
    table = matrix_table(matrix, key, headings, bound.format, place, shaded=shaded, formats=formats)
    alone = bound.name in ("LineChart", "AreaChart") and len(places) == 1
    alternative = f"{bound['title']}（{_KINDS['BarChart' if alone else bound.name]}）。数値は直後の表にあります。"
    hidden = matrix is not None and any(SUPPRESSED in row for row in matrix.cells.get(key, []))
    canvas = (
        f'<div class="lounge-canvas lounge-canvas--{canvas_height(bound["height"], len(places))}" role="img" '
        f'aria-label="{escape(alternative)}{HIDDEN_ALTERNATIVE if hidden else ""}"></div>'
    )
    shown = _scroll(table, bound["title"]) if bound.name == "Heatmap" else canvas + _details(table, bound["title"])
    notes = _notes(ALONE if alone else "", periods.sentence(places), periods.crossed(places)) + guides.html(
        defaults, matrix.x if matrix else ()
    )
    html = _figure(bound, identity, shown + notes + _legend(hidden, _stack(bound) if piled else ""))
    records = {
        value: with_levels(one, guides.levels, choice.sliced_by, value, choice.keys) for value, one in found.items()
    }
    cells = sum(len(m.x) * len(m.series) * len(m.cells) for m in found.values())
    return Drawn(records, spec, html, cells, (bound["title"],))


def canvas_height(wanted: str, places: int) -> str:
    """The height of a chart's canvas: ``long`` is only as long as its bars need."""
    if wanted == "long":
        return next((name for most, name in _LONG if places <= most), wanted)
    return wanted or "normal"


def _map(
    bound: Bound,
    frame: pl.DataFrame,
    choice: ChartChoice,
    defaults: Mapping[str, str],
    identity: str,
    folder: Path,
    periods: Periods,
) -> Drawn:
    found = matrices(frame, x=bound["x"], y=bound["y"], sliced_by=choice.sliced_by, keys=choice.keys)
    on_map = frame
    if bound["drill"]:  # shapes are those of the top; what is opened is told as a table
        on_map = frame.filter(frame[f"{identity}.in"] == defaults[f"{identity}.in"])
    names = [str(name) for name in on_map[bound["x"]].unique(maintain_order=True)]
    shapes = load_boundaries(folder, bound["shapes"], names)
    headings = (heading(bound["x"]), heading(bound["y"]), bound["title"])
    part, key = _selected(choice, defaults)
    matrix = found.get(part)
    here, values = _row_of(matrix, key)
    table = matrix_table(matrix, key, headings, bound.format, periods.label)
    shown = _scroll(table, bound["title"])
    if shapes is None:
        shown = f'<p class="lounge-note">{NO_SHAPES}</p>{shown}'
    else:
        drawn = map_html(shapes, here, values, bound.format, bound, identity)
        box = f'<div class="lounge-map__box lounge-map__box--{bound["height"]}">{drawn}</div>'
        shown = box + _details(table, bound["title"])
    html = _figure(bound, identity, shown + _legend(SUPPRESSED in values))
    opts = {
        "free": bound["base"] == "free",
        "quantile": bound["classes"] == "quantile",
        "select": bound["select"],
        "drawn": shapes is not None,
    }
    spec = _spec(bound, choice, identity) | {"heads": headings[:2], "opts": opts}
    records = {value: one.as_record() for value, one in found.items()}
    return Drawn(records, spec, html, sum(len(m.x) * len(m.cells) for m in found.values()), (bound["title"],))


def _row_of(matrix: Matrix | None, key: str) -> tuple[Sequence[str], Sequence[Cell]]:
    """Texts along x and the figures of the only series for one key; both empty where there are none."""
    rows = matrix.cells.get(key) if matrix else None
    return (matrix.x, rows[0]) if matrix is not None and rows else ((), ())


def matrix_table(
    matrix: Matrix | None,
    key: str,
    headings: Sequence[str],
    fmt: Format,
    place: Callable[[str], str] = period_label,
    *,
    shaded: bool = False,
    formats: Sequence[Format] = (),
) -> str:
    """One matrix as an HTML table: x down, series across.

    Args:
        headings: of the x column, of the figures where there is one series, and the caption.
        place: how a text of the x column reads.
        shaded: shade figures in seven steps up to the largest one.
        formats: of each series, where they differ.
    """
    rows = matrix.cells.get(key) if matrix else None
    if matrix is None or rows is None:
        return '<p class="lounge-empty">この条件のデータはありません。</p>'
    columns = [headings[1]] if matrix.series == ("",) else [one.replace(APART, " ").strip() for one in matrix.series]
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in (headings[0], *columns))
    largest = max((v for row in rows for v in row if isinstance(v, int | float)), default=0) if shaded else 0
    body = "".join(
        f'<tr><th scope="row">{escape(place(x))}</th>{"".join(cells)}</tr>'
        for x, cells in zip(
            matrix.x,
            (
                [
                    cell_html(row[i], one, _shade(row[i], largest))
                    for row, one in zip(rows, formats or repeat(fmt, len(rows)), strict=True)
                ]
                for i in range(len(matrix.x))
            ),
            strict=True,
        )
    )
    return f"<table>{caption(headings[2], fmt)}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shade(cell: Cell, largest: float) -> int:
    """Step of a figure in a shaded table; 0 for none."""
    return math.ceil(cell / largest * STEPS) if largest and isinstance(cell, int | float) and cell > 0 else 0


def _big_value(
    bound: Bound, frame: pl.DataFrame, choice: ChartChoice, defaults: Mapping[str, str], identity: str, periods: Periods
) -> Drawn:
    found = figures_of(bound, frame, choice.sliced_by, choice.keys, periods)
    records = {value: {"x": matrix.x, "v": matrix.cells} for value, matrix in found.items()}
    cells = sum(len(matrix.x) * len(matrix.cells) for matrix in found.values())
    part, key = _selected(choice, defaults)
    period = defaults[choice.at] if choice.at else ""
    shown, hidden = big_value_html(bound, frame, found.get(part), key, period)
    html = _figure(bound, identity, shown + _legend(hidden, short=True))
    spec = _spec(bound, choice, identity) | {"opts": big_value_spec(bound, frame)}
    return Drawn(records, spec, html, cells, (bound["title"],))


def _data_table(
    bound: Bound, frame: pl.DataFrame, choice: ChartChoice, defaults: Mapping[str, str], identity: str, periods: Periods
) -> Drawn:
    table = flat_table(bound, frame, choice.sliced_by, choice.keys)
    shown, hidden = table_html(table, bound, *_selected(choice, defaults), periods)
    html = _figure(bound, identity, _scroll(shown, bound["title"]) + _legend(hidden))
    opts = {"rows": 0 if bound["rows"] == "all" else int(bound["rows"]), "search": bool(bound["search"])}
    spec = _spec(bound, choice, identity) | {"columns": [column.as_spec() for column in table.columns], "opts": opts}
    return Drawn(table.records, spec, html, table.cells, (bound["title"],))


def _download(
    bound: Bound, frame: pl.DataFrame, choice: ChartChoice, defaults: Mapping[str, str], identity: str, periods: Periods
) -> Drawn:
    """The place of a button that downloads a query's rows; the browser adds the button, which needs JavaScript."""
    table = flat_table(bound, frame, choice.sliced_by, choice.keys)
    spec = _spec(bound, choice, identity) | {"columns": [column.as_spec() for column in table.columns], "as": ["csv"]}
    html = f'<p class="lounge-download" id="{identity}"></p>'
    return Drawn(table.records, spec, html, table.cells, (bound["title"],))


def _notes(*sentences: str) -> str:
    told = "".join(escape(sentence) for sentence in sentences)
    return f'<p class="lounge-note">{told}</p>' if told else ""


def _details(table: str, title: str) -> str:
    return f'<details class="lounge-details"><summary>表で見る</summary>{_scroll(table, f"{title}の表")}</details>'


def _scroll(table: str, name: str) -> str:
    """A table that scrolls sideways by itself where it is wider than the screen."""
    return f'<div class="lounge-scroll" tabindex="0" role="region" aria-label="{escape(name)}">{table}</div>'


def _stack(bound: Bound) -> str:
    """The note that says what 「X」 means above a stack."""
    if bound["normalize"]:
        return "「X」のところは、秘匿した値があるため構成比を描いていません。"
    if bound.name == "AreaChart":
        return "「X」の時点は、秘匿した値があるため積み上げ全体を描いていません。"
    return "「X」を付けた薄い色の棒は、秘匿した部分を除いた高さで、合計ではありません。"


def _legend(shown: bool, more: str = "", *, short: bool = False) -> str:
    return f'<p class="lounge-x"{"" if shown else " hidden"}>{SHORT_LEGEND if short else LEGEND}{more}</p>'


def _figure(bound: Bound, identity: str, inside: str) -> str:
    kind = bound.name.lower()
    note = f'<p class="lounge-note">{escape(bound["note"])}</p>' if bound["note"] else ""
    return (
        f'<figure class="lounge-card lounge-{kind}" id="{identity}">'
        f"<figcaption>{escape(bound['title'])}</figcaption>{inside}{note}</figure>"
    )
