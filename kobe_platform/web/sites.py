"""The release in force, to each reader the richest site that they may see."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import os
import re
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from kobe_platform.governance.people import Person
from kobe_platform.lounge.release import CURRENT, Release, releases_of
from kobe_platform.lounge.serve import inside
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import refusal

_HASHED = re.compile(r"(?:^|-)[0-9A-Za-z]{8,16}\.(?:js|css|svg|json)$")
TYPES = {".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml", ".html": "text/html"}
_SHRINKING = {*TYPES, ".css"}
MOST_BYTES = 256 * 1024 * 1024
"""Of compressed files that a server keeps in memory."""


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
    if found.packed and "gzip" in request.headers.get("accept-encoding", ""):
        headers = {**found.headers, "ETag": found.packed.tag}
        if request.headers.get("if-none-match") == found.packed.tag:
            return Response(status_code=304, headers=headers)
        headers["Content-Encoding"] = "gzip"
        return Response(found.packed.body, media_type=found.kind, headers=headers)
    return FileResponse(found.path, media_type=found.kind, headers=found.headers)


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


def release_in_force(releases: Path) -> Release | None:
    """The release in force; a link is read, and nothing else of the disk once the release is known."""
    try:
        named = os.readlink(releases / CURRENT)
    except OSError:
        return None
    return _release(releases, named)


def _site_in_force(releases: Path, person: Person) -> Path | None:
    """The folder of the person's site in the release in force."""
    release = release_in_force(releases)
    site = site_of(release, person) if release else None
    return release.path / "sites" / site if release and site else None


@lru_cache(maxsize=4)
def _release(releases: Path, named: str) -> Release | None:
    """A release by name, read once."""
    return next((release for release in releases_of(releases) if release.id == named), None)


@dataclass(frozen=True)
class Packed:
    """A compressed file and its entity tag."""

    body: bytes
    tag: str


@dataclass(frozen=True)
class SiteFile:
    """A file of a site as it is sent: ``packed`` where its kind shrinks."""

    path: Path
    kind: str
    headers: dict[str, str]
    packed: Packed | None


class _Kept:
    """Files of sites, read and compressed once: releases never change, so a place and a path say which."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[Path, str], SiteFile] = OrderedDict()
        self._bytes = 0

    async def get(self, site: Path, path: str) -> SiteFile | None:
        """The file at a URL path of a site, or None; what is not there is looked for again."""
        file = self._files.get((site, path))
        if file is None:
            file = await run_in_threadpool(_read, site, path)
            if file is not None:
                self._put((site, path), file)
        else:
            self._files.move_to_end((site, path))
        return file

    def _put(self, key: tuple[Path, str], file: SiteFile) -> None:
        former = self._files.pop(key, None)
        self._files[key] = file
        self._bytes += _size(file) - (_size(former) if former else 0)
        while self._bytes > MOST_BYTES and len(self._files) > 1:
            _, dropped = self._files.popitem(last=False)
            self._bytes -= _size(dropped)


_kept = _Kept()


def _size(file: SiteFile) -> int:
    return len(file.packed.body) if file.packed else 0


def _read(site: Path, path: str) -> SiteFile | None:
    found = inside(site, path)
    if found is None:
        return None
    kept = "private, max-age=31536000, immutable" if _HASHED.search(found.name) else "private, no-cache"
    kind = TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0] or "application/octet-stream"
    packed = None
    if found.suffix in _SHRINKING:
        body = gzip.compress(found.read_bytes(), 6, mtime=0)
        packed = Packed(body, f'"{hashlib.sha256(body).hexdigest()[:24]}"')
    return SiteFile(found, kind, {"Cache-Control": kept, "Vary": "Cookie, Accept-Encoding"}, packed)
