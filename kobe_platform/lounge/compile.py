"""Compiles one page: runs its queries, draws its components, writes Markdown and slices named by hash.

The result is Markdown that any generator can render and a person can read without JavaScript; the browser needs
nothing but the slices named in it.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kobe_platform.lounge.bodies import Bodies, CompiledBody, body_key
from kobe_platform.lounge.boundaries import boundaries_files
from kobe_platform.lounge.composition import Composition
from kobe_platform.lounge.courses import course_inserts
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.forecasts import forecast_inserts
from kobe_platform.lounge.headers import manual_html, page_head
from kobe_platform.lounge.pages import Page
from kobe_platform.lounge.tables import TableFacts
from kobe_platform.lounge.tags import Tag, walk
from kobe_platform.lounge.unusual import usual_inserts

SYNTHETIC = "synthetic"
"""Value of a release's ``basis`` whose figures are made up; every page then says 合成データ."""

Making = Callable[[Page, ReleaseDatabase, Mapping[str, str], Bodies, str], CompiledBody]
"""Who works a body out: takes what :func:`make_body` takes, and keeps it as that does."""


@dataclass(frozen=True)
class CompiledPage:
    """What became of a page: counts and names only.

    Attributes:
        components, slices, bytes, cells: how much the page shows and ships.
        periods: first and last period of its tables; empty without tables.
        words: titles of its sections and charts, for the catalogue.
        labels: what its filters offer and its charts show, for the search.
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
    labels: Mapping[str, list[dict[str, Any]]]


def compile_page(
    page: Page,
    tables: Path | ReleaseDatabase,
    out: Path,
    *,
    basis: str = "register",
    inserts: Mapping[str, str] | None = None,
    bodies: Bodies | None = None,
    data: Path | None = None,
    making: Making | None = None,
) -> CompiledPage:
    """Compile one page into ``out/<slug>.md`` and ``out/data/<slug>/<hash>.json``.

    Args:
        tables: a directory of published tables, or one already open.
        basis: where the figures come from; :data:`SYNTHETIC` marks the page.
        inserts: ready HTML for what shows the site rather than a query: the components ``INSERTED`` of
            ``composition.py``, and in the page's head ``Links``, ``Star`` and ``Related``.
        bodies: where finished bodies are kept; a page whose text and tables are as before is not worked out again.
        data: where slices go instead of ``out/data``.
        making: who works a body out that is not kept yet; :func:`make_body` by default.

    Raises:
        LoungeError: with file, line and a suggestion.
    """
    if isinstance(tables, Path):
        with ReleaseDatabase(tables, page.tables) as database:
            return compile_page(
                page, database, out, basis=basis, inserts=inserts, bodies=bodies, data=data, making=making
            )
    if bodies is None:
        with tempfile.TemporaryDirectory(prefix="kobe-page-") as scratch:
            bodies = Bodies(Path(scratch))
            return compile_page(
                page, tables, out, basis=basis, inserts=inserts, bodies=bodies, data=data, making=making
            )
    tags = {node.name for node in walk(page.nodes) if isinstance(node, Tag)}
    shown = {name: html for name, html in (inserts or {}).items() if name in tags}
    shown |= forecast_inserts(tags, tables.facts) | usual_inserts(tags, tables.facts) | course_inserts(tags)
    maps = {path.name: path.read_text("utf-8", "replace") for path in _map_files(page)}
    text = "\n".join([*page.meta.units, page.body])
    key = body_key(text, tables.digest({t for query in page.queries for t in query.tables}), shown | maps)
    with bodies.making(key):
        body = bodies.find(key) or (making or make_body)(page, tables, shown, bodies, key)
    size = bodies.lay_out(key, body, (data or out / "data") / page.slug)
    facts = [tables.facts[name] for name in page.tables]
    return _written(page, body, facts, basis, inserts or {}, out, size)


def _ahead(page: Page, body: CompiledBody) -> str:
    """Has the browser fetch what every choice needs while it still reads the page; empty without such a slice."""
    file = body.slices.get("", {}).get("")
    return f'<link rel="preload" as="fetch" crossorigin href="data/{page.slug}/{file}">' if file else ""


def _map_files(page: Page) -> list[Path]:
    """The files of boundaries that the page's maps are drawn from."""
    kinds = {n.attributes.get("shapes", "wards") for n in walk(page.nodes) if isinstance(n, Tag) and n.name == "Map"}
    return [path for kind in sorted(kinds) for path in boundaries_files(page.boundaries, kind)]


def make_body(
    page: Page, tables: ReleaseDatabase, inserts: Mapping[str, str], bodies: Bodies, key: str
) -> CompiledBody:
    """Work a body out and keep it under its key: run the fences, draw the components, write the slices."""
    with bodies.scratch(key) as scratch:
        results, periods = tables.run(page.queries), tables.periods(page.queries)
        body = Composition(page, results, inserts, periods).body(scratch)
        bodies.keep(key, body, scratch)
    return body


def _written(
    page: Page,
    body: CompiledBody,
    facts: list[TableFacts],
    basis: str,
    inserts: Mapping[str, str],
    out: Path,
    size: int,
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
        _ahead(page, body),
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
        labels=body.labels,
    )
