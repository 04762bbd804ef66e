"""Compile one page: queries run, components drawn, plain Markdown and hashed slices written.

The result is Markdown that any generator can render and a person can read without JavaScript; the browser needs
nothing but the slices named in it.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kobe_platform.lounge.bodies import Bodies, Body, body_key
from kobe_platform.lounge.boundaries import boundaries_files
from kobe_platform.lounge.charts import NO_GUIDES, Choice, Drawn, draw
from kobe_platform.lounge.components import COMPONENTS, Bound, bind
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.downloads import download_fault, download_html
from kobe_platform.lounge.faults import Faults
from kobe_platform.lounge.filters import FILTERS, Filter, filter_html, read_filter
from kobe_platform.lounge.formats import Format, format_fault
from kobe_platform.lounge.guides import check_axis, check_nesting, check_shares, guides_of
from kobe_platform.lounge.headers import manual_html, page_head
from kobe_platform.lounge.pages import Page
from kobe_platform.lounge.slices import SeveralRows, cells_of, write_slice
from kobe_platform.lounge.tables import TableFacts
from kobe_platform.lounge.tags import Node, Tag, Text, Value, walk

if TYPE_CHECKING:
    import polars as pl

SYNTHETIC = "synthetic"
"""Value of a release's ``basis`` whose figures are made up; every page then says 合成データ."""

INSERTED = ("Notices", "Newest", "Catalogue", "Favourites", "Links", "Related")
"""Components whose HTML the site gives ready-made."""


@dataclass(frozen=True)
class CompiledPage:
    """What became of a page: counts and names only.

    Attributes:
        components, slices, bytes, cells: how much the page shows and ships.
        periods: first and last period of its tables; empty without tables.
        words: titles of its sections and charts, for the catalogue.
    """

    slug: str
    title: str
    tables: tuple[str, ...]
    components: int
    slices: int
    bytes: int
    cells: int
    periods: tuple[str, str]
    words: tuple[str, ...]


def compile_page(
    page: Page,
    tables: Path | ReleaseDatabase,
    out: Path,
    *,
    basis: str = "register",
    inserts: Mapping[str, str] | None = None,
    bodies: Bodies | None = None,
    data: Path | None = None,
) -> CompiledPage:
    """Compile one page into ``out/<slug>.md`` and ``out/data/<slug>/<hash>.json``.

    Args:
        tables: a directory of published tables, or one already open.
        basis: where the figures come from; :data:`SYNTHETIC` marks the page.
        inserts: ready HTML for what shows the site rather than a query: the components :data:`INSERTED`, and in the
            page's head ``Links``, ``Star`` and ``Related``.
        bodies: where finished bodies are kept; a page whose text and tables are as before is not worked out again.
        data: where slices go instead of ``out/data``.

    Raises:
        LoungeError: with file, line and a suggestion.
    """
    if isinstance(tables, Path):
        with ReleaseDatabase(tables, page.tables) as database:
            return compile_page(page, database, out, basis=basis, inserts=inserts, bodies=bodies, data=data)
    if bodies is None:
        with tempfile.TemporaryDirectory(prefix="kobe-page-") as scratch:
            bodies = Bodies(Path(scratch))
            return compile_page(page, tables, out, basis=basis, inserts=inserts, bodies=bodies, data=data)
    tags = {node.name for node in walk(page.nodes) if isinstance(node, Tag)}
    shown = {name: html for name, html in (inserts or {}).items() if name in tags}
    maps = {path.name: path.read_text("utf-8", "replace") for path in _map_files(page)}
    text = "\n".join([*page.meta.units, page.body])
    key = body_key(text, tables.digest({t for query in page.queries for t in query.tables}), shown | maps)
    with bodies.making(key):
        body = bodies.find(key) or _made(page, tables, shown, bodies, key)
    size = bodies.lay_out(key, body, (data or out / "data") / page.slug)
    facts = [tables.facts[name] for name in page.tables]
    return _written(page, body, facts, basis, inserts or {}, out, size)


def _map_files(page: Page) -> list[Path]:
    """The files of boundaries that the page's maps are drawn from."""
    kinds = {n.attributes.get("shapes", "wards") for n in walk(page.nodes) if isinstance(n, Tag) and n.name == "Map"}
    return [path for kind in sorted(kinds) for path in boundaries_files(page.boundaries, kind)]


def _made(page: Page, tables: ReleaseDatabase, inserts: Mapping[str, str], bodies: Bodies, key: str) -> Body:
    """Work a body out: run the fences, draw the components, write the slices."""
    scratch = bodies.scratch(key)
    try:
        body = _Compilation(page, tables.run(page.queries), inserts).body(scratch)
        bodies.keep(key, body, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return body


def _written(
    page: Page, body: Body, facts: list[TableFacts], basis: str, inserts: Mapping[str, str], out: Path, size: int
) -> CompiledPage:
    """Write the page around its body: front matter, head, manual, the browser's spec."""
    spec = {
        "page": page.slug,
        "data": f"data/{page.slug}/",
        "filters": body.filters,
        "components": body.components,
        "slices": body.slices,
    }
    text = json.dumps(spec, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = [
        f"---\ntitle: {json.dumps(page.title, ensure_ascii=False)}\n---\n",
        page_head(page, facts, basis == SYNTHETIC, inserts),
        body.markdown,
        manual_html(page, facts, basis == SYNTHETIC),
        f'<script type="application/json" id="lounge-spec">{text}</script>',
    ]
    markdown = re.sub(r"\n{3,}", "\n\n", "\n\n".join(parts)) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{page.slug}.md"
    # An unchanged file keeps its time, so that an incremental rendering passes it by.
    if not path.exists() or path.read_text(encoding="utf-8") != markdown:
        path.write_text(markdown, encoding="utf-8")
    known = [one.periods for one in facts if one.rows]
    return CompiledPage(
        slug=page.slug,
        title=page.title,
        tables=page.tables,
        components=len(body.components),
        slices=sum(len(values) for values in body.slices.values()),
        bytes=len(markdown.encode()) + size,
        cells=body.cells,
        periods=(min(p[0] for p in known), max(p[1] for p in known)) if known else ("", ""),
        words=tuple(body.words),
    )


def check_page(page: Page, results: Mapping[str, pl.DataFrame] | None = None, faults: Faults | None = None) -> None:
    """Check a page's tags as far as that goes without drawing them.

    Args:
        results: query → rows, to check columns as well; may lack queries that failed.
        faults: collects what is wrong; without it the first fault is raised.

    Raises:
        LoungeError: an unknown attribute, query, filter or column.
    """
    _bind_all(page, results, faults or Faults())


def _bind_all(page: Page, results: Mapping[str, pl.DataFrame] | None, faults: Faults) -> dict[int, Bound]:
    tags = [node for node in walk(page.nodes) if isinstance(node, Tag)]
    named = [tag for tag in tags if tag.name in FILTERS]
    names = [tag.attributes.get("name", "") for tag in named]
    twice = next((tag for tag in tags if "name" in tag.attributes and names.count(tag.attributes["name"]) > 1), None)
    if twice:
        faults.add(page.error("filter", "two filters share a name", "rename one", twice.line))
    check_nesting(page.nodes, page.error, faults)
    given = {
        "queries": [*(query.name for query in page.queries), *page.broken],
        "filters": names,
        "units": getattr(page.meta, "units", ()),
        "results": results,
        "faults": faults,
    }
    bounds = {id(tag): bind(tag, page.error, **given) for tag in tags}
    _check_together(page, list(bounds.values()), faults)
    return bounds


def _check_together(page: Page, bounds: list[Bound], faults: Faults) -> None:
    """What one component asks of others: an upper Dropdown above it, a chart of that title."""
    above: list[str] = []
    for bound in bounds:
        if bound.name == "Dropdown" and bound["parent"] and bound["parent"] not in above:
            message = f"the upper Dropdown {bound['parent']} does not stand above {bound['name']}"
            faults.add(page.error("cascade", message, f"there are: {', '.join(above) or 'none'}", bound.tag.line))
        if bound.name == "Dropdown":
            above.append(bound["name"])
        fault = download_fault(bound, bounds, page.error) if bound.name == "Download" else None
        if fault:
            faults.add(fault)


class _Compilation:
    """One page on its way: filters first, then components in reading order."""

    def __init__(self, page: Page, results: Mapping[str, pl.DataFrame], inserts: Mapping[str, str]) -> None:
        self.page, self.results, self.inserts = page, results, inserts
        self.bounds = _bind_all(page, results, Faults())
        standing = [self.bounds[id(tag)] for tag in self._standing(page.nodes)]
        self.filters: dict[str, Filter] = {}
        for one in standing:
            if one.name in FILTERS:
                self.filters[one["name"]] = read_filter(one, results[one["data"]], self.filters, page.error)
        self.defaults = {name: chosen.default for name, chosen in self.filters.items()}
        self.drawn: list[Drawn] = []

    def body(self, data: Path) -> Body:
        """Draw the page's body and write its slices into ``data``; see :func:`compile_page`."""
        markdown = self._markdown(self.page.nodes)
        slices = self._slices(data)
        texts = "".join(node.text for node in walk(self.page.nodes) if isinstance(node, Text))
        return Body(
            markdown=markdown,
            filters=[chosen.as_spec() for chosen in self.filters.values()],
            components=[dict(drawn.spec) for drawn in self.drawn],
            slices=slices,
            bytes=sum(path.stat().st_size for path in data.iterdir()),
            cells=sum(drawn.cells for drawn in self.drawn),
            words=[*re.findall(r"^#+\s+(.+)$", texts, re.M), *(word for d in self.drawn for word in d.words)],
        )

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
            offered = {option[0] for option in self.filters[name].options} if name else {""}
            for value in offered.intersection(drawn.records):
                record = drawn.records[value]
                bundles.setdefault(name, {}).setdefault(value, {})[drawn.spec["id"]] = record
        return {
            name: {v: write_slice(data, r) for v, r in sorted(values.items())}
            for name, values in sorted(bundles.items())
        }

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
        if bound.name in INSERTED:
            return self.inserts.get(bound.name, f'<div class="lounge-{bound.name.lower()}"></div>')
        if not self._stands(bound):
            return ""
        inside = self._markdown(bound.tag.children)
        return _HOLDERS[bound.name](bound, inside)

    def _drawn(self, bound: Bound) -> str:
        frame = self.results[bound["data"]]
        try:
            identity = f"c{len(self.drawn) + 1}"
            inside = [self.bounds[id(node)] for node in bound.tag.children if isinstance(node, Tag)]
            guides = guides_of(bound, inside, self.results, self.page.error) if inside else NO_GUIDES
            check_axis(bound, frame, self.page.error)
            check_shares(bound, frame, self.page.error)
            choice = self._choice(bound)
            drawn = draw(bound, frame, choice, self.defaults, identity, self.page.boundaries, guides)
        except SeveralRows:
            message = f"query {bound['data']} gives several rows for one cell of <{bound.name}>"
            remedy = "narrow it with WHERE (totals are rows of their own), name a series, or list the column in filter="
            raise self.page.error("several_rows", message, remedy, bound.tag.line) from None
        self.drawn.append(drawn)
        return drawn.html

    def _choice(self, bound: Bound) -> Choice:
        names = bound.filters
        at = next((n for n in names if self.filters[n].is_period and n == bound["date"]), "")
        rest = [name for name in names if name != at]
        sliced = next((name for name in rest if not self.filters[name].is_period), "")
        return Choice(sliced, tuple(name for name in rest if name != sliced), at)

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
        return f'<span class="lounge-value">{_inert(text)}</span>'


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
