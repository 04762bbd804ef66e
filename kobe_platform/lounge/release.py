"""Builds a release, the published tables with the site made from them, and puts it in force in one step or not at all.

A release is built in a folder of its own, inspected, described in ``release.json`` and only then named by ``current``,
a symbolic link that one rename replaces. A crash at any point leaves the former release in force; what it left behind
is swept by the next build.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kobe_platform.custody.durable import drop_abandoned, held_folder, locked, write_private
from kobe_platform.errors import LoungeError
from kobe_platform.lounge.audiences import Audience, load_audiences
from kobe_platform.lounge.bodies import Bodies
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.doubts import is_draft
from kobe_platform.lounge.pages import Page, load_pages
from kobe_platform.lounge.site import build_site, pages_for
from kobe_platform.lounge.tables import read_index, write_tables
from kobe_platform.vocabulary.courses import courses_file

if TYPE_CHECKING:
    import polars as pl

    from kobe_platform.lounge.sharing import SharedReleases

CURRENT = "current"
RECORD = "release.json"
INPUTS = "inputs.json"
LOCK = ".switching.lock"
"""File whose lock keeps going back to a release and pruning it apart."""
HELD = "held"
"""Names the newest release at the last rollback: an unchanged build does not put it back in force."""
JAPAN = timezone(timedelta(hours=9))
_BUILDING, _SWITCHING = ".building-", ".current-"
_AT_A_TIME = 8
"""Files of a release that are brought to the disk at a time."""
_ID = re.compile(r"^\d{4,}-[0-9a-f]{12}$")
_ENGINE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Release:
    """One release.

    Attributes:
        id: running number and the beginning of ``content``.
        content: SHA-256 over all that it was made from; equal content makes no new release.
        made: False where :func:`assemble` found nothing new.
        sites: site → slugs of its pages.
        audiences: audience → the site that it is served (one of its own only where it sees other pages).
        files: file under ``path`` → SHA-256.
        pruned_at: when its pages and tables were taken away and this record alone stayed; empty while they are there.
    """

    id: str
    path: Path
    created_at: str
    content: str
    tables: Mapping[str, Any]
    sites: Mapping[str, list[str]]
    audiences: Mapping[str, str]
    facts: Mapping[str, Any]
    files: Mapping[str, str] = field(repr=False, default_factory=dict)
    made: bool = False
    pruned_at: str = ""

    @property
    def pages(self) -> tuple[str, ...]:
        """Slugs of all pages of all sites."""
        return tuple(sorted({slug for slugs in self.sites.values() for slug in slugs}))


def assemble(
    tables: Mapping[str, pl.DataFrame],
    dims: Mapping[str, pl.DataFrame],
    facts: Mapping[str, Any],
    dashboards: Path,
    releases: Path,
    *,
    withheld: Collection[str] = (),
    inspect: Callable[[Path], None] | None = None,
    progress: Callable[[str], None] | None = None,
    now: datetime | None = None,
    bodies: Path | None = None,
    shared: SharedReleases | None = None,
) -> Release:
    """Build a release and put it in force, or find that nothing is new.

    Args:
        tables, dims: see :func:`kobe_platform.lounge.tables.write_tables`.
        facts: ``basis`` ("register" or "synthetic"), ``tables`` (name → facts) and whatever else ``release.json`` is to
            tell; nothing that differs from run to run.
        dashboards: pages, manuals, theme.
        releases: where releases live.
        withheld: slugs of pages that are left out (they have no approval); so are pages without any figure yet, and
            those whose manual is still the draft that ``kobe pages new`` wrote.
        inspect: called with the finished release before the switch; what it raises refuses the release.
        progress: told each step's name.
        now: time of the release, for tests.
        bodies: folder that keeps compiled pages from one build to the next; without one, they are shared by the sites
            of this build only.
        shared: where machines share releases, of which ``releases`` is a copy.

    Returns:
        The release made or, with ``made`` False, the newest one, whose content is the same. A release that was rolled
        back from stays out of force until its content changes.

    Raises:
        LoungeError, ConfigurationError: tables, pages or theme are not as they must be, or another machine made a
            release meanwhile (``release.superseded``); the former release stays.
    """
    tell = progress or (lambda step: None)
    releases.mkdir(parents=True, exist_ok=True)
    _sweep(releases)
    if shared is not None:
        shared.pull()
    folder = load_pages(dashboards)
    _refuse_links(folder)
    pages = {slug: page for slug, page in folder.items() if slug not in withheld and _is_ready(page, tables)}
    audiences = load_audiences(dashboards)
    facts = {**facts, "withheld": sorted(withheld)}
    with held_folder(releases, _BUILDING, 0o777) as building:  # the umask says who may read it
        tell("tables")
        index = write_tables(building / "tables", tables, dims, facts.get("tables", {}))
        content = _content(building / "tables", dashboards, {k: v for k, v in facts.items() if k != "tables"})
        newest = releases_of(releases)[-1:]
        if newest and newest[0].content == content:
            return _unchanged(releases, newest[0], shared)
        made = now or datetime.now(UTC)
        number = int(newest[0].id.split("-")[0]) + 1 if newest else 1
        kept = Bodies(bodies or building / "bodies")
        basis = str(facts.get("basis", "register"))
        sites, served_by = _build_sites(
            building, pages, audiences, dashboards, basis, tell, kept, made.astimezone(JAPAN).date(), number,
            left_out=folder.keys() - pages.keys(),
        )  # fmt: skip
        if bodies is None:
            shutil.rmtree(kept.folder)
        else:
            kept.drop_unused()
        id = f"{number:04d}-{content[:12]}"
        record = {
            "id": id,
            "created_at": made.isoformat(timespec="seconds"),
            "content": content,
            "tables": {name: told.as_record() for name, told in index.items()},
            "sites": sites,
            "audiences": served_by,
            "facts": {key: value for key, value in facts.items() if key != "tables"},
            "files": _hashes(building),
        }
        _write(building / RECORD, record)
        tell("inspection")
        if inspect is not None:
            inspect(building)
        tell("switch")
        flush(building)
        path = releases / id
        building.rename(path)
        if shared is not None:
            shared.publish(id)
        switch(releases, id)
        return read_release(path, made=True)


def _refuse_links(pages: Mapping[str, Page]) -> None:
    from kobe_platform.lounge.links import check_links

    if faults := check_links(pages):
        raise faults[0]


def _is_ready(page: Page, tables: Mapping[str, pl.DataFrame]) -> bool:
    """Whether readers are shown a page: it has figures, and its manual is written."""
    return has_figures(page, tables) and not is_draft(page)


def has_figures(page: Page, tables: Mapping[str, pl.DataFrame]) -> bool:
    """Whether any table that a page reads has a row, and each that it needs: nobody is shown charts of nothing. A page
    of words has them."""
    filled = {name for name in page.tables if name in tables and not tables[name].is_empty()}
    return filled.issuperset(page.meta.needs) and (not page.tables or bool(filled))


def _build_sites(
    building: Path,
    pages: Mapping[str, Page],
    audiences: Mapping[str, Audience],
    dashboards: Path,
    basis: str,
    tell: Callable,
    bodies: Bodies,
    day: date,
    number: int,
    left_out: Collection[str],
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Build a site for every set of pages that some audience sees; return its pages, and audience → site."""
    sites: dict[str, list[str]] = {}
    served_by: dict[str, str] = {}
    with ReleaseDatabase(building / "tables") as database:
        for audience in audiences.values():
            slugs = [page.slug for page in pages_for(audience, pages)]
            same = next((name for name, built in sites.items() if built == slugs), None)
            if slugs and same is None:
                tell(f"site {audience.name}")
                work, out = building / "work" / audience.name, building / "sites" / audience.name
                site = build_site(
                    audience, pages, database, dashboards, work, out,
                    basis=basis, bodies=bodies, updated=day, edition=number, left_out=left_out,
                )  # fmt: skip
                sites[audience.name] = [page.slug for page in site.pages]
            if slugs:
                served_by[audience.name] = same or audience.name
    shutil.rmtree(building / "work", ignore_errors=True)
    return sites, served_by


def _unchanged(releases: Path, newest: Release, shared: SharedReleases | None) -> Release:
    """The newest release, its content being the same; a switch that a crash prevented is made up for."""
    held = releases / HELD
    now = current(releases)
    if now is not None and (now.id == newest.id or (held.is_file() and held.read_text() == newest.id)):
        return newest
    if shared is not None:
        shared.switch(newest.id) if shared.knows(newest.id) else shared.publish(newest.id)
    switch(releases, newest.id)
    return replace(newest, made=True)


def rebuild(
    dashboards: Path,
    releases: Path,
    *,
    withheld: Collection[str] = (),
    progress: Callable[[str], None] | None = None,
    shared: SharedReleases | None = None,
) -> Release:
    """Build the pages again over the published tables of the release in force; same guarantees as :func:`assemble`.

    Raises:
        LoungeError: there is no release in force, or a page does not compile.
    """
    import polars as pl

    if shared is not None:
        shared.pull()
    now = current(releases)
    if now is None:
        raise LoungeError("there is no release in force", code="release.none", remedy="run the main job first")
    told, hierarchies = read_index(now.path / "tables")
    tables = {name: pl.read_parquet(now.path / "tables" / f"{name}.parquet") for name in told}
    dims = {name: pl.read_parquet(now.path / "tables" / f"dim_{name}.parquet") for name in hierarchies}
    facts = {**now.facts, "tables": {name: one.as_facts() for name, one in told.items()}}
    return assemble(tables, dims, facts, dashboards, releases, withheld=withheld, progress=progress, shared=shared)


def current(releases: Path) -> Release | None:
    """The release in force, or None before the first."""
    link = releases / CURRENT
    return read_release(link.resolve()) if link.is_symlink() and (link / RECORD).is_file() else None


def releases_of(releases: Path) -> list[Release]:
    """Every complete release, oldest first."""
    if not releases.is_dir():
        return []
    found = [p for p in releases.iterdir() if _ID.match(p.name) and (p / RECORD).is_file()]
    return [read_release(path) for path in sorted(found, key=lambda p: int(p.name.split("-")[0]))]


def rollback(releases: Path, release_id: str | None = None, shared: SharedReleases | None = None) -> Release:
    """Put a former release in force again: the one named, or the one before the current.

    Raises:
        LoungeError: there is none such whose pages are still there.
    """
    if shared is not None:
        shared.pull()
    if not releases.is_dir():
        raise _unknown([])
    with locked(releases / LOCK):
        known = [release for release in releases_of(releases) if not release.pruned_at]
        ids = [release.id for release in known]
        now = current(releases)
        if release_id is None:
            place = ids.index(now.id) if now and now.id in ids else 0
            release_id = ids[place - 1] if place > 0 else ""
        if release_id not in ids:
            raise _unknown(ids)
        if shared is not None:
            shared.switch(release_id, held=ids[-1])
        (releases / HELD).write_text(ids[-1])
        switch(releases, release_id)
        return known[ids.index(release_id)]


def _unknown(ids: Collection[str]) -> LoungeError:
    remedy = f"there are: {', '.join(ids) or 'none'}"
    return LoungeError("there is no such release to go back to", code="release.unknown", remedy=remedy)


def verify(release: Release) -> list[str]:
    """Files of a release that are missing, changed or not its own; a pruned one has none."""
    now = _hashes(release.path)
    files = {} if release.pruned_at else release.files
    return sorted(name for name in set(now) | set(files) if now.get(name) != files.get(name))


def _content(tables: Path, dashboards: Path, facts: Mapping[str, Any]) -> str:
    """Hash of all that a release is made from: tables, facts, pages, theme and the engine that compiles them."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False, default=str).encode())
    digest.update(_tree_digest([("tables", tables)]).encode() + sources_digest(dashboards).encode())
    return digest.hexdigest()


def sources_digest(dashboards: Path) -> str:
    """SHA-256 over what pages are built from beside the tables: pages, manuals, theme, courses, the engine."""
    roots = [("engine", _ENGINE)]
    roots += [(name, dashboards / name) for name in ("pages", "manuals", "theme/built", "theme/overrides")]
    return _tree_digest(roots, [*(path for path in dashboards.glob("*.*") if path.is_file()), courses_file()])


def _tree_digest(roots: Iterable[tuple[str, Path]], single: Iterable[Path] = ()) -> str:
    digest = hashlib.sha256()
    files = [(f"{name}/{p.relative_to(root)}", p) for name, root in roots for p in root.rglob("*") if p.is_file()]
    for name, path in sorted([*files, *((path.name, path) for path in single)]):
        if "__pycache__" not in name:
            digest.update(f"\n{name} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def record_inputs(
    releases: Path, release: Release, inputs: Mapping[str, str], shared: SharedReleases | None = None
) -> None:
    """Write down what the newest release was made from, so that planning can tell whether it is up to date.

    Args:
        inputs: name → digest; also written where :func:`assemble` found that these inputs give the same content.
    """
    record = {"release": release.id, "inputs": dict(inputs)}
    if shared is not None:
        shared.record_inputs(record)
    write_private(releases / INPUTS, json.dumps(record).encode())


def recorded_inputs(releases: Path) -> tuple[dict[str, str], bool]:
    """What the newest release was made from, and whether it stands: in force, or rolled back from by an operator."""
    try:
        told = json.loads((releases / INPUTS).read_bytes())
        name, inputs = told["release"], told["inputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}, False
    if name != _newest(releases):
        return {}, False
    link, held = releases / CURRENT, releases / HELD
    in_force = link.is_symlink() and os.readlink(link) == name
    return inputs, in_force or (held.is_file() and held.read_text() == name)


def number_of_id(id: str) -> int:
    """The running number of a release."""
    return int(id.split("-")[0])


def _newest(releases: Path) -> str:
    names = [path.name for path in releases.iterdir() if _ID.match(path.name) and (path / RECORD).is_file()]
    return max(names, key=lambda name: int(name.split("-")[0]), default="")


def _hashes(root: Path) -> dict[str, str]:
    files = sorted(p for p in root.rglob("*") if p.is_file() and p.name != RECORD)
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _write(path: Path, record: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(record, ensure_ascii=False, indent=1, default=str), encoding="utf-8")


def read_release(path: Path, *, made: bool = False) -> Release:
    """The release in a folder, as its record says; OSError, ValueError … where it has none."""
    record = json.loads((path / RECORD).read_text(encoding="utf-8"))
    return Release(path=path, made=made, **record)


def flush(root: Path) -> None:
    """Bring every file of a release to the disk before it is named.

    Several are asked for at a time: the disk then writes them together, and each by itself would wait for it.
    """
    with ThreadPoolExecutor(_AT_A_TIME) as threads:
        for _ in threads.map(_sync, [*root.rglob("*"), root]):
            pass  # what a disk refuses is raised here


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def switch(releases: Path, release_id: str) -> None:
    """Name a release ``current`` by one rename."""
    with held_folder(releases, _SWITCHING) as aside:
        (aside / CURRENT).symlink_to(release_id)
        os.replace(aside / CURRENT, releases / CURRENT)
    _sync(releases)


def _sweep(releases: Path) -> None:
    """Remove what a crashed build left behind: a build aside, a link aside."""
    drop_abandoned([path for path in releases.iterdir() if path.name.startswith((_BUILDING, _SWITCHING))])
