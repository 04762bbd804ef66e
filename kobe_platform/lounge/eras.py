"""Formats periods and dates in Japanese eras (和暦); the browser's ``eras.js`` follows the same rules.

A year or month takes the era of its last day, as statistics at the month's end do; a year in which the era changed
names both (平成31年・令和元年). The first year is 元年. Days before the solar calendar (1873) stay as they are.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

_DATE = re.compile(r"^(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?$")


@cache
def eras() -> tuple[tuple[str, str, int], ...]:
    """Name, first day (ISO) and the year that counts as 元年 of each era, newest first (``eras.toml``)."""
    told = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["era"]
    return tuple((one["name"], one["begins"], one.get("counts_from", int(one["begins"][:4]))) for one in told)


def era_label(code: str) -> str:
    """``2025-07`` → ``令和7年7月``; ``2019`` → ``平成31年・令和元年``; ``2019-05-01`` → ``令和元年5月1日``.

    Anything that is no year, month or day, or lies before the eras, comes back as it is.
    """
    match = _DATE.match(code)
    if not match:
        return code
    year, month, day = match.groups()
    last = f"{year}-{month or '12'}-{day or '31'}"
    first = f"{year}-01-01" if not month else last
    names = [_year(int(year), last), *([_year(int(year), first)] if first != last else [])]
    if not names[0]:
        return code
    text = "・".join(dict.fromkeys(name for name in reversed(names) if name))
    return text + (f"{int(month)}月" if month else "") + (f"{int(day)}日" if day else "")


def _year(year: int, day: str) -> str:
    """The year as the era in force on a day counts it; empty before the first."""
    for name, begins, counted in eras():
        if day >= begins:
            nth = year - counted + 1
            return f"{name}{'元' if nth == 1 else nth}年"
    return ""
