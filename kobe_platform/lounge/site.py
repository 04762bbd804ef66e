"""Renders one site for each audience with MkDocs, with only the pages that the audience may see."""

from __future__ import annotations

import gc
import json
import logging
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.audiences import Audience
from kobe_platform.lounge.bodies import Bodies
from kobe_platform.lounge.catalogue import (
    catalogue_html,
    entry,
    favourites_html,
    newest_html,
    related_html,
    star_html,
    write_catalogue,
)
from kobe_platform.lounge.compile import CompiledPage, Making, compile_page
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.glossary import GLOSSARY, GlossaryLinks, glossary_page, load_glossary
from kobe_platform.lounge.notices import (
    EDITIONS,
    READER,
    RESPONSES,
    SURVEY,
    Links,
    editions_page,
    links_html,
    load_links,
    load_notices,
    notices_html,
    responses_page,
    survey_page,
    time_html,
)
from kobe_platform.lounge.pages import PORTAL, Page
from kobe_platform.lounge.periods import latest_label
from kobe_platform.lounge.processes import Makers
from kobe_platform.lounge.searching import load_words, search_index, write_index
from kobe_platform.lounge.unusual import page_of, usual_notice
from kobe_platform.vocabulary.municipality import localized

BUILT = ("manifest.json", "lounge.js", "lounge.css")
ASKED_FOR = "A 'dirty' build is being performed"
"""A warning of MkDocs that says only that the workshop renders what has changed."""


@dataclass(frozen=True)
class Site:
    """One audience's site: counts only."""

    audience: str
    pages: tuple[CompiledPage, ...]
    files: int


def pages_for(audience: Audience, pages: Mapping[str, Page]) -> list[Page]:
    """The pages that an audience may see, in order; every other page is left out before it is compiled."""
    return [page for page in pages.values() if audience.sees(page.meta.audience)]


def front_end(dashboards: Path) -> tuple[Path, Mapping[str, str]]:
    """The built scripts and styles, and the hashed name of each entry.

    Raises:
        LoungeError: they were not built.
    """
    built = dashboards / "theme" / "built"
    try:
        names = json.loads((built / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise LoungeError(
            "the front end is not built",
            code="site.front_end",
            at={"folder": "dashboards/theme/built"},
            remedy="npm ci --prefix dashboards/theme && npm run build --prefix dashboards/theme",
            ja="画面部品が作成されていません",
        ) from None
    return built, names


def build_site(
    audience: Audience,
    pages: Mapping[str, Page],
    tables: ReleaseDatabase,
    dashboards: Path,
    work: Path,
    out: Path,
    *,
    basis: str,
    bodies: Bodies | None = None,
    updated: date | None = None,
    edition: int = 0,
    left_out: Collection[str] = (),
) -> Site:
    """Compile an audience's pages and render them.

    Args:
        tables: the release's published tables, open.
        dashboards: ``mkdocs.yml``, theme, manuals and notices.
        work: scratch directory for compiled Markdown; empty.
        out: where the site goes; absent.
        bodies: where finished bodies are kept from one build to the next.
        updated: day of the release, which every page shows (更新日).
        edition: running number of the release, which every page shows (第7版) and citations tell; none where 0.
        left_out: slugs of pages of the folder that no audience is shown now; links to them are text.

    Raises:
        LoungeError: a page does not compile, there is no portal page for the audience, or MkDocs fails.
    """
    shown = pages_for(audience, pages)
    if PORTAL not in {page.slug for page in shown}:
        raise LoungeError(
            "an audience has no portal page",
            code="site.portal",
            at={"audience": audience.name},
            remedy="write pages/index.md",
        )
    names = lay_front_end(dashboards, work)
    data = work.with_name(f"{work.name}-data")
    with garbage_of_its_own():
        compiled = compile_site(shown, tables, dashboards, work, data, basis=basis, bodies=bodies)
        render(
            dashboards, work, out, shown, names,
            synthetic=basis == "synthetic", updated=updated, edition=edition,
            unseen={*pages, *left_out} - {page.slug for page in shown},
        )  # fmt: skip
    if data.is_dir():
        data.rename(out / "data")
    return Site(audience.name, tuple(compiled), sum(1 for path in out.rglob("*") if path.is_file()))


@contextmanager
def garbage_of_its_own() -> Iterator[None]:
    """Python looks for circular garbage among what is made meanwhile, and not among what was there before.

    What somebody else has set aside already (``kobe run``) stays aside afterwards.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def lay_front_end(dashboards: Path, work: Path) -> Mapping[str, str]:
    """Put scripts and styles beside the compiled pages; gives the hashed name of each entry."""
    built, names = front_end(dashboards)
    place = work / "assets" / "lounge"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(built, place, ignore=shutil.ignore_patterns("manifest.json", "meta.json"))
    return names


def compile_site(
    pages: Sequence[Page],
    tables: ReleaseDatabase,
    dashboards: Path,
    work: Path,
    data: Path,
    *,
    basis: str,
    bodies: Bodies | None = None,
) -> list[CompiledPage]:
    """Compile the pages of one site and their catalogue into ``work``, slices into ``data``.

    Raises:
        LoungeError: of the first page, in order, that does not compile.
    """
    latest = {page.slug: _latest(page, tables) for page in pages}
    links, terms = load_links(dashboards), load_glossary(dashboards)
    inserts = _inserts(pages, latest, dashboards, links, usual_notice(pages, tables.facts))
    compiled = compile_pages(pages, tables, work, data, basis=basis, inserts=inserts, bodies=bodies)
    titles = {page.slug: [tables.facts[name].title for name in page.tables if name in tables.facts] for page in pages}
    beside = {
        SURVEY: survey_page(links),
        EDITIONS: editions_page(),
        RESPONSES: responses_page() if page_of(pages) else "",
        GLOSSARY: glossary_page(terms),
    }
    for name, text in beside.items():
        place = work / f"{name}.md"
        if text and name not in latest and not (place.is_file() and place.read_text("utf-8") == text):
            place.write_text(text, encoding="utf-8")
    (work / READER).write_text("{}", encoding="utf-8")
    listed = [entry(p, c, titles[p.slug], latest[p.slug]) for p, c in zip(pages, compiled, strict=True)]
    write_catalogue(listed, work)
    texts = {str(one["slug"]): str(one["text"]) for one in listed}
    write_index(search_index(pages, {one.slug: one for one in compiled}, texts, load_words(), terms), work)
    return compiled


def compile_pages(
    pages: Sequence[Page],
    tables: ReleaseDatabase,
    work: Path,
    data: Path,
    *,
    basis: str,
    inserts: Mapping[str, Mapping[str, str]],
    bodies: Bodies | None = None,
) -> list[CompiledPage]:
    """Compile pages side by side; they know nothing of each other, so the result does not depend on the order.

    Raises:
        LoungeError: of the first page, in order, that does not compile.
    """

    def compiled(page: Page, making: Making) -> CompiledPage:
        given = inserts.get(page.slug)
        return compile_page(
            page, tables, work, inserts=given, basis=basis, bodies=bodies, data=data, making=making
        )  # fmt: skip

    return Makers(tables, bodies).compile(pages, compiled)


def _inserts(
    shown: Sequence[Page], latest: dict[str, str], dashboards: Path, links: Links, first: str
) -> dict[str, dict[str, str]]:
    """Slug → the HTML that the site gives a page; nothing in it names a page that the audience may not see."""
    common = {
        "Notices": notices_html(load_notices(dashboards), first),
        "Newest": newest_html(shown),
        "Catalogue": catalogue_html(shown, latest),
        "Favourites": favourites_html(),
    }
    own = {
        page.slug: {
            "Links": links_html(links, page.slug, glossary=bool(load_glossary(dashboards))),
            "Star": star_html(page),
            "Related": related_html(page, shown),
        }
        for page in shown
    }
    return {slug: ({**common, **given} if slug == PORTAL else given) for slug, given in own.items()}


def _latest(page: Page, tables: ReleaseDatabase) -> str:
    return latest_label(tables.facts[name] for name in page.tables if name in tables.facts)


def render(
    dashboards: Path,
    work: Path,
    out: Path,
    pages: Sequence[Page],
    names: Mapping[str, str],
    *,
    synthetic: bool,
    only_changed: bool = False,
    updated: date | None = None,
    edition: int = 0,
    unseen: Collection[str] = (),
) -> None:
    """Run MkDocs in this process on the compiled Markdown; its warnings are errors.

    Slices are thousands of files that it would only copy one by one: they are not in ``work``.

    Args:
        only_changed: render the pages that are newer than their HTML and leave the others as they are.
        updated, edition: the day that pages show as 更新日, and the release's number; none where absent.
        unseen: slugs of pages that the readers may not see: links to them are text.

    Raises:
        LoungeError: ``site.mkdocs`` with the file and what MkDocs warns of.
    """
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.exceptions import MkDocsException

    from kobe_platform.lounge.finished import FinishedHtml
    from kobe_platform.lounge.links import AudienceLinks
    from kobe_platform.lounge.templates import use_templates_alone

    nav = [{page.title: f"{page.slug}.md"} for page in pages]
    with _warnings("mkdocs") as warned:
        try:
            config = load_config(
                config_file=str(dashboards / "mkdocs.yml"),
                docs_dir=str(work.resolve()),
                site_dir=str(out.resolve()),
                nav=nav,
            )
            config.site_name = localized(config.site_name)
            use_templates_alone(config)
            config.markdown_extensions.append(AudienceLinks([page.slug for page in pages], unseen))
            config.markdown_extensions.append(FinishedHtml())
            if GLOSSARY not in {page.slug for page in pages}:
                config.markdown_extensions.append(GlossaryLinks(load_glossary(dashboards)))
            day = time_html(updated) if updated else ""
            config.extra |= {"lounge": {**names, "synthetic": synthetic, "updated": day, "edition": edition}}
            config.plugins.on_startup(command="build", dirty=only_changed)
            build(config, dirty=only_changed)
            config.plugins.on_shutdown()
        except (MkDocsException, SystemExit) as error:
            raise LoungeError("MkDocs could not render the site", code="site.mkdocs", remedy=str(error)[:300]) from None
    if warned:
        raise _warned(warned)


@contextmanager
def _warnings(name: str) -> Iterator[list[str]]:
    """The warnings and errors that a library logs meanwhile, kept from the terminal; its logger is then as before."""
    log, kept = logging.getLogger(name), list[str]()

    class Keeping(logging.Handler):
        """Keeps what is logged."""

        def emit(self, record: logging.LogRecord) -> None:
            if not str(record.msg).startswith(ASKED_FOR):
                kept.append(record.getMessage())

    former = log.level, log.propagate, log.handlers[:], log.disabled
    log.setLevel(logging.WARNING)
    log.propagate, log.disabled, log.handlers = False, False, [Keeping(logging.WARNING)]
    try:
        yield kept
    finally:
        log.level, log.propagate, log.handlers, log.disabled = former
        log.setLevel(former[0])


def _warned(warned: Sequence[str]) -> LoungeError:
    """The first of MkDocs' warnings, with the page that it names."""
    named = re.search(r"'([a-z][a-z0-9_]*)\.md'", warned[0])
    at: dict[str, str | int] = {**({"file": f"{named[1]}.md"} if named else {}), "warnings": len(warned)}
    return LoungeError(
        "MkDocs warns of the site",
        code="site.mkdocs",
        at=at,
        remedy=f"{warned[0][:300]} (kobe pages check names lines)",
        ja="サイトの組立てで警告がありました。公開しません",
    )
