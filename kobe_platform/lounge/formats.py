"""Formats figures and periods for Japanese readers; the browser's ``formats.js`` follows the same rules."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from pathlib import Path

from kobe_platform.lounge.eras import era_label
from kobe_platform.vocabulary.nearest import nearest

SUPPRESSED = "X"
"""Mark of a suppressed value (convention of Japanese statistics, domain.md §3)."""
ABSENT = "…"
"""Mark of a value that is not available."""

Cell = int | float | str | None
"""A figure as slices carry it: a number, ``"X"`` where suppressed, None where not available."""

ERA = "和暦"
"""The ``fmt=`` code of periods and dates in Japanese eras."""
CODES = "a unit with or without ± and decimals before it (人, ±人, 0.0歳, 0.0%), 0.0, ±, or 和暦 for a period"

_FORMAT = re.compile(r"^(?P<sign>[±+]?)(?:(?P<digits>0(?:\.0+)?))?(?P<unit>[^\d.±+<>&\"']*)$")
_PERIOD = re.compile(r"^(\d{4})(?:-(\d{2}))?$")


@dataclass(frozen=True)
class Format:
    """A ``fmt=`` code: optional ``±`` (always show the sign), optional ``0.0`` (decimals), then the unit; or 和暦."""

    unit: str = ""
    digits: int = 0
    signed: bool = False
    era: bool = False

    @classmethod
    def parse(cls, code: str) -> Format | None:
        """``人``, ``±人``, ``0.0歳``, ``%`` …, ``和暦``; None where the code is malformed.

        Whether the unit is a known one says :func:`format_fault`.
        """
        if code.strip() == ERA:
            return cls(era=True)
        match = _FORMAT.match(code.strip())
        if not match:
            return None
        digits = match["digits"] or ""
        return cls(match["unit"].strip(), max(len(digits) - 2, 0), bool(match["sign"]))

    def text(self, value: Cell, *, unit: bool = True) -> str:
        """The figure as text: ``1,234人``, ``X``, ``…``; a minus sign is U+2212 as in typeset tables."""
        if value is None:
            return ABSENT
        if isinstance(value, str):
            return era_label(value) if self.era and value != SUPPRESSED else value
        if type(value) is int and not self.digits:  # most figures are
            figure = f"{abs(value):,}"
        else:
            figure = f"{Decimal(abs(value)).quantize(Decimal(1).scaleb(-self.digits), ROUND_HALF_UP):,}"
        is_zero = not figure.strip("0.,")
        sign = "" if is_zero else ("\u2212" if value < 0 else ("+" if self.signed else ""))
        if self.signed and is_zero:
            sign = "±"
        return f"{sign}{figure}{self.unit if unit else ''}"


@cache
def known_units() -> tuple[str, ...]:
    """The units of ``units.toml``."""
    return tuple(tomllib.loads(Path(__file__).with_name("units.toml").read_text(encoding="utf-8"))["units"])


def format_fault(code: str, declared: Collection[str] = (), *, periods: bool = False) -> str:
    """What an author may do about a ``fmt=`` code that is none; empty where it is one.

    Args:
        declared: units that the page declares beside those of ``units.toml``.
        periods: whether 和暦 may stand here.
    """
    parsed = Format.parse(code)
    if parsed is not None and parsed.era:
        return "" if periods else "和暦 is for periods: use it in text, in DataTable columns or in Period"
    units = [*known_units(), *declared]
    if parsed is not None and (not parsed.unit or parsed.unit in units):
        return ""
    if parsed is not None and (near := nearest(parsed.unit, units)):
        return f"did you mean {code.strip().removesuffix(parsed.unit)}{near}?"
    return f"write {CODES}; a unit of this page's own stands in its front matter (units: […])"


def is_period(code: object) -> bool:
    """Whether a code is a period of the platform: ``YYYY`` or ``YYYY-MM``."""
    return isinstance(code, str) and _is_period(code)


@lru_cache(maxsize=4096)
def _is_period(code: str) -> bool:
    return _PERIOD.match(code) is not None


def period_label(code: str) -> str:
    """``2025-07`` → ``2025年7月``; ``2025`` → ``2025年``; anything else as it is."""
    match = _PERIOD.match(code)
    if not match:
        return code
    year, month = match.groups()
    return f"{year}年{int(month)}月" if month else f"{year}年"
