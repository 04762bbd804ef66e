"""Puts the body of a page together: filters first, then components in reading order, then their slices."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kobe_platform.lounge.binding import Bound
from kobe_platform.lounge.bodies import CompiledBody
from kobe_platform.lounge.charts import NO_GUIDES, ChartChoice, Drawn, draw
from kobe_platform.lounge.coherence import bind_page
from kobe_platform.lounge.components import COMPONENTS
from kobe_platform.lounge.downloads import download_html
from kobe_platform.lounge.drills import Drill, drill_of
from kobe_platform.lounge.faults import Faults
from kobe_platform.lounge.filters import FILTERS, PageFilter, filter_html, read_filter
from kobe_platform.lounge.formats import Format, format_fault, is_period
from kobe_platform.lounge.guides import check_axis, check_band, check_shares, guides_of
from kobe_platform.lounge.pages import Page
from kobe_platform.lounge.periods import Periods
from kobe_platform.lounge.slices import APART, SeveralRows, cells_of, write_slice
from kobe_platform.lounge.tags import Node, Tag, Text, Value, walk
from kobe_platform.lounge.views import check_views
from kobe_platform.vocabulary.nearest import did_you_mean

if TYPE_CHECKING:
    import polars as pl

INSERTED = ("Notices", "Newest", "Catalogue", "Favourites", "Links", "Related", "ModelCards", "UsualState", "Courses")
"""Components whose HTML the site gives ready-made."""


class Composition:
    """One page on its way: filters first, then components in reading order."""

    def __init__(
        self,
        page: Page,
        results: Mapping[str, pl.DataFrame],
        inserts: Mapping[str, str],
        periods: Mapping[str, Periods],
    ) -> None:
        self.page, self.results, self.inserts, self.periods = page, results, inserts, periods
        self.bounds = bind_page(page, results, Faults())
        standing = [self.bounds[id(tag)] for tag in self._standing(page.nodes)]
        self.filters: dict[str, PageFilter] = {}
        for one in standing:
            if one.name in FILTERS:
                of = one["data"]
                self.filters[one["name"]] = read_filter(one, results[of], self.filters, page.error, periods[of])
        self._each_filter_stands(standing)
        self.defaults = {name: chosen.default for name, chosen in self.filters.items()}
        self.drawn: list[Drawn] = []
        self.drills: dict[str, Drill] = {}

    def body(self, data: Path) -> CompiledBody:
        """Draw the page's body and write its slices into ``data``; see ``compile.py``."""
        markdown = self._markdown(self.page.nodes)
        slices = self._slices(data)
        texts = "".join(node.text for node in walk(self.page.nodes) if isinstance(node, Text))
        return CompiledBody(
            markdown=markdown,
            filters=[chosen.as_spec() for chosen in self.filters.values()],
            components=[dict(drawn.spec) for drawn in self.drawn],
            slices=slices,
            bytes=sum(path.stat().st_size for path in data.iterdir()),
            cells=sum(drawn.cells for drawn in self.drawn),
            words=[*re.findall(r"^#+\s+(.+)$", texts, re.M), *(word for d in self.drawn for word in d.words)],
            labels=self._labels(),
        )

    def _labels(self) -> dict[str, list[dict[str, Any]]]:
        """The options of filters, and what stands along the axes of each chart but periods: words, no figures."""
        filters = [
            {"name": one.name, "period": one.is_period, "options": [[value, label] for value, label, _ in one.options]}
            for one in self.filters.values()
            if not one.is_range
        ]
        charts = [
            {
                **{name: one.spec[name] for name in ("id", "kind", "title")},
                "filters": [
                    name
                    for name in (one.spec["slice"], *one.spec["keys"], one.spec.get("at", ""))
                    if name and name not in self.drills
                ],
                "labels": labels_of(one.records.values()),
            }
            for one in self.drawn
            if one.spec.get("title")
        ]
        return {"filters": filters, "charts": charts}

    def _each_filter_stands(self, standing: list[Bound]) -> None:
        """A chart that stands needs the filters that it names: one inside a ``<When>`` may not stand."""
        for bound in standing:
            if lacking := next((name for name in bound.filters if name not in self.filters), None):
                message = (
                    f"the filter {lacking} stands inside a <When> that does not show it, this figure outside of it"
                )
                remedy = "put the filter where it stands whenever one of its figures does"
                raise self.page.error("filter", message, remedy, bound.tag.line)

    def _standing(self, nodes: tuple[Node, ...]) -> Iterator[Tag]:
        """Every tag but those inside a ``<When>`` whose query is not as it asks."""
        for node in nodes:
            if isinstance(node, Tag) and self._stands(self.bounds[id(node)]):
                yield node
                yield from self._standing(node.children)

    def _stands(self, bound: Bound) -> bool:
        return bound.name != "When" or bool(self.results[bound["data"]].height) == (bound["rows"] == "some")

    def _slices(self, data: Path) -> dict[str, dict[str, str]]:
        """Write every slice; return what the browser needs to find them."""
        bundles: dict[str, dict[str, dict[str, Any]]] = {}
        for drawn in self.drawn:
            name = drawn.spec["slice"]
            offered = self._offered(name)
            for value in set(offered).intersection(drawn.records):
                record = drawn.records[value]
                bundles.setdefault(name, {}).setdefault(value, {})[drawn.spec["id"]] = record
        return {
            name: {v: write_slice(data, r) for v, r in sorted(values.items())}
            for name, values in sorted(bundles.items())
        }

    def _offered(self, name: str) -> Collection[str]:
        """Values of the filter, or of the places of a chart, that slices are made for."""
        if name in self.drills:
            return self.drills[name].places
        return {option[0] for option in self.filters[name].options} if name else {""}

    def _markdown(self, nodes: tuple[Node, ...]) -> str:
        parts = []
        for node in nodes:
            if isinstance(node, Text):
                parts.append(node.text)
            elif isinstance(node, Value):
                parts.append(self._inline(node))
            else:
                parts.append(f"\n\n{self._component(self.bounds[id(node)])}\n\n")
        return "".join(parts)

    def _component(self, bound: Bound) -> str:
        if COMPONENTS[bound.name].draws or (bound.name == "Download" and bound["data"]):
            return self._drawn(bound)
        if bound.name == "Download":
            return download_html(bound)
        if bound.name in FILTERS:
            return filter_html(self.filters[bound["name"]])
        if bound.name == "Forecast":
            return self._forecast(bound)
        if bound.name in INSERTED:
            return self.inserts.get(bound.name, f'<div class="lounge-{bound.name.lower()}"></div>')
        if not self._stands(bound):
            return ""
        inside = self._markdown(bound.tag.children)
        return _HOLDERS[bound.name](bound, inside)

    def _forecast(self, bound: Bound) -> str:
        """What the newest vintage of a forecast says of itself."""
        made = self.inserts.get(f"Forecast {bound['table']}")
        if made is None:
            known = [name.partition(" ")[2] for name in self.inserts if name.startswith("Forecast ")]
            message = f"<Forecast> names no forecast: {bound['table']}"
            raise self.page.error("forecast", message, did_you_mean(bound["table"], known), bound.tag.line)
        return made

    def _drawn(self, bound: Bound) -> str:
        frame = self.results[bound["data"]]
        try:
            identity = f"c{len(self.drawn) + 1}"
            inside = [self.bounds[id(node)] for node in bound.tag.children if isinstance(node, Tag)]
            periods = self.periods[bound["data"]]
            guides = guides_of(bound, inside, self.results, self.page.error, periods) if inside else NO_GUIDES
            check_axis(bound, frame, self.page.error)
            check_shares(bound, frame, self.page.error)
            check_band(bound, self.page.error)
            check_views(bound, frame, self.page.error)
            choice, defaults = self._choice(bound), self.defaults
            if bound["drill"]:
                drill, frame = drill_of(bound, frame, identity, self.page.error)
                self.drills[drill.name] = drill
                choice, defaults = choice.within(drill.name), {**defaults, drill.name: drill.root}
            drawn = draw(bound, frame, choice, defaults, identity, self.page.boundaries, guides, periods)
            if bound["drill"]:
                opts = {**drawn.spec.get("opts", {}), "drill": drill.as_spec()}
                drawn = replace(drawn, spec={**drawn.spec, "opts": opts})
        except SeveralRows:
            message = f"query {bound['data']} gives several rows for one cell of <{bound.name}>"
            remedy = "narrow it with WHERE (totals are rows of their own), name a series, or list the column in filter="
            raise self.page.error("several_rows", message, remedy, bound.tag.line) from None
        self.drawn.append(drawn)
        return drawn.html

    def _choice(self, bound: Bound) -> ChartChoice:
        names = bound.filters
        at = next((n for n in names if self.filters[n].is_period and n == bound["date"]), "")
        rest = [name for name in names if name != at]
        sliced = next((name for name in rest if not self.filters[name].is_period), "")
        return ChartChoice(sliced, tuple(name for name in rest if name != sliced), at)

    def _inline(self, node: Value) -> str:
        frame = self.results.get(node.query)
        fmt = Format.parse(node.fmt)
        remedy = format_fault(node.fmt, self.page.meta.units, periods=True)
        if remedy:
            message = f"the format of an inline value is not as it must be: {node.fmt}"
            raise self.page.error("value", message, remedy, node.line)
        if frame is None or node.column not in frame.columns or fmt is None:
            given = ", ".join(frame.columns if frame is not None else self.results)
            raise self.page.error(
                "value", "an inline value names no query, column or format", f"there are: {given}", node.line
            )
        if frame.height != 1:
            remedy = "let its query give one row (LIMIT 1)"
            raise self.page.error("value", f"query {node.query} gives {frame.height} rows, not one", remedy, node.line)
        cell = cells_of(frame, node.column)[0]
        text = fmt.text(cell)
        text = self.periods[node.query].beside(cell, text) if isinstance(cell, str) else text
        return f'<span class="lounge-value">{_inert(text)}</span>'


MOST_LABELS = 400
"""Labels of one chart that the search knows: more are rows of a table that names what other charts name too."""


def labels_of(records: Iterable[Any]) -> list[str]:
    """The texts along the axes of a chart's matrices, once each; periods are no labels."""
    sides = (tuple(one.get(side, ())) for one in records if isinstance(one, Mapping) for side in ("x", "s"))
    found: dict[str, None] = {}
    for texts in dict.fromkeys(sides):  # matrices of many choices mostly share their axes
        told = (text for text in texts if isinstance(text, str))
        found |= {part: None for text in told for part in text.split(APART) if part}
    return [text for text in found if not is_period(text)][:MOST_LABELS]


def _inert(text: str) -> str:
    """Text that neither HTML nor Markdown reads anything into."""
    return re.sub(r"[^\w\s,.、。・（）％−+±…「」]", lambda match: f"&#{ord(match[0])};", text)


def _div(kind: str, inside: str, extra: str = "") -> str:
    return f'<div class="lounge-{kind}"{extra} markdown="1">\n\n{inside.strip()}\n\n</div>'


def _notice(bound: Bound, inside: str) -> str:
    title = f'<p class="lounge-notice__title">{escape(bound["title"])}</p>' if bound["title"] else ""
    return _div(f"notice lounge-notice--{bound['kind']}", f"{title}\n\n{inside.strip()}", ' role="note"')


def _tab(bound: Bound, inside: str) -> str:
    title = escape(bound["title"])
    return _div("tab", f'<p class="lounge-tab__title">{title}</p>\n\n{inside.strip()}', f' data-title="{title}"')


_HOLDERS = {
    "Filters": lambda bound, inside: _div("filters", inside),
    "Grid": lambda bound, inside: _div(f"grid lounge-grid--{bound['cols']}", inside),
    "Tabs": lambda bound, inside: _div("tabs", inside),
    "Tab": _tab,
    "Notice": _notice,
    "When": lambda bound, inside: inside,
}
