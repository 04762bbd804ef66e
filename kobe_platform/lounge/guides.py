"""Places reference lines and annotations over charts, and finds the totals that shares are of.

``<LineChart …> <ReferenceLine y=1500000 label="目標"/> </LineChart>``: a line or a note says where it stands in the
chart's own words, a period or group of ``x`` and a figure of ``y``. A figure may be a query's: ``y={goal.人口}``, one
for all or one for each choice (``levels.py``); what is hidden draws nothing and says so below the chart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from kobe_platform.lounge.binding import Bound, reference
from kobe_platform.lounge.components import COMPONENTS, GUIDES
from kobe_platform.lounge.faults import Faults
from kobe_platform.lounge.formats import Format, is_period
from kobe_platform.lounge.levels import Fail, Level, Words, level_of
from kobe_platform.lounge.periods import Periods
from kobe_platform.lounge.tags import Node, Tag, Value
from kobe_platform.vocabulary.nearest import did_you_mean

if TYPE_CHECKING:
    import polars as pl

PERCENT = Format("%", 1)
"""How a line's figure reads where shares are drawn."""


@dataclass(frozen=True)
class Guides:
    """Lines and notes of one chart, ready for the browser, and the same in words."""

    opts: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[Words, ...] = ()
    levels: tuple[Level, ...] = ()
    """Figures that follow the readers' choices."""

    def html(self, choices: Mapping[str, str], axis: Sequence[str]) -> str:
        """The words below the chart, for the choices that the page opens with and the places of its axis then."""
        told = "　".join(one.html(choices, axis) for one in self.words)
        return f'<p class="lounge-note">{told}</p>' if told else ""


def check_nesting(nodes: Sequence[Node], fail: Fail, faults: Faults, parent: str = "") -> None:
    """Lines and notes stand inside charts, and nothing else does.

    Raises:
        LoungeError: where ``faults`` does not collect.
    """
    charts = [name for name, component in COMPONENTS.items() if component.takes]
    for node in nodes:
        takes = COMPONENTS[parent].takes if parent else ()
        if isinstance(node, Tag):
            if node.name in GUIDES and node.name not in takes:
                remedy = f"write it inside one of: {', '.join(charts)}"
                faults.add(fail("nesting", f"<{node.name}> stands in no chart", remedy, node.line))
            elif takes and node.name not in takes:
                remedy = f"there are: {', '.join(takes)}"
                faults.add(fail("nesting", f"<{node.name}> cannot stand in <{parent}>", remedy, node.line))
            check_nesting(node.children, fail, faults, node.name)
        elif takes and (isinstance(node, Value) or node.text.strip()):
            line = node.line if isinstance(node, Value) else node.line + _blank_lines(node.text)
            faults.add(fail("nesting", f"text stands in <{parent}>", f"write it below </{parent}>", line))


def _blank_lines(text: str) -> int:
    """Lines before the first one that says something."""
    return text[: len(text) - len(text.lstrip())].count("\n")


def guides_of(
    chart: Bound,
    bounds: Sequence[Bound],
    results: Mapping[str, pl.DataFrame],
    fail: Fail,
    periods: Periods,
    faults: Faults | None = None,
) -> Guides:
    """The lines and notes of a chart, checked against its rows.

    Args:
        bounds: the tags inside the chart, bound.
        results: query → rows.
        periods: what the periods of the chart's query cover.

    Raises:
        LoungeError: a place that the chart's axis cannot hold, or a figure that a query does not give.
    """
    faults = faults or Faults()
    lines: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    words: list[Words] = []
    levels: list[Level] = []
    fmt = PERCENT if chart["normalize"] else chart.format
    axis = [str(value) for value in results[chart["data"]][chart["x"]].unique(maintain_order=True)]
    for bound in bounds:
        for problem in _problems(bound, axis, shares=bool(chart["normalize"])):
            faults.add(fail(*problem, bound.tag.line))
        level = level_of(bound, chart.filters, results, fail) if bound["y"] else None
        follows = level is not None and bool(level.filters)
        told = _told(bound, place_label(chart, periods))
        words.append(Words(told, level, fmt, len(levels) if follows else -1, bound["x"], bound["to"]))
        y: dict[str, Any] = {"g": len(levels)} if follows else {"y": level.at({})} if level else {}
        levels += [level] if level is not None and follows else []
        if "y" in y and not isinstance(y["y"], int | float):
            continue
        places = {name: bound[name] for name in ("x", "to") if bound[name]}
        drawn = places | y | {"label": bound["label"]}
        (lines if bound.name == "ReferenceLine" else notes).append(drawn)
    opts = {name: drawn for name, drawn in (("lines", lines), ("notes", notes)) if drawn}
    return Guides(opts, tuple(words), tuple(levels))


def place_label(chart: Bound, periods: Periods) -> Callable[[str], str]:
    """How a chart's periods read: in eras where it asks for that (``axis=和暦``)."""
    return partial(periods.label, era=bool(chart["axis"]))


def check_axis(chart: Bound, frame: pl.DataFrame, fail: Fail) -> None:
    """That an axis in eras is one of periods.

    Raises:
        LoungeError: a place of the axis is no ``YYYY`` or ``YYYY-MM`` (coordinates: line).
    """
    if chart["axis"] and not all(is_period(str(place)) for place in frame[chart["x"]].unique()):
        remedy = "take axis out, or let x be a column of periods (2025, 2025-07)"
        raise fail(
            "axis", f"axis={chart['axis']} is for periods, which column {chart['x']} is not", remedy, chart.tag.line
        )


def check_band(chart: Bound, fail: Fail) -> None:
    """That a band names both its ends, and that these, like what is dashed or marked, are series of the chart.

    Raises:
        LoungeError: one of ``lower`` and ``upper`` is left out, or the chart has no series (coordinates: line).
    """
    named = [name for name in ("lower", "upper", "dashed", "marked") if chart[name]]
    lacking = [name for name in ("lower", "upper") if name not in named] if {"lower", "upper"} & {*named} else []
    if named and not chart["series"]:
        lacking.append("series")
    if lacking:
        message = f"<{chart.name}> lacks {lacking[0]}"
        remedy = f"add {lacking[0]}=…: lower, upper, dashed and marked name texts of the column that series names"
        raise fail("attribute", message, remedy, chart.tag.line)


def check_shares(chart: Bound, frame: pl.DataFrame, fail: Fail) -> None:
    """That ``normalize`` names a published total which its parts do not exceed; only such rows make honest shares.

    Rows that are hidden or absent are not looked at: their stacks are not drawn.

    Raises:
        LoungeError: no series of that name, a part below zero, or parts above their total (coordinates: line).
    """
    import polars as pl

    if not chart["normalize"] or not frame.height:
        return
    series = chart["series"]
    if not series:
        raise fail("attribute", f"<{chart.name}> lacks series", "add series=…", chart.tag.line)
    names = [str(name) for name in frame[series].unique(maintain_order=True)]
    if chart["normalize"] not in names:
        message = f"normalize names {chart['normalize']}, which column {series} does not hold"
        raise fail("shares", message, did_you_mean(chart["normalize"], names), chart.tag.line)
    apart = dict.fromkeys([chart["x"], *filter(None, [chart["facet"], chart["drill"]]), *chart.filters])
    place = list(apart)
    whole = pl.col(series) == chart["normalize"]
    value = pl.col(chart["y"])
    known = frame.group_by(place).agg(
        total=value.filter(whole).sum(),
        parts=value.filter(~whole).sum(),
        least=value.filter(~whole).min(),
        complete=value.filter(whole).is_not_null().any(),
        count=(~whole).sum(),
    )
    step = 10.0**-chart.format.digits / 2
    over = known.filter(pl.col("complete") & (pl.col("parts") > pl.col("total") + step * (pl.col("count") + 1)))
    if over.height or known.filter(pl.col("least") < 0).height:
        message = f"the parts of <{chart.name}> are more than {chart['normalize']}, or below zero"
        remedy = "let the query give the parts of one total, each once"
        raise fail("shares", message, remedy, chart.tag.line)


def _problems(bound: Bound, axis: Sequence[str], *, shares: bool) -> Iterator[tuple[str, str, str]]:
    """Code, message and remedy of what is wrong with one line or note."""
    pair = ("x", "y") if bound.name == "ReferenceLine" else ("y", "to")
    if sum(bool(bound[name]) for name in pair) != 1:
        yield "attribute", f"<{bound.name}> needs either {pair[0]} or {pair[1]}", f"write one of {' and '.join(pair)}"
    for name in ("x", "to"):
        place = bound[name]
        if not place or not axis or place in axis:
            continue
        form = is_period(axis[0]) and is_period(place) and len(axis[0]) == len(place)
        if not form:
            remedy = f"write a period such as {axis[-1]}" if is_period(axis[0]) else did_you_mean(place, axis)
            yield "place", f"{name} of <{bound.name}> is no place of the axis: {place}", remedy
    if bound["to"] and is_period(bound["x"]) and bound["to"] <= bound["x"]:
        yield "place", f"to of <{bound.name}> is not after x: {bound['to']}", "let to be the later period"
    if shares and bound["y"] and not reference(bound["y"]) and not 0 <= float(bound["y"]) <= 100:
        yield "place", f"y of <{bound.name}> is no share: {bound['y']}", "write 0 to 100, in percent"


def _told(bound: Bound, label: Callable[[str], str]) -> str:
    """A line or note as readers without the picture learn it; its figure comes after."""
    line = "基準線" if bound["y"] else "目印"
    kind = line if bound.name == "ReferenceLine" else "注記"
    place = "～".join(label(bound[name]) for name in ("x", "to") if bound[name])
    return f"{kind}「{bound['label']}」：{place}{' ' if place and bound['y'] else ''}"
