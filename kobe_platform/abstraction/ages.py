"""Derives ages, durations and months from dates.

An age is attained at the end of the day before the birthday (年齢計算ニ関スル法律; born on 29 February: at the end of
28 February), so the age at the end of a day is the calendar age of the next. What is unknown of a date leaves an
earliest and a latest reading: an age or band is stated where both agree, and is unknown where they do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from kobe_platform.abstraction.codes import banded
from kobe_platform.abstraction.worktable import Working
from kobe_platform.contracts.columns import Age, Duration, EventMonth
from kobe_platform.intake.extracts.dates import AMBIGUOUS, BLANK, NORMALISED, read_dates
from kobe_platform.vocabulary.codes import UNKNOWN
from kobe_platform.vocabulary.months import first_day, last_day, month_after

PRECISION = ["unknown", "year", "month", "day"]
"""How much of a date is known, by number of known parts."""


@dataclass(frozen=True)
class ReferenceDay:
    """The day at whose end things are counted, as expressions or numbers of the day and of the one after it.

    ``today`` and ``next_day`` are yyyymmdd, null where the day is unknown.
    """

    today: pl.Expr
    next_day: pl.Expr


def month_end(month: str) -> ReferenceDay:
    """The last day of ``YYYY-MM``."""
    return ReferenceDay(pl.lit(_number(last_day(month))), pl.lit(_number(first_day(month_after(month)))))


def _number(day: date) -> int:
    return day.year * 10000 + day.month * 100 + day.day


def read_column(working: Working, name: str) -> pl.DataFrame:
    """``y, m, d, how`` of a date column for every row (see :func:`read_dates`)."""
    texts = working.texts(name)
    read = read_dates(texts.values, working.contract.dates)
    return read.select(pl.all().gather(texts.index.cast(pl.UInt32)))


def earliest(dates: pl.DataFrame) -> pl.Series:
    """The earliest day (yyyymmdd) that each partly known date can be; null where the year is unknown."""
    return dates.select(_earliest().alias("earliest")).to_series()


def derive_age(working: Working, column: Age) -> None:
    """Age at the reference day, top-coded, and how much of the birth date was known."""
    births = _less_unknown_parts(working, column, read_column(working, column.id))
    working.mark("set_aside", "date.ambiguous", births["how"] == AMBIGUOUS)
    working.warned["date.normalised"] += int((births["how"] == NORMALISED).sum())
    _count_calendars(working, column)
    reference = month_end(working.month)
    if column.on:
        births = births.hstack(_days(working, column.on))
        reference = ReferenceDay(pl.col("on"), pl.col("on_next"))
    if working.contract.attained == "birthday":
        reference = ReferenceDay(reference.today, reference.today)
    ages = births.select(*_years(reference), _earliest().alias("earliest"), reference.today.alias("today"), "known")
    future = (ages["earliest"] > ages["today"]).fill_null(False)
    working.mark("set_aside", "birth.future", future)
    working.mark("set_aside", "birth.too_old", (ages["least"] > column.limit).fill_null(False))
    clipped = [pl.col(name).clip(0, column.oldest) for name in ("least", "most")]
    age = ages.select(pl.when(clipped[0] == clipped[1]).then(clipped[0]).cast(pl.Int16)).to_series()
    working.derive(column.to, age)
    if column.to_precision:
        working.derive(column.to_precision, pl.Series(PRECISION).gather(ages["known"]))


def _less_unknown_parts(working: Working, column: Age, births: pl.DataFrame) -> pl.DataFrame:
    """The parts that the column of unknown parts leaves (1 the day, 2 month and day, 3 all), and how many are known."""
    left = pl.Series("left", [3]).new_from_index(0, births.height)
    if column.unknown:
        flags = working.texts(column.unknown)
        left = flags.spread(3 - flags.values.cast(pl.Int64, strict=False).fill_null(0).clip(0, 3)).rename("left")
    births = births.with_columns(left)
    births = births.with_columns(
        pl.when(pl.col("left") > place).then(pl.col(name)) for place, name in enumerate(("y", "m", "d"))
    )
    known = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.UInt32) for name in ("y", "m", "d"))
    return births.with_columns(known.alias("known"))


def _earliest() -> pl.Expr:
    return pl.col("y") * 10000 + pl.col("m").fill_null(1).cast(pl.Int32) * 100 + pl.col("d").fill_null(1)


def _latest() -> pl.Expr:
    return pl.col("y") * 10000 + pl.col("m").fill_null(12).cast(pl.Int32) * 100 + pl.col("d").fill_null(31)


def _years(reference: ReferenceDay) -> list[pl.Expr]:
    """``least`` and ``most`` whole years from the date to the end of the reference day."""
    day, year = reference.next_day % 10000, reference.next_day // 10000
    return [
        (year - bound // 10000 - (day < bound % 10000).cast(pl.Int32)).alias(name)
        for name, bound in (("least", _latest()), ("most", _earliest()))
    ]


def _days(working: Working, name: str) -> pl.DataFrame:
    """``on`` and ``on_next``: a wholly known day of each row and the day after, as yyyymmdd."""
    read = read_column(working, name)
    working.mark("set_aside", "date.ambiguous", read["how"] == AMBIGUOUS)
    working.warned["date.normalised"] += int((read["how"] == NORMALISED).sum())
    days = read.select(pl.date("y", "m", "d").alias("day"))
    following = pl.col("day") + pl.duration(days=1)
    return days.select(_as_number(pl.col("day")).alias("on"), _as_number(following).alias("on_next"))


def _as_number(day: pl.Expr) -> pl.Expr:
    return day.dt.year() * 10000 + day.dt.month().cast(pl.Int32) * 100 + day.dt.day()


def _count_calendars(working: Working, column: Age) -> None:
    """Era dates of foreigners and western dates of Japanese are converted, and counted."""
    dates = working.contract.dates
    if not (dates.kind and dates.eras and dates.era_digits == 1):
        return
    texts, kinds = working.texts(column.id), working.texts(dates.kind)
    western = texts.spread(texts.values.str.contains(r"^\d{8}$"))
    era = texts.spread(texts.values.str.contains(r"^\d{7}$"))
    is_western = kinds.spread(kinds.values == dates.western)
    working.warned["date.calendar"] += int(((western & ~is_western) | (era & is_western)).sum())


def derive_duration(working: Working, column: Duration) -> None:
    """Whole years since the date, in bands; ``unknown`` where the date is blank, unreadable, ahead or too vague."""
    texts = working.texts(column.id)
    read = read_dates(texts.values, working.contract.dates)
    reference = month_end(working.month)
    spans = read.select(*_years(reference), _earliest().alias("earliest"), reference.today.alias("today"), "how")
    future = (spans["earliest"] > spans["today"]).fill_null(False)
    known = ~future & ~spans["how"].is_in([AMBIGUOUS, BLANK])
    spans = spans.with_columns(pl.col("least", "most").clip(0))
    least, most = (banded(spans[name], column.breaks) for name in ("least", "most"))
    agreed = pl.DataFrame({"least": least, "most": most, "known": known}).select(
        pl.when(pl.col("known") & (pl.col("least") == pl.col("most"))).then("least").otherwise(pl.lit(UNKNOWN))
    )
    result = texts.spread(agreed.to_series())
    applies = working.applies(column.only_for)
    counted = working.kept if applies is None else working.kept & applies
    for rule, rows in (("duration.future", future), ("date.unreadable", spans["how"] == AMBIGUOUS)):
        if rows.any():
            working.warned[rule] += int((texts.spread(rows) & counted).sum())
    if applies is not None:
        result = pl.DataFrame({"v": result, "a": applies}).select(pl.when("a").then("v")).to_series()
    working.derive(column.to, result)


def derive_event_month(working: Working, column: EventMonth) -> None:
    """The month (YYYY-MM) that an event belongs to; those of other months are set aside."""
    days = read_column(working, column.id)
    month = days.select(pl.format("{}-{}", pl.col("y"), pl.col("m").cast(pl.String).str.zfill(2))).to_series()
    working.mark("set_aside", "event.outside_month", (month != working.month).fill_null(True))
    working.derive(column.to, month)
