"""Which code made a thing: a digest of the rooms that work on it, so that an attempt with mended code is a new one."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_HERE = Path(__file__).resolve().parent


@cache
def engine_version(*rooms: str) -> str:
    """SHA-256 (16 hex digits) over the sources of some rooms of the engine; of all of them without a name.

    Read once a process: a process goes on with the code that it started with.
    """
    digest = hashlib.sha256()
    for place in sorted(_HERE / room for room in rooms) or [_HERE]:
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
        for path in files:
            digest.update(f"{path.relative_to(_HERE)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
