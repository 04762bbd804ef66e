"""Says whose municipality this process works for, and puts its codes and name into the definition files.

One process works for one municipality (``KOBE_MUNICIPALITY``). Contracts, statistics, pages and vocabularies are the
same files for all of them; where one needs the municipality itself, it says ``{{municipality}}`` (five-digit code),
``{{municipality.name}}``, ``{{prefecture}}`` (two digits), ``{{area}}`` (区, or without wards 市, 町 or 村),
``{{district.level}}`` (how many levels school districts are below the municipality), and ``{{#wards}}`` …
``{{/wards}}`` around what only a designated city has, ``{{^wards}}`` … ``{{/wards}}`` around what others have.

The list is ``assets/vocabulary/municipalities.csv``: codes of JIS X 0402 without their check digit, a municipality's
``within`` is its prefecture, a ward's its city; the order is the order of screens.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kobe_platform.errors import ConfigurationError

LIST = Path(__file__).resolve().parents[2] / "assets" / "vocabulary" / "municipalities.csv"
PREFECTURES = LIST.with_name("prefectures.csv")
WHOLE = "000"
"""What follows the two digits of a prefecture in the code of the prefecture itself (JIS X 0402)."""
VARIABLE = "KOBE_MUNICIPALITY"
DEFAULT = "28100"


@dataclass(frozen=True)
class Municipality:
    """A city, town or village.

    Attributes:
        code: five digits. name: as screens have it. prefecture: two digits.
        wards: code → name of a designated city's wards; empty where there are none.
        neighbours: code → name of the other municipalities of the prefecture.
    """

    code: str
    name: str
    prefecture: str
    wards: Mapping[str, str]
    neighbours: Mapping[str, str]

    @property
    def is_prefecture(self) -> bool:
        """Whether it is a whole prefecture, which no register is delivered of."""
        return self.code.endswith(WHOLE)

    @property
    def lounge(self) -> str:
        """Name of its site on screens and in mails."""
        return f"{self.name}データラウンジ"

    @property
    def areas(self) -> Mapping[str, str]:
        """Code → name of its finest areas of administration: the wards, or the municipality itself."""
        return self.wards or {self.code: self.name}


def own() -> Municipality:
    """The municipality of this process; errors as :func:`municipality`."""
    return municipality(os.environ.get(VARIABLE) or DEFAULT)


@cache
def municipality(code: str) -> Municipality:
    """One municipality of the list, or a prefecture of whose municipalities it has some (``28000``).

    Raises:
        ConfigurationError: ``vocabulary.municipality``: the list does not have it, or it is a ward.
    """
    rows = _rows()
    if code.endswith(WHOLE) and municipalities(code[:2]):
        return Municipality(code, _prefecture(code[:2]), code[:2], {}, {c: _label(c) for c in municipalities(code[:2])})
    found = next((row for row in rows if row["code"] == code and len(row["within"]) == len("28")), None)
    if found is None:
        raise ConfigurationError(
            "the list of municipalities does not have this one",
            code="vocabulary.municipality",
            at={"file": LIST.name, "municipality": code},
            remedy=f"set {VARIABLE} to the five-digit code of a city, town or village of the list, or add its line",
        )
    wards = {row["code"]: row["label"] for row in rows if row["within"] == code}
    beside = {row["code"]: row["label"] for row in rows if row["within"] == found["within"] and row["code"] != code}
    return Municipality(code, found["label"], found["within"], wards, beside)


def _label(code: str) -> str:
    return next(row["label"] for row in _rows() if row["code"] == code)


def _prefecture(code: str) -> str:
    with PREFECTURES.open(encoding="utf-8", newline="") as file:
        return next(row["label"] for row in csv.DictReader(file) if row["code"] == code)


@cache
def municipalities(prefecture: str) -> tuple[str, ...]:
    """Codes of a prefecture's municipalities in the order of the list."""
    return tuple(row["code"] for row in _rows() if row["within"] == prefecture)


_SECTION = re.compile(r"\{\{(?P<sign>[#^])wards\}\}(?P<text>.*?)\{\{/wards\}\}", re.DOTALL)


def localized(text: str) -> str:
    """A definition file's text for this process's municipality; no line moves to another place.

    Errors as :func:`municipality`.
    """
    if "{{" not in text:
        return text
    here = own()

    def kept(match: re.Match[str]) -> str:
        wanted = bool(here.wards) == (match["sign"] == "#")
        return match["text"] if wanted else "\n" * match["text"].count("\n")

    text = _SECTION.sub(kept, text)
    for word, value in (
        ("{{municipality}}", here.code),
        ("{{municipality.name}}", here.name),
        ("{{prefecture}}", here.prefecture),
        ("{{area}}", "区" if here.wards else here.name[-1]),
        ("{{district.level}}", "2" if here.wards else "1"),
    ):
        text = text.replace(word, value)
    return text


@cache
def _rows() -> tuple[Mapping[str, str], ...]:
    with LIST.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))
