"""Checks all pages of a folder and collects every fault, for an author in a terminal or a browser."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from kobe_platform.errors import LoungeError, PlatformError
from kobe_platform.lounge.audiences import load_audiences
from kobe_platform.lounge.bodies import Bodies
from kobe_platform.lounge.coherence import check_page
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.doubts import order_doubts, page_doubts
from kobe_platform.lounge.faults import Faults
from kobe_platform.lounge.pages import MANUALS, Page, load_page, misfits
from kobe_platform.vocabulary.nearest import did_you_mean

PUBLIC = "public"


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        pages: pages looked at.
        faults: in the order of files and lines.
        with_queries: whether queries ran and columns were checked.
        doubts: what may stay and is hardly meant (:mod:`kobe_platform.lounge.doubts`), in the same order.
        files: of every page of the folder, by slug, what faults call its file and its manual's.
    """

    pages: int
    faults: tuple[PlatformError, ...]
    with_queries: bool
    doubts: tuple[PlatformError, ...] = ()
    files: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, pages: Collection[str]) -> Checked:
        """What was found of some pages, by slug or file name; of all where none is named.

        Raises:
            LoungeError: ``page.unknown``: there is no such page.
        """
        wanted = _slugs(pages)
        strange = sorted(wanted - self.files.keys())
        if strange:
            message, remedy = "there is no such page", did_you_mean(strange[0], self.files)
            raise LoungeError(message, code="page.unknown", at={"page": strange[0]}, remedy=remedy)
        if not wanted:
            return self
        files = frozenset().union(*(self.files[slug] for slug in wanted))
        faults, doubts = (
            tuple(one for one in found if one.at.get("file") in files) for found in (self.faults, self.doubts)
        )
        return replace(self, pages=len(wanted), faults=faults, doubts=doubts)


def _slugs(pages: Collection[str]) -> set[str]:
    return {name.rpartition("/")[2].removesuffix(".md") for name in pages}


def check_folder(
    dashboards: Path,
    kinds: Mapping[str, str],
    database: ReleaseDatabase | None = None,
    pages: Collection[str] = (),
) -> Checked:
    """Check every page of a folder.

    Args:
        kinds: every statistic's table → its kind; pages over anything but public ones need an application number.
        database: a release's tables, to run the queries and check their columns.
        pages: run the queries of these pages alone, by slug or file name (:meth:`Checked.of` tells of them); all if
            empty. What pages have to do with one another is checked in any case.

    Raises:
        ConfigurationError: ``audiences.toml`` is not as it must be.
    """
    audiences = load_audiences(dashboards)
    from kobe_platform.lounge.links import check_links

    faults, doubts = Faults(collect=True), Faults(collect=True)
    read: dict[str, Page] = {}
    wanted = _slugs(pages)
    paths = sorted((dashboards / "pages").glob("*.md"))
    with tempfile.TemporaryDirectory(prefix="kobe-check-") as scratch:
        bodies = Bodies(Path(scratch) / "bodies")
        for path in paths:
            try:
                page = load_page(path, dashboards, audiences, faults)
            except LoungeError as error:
                faults.add(error)
                continue
            _check_tables(page, kinds, database, faults)
            if not wanted or page.slug in wanted:
                _check_body(page, database, Path(scratch), bodies, faults, doubts)
            read[page.slug] = page
    slugs = tuple(path.stem for path in paths)
    for misfit in misfits(sorted(read.values(), key=lambda page: page.meta.published or date.min), slugs):
        faults.add(misfit)
    for fault in check_links(read) if len(read) == len(paths) else ():
        faults.add(fault)
    for doubt in order_doubts(read):
        doubts.add(doubt)
    files = {path.stem: frozenset({path.name, *_manual_of(read.get(path.stem))}) for path in paths}
    return Checked(len(paths), _in_order(faults), database is not None, _in_order(doubts), files)


def _manual_of(page: Page | None) -> tuple[str, ...]:
    return (f"{MANUALS}/{page.meta.manual}",) if page is not None and page.meta.manual else ()


def _in_order(found: Faults) -> tuple[PlatformError, ...]:
    """By file and line."""
    return tuple(sorted(found.found, key=lambda one: (str(one.at.get("file", "")), int(one.at.get("line", 0)))))


def _check_tables(page: Page, kinds: Mapping[str, str], database: ReleaseDatabase | None, faults: Faults) -> None:
    """Tables must exist, and a page over personal data needs the number of its data-use application."""
    for query in page.queries if database is None else ():
        for table in query.tables:
            if table not in kinds and not table.startswith("dim_"):
                faults.add(query.fault("table", f"there is no published table {table}", did_you_mean(table, kinds)))
    personal = [table for table in page.tables if kinds.get(table, PUBLIC) != PUBLIC]
    told = [one for one in faults.found if one.at.get("file") == page.file and one.code == "page.front_matter"]
    unread = any(one.at.get("key") == "syntax" or "application" in str(one.remedy) for one in told)
    if personal and not page.meta.application and not unread:
        remedy = "write the number of its データ利用申請書: application: R7-0001"
        faults.add(page.error("application", f"a page over {personal[0]} needs an application number", remedy, 1))


def _check_body(
    page: Page, database: ReleaseDatabase | None, scratch: Path, bodies: Bodies, faults: Faults, doubts: Faults
) -> None:
    """Tags without data first; then, where there is a release, queries, columns and what only drawing shows."""
    before = len(faults.found)
    if database is None:
        check_page(page, faults=faults)
        return
    results = database.run(page.queries, faults)
    check_page(page, results, faults)
    for doubt in page_doubts(page, database, results):
        doubts.add(doubt)
    if len(faults.found) == before and not page.broken:
        try:
            compile_page(page, database, scratch / "pages", bodies=bodies)
        except LoungeError as error:
            faults.add(error)
