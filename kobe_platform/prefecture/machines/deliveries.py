"""What a municipality has delivered, month by month, as digests by which two looks are compared; no delivery is
read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from kobe_platform.code_version import engine_version
from kobe_platform.intake.manifest import MANIFEST
from kobe_platform.prefecture.homes import Home
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.months import is_month

_DEFINED_BY = ("contracts", "statistics", "forecast_files", "watch_files", "dashboards", "ondemand")
_WRITTEN = frozenset({".toml", ".sql", ".md", ".csv", ".yml"})
"""What the files end with that people define something in."""


def delivered_months(home: Home, environment: Mapping[str, str], definitions: str) -> dict[str, str]:
    """Months (YYYY-MM) of which something lies complete in its inbox → digest of what there is to be worked on.

    A delivery is complete when its manifest is there. Its place, size and time stand for it: a month that is
    delivered again, or definitions that changed, give another digest. What comes before ``KOBE_START`` is left out,
    as the plan leaves it.

    Args:
        environment: of the municipality's processes.
        definitions: digest of code and definition files (:func:`defined`).
    """
    root = Path(environment.get("KOBE_INBOX", "inbox")) / home.place.code
    start = environment.get("KOBE_START", "")
    found: dict[str, list[str]] = {}
    for source, month, told in _manifests(root):
        if month >= start:
            found.setdefault(month, []).append(f"{source} {told}")
    return {month: _digest(definitions, *sorted(told)) for month, told in sorted(found.items())}


def defined(settings: Settings) -> str:
    """Digest of the code and of all definition files by content, so that it is the same on every machine."""
    digest = hashlib.sha256(engine_version().encode())
    for name in _DEFINED_BY:
        place: Path = getattr(settings, name)
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for path in files:
            if path.suffix in _WRITTEN and path.is_file() and "node_modules" not in path.parts:
                digest.update(f"{path.relative_to(place)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def inputs_of(months: Mapping[str, str]) -> str:
    """One digest for all months of a municipality."""
    return _digest(*(f"{month} {digest}" for month, digest in sorted(months.items())))


def _manifests(root: Path) -> Iterator[tuple[str, str, str]]:
    """(source, month, size and time) of each manifest; nothing where the share is not there."""
    for source in _folders(root):
        for month in _folders(Path(source.path)):
            if is_month(month.name):
                try:
                    told = os.stat(os.path.join(month.path, MANIFEST))
                except OSError:
                    continue
                yield source.name, month.name, f"{told.st_size} {told.st_mtime_ns}"


def _folders(place: Path) -> list[os.DirEntry[str]]:
    try:
        return [entry for entry in os.scandir(place) if entry.is_dir()]
    except OSError:
        return []


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
