"""The release in force, to each reader the richest site that they may see."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from kobe_platform.governance.people import Person
from kobe_platform.lounge.release import Release
from kobe_platform.lounge.served import KeptFiles, release_in_force
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import refusal

_kept = KeptFiles()


def site_of(release: Release, person: Person) -> str | None:
    """The site with the most pages among those of the person's audiences; None where no audience has one."""
    open_to = {site for audience, site in release.audiences.items() if audience in person.audiences}
    return max(sorted(open_to), key=lambda site: len(release.sites[site]), default=None)


async def lounge(request: Request) -> Response:
    """A file of the reader's own site; what is not in it is not there, whoever asks."""
    portal: Portal = request.app.state.portal
    person = request.state.session.person
    place = _site_in_force(portal.settings.releases, person)
    path = request.path_params["path"].lstrip("/") or "index.html"
    found = await _kept.get(place, path) if place else None
    if found is None:
        return refusal(request, "アドレスが違うか、見る権限がありません。", 404)
    slug = path.removesuffix(".html")
    if slug != path and _is_opened(request) and slug in pages_seen(portal.settings.releases, person):
        portal.views.count(slug, person.section)
    kept = "private, max-age=31536000, immutable" if found.lasting else "private, no-cache"
    return found.answer(request.headers, {"Cache-Control": kept, "Vary": "Cookie, Accept-Encoding"})


def _is_opened(request: Request) -> bool:
    """Whether a reader opens a page, which the scripts of another page and programs do not."""
    if request.method != "GET" or "purpose" in request.headers or "sec-purpose" in request.headers:
        return False  # a browser that fetches ahead
    mode = request.headers.get("sec-fetch-mode")
    return mode == "navigate" if mode else "text/html" in request.headers.get("accept", "")


def pages_seen(releases: Path, person: Person) -> frozenset[str]:
    """Slugs of the pages of the release in force that the person sees."""
    release = release_in_force(releases)
    site = site_of(release, person) if release else None
    return frozenset(release.sites[site]) if release and site else frozenset()


def _site_in_force(releases: Path, person: Person) -> Path | None:
    """The folder of the person's site in the release in force."""
    release = release_in_force(releases)
    site = site_of(release, person) if release else None
    return release.path / "sites" / site if release and site else None
