"""Measures for ``kobe bench lounge`` the compilation of ninety pages over twelve years, and the pages in a browser."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kobe_platform.settings import Settings

YEARS = ("2014-01", "2025-12")
DISTRICTS = 165
PAGES = 90
CHANGED = "district_population"
"""The heaviest of the project's dashboards: what an author changes in the incremental measurement."""


@dataclass
class Clock:
    """Seconds by name: elapsed, and of the processor."""

    seconds: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure a block."""
        started, spent = time.perf_counter(), _spent()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 2)
        self.processor[name] = round(_spent() - spent, 2)


def _spent() -> float:
    """Processor seconds of this process and of those that it has ended."""
    return sum(os.times()[:4])


def measure(scratch: Path, tell: Callable[[str], None], *, pages: int = PAGES, browser: bool = True) -> dict:
    """Everything that the benchmark reports; see docs/performance.md for the method.

    Returns:
        ``seconds`` and ``processor`` by step, ``ratios`` against plain MkDocs, ``kilobytes``, ``counts``.
    """
    clock = Clock()
    tell("published tables")
    city = _city()
    folder = scratch / "dashboards"
    copy_pages(Settings.model_fields["dashboards"].default, folder, pages)
    tell(f"{pages} pages")
    _compile(clock, city, folder, scratch)
    tell(f"{pages} pages, each with queries of its own")
    copy_pages(Settings.model_fields["dashboards"].default, scratch / "distinct", pages, distinct=True)
    _compile(clock, city, scratch / "distinct", scratch / "apart", suffix="_distinct")
    tell("one page changed")
    _change(clock, folder, scratch)
    _plain(clock, folder, scratch / "plain")
    report = {
        "pages": pages,
        "seconds": clock.seconds,
        "processor": clock.processor,
        "ratios": {"site_to_plain_mkdocs": round(clock.seconds["site"] / clock.seconds["plain_mkdocs"], 2)},
    }
    if browser:
        from kobe_platform.bench.browser import visit

        tell("release")
        releases = _release(clock, city, folder, scratch)
        tell("Chromium")
        told = visit(releases, Settings.model_fields["dashboards"].default)
        report |= {key: value for key, value in told.items() if key != "seconds"}
        clock.seconds.update(told["seconds"])
    return report


def copy_pages(source: Path, target: Path, pages: int, *, distinct: bool = False) -> None:
    """A dashboards folder of that many pages: the project's own, over and over under other titles.

    Args:
        distinct: give each copy a text of its own, so that no work is shared between copies.
    """
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("node_modules", "src", "pages"))
    (target / "pages").mkdir()
    originals = sorted((source / "pages").glob("*.md"))
    for path in originals:
        shutil.copy(path, target / "pages")
    models = [path for path in originals if path.stem != "index"]
    for number in range(pages - len(originals)):
        path = models[number % len(models)]
        text = re.sub(r"^title: (.*)$", rf"title: \1 {number + 1}", path.read_text("utf-8"), count=1, flags=re.M)
        if distinct:
            text = re.sub(r"^(```sql \w+)$", rf"\1\n-- {number}", text, flags=re.M)
        (target / "pages" / f"{path.stem}_{number + 1:02d}.md").write_text(text, encoding="utf-8")


def _city() -> tuple:
    from kobe_platform.synthesis.published import DISTRICTS_PER_WARD, published
    from kobe_platform.vocabulary.months import months_between

    share, more = divmod(DISTRICTS, len(DISTRICTS_PER_WARD))
    per_ward = {ward: share + (number < more) for number, ward in enumerate(DISTRICTS_PER_WARD)}
    return published(1, tuple(months_between(*YEARS)), per_ward)


def _compile(clock: Clock, city: tuple, folder: Path, scratch: Path, suffix: str = "") -> None:
    """From files to HTML, nothing kept from before."""
    from kobe_platform.lounge.audiences import load_audiences
    from kobe_platform.lounge.bodies import Bodies
    from kobe_platform.lounge.database import ReleaseDatabase
    from kobe_platform.lounge.pages import load_pages
    from kobe_platform.lounge.site import build_site
    from kobe_platform.lounge.tables import write_tables

    tables, dims, facts = city
    write_tables(scratch / "tables", tables, dims, facts["tables"])
    with clock(f"site{suffix}"):
        pages = load_pages(folder)
        viewer = next(iter(load_audiences(folder).values()))
        bodies = Bodies(scratch / "bodies")
        with ReleaseDatabase(scratch / "tables") as database:
            work, out = scratch / "work", scratch / "site"
            build_site(viewer, pages, database, folder, work, out, basis="synthetic", bodies=bodies)


def _change(clock: Clock, folder: Path, scratch: Path) -> None:
    """An author saves one page: text first, then a query; until its HTML stands."""
    from kobe_platform.lounge.database import ReleaseDatabase
    from kobe_platform.lounge.workshop.site import WorkshopSite

    path = folder / "pages" / f"{CHANGED}.md"
    text = path.read_text("utf-8")
    with ReleaseDatabase(scratch / "tables", keep=True) as database:
        site = WorkshopSite(folder, database, scratch / "workshop", "synthetic")
        site.refresh()
        for name, changed in (
            ("changed_text", text.replace("## ", "## 新 ", 1)),
            ("changed_query", text.replace("```sql pyramid\n", "```sql pyramid\n-- changed\n", 1)),
        ):
            path.write_text(changed, encoding="utf-8")
            with clock(name):
                site.refresh()
            if site.faults:
                raise SystemExit(str(site.faults[0]))
    path.write_text(text, encoding="utf-8")


def _plain(clock: Clock, folder: Path, scratch: Path) -> None:
    """The baseline: MkDocs over the same pages' words, without queries, figures or data."""
    from kobe_platform.lounge.glossary import GLOSSARY, glossary_page, load_glossary
    from kobe_platform.lounge.pages import load_pages
    from kobe_platform.lounge.site import EDITIONS, RESPONSES, SURVEY, lay_front_end, render
    from kobe_platform.lounge.tags import Text, walk

    pages = load_pages(folder)
    names = lay_front_end(folder, scratch / "work")
    for page in pages.values():
        words = "".join(node.text for node in walk(page.nodes) if isinstance(node, Text))
        (scratch / "work" / f"{page.slug}.md").write_text(f"# {page.title}\n\n{words}\n\n{page.manual}\n", "utf-8")
    (scratch / "work" / f"{GLOSSARY}.md").write_text(glossary_page(load_glossary(folder)), "utf-8")  # words link there
    for name in (SURVEY, EDITIONS, RESPONSES):  # and pages to those of the portal
        (scratch / "work" / f"{name}.md").write_text(f"# {name}\n", "utf-8")
    with clock("plain_mkdocs"):
        render(folder, scratch / "work", scratch / "site", list(pages.values()), names, synthetic=True)


def _release(clock: Clock, city: tuple, folder: Path, scratch: Path) -> Path:
    """A whole release with every file hashed and flushed, its pages taken from the build before."""
    from kobe_platform.lounge.release import assemble

    tables, dims, facts = city
    with clock("release"):
        assemble(tables, dims, facts, folder, scratch / "releases", bodies=scratch / "bodies")
    return scratch / "releases"
