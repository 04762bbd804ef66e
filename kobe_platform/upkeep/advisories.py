"""Judges the locked packages of Python and of the theme by a database of advisories in OSV's format, without a network.

A database is what osv.dev publishes as one zip of an ecosystem (``PyPI/all.zip``, ``npm/all.zip``), or a folder with
such files: one JSON document an advisory (https://ossf.github.io/osv-schema/). The database of PyPI's own maintainers
(pypa/advisory-database) has the same documents as YAML below its folder ``vulns``; these are read, too. As that schema
says it, versions are affected by being listed or by ranges of events (``introduced``, ``fixed``, ``last_affected``);
ranges of commits are left out. An advisory for a locked package whose bounds cannot be read counts as affecting it.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import PROJECT

PYPI, NPM = "PyPI", "npm"
YAML_FOLDER = "vulns"
"""Where pypa/advisory-database keeps its advisories; other YAML files of it are none."""
LOCK, THEME_LOCK = PROJECT / "requirements-run.lock", PROJECT / "dashboards" / "theme" / "package-lock.json"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.M)
_SEMVER = re.compile(r"^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$")


@dataclass(frozen=True, order=True)
class Package:
    """A package of one ecosystem (``PyPI``, ``npm``) as a lock file pins it."""

    ecosystem: str
    name: str
    version: str


@dataclass(frozen=True, order=True)
class Affected:
    """An advisory that affects a locked package; ``fixed`` are the versions that it names as mended."""

    package: Package
    advisory: str
    aliases: tuple[str, ...]
    fixed: tuple[str, ...]
    certain: bool = True


@dataclass(frozen=True)
class Judgement:
    """What came of a database: advisories read and the newest's day, by ecosystem; packages judged; findings."""

    advisories: Mapping[str, int]
    newest: Mapping[str, str]
    packages: tuple[Package, ...]
    findings: tuple[Affected, ...]


def locked_packages(lock: Path = LOCK, theme_lock: Path = THEME_LOCK) -> tuple[Package, ...]:
    """What an installation consists of by its two lock files; tools of the theme's developers are left out."""
    found = {Package(PYPI, canonicalize_name(name), version) for name, version in _PIN.findall(lock.read_text("utf-8"))}
    for place, told in json.loads(theme_lock.read_text("utf-8"))["packages"].items():
        if place and not told.get("dev") and not told.get("link"):
            found.add(Package(NPM, told.get("name") or place.rpartition("node_modules/")[2], told["version"]))
    return tuple(sorted(found))


def judge(databases: Iterable[Path], packages: Iterable[Package]) -> Judgement:
    """Look every package up in all databases.

    Raises:
        ConfigurationError: ``advisories.database``: a database is no zip or folder of advisories; ``advisories.none``:
            together they hold no advisory for an ecosystem that is to be judged.
    """
    wanted: dict[tuple[str, str], list[Package]] = {}
    for package in packages:
        wanted.setdefault((package.ecosystem, package.name), []).append(package)
    counts = dict.fromkeys(sorted({name for name, _ in wanted}), 0)
    newest: dict[str, str] = {}
    findings: set[Affected] = set()
    for told in (told for database in databases for told in _documents(database)):
        affected = told["affected"]
        for ecosystem in {_ecosystem(one) for one in affected} & counts.keys():
            counts[ecosystem] += 1
            newest[ecosystem] = max(newest.get(ecosystem, ""), str(told.get("modified", ""))[:10])
        if not told.get("withdrawn"):
            for one in affected:
                for package in wanted.get((_ecosystem(one), _name(one)), []):
                    findings |= _finding(told, one, package)
    if lacking := [name for name, count in counts.items() if not count]:
        raise ConfigurationError(
            "the databases hold no advisory at all for packages that are to be judged",
            code="advisories.none",
            at={"ecosystem": ", ".join(lacking)},
            remedy="give the zip that osv.dev publishes for each of them (PyPI/all.zip, npm/all.zip)",
            ja="脆弱性情報がありません",
        )
    return Judgement(counts, newest, tuple(packages), tuple(sorted(findings)))


def _documents(database: Path) -> Iterator[Mapping[str, Any]]:
    try:
        if database.is_dir():
            for path in sorted(database.resolve().rglob("*")):
                if path.suffix == ".zip":
                    yield from _documents(path)
                elif read := _reader(path):
                    yield from _advisory(read(path.read_bytes()))
            return
        with zipfile.ZipFile(database) as archive:
            for name in archive.namelist():
                if read := _reader(PurePosixPath(name)):
                    yield from _advisory(read(archive.read(name)))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, yaml.YAMLError) as error:
        raise ConfigurationError(
            "a database of advisories cannot be read",
            code="advisories.database",
            at={"file": database.name, "reason": type(error).__name__},
            remedy="give a zip or a folder of advisories in OSV's format, as osv.dev publishes them",
            ja="脆弱性情報を読めません",
        ) from None


def _reader(path: PurePath) -> Callable[[bytes], Any] | None:
    """How a file is read; None where it is no advisory."""
    if path.suffix == ".json":
        return json.loads
    return _texts if path.suffix == ".yaml" and YAML_FOLDER in path.parts else None


def _texts(data: bytes) -> Any:
    """YAML with every value as the text that stands there: versions such as 3.10 are no numbers."""
    return yaml.load(data, Loader=yaml.BaseLoader)


def _advisory(told: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(told["id"], str):
        raise TypeError
    yield {**told, "affected": [one for one in told.get("affected") or [] if one.get("package")]}


def _ecosystem(affected: Mapping[str, Any]) -> str:
    return str(affected["package"].get("ecosystem", "")).partition(":")[0]


def _name(affected: Mapping[str, Any]) -> str:
    name = str(affected["package"].get("name", ""))
    return canonicalize_name(name) if _ecosystem(affected) == PYPI else name


def _finding(told: Mapping[str, Any], affected: Mapping[str, Any], package: Package) -> set[Affected]:
    ranges = [one for one in affected.get("ranges") or [] if one.get("type") != "GIT"]
    fixed = [str(event["fixed"]) for one in ranges for event in one.get("events") or [] if "fixed" in event]
    aliases = tuple(sorted(map(str, told.get("aliases") or [])))
    certain = True
    try:
        hit = package.version in (affected.get("versions") or [])
        hit = hit or any(_within(one.get("events") or [], package) for one in ranges)
    except (InvalidVersion, ValueError):
        hit, certain = True, False
    return {Affected(package, told["id"], aliases, tuple(fixed), certain)} if hit else set()


def _within(events: Iterable[Mapping[str, str]], package: Package) -> bool:
    """Whether a range holds a version: the last event at or below it introduces the fault, and nothing ended it."""
    key: Callable[[str], Any] = Version if package.ecosystem == PYPI else _semver
    mine = key(package.version)
    bounds = [(name, str(bound)) for event in events for name, bound in event.items()]
    rank = {"introduced": 0, "fixed": 1, "limit": 1, "last_affected": 2}
    known = [(name, bound) for name, bound in bounds if name in rank and bound != "*"]
    inside = ("introduced", "0") in known
    for name, bound in sorted((one for one in known if one[1] != "0"), key=lambda one: (key(one[1]), rank[one[0]])):
        if mine > key(bound) or (mine == key(bound) and name != "last_affected"):
            inside = name == "introduced"
    return inside


def _semver(version: str) -> tuple[Any, ...]:
    """Order of versions by https://semver.org, 11: a pre-release is before its release, numbers are before words."""
    found = _SEMVER.match(version)
    if not found:
        raise ValueError
    numbers = tuple(int(number or 0) for number in found.groups()[:3])
    parts = tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in (found[4] or "").split(".") if part
    )
    return (*numbers, 0 if parts else 1, parts)
