"""The release in force, to each reader the richest site that they may see."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import os
import re
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
_TYPES = {".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml", ".html": "text/html"}


def site_of(release: Release, person: Person) -> str | None:
    """The site with the most pages among those of the person's audiences; None where no audience has one."""
    open_to = {site for audience, site in release.audiences.items() if audience in person.audiences}
    return max(sorted(open_to), key=lambda site: len(release.sites[site]), default=None)


async def lounge(request: Request) -> Response:
    """A file of the reader's own site; what is not in it is not there, whoever asks."""
    portal: Portal = request.app.state.portal
    found = await run_in_threadpool(_find, portal, request.state.session.person, request.path_params["path"])
    if found is None:
        return refusal(request, "ページがありません。", 404)
    kept = "private, max-age=31536000, immutable" if _HASHED.search(found.name) else "private, no-cache"
    kind = _TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0] or "application/octet-stream"
    headers = {"Cache-Control": kept, "Vary": "Cookie, Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", "") and found.suffix in _TYPES | {".css": ""}:
        packed = await run_in_threadpool(_packed, found, found.stat().st_mtime_ns)
        if request.headers.get("if-none-match") == packed.tag:
            return Response(status_code=304, headers={**headers, "ETag": packed.tag})
        return Response(
            packed.body, media_type=kind, headers={**headers, "Content-Encoding": "gzip", "ETag": packed.tag}
        )
    return FileResponse(found, media_type=kind, headers=headers)


@dataclass(frozen=True)
class Packed:
    """A compressed file and its entity tag."""

    body: bytes
    tag: str


@lru_cache(maxsize=2_000)
def _packed(path: Path, _modified: int) -> Packed:
    """A file of a release, compressed once; releases never change, so a name and a time say which."""
    body = gzip.compress(path.read_bytes(), 6, mtime=0)
    return Packed(body, f'"{hashlib.sha256(body).hexdigest()[:24]}"')


def _find(portal: Portal, person: Person, path: str) -> Path | None:
    releases = portal.settings.releases
    try:
        named = os.readlink(releases / CURRENT)
    except OSError:
        return None
    release = _release(releases, named)
    site = site_of(release, person) if release else None
    return inside(release.path / "sites" / site, path.lstrip("/") or "index.html") if release and site else None


@lru_cache(maxsize=4)
def _release(releases: Path, named: str) -> Release | None:
    """A release by name, read once."""
    return next((release for release in releases_of(releases) if release.id == named), None)
