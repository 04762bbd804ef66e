"""Computes a digest of the engine's source code, so that a failure is tried again when the code has changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
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
    digest, project = hashlib.sha256(), f"{_PROJECT}{os.sep}"
    for path in source_files(*rooms):
        with open(path, "rb", buffering=0) as module:
            digest.update(f"{path.removeprefix(project)}\n".encode() + module.readall())
    return digest.hexdigest()[:16]


def source_files(*rooms: str) -> list[str]:
    """Paths of the modules of some rooms of the engine; without a name, of all code."""
    places = [_HERE / room for room in sorted(rooms)] or [_PROJECT / name for name in _ALL]
    return [
        path
        for place in map(os.fspath, places)
        for path in (sorted(_modules(place), key=_parts) if os.path.isdir(place) else [f"{place}.py"])
    ]


def _modules(place: str) -> Iterator[str]:
    """The modules below a folder; each tick of a sensor asks for them, and half of all files are bytecode."""
    try:
        found = list(os.scandir(place))
    except FileNotFoundError:  # taken away meanwhile, as by an upgrade
        return
    for entry in found:
        if entry.name.endswith(".py"):
            yield entry.path
        elif entry.name != "__pycache__" and entry.is_dir(follow_symlinks=False):
            yield from _modules(entry.path)


def _parts(path: str) -> list[str]:
    return path.split(os.sep)
