"""Builds the site of ``kobe pages serve``: only what its author changed is read, compiled and rendered again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kobe_platform.errors import LoungeError, PlatformError
from kobe_platform.lounge.audiences import Audience, load_audiences
from kobe_platform.lounge.bodies import Bodies
from kobe_platform.lounge.coherence import check_page
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.faults import Faults
from kobe_platform.lounge.links import check_links
from kobe_platform.lounge.notices import OF_THE_PORTAL
from kobe_platform.lounge.pages import PORTAL, Page, arrange, load_page
from kobe_platform.lounge.site import compile_site, lay_front_end, pages_for, render

WATCHED = ("pages", "manuals", "theme/built", "theme/overrides")
Stamps = Mapping[Path, tuple[int, int]]


def stamps(dashboards: Path) -> dict[Path, tuple[int, int]]:
    """Every file that a site is made from, with its time and size."""
    found = [path for folder in WATCHED for path in (dashboards / folder).rglob("*") if path.is_file()]
    found += [path for path in dashboards.glob("*.*") if path.is_file()]
    told = {}
    for path in found:
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        told[path] = (state.st_mtime_ns, state.st_size)
    return told


@dataclass
class WorkshopSite:
    """The site of one audience as its author sees it.

    Attributes:
        database: the tables, open; it keeps results of queries.
        scratch: where Markdown, slices and HTML go.
        audience: whose pages are shown; every page where None.
        version: grows with every build.
        faults: what is wrong now; the HTML is then that of the last build without a fault.
    """

    dashboards: Path
    database: ReleaseDatabase
    scratch: Path
    basis: str
    audience: str | None = None
    version: int = 0
    faults: list[PlatformError] = field(default_factory=list)
    _seen: Stamps = field(default_factory=dict)
    _pages: dict[Path, tuple[Page | None, list[PlatformError]]] = field(default_factory=dict)
    _frame: object = None

    @property
    def out(self) -> Path:
        """The rendered pages."""
        return self.scratch / "site"

    @property
    def data(self) -> Path:
        """The slices."""
        return self.scratch / "data"

    def refresh(self) -> bool:
        """Bring the site up to its sources.

        Returns:
            Whether anything had changed.
        """
        now = stamps(self.dashboards)
        if now == self._seen:
            return False
        changed = {path for path in {*now, *self._seen} if now.get(path) != self._seen.get(path)}
        self._seen = now
        try:
            self.faults = self._build(changed)
        except PlatformError as error:
            self.faults = [error]
        except Exception as error:
            # The workshop goes on whatever happens: the next save may mend it.
            message = f"the site could not be built: {type(error).__name__}"
            self.faults = [LoungeError(message, code="workshop.build", remedy=str(error)[:300])]
        self.faults.sort(key=lambda fault: (str(fault.at.get("file", "")), int(fault.at.get("line", 0))))
        self.version += 1
        return True

    def _build(self, changed: set[Path]) -> list[PlatformError]:
        audiences = load_audiences(self.dashboards)
        self._read(changed, audiences)
        found = [fault for _, faults in self._pages.values() for fault in faults]
        if found:
            return found
        pages = arrange([page for page, _ in self._pages.values() if page is not None])
        if wrong := check_links(pages):
            return list(wrong)
        viewer = audiences.get(self.audience or "") or Audience(
            name="author", label="作成者", includes=tuple(audiences)
        )
        shown = pages_for(viewer, pages)
        if PORTAL not in pages:
            remedy = "write pages/index.md"
            raise LoungeError("an audience has no portal page", code="site.portal", remedy=remedy)
        work = self.scratch / "work"
        names = lay_front_end(self.dashboards, work)
        for path in work.glob("*.md"):
            if path.stem not in pages and path.stem not in OF_THE_PORTAL:
                path.unlink()
        bodies = Bodies(self.scratch / "bodies")
        try:
            compile_site(shown, self.database, self.dashboards, work, self.data, basis=self.basis, bodies=bodies)
        except LoungeError as error:
            return self._all_faults(shown, error)
        # Titles and theme stand on every page; where they are as before, only changed pages are rendered.
        outside = {path for path in changed if path.parent.name not in ("pages", "manuals")}
        frame = [(page.slug, page.title) for page in shown]
        same = self._frame == frame and not outside and self.out.is_dir()
        synthetic = self.basis == "synthetic"
        unseen = pages.keys() - {page.slug for page in shown}
        render(self.dashboards, work, self.out, shown, names, synthetic=synthetic, only_changed=same, unseen=unseen)
        self._frame = frame
        return []

    def _read(self, changed: set[Path], audiences: Mapping[str, Audience]) -> None:
        """Read the pages again that changed, or whose manual or list of audiences changed."""
        paths = set((self.dashboards / "pages").glob("*.md"))
        for path in set(self._pages) - paths:
            del self._pages[path]
        manuals = {path.name for path in changed if path.parent.name == "manuals"}
        everything = self.dashboards / "audiences.toml" in changed
        for path in sorted(paths):
            before = self._pages.get(path)
            former = before[0] if before else None
            manual = former.meta.manual if former else ""
            if before and path not in changed and manual not in manuals and not everything and not before[1]:
                continue
            faults = Faults(collect=True)
            page: Page | None = None
            try:
                page = load_page(path, self.dashboards, audiences, faults)
                check_page(page, faults=faults)
            except LoungeError as error:
                faults.add(error)
                page = former
            self._pages[path] = (page, faults.found)

    def _all_faults(self, shown: list[Page], first: LoungeError) -> list[PlatformError]:
        """Every fault of the page that did not compile, columns included."""
        page = next((page for page in shown if page.file == first.at.get("file")), None)
        faults = Faults(collect=True)
        if page is not None:
            check_page(page, self.database.run(page.queries, faults), faults)
        return faults.found or [first]
