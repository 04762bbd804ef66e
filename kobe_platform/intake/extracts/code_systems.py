"""Knows the code systems of places and nationalities, and recognises the one in which a column seems to be written.

A contract declares the system of a column; nothing is guessed. A code is checked against the list, or by its form and
check digit where the list (1,900 municipalities, which change every year) is not the platform's to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from kobe_platform.vocabulary import codes as vocabulary

JIS, LOCAL_GOVERNMENT = "jis-x-0402", "local-government"
UNPLACED = "99999"
"""The sender's code of a place that nobody knows."""
SEEMING = 0.8
"""Share of a column's codes from which on it seems to be of a system."""

_WEIGHTS = (6, 5, 4, 3, 2)
_MUNICIPALITIES = r"^\d\d[1-7]\d\d$"
"""JIS X 0402: prefecture, then 100s (cities with wards), 200s (cities), 300 to 799 (towns and villages); 000 is the
prefecture itself."""

Fits = Callable[[pl.Series], pl.Series]


def five_digits(values: pl.Series, system: str) -> pl.Series:
    """Codes of places as JIS X 0402 has them.

    A six-digit code (全国地方公共団体コード) that fails its check digit stays as it is, and so is no code; nor are five
    digits where six are declared.
    """
    if system == JIS:
        return values
    frame = pl.DataFrame({"code": values, "holds": check_digit_holds(values)})
    short = pl.when("holds").then(pl.col("code").str.slice(0, 5))
    five = pl.col("code").str.contains(r"^\d{5}$") & (pl.col("code") != UNPLACED)
    six = pl.when(five).then(pl.lit("?")).otherwise("code")
    return frame.select(short.otherwise(six)).to_series()


def check_digit_holds(values: pl.Series) -> pl.Series:
    """Whether six digits are a local government's code: modulo 11, weights 6 to 2 (総務省 全国地方公共団体コード)."""
    frame = pl.DataFrame({"code": values})
    figures = [pl.col("code").str.slice(place, 1).cast(pl.Int32, strict=False) for place in range(6)]
    total = sum(figure * weight for figure, weight in zip(figures, _WEIGHTS, strict=False))
    check = (11 - total % 11) % 10
    form = pl.col("code").str.contains(r"^\d{6}$")
    return frame.select((form & (check == figures[5])).fill_null(False)).to_series()


def is_place(values: pl.Series) -> pl.Series:
    """Whether codes are a prefecture's (two digits, or five that end in 000) or a municipality's of JIS X 0402."""
    prefecture = values.str.slice(0, 2).is_in(list(vocabulary.code_list("prefectures")))
    return prefecture & values.str.contains(rf"^\d\d$|^\d\d000$|{_MUNICIPALITIES}")


def seeming_system(values: pl.Series, counts: pl.Series, *, but: str | None) -> str | None:
    """The system to which most rows belong: the first that holds at least four fifths of them.

    Args:
        values, counts: distinct codes, and how many rows have each.
        but: the system that the contract declares.
    """
    filled = values != ""
    total = int(counts.filter(filled).sum())
    for name, fits in SYSTEMS.items():
        if name != but and total and counts.filter(filled & fits(values).fill_null(False)).sum() >= SEEMING * total:
            return name
    return None


def _listed(list_name: str, system: str) -> Fits:
    return lambda values: values.is_in(list(vocabulary.code_system(list_name, system)))


SYSTEMS: Mapping[str, Fits] = {
    LOCAL_GOVERNMENT: check_digit_holds,
    JIS: lambda values: values.str.contains(r"^\d{5}$") & is_place(values),
    "local-government without its zero": lambda values: check_digit_holds("0" + values),
    "jis-x-0402 without its zero": lambda values: values.str.contains(r"^\d{4}$") & is_place("0" + values),
    "iso-3166-alpha-3": _listed("countries", "iso-3166-alpha-3"),
    "iso-3166-alpha-2": _listed("countries", "iso-3166-alpha-2"),
    "iso-3166-numeric": _listed("countries", "iso-3166-numeric"),
    "prefectures": lambda values: values.is_in(list(vocabulary.code_list("prefectures"))),
}
"""Systems by name, stricter ones first; a code may fit several."""
