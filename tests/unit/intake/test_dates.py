"""Dates are read as they stand: by the contract's era scheme, unknown parts as unknown, nothing guessed."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobe_platform.contracts import Dates
from kobe_platform.intake.extracts.dates import AMBIGUOUS, BLANK, NORMALISED, PLAIN, read_dates

ODD = Dates(eras={"1": "meiji", "2": "taisho", "3": "showa", "4": "heisei", "5": "reiwa"}, serials=True)
SPACED = Dates(eras={"1": "meiji", "3": "taisho", "5": "showa", "7": "heisei", "9": "reiwa"})
TWO_DIGITS = Dates(eras={"01": "meiji", "02": "taisho", "03": "showa", "04": "heisei", "05": "reiwa"}, era_digits=2)
NO_ERAS = Dates()


def read(text: str, dates: Dates = ODD) -> tuple:
    return read_dates(pl.Series([text]), dates).row(0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5070401", (2025, 4, 1, PLAIN)),
        ("19850412", (1985, 4, 12, PLAIN)),
        ("1450730", (1912, 7, 30, PLAIN)),
        ("2010730", (1912, 7, 30, PLAIN)),
        ("2151225", (1926, 12, 25, PLAIN)),
        ("3011225", (1926, 12, 25, PLAIN)),
        ("3640107", (1989, 1, 7, PLAIN)),
        ("4310430", (2019, 4, 30, PLAIN)),
        ("3650105", (1990, 1, 5, NORMALISED)),
        ("4310501", (2019, 5, 1, NORMALISED)),
        ("4370731", (2025, 7, 31, NORMALISED)),
        ("4010107", (1989, 1, 7, NORMALISED)),
        ("3200229", (1945, 2, 29, PLAIN)),
        ("S65.01.05", (1990, 1, 5, NORMALISED)),
        ("昭和60年4月12日", (1985, 4, 12, NORMALISED)),
        ("平成元年1月8日", (1989, 1, 8, NORMALISED)),
        ("1985/4/12", (1985, 4, 12, NORMALISED)),
        ("43951", (2020, 4, 30, NORMALISED)),
    ],
)
def test_every_form_of_a_known_date_is_read(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3200500", (1945, 5, None)),
        ("3200599", (1945, 5, None)),
        ("3200000", (1945, None, None)),
        ("3209999", (1945, None, None)),
        ("0000000", (None, None, None)),
        ("00000000", (None, None, None)),
        ("99999999", (None, None, None)),
        ("0000-00-00", (None, None, None)),
        ("1945-A1-00", (1945, None, None)),
        ("1945-05-A3", (1945, 5, None)),
        ("昭和20年頃", (1945, None, None)),
        ("昭和20年5月上旬", (1945, 5, None)),
        ("昭和20年推定", (1945, None, None)),
        ("昭和20年春", (1945, None, None)),
        ("不詳", (None, None, None)),
    ],
)
def test_unknown_parts_stay_unknown(text, expected):
    *parts, how = read(text)
    assert tuple(parts) == expected
    assert how in (PLAIN, NORMALISED)


@pytest.mark.parametrize("text", ["850412", "6010101", "3200230", "3201301", "19990431", "2025", "abc", "12345678"])
def test_what_can_be_read_in_two_ways_or_none_is_not_read(text):
    assert read(text)[3] == AMBIGUOUS


def test_a_blank_is_a_blank():
    assert read("") == (None, None, None, BLANK)


def test_the_scheme_is_the_contracts_and_never_guessed():
    assert read("5020430", ODD)[0] == 2020
    assert read("5020430", SPACED)[0] == 1927
    assert read("5020430", NO_ERAS)[3] == AMBIGUOUS
    assert read("9020430", SPACED)[0] == 2020
    assert read("2020430", SPACED)[3] == AMBIGUOUS
    assert read("05020430", TWO_DIGITS)[:3] == (2020, 4, 30)
    assert read("20200430", TWO_DIGITS)[:3] == (2020, 4, 30)


def test_a_serial_is_read_only_where_the_contract_says_that_they_occur():
    assert read("43951", SPACED)[3] == AMBIGUOUS


@pytest.mark.parametrize(
    ("serial", "day"),
    [
        ("10000", (1927, 5, 18)),
        ("9999", (1927, 5, 17)),
        ("9500", (1926, 1, 3)),
        ("1000", (1902, 9, 26)),
        ("0061", (1900, 3, 1)),
        ("0059", (1900, 2, 28)),
        ("0001", (1900, 1, 1)),
        ("45869", (2025, 7, 31)),
    ],
)
def test_a_spreadsheets_serial_is_the_day_that_it_counts(serial, day):
    assert read(serial, ODD) == (*day, NORMALISED)


def test_the_day_that_spreadsheets_count_and_no_calendar_has_is_not_read():
    assert read("0060", ODD)[3] == AMBIGUOUS


def test_four_digits_are_a_serial_only_where_the_contract_says_that_they_occur():
    assert read("9999", SPACED)[3] == AMBIGUOUS
    assert read("0000", ODD)[:3] == (None, None, None)


@pytest.mark.slow
@settings(deadline=None)
@given(st.dates(date(1868, 10, 23), date(2035, 12, 31)))
def test_an_era_date_is_the_western_date_of_its_day(day):
    starts = [("5", 2019, date(2019, 5, 1)), ("4", 1989, date(1989, 1, 8)), ("3", 1926, date(1926, 12, 25))]
    starts += [("2", 1912, date(1912, 7, 30)), ("1", 1868, date(1868, 1, 25))]
    era, first, _ = next(entry for entry in starts if day >= entry[2])
    text = f"{era}{day.year - first + 1:02d}{day:%m%d}"
    assert read(text) == (day.year, day.month, day.day, PLAIN)
    assert read(f"{day:%Y%m%d}") == (day.year, day.month, day.day, PLAIN)
