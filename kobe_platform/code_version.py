"""Computes a digest of the engine's source code, so that a failure is tried again when the code has changed."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_PROJECT = _HERE.parent
_ALL = ("kobe_platform", "assets", "checks", "resources")


@cache
def engine_version(*rooms: str) -> str:
    """SHA-256 (16 hex digits) over the sources of some rooms of the engine; without a name, of all code.

    Read once a process: a process goes on with the code that it started with.
    """
    digest = hashlib.sha256()
    for path in source_files(*rooms):
        digest.update(f"{path.relative_to(_PROJECT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def source_files(*rooms: str) -> list[Path]:
    """The modules of some rooms of the engine; without a name, of all code."""
    places = [_HERE / room for room in sorted(rooms)] or [_PROJECT / name for name in _ALL]
    return [
        path
        for place in places
        for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")])
    ]
