"""Defines the components that a page may use, and what each of their attributes must be.

A component is data: its attributes with kinds. ``binding.py`` checks a tag against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from kobe_platform.lounge.formats import ERA


@dataclass(frozen=True)
class Attribute:
    """One attribute: ``kind`` is text, query, column, columns, filter (one of the page), filters, format, formats,
    figure, flag, or one (choice) or several (words) of ``choices``.
    """

    kind: str = "text"
    required: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Component:
    """A tag that pages may use; ``holds`` says whether others stand inside it, ``takes`` which alone do in a chart."""

    name: str
    attributes: Mapping[str, Attribute]
    holds: bool = False
    draws: bool = False
    takes: tuple[str, ...] = ()


class _Flags(TypedDict):
    holds: bool
    draws: bool
    takes: tuple[str, ...]


def _choice(*words: str) -> Attribute:
    return Attribute("choice", default=words[0], choices=words)


_DATA = {"data": Attribute("query", True), "title": Attribute(required=True)}
_CHART = {
    **_DATA,
    "filter": Attribute("filters"),
    "fmt": Attribute("format"),
    "note": Attribute(),
    "height": _choice("normal", "low", "tall", "long"),
}
_XY = {**_CHART, "x": Attribute("column", True), "y": Attribute("column", True), "series": Attribute("column")}
GUIDES = ("ReferenceLine", "Annotation")
"""What may stand inside a chart."""
_FACET = {"facet": Attribute("column")}
_LINES = {**_XY, **_FACET, "axis": Attribute("choice", choices=(ERA,))}


def _views(*words: str) -> dict[str, Attribute]:
    return {"views": Attribute("words", choices=words)}


_OVER: _Flags = {"holds": True, "draws": True, "takes": GUIDES}
_FILTER = {
    "name": Attribute(required=True),
    "data": Attribute("query", True),
    "value": Attribute("column", True),
    "title": Attribute(required=True),
    "default": Attribute(),
}
_RANGE = {name: _FILTER[name] for name in ("name", "data", "value", "title")}

COMPONENTS: dict[str, Component] = {
    component.name: component
    for component in (
        Component("Filters", {}, holds=True),
        Component("Grid", {"cols": _choice("2", "1", "3", "4")}, holds=True),
        Component("Tabs", {}, holds=True),
        Component("Tab", {"title": Attribute(required=True)}, holds=True),
        Component("Notice", {"title": Attribute(), "kind": _choice("info", "caution")}, holds=True),
        Component(
            "Dropdown",
            {
                **_FILTER,
                "label": Attribute("column"),
                "group": Attribute("column"),
                "look": _choice("list", "buttons"),
                "parent": Attribute("filter"),
            },
        ),
        Component("Period", {**_FILTER, "fmt": Attribute("choice", choices=(ERA,))}),
        Component(
            "BigValue",
            {
                **_DATA,
                "value": Attribute("column", True),
                "date": Attribute("column"),
                "compare": Attribute("words", default="month", choices=("month", "year", "none")),
                "against": Attribute("column"),
                "spark": _choice("line", "none", "gauge"),
                "filter": Attribute("filters"),
                "fmt": Attribute("format"),
                "note": Attribute(),
            },
            draws=True,
        ),
        Component("Range", _RANGE),
        Component(
            "LineChart",
            {
                **_LINES,
                **_views("index", "year"),
                "base": _choice("free", "zero"),
                "lower": Attribute(),
                "upper": Attribute(),
                "dashed": Attribute(),
                "marked": Attribute(),
            },
            **_OVER,
        ),
        Component("AreaChart", {**_LINES, "normalize": Attribute()}, **_OVER),
        Component(
            "BarChart",
            {
                **_LINES,
                **_views("year", "rank"),
                "drill": Attribute("column"),
                "horizontal": Attribute("flag"),
                "stacked": Attribute("flag"),
                "normalize": Attribute(),
            },
            **_OVER,
        ),
        Component("ReferenceLine", {"x": Attribute(), "y": Attribute("figure"), "label": Attribute(required=True)}),
        Component(
            "Annotation",
            {
                "x": Attribute(required=True),
                "y": Attribute("figure"),
                "to": Attribute(),
                "label": Attribute(required=True),
            },
        ),
        Component(
            "Pyramid",
            {
                **_CHART,
                **_FACET,
                "x": Attribute("column", True),
                "y": Attribute("column", True),
                "side": Attribute("column", True),
            },
            draws=True,
        ),
        Component(
            "Scatter",
            {
                **_CHART,
                "label": Attribute("column", True),
                "x": Attribute("column", True),
                "y": Attribute("column", True),
                "fmt": Attribute("formats"),
            },
            draws=True,
        ),
        Component(
            "Heatmap",
            {
                **_CHART,
                "x": Attribute("column", True),
                "y": Attribute("column", True),
                "value": Attribute("column", True),
            },
            draws=True,
        ),
        Component(
            "Sankey",
            {
                **_CHART,
                "source": Attribute("column", True),
                "target": Attribute("column", True),
                "value": Attribute("column", True),
                "top": _choice("20", "10", "30", "40", "all"),
                "rest": Attribute(),
            },
            draws=True,
        ),
        Component(
            "Map",
            {
                **_CHART,
                "x": Attribute("column", True),
                "y": Attribute("column", True),
                "shapes": _choice("wards", "districts", "municipalities"),
                "base": _choice("zero", "free"),
                "classes": _choice("equal", "quantile"),
                "drill": Attribute("column"),
                "select": Attribute("filter"),
            },
            draws=True,
        ),
        Component(
            "DataTable",
            {
                **_DATA,
                "columns": Attribute("columns"),
                "filter": Attribute("filters"),
                "fmt": Attribute("formats"),
                "note": Attribute(),
                "total": Attribute("column"),
                "drill": Attribute("column"),
                "search": Attribute("flag"),
                "rows": _choice("50", "10", "20", "100", "all"),
            },
            draws=True,
        ),
        Component(
            "Download",
            {
                "title": Attribute(),
                "data": Attribute("query"),
                "columns": Attribute("columns"),
                "filter": Attribute("filters"),
                "fmt": Attribute("formats"),
                "chart": Attribute(),
                "page": Attribute("flag"),
                "as": Attribute("words", choices=("csv", "png", "print")),
            },
        ),
        Component("When", {"data": Attribute("query", True), "rows": _choice("some", "none")}, holds=True),
        Component("Forecast", {"table": Attribute(required=True)}),
        Component("ModelCards", {}),
        Component("UsualState", {}),
        Component("Courses", {}),
        Component("Notices", {}),
        Component("Newest", {}),
        Component("Catalogue", {}),
        Component("Favourites", {}),
        Component("Links", {}),
        Component("Related", {}),
    )
}


def holders() -> dict[str, bool]:
    """Component name → whether it holds others, as the tag parser asks."""
    return {name: component.holds for name, component in COMPONENTS.items()}
