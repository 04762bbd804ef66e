"""Reads dates as core systems write them, western or era, partly or wholly unknown; it never completes one.

What is read is year, month and day as numbers, not a calendar date: 29 February of a common year and unknown parts are
legal in the register (住民記録システム標準仕様書 1.1.8) and must pass as they are.
"""

from __future__ import annotations

import calendar
from datetime import date

import polars as pl

from kobe_platform.contracts import Dates
from kobe_platform.contracts.model import ERAS

PLAIN, NORMALISED, AMBIGUOUS, BLANK = 0, 1, 2, 3
"""How a date was read: in the contract's form, by conversion (warns), not at all (row set aside), nothing there."""

STARTS = {"meiji": 18680125, "taisho": 19120730, "showa": 19261225, "heisei": 19890108, "reiwa": 20190501}
"""First day of each era; a date past its era's end (S65, H31.05.01) is converted and counted."""

_ENDS = {"meiji": 19120730, "taisho": 19261225, "showa": 19890107, "heisei": 20190430, "reiwa": 99991231}
_NAMES = {"M": "meiji", "T": "taisho", "S": "showa", "H": "heisei", "R": "reiwa"} | {
    "明": "meiji", "大": "taisho", "昭": "showa", "平": "heisei", "令": "reiwa"
}  # fmt: skip
_MONTH, _DAY = r"(\d\d|A[1-4])", r"(\d\d|A[1-3])"
_TAIL = r"(?:[-/.年](\d{1,2}|A[1-4]))?(?:[-/.月](\d{1,2}|A[1-3]))?日?"
_WORDS = "(?:頃|ころ|推定|不詳|不明|春|夏|秋|冬|上旬|中旬|下旬|日|月|年)*"
_SERIAL_EPOCH = date(1899, 12, 30)
_NO_DAY = 60
"""A spreadsheet's 29 February 1900."""


def read_dates(values: pl.Series, dates: Dates) -> pl.DataFrame:
    """Distinct normalised texts → ``y`` (Int32), ``m``, ``d`` (Int8), null where unknown, and ``how`` (UInt8).

    Args:
        values: texts after :func:`kobe_platform.intake.extracts.texts.normalised`.
        dates: the contract's era scheme.
    """
    text = pl.Series("text", values).str.to_uppercase().str.replace_all(r"[()\[\]\s]", "").replace("", None)
    frame = pl.DataFrame({"text": text})
    readings = [_era_number(dates), _western_number(), _western_text(), _era_text(), _serial(dates), _unknown()]
    frame = frame.with_columns(pl.coalesce(readings).alias("read")).unnest("read")
    return frame.select(*_parts(), _how(dates))


def _reading(pattern: str, year: pl.Expr, era: pl.Expr, month: int, day: int, form: str) -> pl.Expr:
    """Struct of what one form reads, null where the text has another form."""
    text = pl.col("text")
    parts = [
        year.cast(pl.Int32).alias("year"),
        era.cast(pl.String).alias("era"),
        (text.str.extract(pattern, month) if month else pl.lit(None, pl.String)).alias("month"),
        (text.str.extract(pattern, day) if day else pl.lit(None, pl.String)).alias("day"),
        pl.lit(form).alias("form"),
    ]
    return pl.when(text.str.contains(pattern)).then(pl.struct(parts))


def _number(pattern: str, group: int) -> pl.Expr:
    return pl.col("text").str.extract(pattern, group).cast(pl.Int32, strict=False)


def _mapped(expression: pl.Expr, mapping: dict) -> pl.Expr:
    return expression.replace_strict(mapping or {"": ""}, default=None, return_dtype=pl.String)


def _era_year(era: pl.Expr, year: pl.Expr) -> pl.Expr:
    first = era.replace_strict(ERAS, default=None, return_dtype=pl.Int32)
    return pl.when((year > 0) & (year < 99)).then(first + year - 1)


def _era_number(dates: Dates) -> pl.Expr:
    digits = dates.era_digits
    codes = {code.zfill(digits): era for code, era in dates.eras.items()}
    known = "|".join(sorted(codes)) or "x"
    nothing = "0" * digits if digits == 1 else "00"
    pattern = rf"^({known}|{nothing}|{'9' * digits})(\d\d){_MONTH}{_DAY}$"
    era = _mapped(pl.col("text").str.extract(pattern, 1), codes)
    return _reading(pattern, _era_year(era, _number(pattern, 2)), era, 3, 4, "era")


def _western_number() -> pl.Expr:
    pattern = rf"^(\d{{4}}){_MONTH}{_DAY}$"
    return _reading(pattern, _western_year(pattern), pl.lit(None), 2, 3, "western")


def _western_text() -> pl.Expr:
    pattern = rf"^(\d{{4}}){_TAIL}{_WORDS}$"
    with_separator = pl.col("text").str.contains(r"[-/.年]|頃|不詳|推定")
    return pl.when(with_separator).then(_reading(pattern, _western_year(pattern), pl.lit(None), 2, 3, "text"))


def _western_year(pattern: str) -> pl.Expr:
    year = _number(pattern, 1)
    return pl.when(year.is_between(1800, 2199)).then(year).when(~year.is_in([0, 9999])).then(-1)


def _era_text() -> pl.Expr:
    pattern = rf"^(?:(M|T|S|H|R|明|大|昭|平|令)(?:治|正|和|成)?)\.?(元|\d{{1,2}}){_TAIL}{_WORDS}$"
    era = _mapped(pl.col("text").str.extract(pattern, 1), _NAMES)
    year = pl.col("text").str.extract(pattern, 2).replace("元", "1").cast(pl.Int32, strict=False)
    return _reading(pattern, _era_year(era, year), era, 3, 4, "text")


def _serial(dates: Dates) -> pl.Expr:
    """A spreadsheet's day count of four or five digits, where the contract says that they occur.

    Spreadsheets count a 29 February 1900 that never was: day 59 is 28 February and 61 is 1 March, and 60 is no day.
    Four digits from 1800 to 2199 could be a year, so they are not read (as days they lie in 1904 to 1906).
    """
    if not dates.serials:
        return pl.lit(None)
    days = pl.when(pl.col("text").str.contains(r"^\d{4,5}$")).then(pl.col("text").cast(pl.Int32, strict=False))
    day = pl.lit(_SERIAL_EPOCH) + pl.duration(days=days + (days < _NO_DAY).cast(pl.Int32))
    parts = [
        day.dt.year().cast(pl.Int32).alias("year"),
        pl.lit(None, pl.String).alias("era"),
        day.dt.strftime("%m").alias("month"),
        day.dt.strftime("%d").alias("day"),
        pl.lit("serial").alias("form"),
    ]
    is_year = pl.col("text").str.contains(r"^(?:1[89]|2[01])\d\d$")
    return pl.when(days.is_between(1, 73050) & (days != _NO_DAY) & ~is_year).then(pl.struct(parts))


def _unknown() -> pl.Expr:
    nothing = pl.lit(None)
    return _reading("^(?:生年月日|年月日)?(?:不詳|不明|未詳|0000-00-00|0+)$", nothing, nothing, 0, 0, "unknown")


def _part(name: str) -> pl.Expr:
    """Month or day as a number; 00, 99, seasons and thirds of months are unknown."""
    number = pl.col(name).cast(pl.Int8, strict=False)
    return pl.when(~number.is_in([0, 99])).then(number)


def _parts() -> list[pl.Expr]:
    year = pl.when(pl.col("year") > 0).then(pl.col("year"))
    month = pl.when(year.is_not_null()).then(_part("month"))
    return [year.alias("y"), month.alias("m"), pl.when(month.is_not_null()).then(_part("day")).alias("d")]


def _how(dates: Dates) -> pl.Expr:
    month, day = _part("month"), _part("day")
    longest = month.replace_strict({m: calendar.monthrange(2000, m)[1] for m in range(1, 13)}, default=31)
    impossible = (month > 12) | (day > longest) | (pl.col("year") == -1) | pl.col("form").is_null()
    plain = ["era", "western", "unknown"] if dates.eras else ["western", "text", "unknown"]
    converted = ~pl.col("form").is_in(plain) | _outside_its_era()
    return (
        pl.when(pl.col("text").is_null())
        .then(BLANK)
        .when(impossible.fill_null(False))
        .then(AMBIGUOUS)
        .when(converted.fill_null(False))
        .then(NORMALISED)
        .otherwise(PLAIN)
        .cast(pl.UInt8)
        .alias("how")
    )


def _outside_its_era() -> pl.Expr:
    """Before the era's first day or after its last (1912-07-30 and 1926-12-25 belong to two eras)."""
    era, base = pl.col("era"), pl.col("year") * 10000
    earliest = base + _part("month").fill_null(1).cast(pl.Int32) * 100 + _part("day").fill_null(1)
    latest = base + _part("month").fill_null(12).cast(pl.Int32) * 100 + _part("day").fill_null(31)
    start = era.replace_strict(STARTS, default=None, return_dtype=pl.Int32)
    end = era.replace_strict(_ENDS, default=None, return_dtype=pl.Int32)
    return (latest < start) | (earliest > end)
