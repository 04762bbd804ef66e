"""A prefecture as a folder of homes: ``municipalities/CODE`` is the whole home of one municipality.

What a home holds (keys, log, lake, receipts, governance, releases) is its municipality's alone. A folder that is moved
away takes all of it along, and the others go on; one that is put in belongs to the prefecture again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.months import is_month
from kobe_platform.vocabulary.municipality import VARIABLE, WHOLE, Municipality, municipality

FOLDER = "municipalities"
ABOVE = "prefecture"
"""Folder of the prefecture's own home: its keys, log, what was handed over, and its release."""
OWN_SETTINGS = "settings.env"
"""File in a home with the settings that are this municipality's alone, as ``NAME=VALUE`` lines."""
COMMON = frozenset(
    {
        *("inbox", "contracts", "statistics", "forecasts", "unusual", "dashboards", "ondemand", "principal", "start"),
        *("raw_days", "history_months", "keep_releases", "run_log_days", "page_processes"),
    }
)
"""Settings that hold for all municipalities; every other one is a home's own, and is not passed on to it."""
_OF_A_HOME = ("KOBE_", "DAGSTER_")
"""What the names of variables begin with that say whose home a process works on, or open its records."""
_AWS = "AWS_"
"""What the names of variables begin with by which AWS's tools open a store or a key service."""
_LINE = re.compile(r"""^((?:KOBE|AWS)_[A-Z0-9_]+)=\s*(["']?)(.*)\2\s*$""")


@dataclass(frozen=True)
class Home:
    """One municipality's home.

    Attributes:
        place: who it is. path: its folder.
    """

    place: Municipality
    path: Path

    def environment(self, settings: Settings) -> dict[str, str]:
        """The environment of a process that works for this municipality and for no other.

        Args:
            settings: of the prefecture; what is common is passed on, what opens keys or records is not. Of a place
                that machines share each home has the part under its own code. Where the home's own file has
                credentials or places of AWS, none of the prefecture's goes along.

        Raises:
            ConfigurationError: ``prefecture.settings``: a line of its own file is not ``NAME=VALUE`` of a setting, or
                sets what the folder itself says.
        """
        known = {f"KOBE_{name.upper()}" for name in Settings.model_fields}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_A_HOME)}
        told = settings.environment()
        if self.place.is_prefecture:
            told["KOBE_DASHBOARDS"] = str(settings.dashboards.resolve() / ABOVE)
        common = {name: told[name] for field in COMMON if (name := f"KOBE_{field.upper()}") in told}
        if settings.store_url:
            common["KOBE_STORE_URL"] = f"{settings.store_url.rstrip('/')}/{self.place.code}"
        whose = {"KOBE_HOME": str(self.path), VARIABLE: self.place.code}
        own = dict(self._own(known - {*whose, "KOBE_PREFECTURE"}))
        if any(name.startswith(_AWS) for name in own):
            kept = {name: value for name, value in kept.items() if not name.startswith(_AWS)}
        return {**kept, **common, **own, **whose}

    def _own(self, known: set[str]) -> Iterator[tuple[str, str]]:
        file = self.path / OWN_SETTINGS
        lines = file.read_text("utf-8").splitlines() if file.is_file() else []
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            found = _LINE.match(text)
            if found is None or not (found[1] in known or found[1].startswith(_AWS)):
                raise ConfigurationError(
                    "a municipality's own settings hold a line that is none",
                    code="prefecture.settings",
                    at={"municipality": self.place.code, "file": OWN_SETTINGS, "line": number},
                    remedy="write KOBE_NAME=VALUE or AWS_NAME=VALUE; home and municipality follow from the folder",
                )
            yield found[1], found[3].strip()


def folder_of(settings: Settings) -> Path:
    """The prefecture's folder.

    Raises:
        ConfigurationError: ``prefecture.absent``: ``KOBE_PREFECTURE`` names none.
    """
    if settings.prefecture is None:
        raise ConfigurationError(
            "no prefecture is set",
            code="prefecture.absent",
            remedy="set KOBE_PREFECTURE to the folder that holds, or shall hold, the municipalities' homes",
        )
    return settings.prefecture.resolve()


def homes(settings: Settings, only: tuple[str, ...] = ()) -> dict[str, Home]:
    """The homes that are there, by code in the order of the list of municipalities.

    Args:
        only: codes to choose; all by default.

    Raises:
        ConfigurationError: ``prefecture.absent``, ``prefecture.unknown`` where a chosen one has no home, or
            ``vocabulary.municipality`` where a folder's name is none of the list.
    """
    root = folder_of(settings) / FOLDER
    found = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    there = {path.name: Home(_below(path.name), path) for path in found}
    for code in only:
        if code not in there:
            raise ConfigurationError(
                "the prefecture has no home of this municipality",
                code="prefecture.unknown",
                at={"municipality": code},
                remedy="kobe prefecture add CODE makes one",
            )
    return {code: home for code, home in there.items() if not only or code in only}


def new_home(settings: Settings, code: str) -> Home:
    """The home of a municipality, its folder made where it was not there; nobody else may read it.

    Raises:
        ConfigurationError: ``prefecture.absent``, or ``vocabulary.municipality``.
    """
    place = _below(code)
    path = folder_of(settings) / FOLDER / code
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    return Home(place, path)


def _below(code: str) -> Municipality:
    """The municipality of a code; a whole prefecture is none."""
    place = municipality(code)
    if place.is_prefecture:
        raise ConfigurationError(
            "this is the code of a whole prefecture",
            code="prefecture.unknown",
            at={"municipality": code},
            remedy="name its municipalities; kobe prefecture publish makes the prefecture's own home",
        )
    return place


def home_above(settings: Settings, below: Iterable[Home]) -> Home:
    """The prefecture's own home, its folder made where it was not there.

    Args:
        below: the municipalities' homes.

    Raises:
        ConfigurationError: ``prefecture.absent``; ``prefecture.several``: the homes are of several prefectures.
    """
    known = sorted({home.place.prefecture for home in below})
    if len(known) != 1:
        raise ConfigurationError(
            "the homes are not of one prefecture",
            code="prefecture.several" if known else "prefecture.unknown",
            at={"prefectures": len(known)},
            remedy="keep the homes of each prefecture in a folder of their own",
        )
    path = folder_of(settings) / ABOVE
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Home(municipality(f"{known[0]}{WHOLE}"), path)


def delivered_bytes(home: Home, environment: Mapping[str, str]) -> int:
    """Size of the newest month of each source in its inbox: what a run will have to read, roughly; 0 without one."""
    root = Path(environment.get("KOBE_INBOX", "inbox")) / home.place.code
    total = 0
    try:
        for source in (entry for entry in os.scandir(root) if entry.is_dir()):
            months = sorted(month.path for month in os.scandir(source.path) if is_month(month.name) and month.is_dir())
            files = os.scandir(months[-1]) if months else ()
            total += sum(file.stat().st_size for file in files if file.is_file())
    except OSError:
        return total
    return total
