"""What both servers hand out of releases: the release in force is read once, and each file is compressed once.

A release never changes, and a page asks for a dozen files at the same moment: to read the release's record (a name and
a digest of each file, most of a megabyte at ninety pages) and to compress the charts' code for every one of them would
keep a reader waiting for longer than everything else that a page does.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import os
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kobe_platform.lounge.release import CURRENT, Release, releases_of

if TYPE_CHECKING:
    from starlette.responses import Response

TYPES = {".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml", ".html": "text/html"}
MOST_BYTES = 256 * 1024 * 1024
"""Of compressed files that a server keeps in memory."""
_HASHED = re.compile(r"(?:^|-)[0-9A-Za-z]{8,16}\.(?:js|css|svg|json)$")
_SHRINKING = {*TYPES, ".css"}


def release_in_force(releases: Path) -> Release | None:
    """The release in force; a link is read, and nothing else of the disk once the release is known."""
    try:
        named = os.readlink(releases / CURRENT)
    except OSError:
        return None
    return _release(releases, named)


@lru_cache(maxsize=4)
def _release(releases: Path, named: str) -> Release | None:
    """A release by name, read once."""
    return next((release for release in releases_of(releases) if release.id == named), None)


def inside(root: Path, path: str) -> Path | None:
    """The regular file below ``root`` that a URL path names: no ``..``, no hidden name, no link out; else None."""
    parts = PurePosixPath(path).parts
    if any(part.startswith(".") or "\\" in part or "\x00" in part for part in parts):
        return None
    try:
        root = root.resolve()
        found = root.joinpath(*parts).resolve()
        return found if found.is_relative_to(root) and found.is_file() else None
    except OSError:  # a name longer than the file system knows
        return None


@dataclass(frozen=True)
class Packed:
    """A compressed file and its entity tag."""

    body: bytes
    tag: str


@dataclass(frozen=True)
class SiteFile:
    """A file of a site as it is sent.

    Attributes:
        lasting: its content decides its name, so that a browser may keep it without asking again.
        packed: the file compressed, where its kind shrinks.
    """

    path: Path
    kind: str
    lasting: bool
    packed: Packed | None

    def answer(self, asked: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        """The answer to a request with these headers, with ``headers`` of the server's own."""
        from starlette.responses import FileResponse, Response

        if self.packed is None or "gzip" not in asked.get("accept-encoding", ""):
            return FileResponse(self.path, media_type=self.kind, headers=dict(headers))
        tagged = {**headers, "ETag": self.packed.tag}
        if asked.get("if-none-match") == self.packed.tag:
            return Response(status_code=304, headers=tagged)
        return Response(self.packed.body, media_type=self.kind, headers={**tagged, "Content-Encoding": "gzip"})


class KeptFiles:
    """Files of sites, read and compressed once: releases never change, so a place and a path say which."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._files: OrderedDict[tuple[Path, str], SiteFile] = OrderedDict()
        self._bytes = 0

    async def get(self, site: Path, path: str) -> SiteFile | None:
        """The file at a URL path of a site, or None; what is not there is looked for again."""
        from starlette.concurrency import run_in_threadpool

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


def _size(file: SiteFile) -> int:
    return len(file.packed.body) if file.packed else 0


def _read(site: Path, path: str) -> SiteFile | None:
    found = inside(site, path)
    if found is None:
        return None
    kind = TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0] or "application/octet-stream"
    packed = _packed(found) if found.suffix in _SHRINKING else None
    return SiteFile(found, kind, _HASHED.search(found.name) is not None, packed)


def _packed(path: Path) -> Packed:
    body = gzip.compress(path.read_bytes(), 6, mtime=0)
    return Packed(body, f'"{hashlib.sha256(body).hexdigest()[:24]}"')
