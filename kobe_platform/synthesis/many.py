"""Shares residents among a prefecture's municipalities as the real ones stand to each other."""

from __future__ import annotations

import csv
from pathlib import Path

from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary.municipality import municipality

SIZES = Path(__file__).with_name("sizes.csv")
"""Residents of Hyōgo's municipalities in thousands (census of 2020, rounded): proportions only."""
LEAST = 900
"""Fewest residents of a synthetic municipality."""


def chosen(told: str) -> list[str]:
    """Codes from ``28100,28203``, or the largest so many municipalities from a number of up to three digits.

    Raises:
        ConfigurationError: ``synthesis.municipalities``: there are no sizes of so many, or of one of them.
    """
    sizes = _sizes()
    if told.isdigit() and len(told) < len("28100"):
        found = sorted(sizes, key=lambda code: (-sizes[code], code))[: int(told)]
        fits = len(found) == int(told) > 0
    else:
        found = [code.strip() for code in told.split(",")]
        fits = set(found) <= set(sizes) and len(set(found)) == len(found)
    if not fits:
        raise ConfigurationError(
            "there are no sizes of these municipalities",
            code="synthesis.municipalities",
            at={"file": SIZES.name, "known": len(sizes)},
            remedy=f"give a number up to {len(sizes)}, or codes with commas that the file has",
        )
    return found


def residents_of(codes: list[str], residents: int) -> dict[str, int]:
    """Residents of each municipality, in proportion to the real ones; they sum to ``residents``.

    Raises:
        ConfigurationError: ``synthesis.municipalities``: the smallest would have fewer than can be made.
    """
    sizes = _sizes()
    whole = sum(sizes[code] for code in codes)
    shares, given, told = {}, 0, 0
    for code in codes:
        told += sizes[code]
        upto = round(residents * told / whole)
        shares[code], given = upto - given, upto
    if min(shares.values()) < LEAST:
        smallest = min(shares, key=lambda code: (shares[code], code))
        raise ConfigurationError(
            "the smallest municipality would have too few residents",
            code="synthesis.municipalities",
            at={"municipality": municipality(smallest).code, "residents": shares[smallest], "least": LEAST},
            remedy="raise --residents, or take fewer municipalities",
        )
    return shares


def _sizes() -> dict[str, int]:
    with SIZES.open(encoding="utf-8", newline="") as file:
        return {row["code"]: int(row["thousands"]) for row in csv.DictReader(file)}
